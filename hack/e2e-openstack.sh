#!/usr/bin/env bash
# Starts a real OpenStack on this machine, builds the node image, and runs there what is run
# against the simulator otherwise (e2e/contract, e2e/openstack), and servers that become
# nodes (e2e/servers). It is ended afterwards, also when something fails or when this is told
# to end.
#
#   PARTS="..."    of contract controllers servers, which is all
#   RUN=REGEXP     only the tests of that name
#   KEEP=yes       leaves the cloud for the next run, and 'make openstack-down'
set -euo pipefail
cd "$(dirname "$0")/.."
parts=${PARTS:-contract controllers servers}
minor=1.37
logs=${XDG_CACHE_HOME:-$HOME/.cache}/marina/openstack/failed-logs.tar.gz

state=${OPENSTACK_STATE:-/var/lib/marina-openstack}
undo=openstack-down made=openstack${state//\//-}
# shellcheck source=hack/suite.sh
source hack/suite.sh

# part NAME PACKAGE FLAG... runs the tests of a package in the cloud, if they are asked for.
part() {
	local name=$1 package=$2 started=$SECONDS
	shift 2
	[[ " $parts " == *" $name "* ]] || return 0
	printf '\n-- %s\n' "$name"
	# They wait for the cloud more than they do.
	if ! run go test -count=1 -v -timeout 40m -parallel 5 -run "${RUN-}" "$@" "$package"; then
		# They go with the cloud.
		hack/openstack/openstack.sh logs "$logs"
		echo "what the services of the cloud have logged: $logs" >&2
		return 1
	fi
	printf -- '-- %s: %d s\n' "$name" $((SECONDS - started))
}

# Before the cloud, which takes memory.
if [[ " $parts " == *" servers "* ]]; then
	run make --no-print-directory "node-image-$minor"
	run hack/node-image/build.sh "$minor" test-container
fi
run make --no-print-directory openstack-up
environment=$(hack/openstack/openstack.sh env)
eval "$environment"

part contract ./e2e/contract
part controllers ./e2e/openstack
if [[ " $parts " == *" servers "* ]]; then
	image=$(echo bin/node-images/*.qcow2)
	run hack/openstack/openstack.sh image node-vm "$image" qemu
	# Two names for the same: a pool goes from the one to the other.
	for name in node-container node-container-next; do
		run hack/openstack/openstack.sh image "$name" "${image%.qcow2}-test-container.raw" lxc
	done
	export MARINA_OPENSTACK_VM=node-vm MARINA_OPENSTACK_CONTAINER=node-container MARINA_OPENSTACK_NEXT=node-container-next
fi
part servers ./e2e/servers -tags openstack
