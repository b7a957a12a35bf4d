#!/usr/bin/env bash
# A management cluster for tests on this machine, by kind, from nothing: an engine, the
# node image, the cluster. Nothing is pulled.
#
#   hack/kind/kind.sh up [CONFIG]        a cluster of hack/kind/CONFIG.yaml (single, multi)
#   hack/kind/kind.sh load [NAME...]     the images of bin/images (all) into its nodes
#   hack/kind/kind.sh down               everything away again
#   hack/kind/kind.sh node-image         only build the node image, load it into the engine
#                                        that answers, if one does, and print its name
#   hack/kind/kind.sh worker up|down|routes ...        see worker.sh
#
# .kind/env is to be sourced: it sets KUBECONFIG, DOCKER_HOST and PATH to what was made.
# make images comes first: the node image has images in it.
#
#   KIND_CLUSTER   the cluster's name (marina)
#   IMAGE_PREFIX   what the images' names begin with (marina.local)
set -euo pipefail
shopt -s inherit_errexit

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/marina
prefix=${IMAGE_PREFIX:-marina.local}
cluster=${KIND_CLUSTER:-marina}
minor=${MINOR:-1.37}
state=$root/.kind
partial=$cache/kind/.partial.$$
export GOFLAGS='' GOWORK=off GOTOOLCHAIN=local CGO_ENABLED=0
export KUBECONFIG=$state/kubeconfig
cd "$root"
trap 'jobs -p | xargs -r kill; wait; rm -rf --one-file-system "$partial" ${engine_policy:+"$engine_policy"}' EXIT

fail() {
	echo "kind: $*" >&2
	exit 1
}

# step NAME COMMAND... says what is done and how long it took.
step() {
	local name=$1 started=${EPOCHREALTIME/./}
	shift
	"$@"
	printf '== %-44s %6.1f s\n' "$name" "$(((${EPOCHREALTIME/./} - started) / 100000))e-1"
}

# shellcheck source=engine.sh
source hack/kind/engine.sh
# shellcheck source=node-image.sh
source hack/kind/node-image.sh
# shellcheck source=worker.sh
source hack/kind/worker.sh

kind() { bin/tools/kind "$@"; }
kubectl() { "$(printf '%s\n' bin/kubernetes/v"$minor".*/kubectl | sort -V | tail -n 1)" "$@"; }

create() {
	mkdir -p "$state"
	kind create cluster --name "$cluster" --image "$node_image" --config "hack/kind/$1.yaml" --wait 120s >"$state/create.log" 2>&1 ||
		fail "$(grep -v '"Response"' "$state/create.log" | tail -20)"
	# Three nodes are three nodes for what is spread over them; one has no taint.
	kubectl taint nodes -l node-role.kubernetes.io/control-plane node-role.kubernetes.io/control-plane- >/dev/null 2>&1 || true
}

# routes KUBECONFIG has each node of a cluster know where the pods of the others are.
routes() {
	local node address range other list
	list=$(kubectl --kubeconfig "$1" get nodes -o jsonpath='{range .items[*]}{.metadata.name} {.status.addresses[0].address} {.spec.podCIDR}{"\n"}{end}')
	for node in $(cut -d' ' -f1 <<<"$list"); do
		while read -r other address range; do
			[[ $other == "$node" ]] || docker exec "$node" ip route replace "$range" via "$address"
		done <<<"$list"
	done
}

rollout() {
	local what
	for what in ds/kube-proxy ds/volumes deploy/coredns; do
		kubectl -n kube-system rollout status --timeout=120s "$what" >/dev/null
	done
}

up() {
	local config=${1:-single} started=$SECONDS
	[[ -f hack/kind/$config.yaml ]] || fail "no such cluster: $config"
	mkdir -p "$partial"
	step 'container engine' engine_up
	step 'kind' hack/build.sh tools kind
	node_image
	if [[ " $(kind get clusters --quiet | tr '\n' ' ')" == *" $cluster "* ]]; then
		echo "the cluster $cluster is there"
		kind export kubeconfig --quiet --name "$cluster"
	else
		step "cluster of hack/kind/$config.yaml" create "$config"
		step 'routes between its nodes' routes "$KUBECONFIG"
		step 'kube-proxy, DNS, volumes' rollout
	fi
	{
		printf 'export KUBECONFIG=%q PATH=%q:$PATH NODE_IMAGE=%q KIND_CLUSTER=%q\n' "$KUBECONFIG" \
			"$root/bin/tools:$(dirname "$(readlink -f "$kubernetes/kubectl")")" "$node_image" "$cluster"
		[[ -z ${DOCKER_HOST-} ]] || printf 'export DOCKER_HOST=%q\n' "$DOCKER_HOST"
	} >"$state/env"
	echo "the cluster $cluster is up after $((SECONDS - started)) s: source .kind/env"
}

# import NODE ARCHIVE FLAG... imports an image into a node.
import() {
	local node=$1 archive=$2
	shift 2
	docker exec -i "$node" ctr -n k8s.io images import --all-platforms --digests "$@" - <"$archive" >"$state/import-$node.log" 2>&1 ||
		fail "$archive into $node: $(tail -2 "$state/import-$node.log")"
}

# load imports what a node has not got yet, or has got by the same name with other contents.
load() {
	local node name reference digest archive there count=0 started=$SECONDS
	engine_reachable || fail "no engine: hack/kind/kind.sh up"
	for node in $(kind get nodes --quiet --name "$cluster"); do
		there=$(docker exec "$node" ctr -n k8s.io images ls 2>/dev/null | awk '{ print $1, $3 }')
		while read -r name reference digest archive; do
			(($# == 0)) || [[ " $* " == *" $name "* ]] || continue
			grep -qxF "$reference $digest" <<<"$there" && continue
			import "$node" "$archive"
			((++count))
		done <bin/images/list
	done
	echo "$count images loaded in $((SECONDS - started)) s"
}

down() {
	if engine_reachable; then
		docker ps -aq --filter "label=marina-worker=$cluster" | xargs -r docker rm -fv >/dev/null
		if [[ -n $(docker ps -aq --filter "label=io.x-k8s.kind.cluster=$cluster") ]]; then
			hack/build.sh tools kind
			kind delete cluster --quiet --name "$cluster"
		fi
		# The network belongs to all kind clusters of this engine.
		docker network inspect kind -f '{{len .Containers}}' 2>/dev/null | grep -qx 0 && docker network rm kind >/dev/null
		# So do the images, from which another cluster's workers are made.
		if [[ -z $(docker ps -aq --filter label=io.x-k8s.kind.cluster) ]]; then
			docker image ls --format '{{.Repository}}:{{.Tag}}' "$prefix/kind-node" | xargs -r docker image rm >/dev/null || true # servers of a simulated cloud may use it
		fi
	fi
	step 'container engine' engine_down
	rm -rf "$state"
}

case ${1-} in
up | load | down | worker) "$@" ;;
node-image)
	mkdir -p "$partial"
	if engine_reachable; then
		node_image
		echo "$node_image"
	else
		node_archive
		echo "$node_archive"
	fi
	;;
*)
	sed -n '2,/^[^#]/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
	exit 2
	;;
esac
