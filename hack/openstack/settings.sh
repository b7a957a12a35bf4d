# shellcheck shell=bash disable=SC2154,SC2034 # variables are set, and read, by others
# Names, addresses and folders of the test cloud. To be sourced. All of it is its own, so
# that it can run beside another OpenStack on one machine.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Debian's programs, and above all Debian's Python: that one has OpenStack's libraries.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8

# Everything that the cloud keeps. A purge deletes it.
state=${OPENSTACK_STATE:-/var/lib/marina-openstack}
# The hosts that servers run on, as NAME=lxc|qemu|fake.
default_computes='lxc1=lxc lxc2=lxc lxc3=lxc vm1=qemu fake1=fake fake2=fake fake3=fake'
computes=${COMPUTES:-$default_computes}

etc=$state/etc
logs=$state/log
clouds=$state/clouds.yaml
# In the cloud's own /run, which ends with the cloud: pids of another life are never read.
run=/run/openstack

# The one interface of this machine through which the cloud's APIs are reached, and the one
# to its external network. The other ends are in the cloud's network namespace.
management_interface=marina-mgmt
management_host=172.24.15.254
api=172.24.15.1
management_prefix=172.24.15
external_interface=marina-ext
external_gateway=172.24.14.1
external_cidr=172.24.14.0/24
external_first=172.24.14.100
external_last=172.24.14.250

# The cgroup, in every hierarchy, of all that runs in the cloud.
cgroup=marina-openstack

region=RegionOne

fail() {
	echo "openstack: $*" >&2
	exit 1
}

# step NAME COMMAND... says what is done and how long it took.
step() {
	local name=$1 started=${EPOCHREALTIME/./}
	shift
	"$@"
	took "$name" "$started"
}

# took NAME STARTED tells how long something took that began at STARTED, in microseconds.
took() {
	local tenths=$(((${EPOCHREALTIME/./} - $2) / 100000))
	printf '== %-44s %4d.%d s\n' "$1" $((tenths / 10)) $((tenths % 10))
}
