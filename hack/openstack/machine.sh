# shellcheck shell=bash disable=SC2154,SC2034 # variables are set, and read, by others
# What the cloud takes of this machine: a namespace of each sort with a first process in it,
# two interfaces, a cgroup, loop devices. To be sourced.

machine_init=$state/init.pid
# What the kubelets, and the init systems, of servers that are containers set for all.
machine_sysctls=(vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/pid_max
	kernel/keys/root_maxkeys kernel/keys/root_maxbytes
	fs/protected_fifos fs/protected_hardlinks fs/protected_regular fs/protected_symlinks)

# machine_own refuses what would harm others: a purge deletes the folder, and all clouds of a
# machine have the same interfaces and the same cgroup.
machine_own() {
	local other
	[[ ! -d $state || -e $state/lock || -z $(ls -A "$state") ]] || fail "$state is not a folder of the cloud, nor empty: set OPENSTACK_STATE"
	other=$(pgrep -af '/init\.sh controller ' | grep -vF " $state/controller " | head -1) || true
	[[ -z $other ]] || fail "one with another OPENSTACK_STATE runs: $other"
}

# machine_lock SECONDS has one at a time change something. What goes on of a start that was
# killed holds it, too.
machine_lock() {
	mkdir -p "$state"
	chmod 711 "$state" # dnsmasq is nobody, and reads what is in it
	exec 9>"$state/lock"
	flock --nonblock 9 && return
	echo "waiting for another openstack.sh to end"
	flock --timeout "$1" 9 || fail "another openstack.sh has been busy for $1 s; 'openstack.sh down' ends it"
}

# machine_pid sets init to the first process of the cloud; false where it is not there.
machine_pid() {
	init=$(cat "$machine_init" 2>/dev/null) && [[ $init ]] || return 1
	tr '\0' ' ' 2>/dev/null <"/proc/$init/cmdline" | grep -qF "/init.sh controller $api $state/controller "
}

# inside COMMAND... runs it in the cloud's namespaces, and ends it when this one ends.
inside() {
	setpriv --pdeathsig TERM unshare --mount "$here/cgroup.sh" enter "$cgroup" \
		nsenter -t "$init" -m -n -u -i -p -C setpriv --pdeathsig TERM "$@"
}

cgroup_do() { unshare --mount "$here/cgroup.sh" "$@"; }

machine_up() {
	local name
	machine_pid && return
	machine_clear
	for name in "${machine_sysctls[@]}"; do
		[[ ! -e /proc/sys/$name ]] || echo "$name $(cat "/proc/sys/$name")"
	done >"$state/sysctls.new"
	# Those of a machine that it has not been restored from yet are the right ones.
	[[ -e $state/sysctls ]] || mv "$state/sysctls.new" "$state/sysctls"
	mkdir -p "$logs"
	setsid unshare --mount --net --uts --ipc --propagation private "$here/cgroup.sh" enter "$cgroup" \
		unshare --cgroup --pid --fork "$here/init.sh" controller "$api" "$state/controller" "$machine_init" \
		>"$logs/controller.log" 2>&1 </dev/null 9>&- &
	machine_wait $!
	disown
	machine_network
}

machine_wait() {
	local limit=$((SECONDS + 60))
	until machine_pid; do
		kill -0 "$1" 2>/dev/null || fail "the cloud's namespaces were not made: $(tail -5 "$logs/controller.log")"
		((SECONDS < limit)) || fail "the cloud's namespaces are not there after 60 s: $(tail -5 "$logs/controller.log")"
		sleep 0.05
	done
}

# machine_network plugs this machine into the two bridges of the cloud.
machine_network() {
	ip link add "$management_interface" type veth peer name mgmt0 netns "$init"
	ip link add "$external_interface" type veth peer name ext0 netns "$init"
	inside "$here/bridges.sh" "$api/24"
	ip addr add "$management_host/24" dev "$management_interface"
	ip addr add "$external_gateway/24" dev "$external_interface"
	ip link set "$management_interface" up
	ip link set "$external_interface" up
}

# machine_clear ends all that is in the cloud's cgroup and deletes what outlives it.
machine_clear() {
	local pids limit=$((SECONDS + 30)) device name
	while pids=$(cgroup_do processes "$cgroup" | paste -sd ' ') && [[ $pids ]]; do
		# shellcheck disable=SC2086 # these are several words
		kill -KILL $pids 2>/dev/null || true
		((SECONDS < limit)) || fail "these processes do not end: $pids"
		sleep 0.1
	done
	for device in $(machine_loops); do losetup -d "$device"; done
	for name in "$management_interface" "$external_interface"; do
		[[ ! -e /sys/class/net/$name ]] || ip link delete "$name"
	done
	cgroup_do remove "$cgroup"
	rm -f "$machine_init"
}

machine_loops() { losetup -nO NAME,BACK-FILE | awk -v of="$state/" 'index($2, of) == 1 { print $1 }'; }

# machine_restore sets what servers have set for all of the machine back.
machine_restore() {
	local name value
	[[ -e $state/sysctls ]] || return 0
	while read -r name value; do
		[[ $value == "$(cat "/proc/sys/$name")" ]] || echo "$value" >"/proc/sys/$name"
	done <"$state/sysctls"
	rm -f "$state"/sysctls{,.new}
}

# machine_left prints what is there of the cloud, a line for each; nothing is as it should be.
machine_left() {
	local pids device name
	pids=$(cgroup_do processes "$cgroup" | paste -sd ' ')
	[[ -z $pids ]] || echo "processes: $pids"
	cgroup_do list "$cgroup" | sed 's/^/cgroup: /'
	for device in $(machine_loops); do echo "loop device: $device"; done
	for name in "$management_interface" "$external_interface"; do
		[[ ! -e /sys/class/net/$name ]] || echo "interface: $name"
	done
	awk -v of="$state" '$2 == of || index($2, of "/") == 1 { print "mount: " $2 }' /proc/mounts
}
