#!/usr/bin/env bash
# Prints the figures of docs/reference/performance.md, measured on this machine now.
#
#   hack/bench.sh local [FLAG...]   clusters of 'marina up': time, memory, CPU, requests
#   hack/bench.sh fleet             what 100 and 300 clusters without pods cost the manager
#   hack/bench.sh pools             what ten nodes cost an OpenStack, and ten quiet minutes
#   hack/bench.sh kind              clusters in a management cluster in kind, made for it
#
# Nothing else should run meanwhile.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CGO_ENABLED=0

kind() {
	trap 'make --no-print-directory kind-down' EXIT
	make --no-print-directory kind-up
	# shellcheck source=/dev/null
	source .kind/env
	go test -tags kind -run '^$' -bench . -benchtime 1x -timeout 30m ./e2e/kind
}

part=${1-}
echo "$part: $(nproc) cores, $(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo), load $(cut -d" " -f1 /proc/loadavg) before" >&2
case $part in
local) go run ./e2e/bench "${@:2}" ;;
fleet) go test -run '^$' -bench Fleet -benchtime 1x -timeout 30m ./e2e/chart -idle 10m ;;
pools) go test -run '^$' -bench Pool -benchtime 1x -timeout 30m ./e2e/pools ;;
kind) kind ;;
*)
	sed -n '2,/^[^#]/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
	exit 2
	;;
esac
