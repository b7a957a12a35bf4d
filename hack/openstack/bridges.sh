#!/usr/bin/env bash
# The two bridges of the cloud, inside: of its hosts and its APIs, and of the external
# network. This machine's interfaces are in them.
#
#   bridges.sh ADDRESS/PREFIX   the address of the APIs
set -euo pipefail
for name in mgmt ext; do
	ip link add "br-$name" type bridge
	ip link set "${name}0" master "br-$name" up
	ip link set "br-$name" up
done
# Without one of its own it takes the lowest of its ports', and each new host could change
# it under the others.
ip link set br-mgmt address 02:00:00:18:0f:01
ip addr add "$1" dev br-mgmt
