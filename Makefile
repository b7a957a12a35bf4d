# Marina. "make help" lists what you can do.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The newest minor is the one that the demo runs. The builds find the patch
# release in hack/kubernetes/MINOR.mod.
NEWEST := 1.37
MINORS := 1.36 1.37
# What runs no control planes, whose tests mostly wait: two packages at a time.
LIGHT := ./pkg/... ./dataplane/... ./cmd/marina/cli/... ./e2e/openstacksim/... ./e2e/contract/...
PARTS ?= local fleet pools kind
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# Modules of their own; most hold nothing but the versions of what is built from them.
NESTED := $(filter-out hack/kubernetes,$(patsubst %/go.mod,%,$(wildcard hack/*/go.mod hack/tools/*/go.mod)))

export CGO_ENABLED ?= 0

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z0-9.%-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##
.PHONY: build
build: ## Build bin/marina, the one product binary.
	@go build -ldflags "-s -w -X github.com/marina-dev/marina/cmd/marina/cli/buildinfo.version=$(VERSION)" -o bin/marina ./cmd/marina

.PHONY: kubernetes-1.36
kubernetes-1.36: ## Build the Kubernetes 1.36 programs from source (cached).
	@hack/build.sh kubernetes 1.36

.PHONY: kubernetes-1.37
kubernetes-1.37: ## Build the Kubernetes 1.37 programs from source (cached).
	@hack/build.sh kubernetes 1.37

.PHONY: etcd
etcd: ## Build etcd from source (cached).
	@hack/build.sh etcd

.PHONY: images
images: ## Build all container images as archives in bin/images (cached; no engine, no registry).
	@VERSION=$(VERSION) MINORS="$(MINORS)" hack/images/build.sh

.PHONY: node-image-1.36
node-image-1.36: images ## Build the disk image of the nodes of Kubernetes 1.36, as root on Debian 12 (cached; BUILD=N).
	@hack/node-image/build.sh 1.36

.PHONY: node-image-1.37
node-image-1.37: images ## Build the disk image of the nodes of Kubernetes 1.37, as root on Debian 12 (cached; BUILD=N).
	@hack/node-image/build.sh 1.37

.PHONY: charts
charts: helm ## Package the Helm charts of this version into bin/charts.
	@rm -rf bin/charts && mkdir -p bin/charts
	@for c in chart chart-crds; do bin/tools/helm package manifests/$$c --app-version $(VERSION) -d bin/charts || exit 1; done

.PHONY: helm
helm:
	@hack/build.sh tools helm >/dev/null

.PHONY: tools
tools: ## Build the linter, the code generator, kind and Helm (cached).
	@hack/build.sh tools

.PHONY: demo
demo: build kubernetes-$(NEWEST) etcd ## Start Marina on this machine, create a cluster with two nodes, show it.
	@hack/demo.sh start

.PHONY: demo-stop
demo-stop: ## Delete the demo's cluster and stop everything that the demo started.
	@hack/demo.sh stop

.PHONY: kind-up
kind-up: images ## Create a management cluster in kind on this machine, from nothing (CONFIG=single|multi).
	@hack/kind/kind.sh up $(CONFIG)
	@hack/kind/kind.sh load

.PHONY: e2e
e2e: build helm $(MINORS:%=kubernetes-%) ## Install Marina in a management cluster in kind and run the suite of e2e/kind there, from nothing.
	@hack/e2e.sh

.PHONY: e2e-openstack
e2e-openstack: build $(MINORS:%=kubernetes-%) etcd ## Start a real OpenStack on this machine and run e2e/contract, openstack and servers there, from nothing.
	@hack/e2e-openstack.sh

.PHONY: kind-down
kind-down: ## Delete that cluster and everything that was started for it.
	@hack/kind/kind.sh down

.PHONY: openstack-up
openstack-up: ## Start an OpenStack for tests on this machine (COMPUTES="lxc1=lxc vm1=qemu fake1=fake"; as root, Debian 12).
	@hack/openstack/openstack.sh up

.PHONY: openstack-down
openstack-down: ## End that OpenStack and delete all that it has kept (KEEP=yes keeps that).
	@hack/openstack/openstack.sh $(if $(KEEP),down,purge)

.PHONY: test
test: build helm $(MINORS:%=kubernetes-%) etcd ## Run all tests of this machine: unit, integration, local end to end.
	go test -timeout 40m -p 2 $(LIGHT)
	go test -timeout 40m -p 1 $$(go list ./... | grep -vxF "$$(go list $(LIGHT))")
	@for m in $(MINORS); do echo "hack/kubernetes ($$m)"; (cd hack/kubernetes && go test -modfile=$$m.mod -trimpath ./...) || exit 1; done

.PHONY: chaos
chaos: build $(MINORS:%=kubernetes-%) etcd ## Take ten clusters with nodes, eight that are played and two that are real, through their lives while the managers are killed at random; let nodes die.
	go test -tags chaos -timeout 30m -p 1 -v -run 'TestRule10A|TestRule10KilledAgain|TestHeal' ./e2e/fleet ./e2e/pools

.PHONY: bench
bench: build helm $(MINORS:%=kubernetes-%) etcd ## Measure what docs/reference/performance.md shows (PARTS="local fleet pools kind").
	@for part in $(PARTS); do hack/bench.sh $$part || exit 1; done

.PHONY: generate
generate: ## Write generated code and CRDs anew.
	@hack/build.sh tools controller-gen
	@bin/tools/controller-gen object paths=./pkg/api/... crd paths=./pkg/api/... output:crd:dir=manifests/crds

.PHONY: verify
verify: generate ## Fail if generated code, formatting or module files are not as committed.
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt differs:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	@go mod tidy -diff
	@for d in $(NESTED); do (cd $$d && go mod tidy -diff) || exit 1; done
	@git diff --exit-code -- pkg/api manifests/crds || { echo "generated files differ: run 'make generate' and commit"; exit 1; }

.PHONY: vet
vet: ## Run go vet in every module.
	go vet -tags kind,openstack,chaos ./...
	@echo "go vet in hack/etcd" && cd hack/etcd && go vet ./...
	@for m in $(MINORS); do echo "go vet in hack/kubernetes ($$m)"; (cd hack/kubernetes && go vet -trimpath -modfile=$$m.mod ./...) || exit 1; done

.PHONY: lint
lint: ## Run golangci-lint.
	@hack/build.sh tools golangci-lint
	@bin/tools/golangci-lint run --build-tags kind,openstack,chaos ./...
