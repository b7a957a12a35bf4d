#!/usr/bin/env bash
# Runs the suite of e2e/kind in a management cluster that is made for it and deleted
# afterwards, also when the suite fails.
#
#   RUN=REGEXP   only the tests of that name
#   KEEP=yes     leaves the cluster: source .kind/env, then 'make kind-down'
set -euo pipefail
cd "$(dirname "$0")/.."

finish() {
	[[ ${KEEP-} ]] || make --no-print-directory kind-down
}
trap finish EXIT
make --no-print-directory kind-up
# shellcheck source=/dev/null
source .kind/env
go test -tags kind -count 1 -timeout 30m -v -run "${RUN-}" ./e2e/kind
