// The module's root. Every build names the module file of one Kubernetes minor
// instead: go build -modfile=1.37.mod (see generate.sh).
module github.com/marina-dev/marina/hack/kubernetes

go 1.26.0
