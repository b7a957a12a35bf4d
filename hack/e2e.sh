#!/usr/bin/env bash
# Runs the suite of e2e/kind in a management cluster that is made for it and deleted
# afterwards, also when the suite fails or when this is told to end.
#
#   RUN=REGEXP     only the tests of that name
#   CONFIG=multi   in a cluster of three nodes, for TestNodes, which needs them
#   KEEP=yes       leaves the cluster: source .kind/env, then 'make kind-down'
set -euo pipefail
cd "$(dirname "$0")/.."
config=${CONFIG:-single}

undo=kind-down made=kind-${KIND_CLUSTER:-marina}
# shellcheck source=hack/suite.sh
source hack/suite.sh

run make --no-print-directory kind-up "CONFIG=$config"
# shellcheck source=/dev/null
source .kind/env
run go test -tags kind -c -o .kind/suite.test ./e2e/kind
case $config in
multi) tests=(-test.run "${RUN:-TestNodes}") ;;
*) tests=(-test.run "${RUN-}" -test.skip TestNodes) ;;
esac
started=$SECONDS
cd e2e/kind
run "$root/.kind/suite.test" -test.v -test.timeout 30m "${tests[@]}"
echo "the suite has taken $((SECONDS - started)) s"
