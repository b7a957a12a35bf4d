#!/usr/bin/env bash
# An OpenStack (Zed, of Debian 12's packages) on this machine for tests: all services real,
# compute hosts in namespaces, nothing pulled but packages. See
# docs/reference/openstack-test-cloud.md.
#
#   hack/openstack/openstack.sh install           the packages; starts nothing
#   hack/openstack/openstack.sh up                starts what is not running; again after a crash, too
#   hack/openstack/openstack.sh image NAME FILE lxc|qemu|fake   an image for that sort of host
#   hack/openstack/openstack.sh status            what runs, with the memory that it takes
#   hack/openstack/openstack.sh env               for the shell: eval "$(... env)"
#   hack/openstack/openstack.sh enter [HOST] COMMAND...   runs it inside, or in a compute host
#   hack/openstack/openstack.sh logs FILE.tar.gz  packs what its services have logged
#   hack/openstack/openstack.sh down              ends it; fails when something is left
#   hack/openstack/openstack.sh purge             the same, and deletes all that it has kept
#
#   COMPUTES          its hosts (lxc1=lxc lxc2=lxc lxc3=lxc vm1=qemu fake1=fake fake2=fake fake3=fake)
#   OPENSTACK_STATE   what it keeps (/var/lib/marina-openstack)
# shellcheck source-path=SCRIPTDIR
set -euo pipefail
shopt -s inherit_errexit

# shellcheck source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
# shellcheck source=packages.sh
source "$here/packages.sh"
# shellcheck source=machine.sh
source "$here/machine.sh"

as_root() { ((EUID == 0)) || fail "$1 takes root: it makes namespaces and mounts"; }

up() {
	local started=${EPOCHREALTIME/./}
	as_root up
	machine_own
	machine_lock 300
	install
	machine_up
	export COMPUTES=$computes OPENSTACK_STATE=$state
	inside "$here/inside.sh" up
	took "the cloud is up: OS_CLIENT_CONFIG_FILE=$clouds" "$started"
}

# down first has the database close its files; nothing else minds to be killed.
down() {
	as_root down
	local left
	[[ -d $state ]] || return 0
	machine_own
	if machine_pid; then inside "$here/inside.sh" stop || true; fi
	machine_end
	machine_lock 60
	machine_end
	machine_restore
	left=$(machine_left)
	[[ -z $left ]] || fail "this is left:"$'\n'"$left"
}

machine_end() {
	if machine_pid; then kill -KILL "$init"; fi
	machine_clear
}

purge() {
	down
	rm -rf --one-file-system "$state"
}

image() {
	(($# == 3)) || fail "image NAME FILE lxc|qemu|fake"
	OS_CLIENT_CONFIG_FILE=$clouds /usr/bin/python3 "$here/image.py" "$@"
}

logs() {
	(($# == 1)) || fail "logs FILE.tar.gz"
	tar -C "$state" -czf "$1" log
}

enter() {
	machine_pid || fail "it is not running: openstack.sh up"
	inside "$here/inside.sh" enter "$@"
}

status() {
	machine_pid || fail "it is not running: openstack.sh up"
	inside "$here/inside.sh" status
}

environment() {
	[[ -e $clouds ]] || fail "there is none yet: openstack.sh up"
	printf 'export OS_CLIENT_CONFIG_FILE=%q OS_CLOUD=tenant\n' "$clouds"
	# For the suites: the credentials, and where servers reach this machine.
	printf 'export MARINA_OPENSTACK_CLOUDS=%q MARINA_OPENSTACK_ADDRESS=%q\n' "$clouds" "$external_gateway"
}

case ${1-} in
install | up | down | purge | image | logs | status | enter) "$@" ;;
env) environment ;;
*)
	sed -n '2,/^[^#]/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
	exit 2
	;;
esac
