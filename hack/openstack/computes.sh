# shellcheck shell=bash disable=SC2154,SC2034 # variables are set, and read, by others
# The compute hosts: each real one is a machine of namespaces with libvirt, an agent of
# Neutron and nova-compute; fake ones are processes in the cloud's own. To be sourced.

# node_enter NAME COMMAND... runs it in a compute host.
node_enter() {
	local name=$1
	shift
	exec unshare --mount "$here/cgroup.sh" enter "$name" nsenter -t "$(<"$run/node-$name.pid")" -m -n -u -C "$@"
}

# node_up NAME ADDRESS makes the machine, with a cable to the bridge of the hosts.
node_up() {
	local name=$1 address=$2 folder=$state/hosts/$1
	alive "node-$name" && return
	# What is of a host whose first process has ended ends with it.
	node_clear "$name"
	mkdir -p "$folder"
	rm -f "$folder/ready"
	node_libvirt "$name" "$folder/libvirt/etc"
	start "node-$name" unshare --mount --net --uts --propagation private "$here/cgroup.sh" enter "$name" \
		unshare --cgroup "$here/init.sh" "$name" "$address" "$folder" "$folder/ready"
	until_ok "node-$name" 60 test -e "$folder/ready"
	ip link add "to-$name" type veth peer name eth0 netns "$(<"$run/node-$name.pid")"
	ip link set "to-$name" master br-mgmt up
	(node_enter "$name" sh -c "ip addr add $address/24 dev eth0 && ip link set eth0 up")
}

node_clear() {
	local pids device
	while pids=$(unshare --mount "$here/cgroup.sh" processes "$1" | paste -sd ' ') && [[ $pids ]]; do
		# shellcheck disable=SC2086 # these are several words
		kill -KILL $pids 2>/dev/null || true
		sleep 0.1
	done
	for device in $(losetup -nO NAME,BACK-FILE | awk -v of="$state/nova/$1/" 'index($2, of) == 1 { print $1 }'); do losetup -d "$device"; done
	unshare --mount "$here/cgroup.sh" remove "$1"
	[[ ! -e /sys/class/net/to-$1 ]] || ip link delete "to-$1"
}

# node_libvirt writes the configuration of libvirt for a host.
node_libvirt() {
	local to=$2 file
	mkdir -p "$to"
	[[ -s $to/uuid ]] || cat /proc/sys/kernel/random/uuid >"$to/uuid"
	UUID=$(<"$to/uuid")
	for file in libvirtd qemu lxc; do render "$file.conf" | replace "$to/$file.conf"; done
}

computes_start() {
	local pair index=10 fakes=''
	for pair in $computes; do
		compute_start "${pair%=*}" "${pair#*=}" $((++index))
		[[ ${pair#*=} != fake ]] || fakes+=" ${pair%=*}"
	done
	[[ -z $fakes ]] || start fake-agents env OS_CLIENT_CONFIG_FILE="$clouds" /usr/bin/python3 "$here/fake_agents.py" \
		"$fakes" --config-file "$etc/neutron.conf"
}

# compute_start NAME KIND INDEX: its address ends in the index.
compute_start() {
	local name=$1 kind=$2 conf=$etc/compute-$1.conf program=(nova-compute)
	HOST=$name ADDRESS=$management_prefix.$3 VIRT_TYPE=$kind COW=True IMAGES_TYPE=qcow2
	umask 077
	mkdir -p "$state/nova/$name/instances"
	if [[ $kind == fake ]]; then
		render compute.conf compute-fake.conf | replace "$conf"
		umask 022
		start "nova-compute-$name" nova-compute --config-file "$etc/nova.conf" --config-file "$conf"
		return
	fi
	if [[ $kind == lxc ]]; then
		COW=False IMAGES_TYPE=raw
		program=(/usr/bin/python3 "$here/nova_compute_lxc.py")
	fi
	render compute.conf compute-libvirt.conf | replace "$conf"
	render linuxbridge.ini linuxbridge-compute.ini | replace "$etc/linuxbridge-$name.ini"
	umask 022
	node_up "$name" "$ADDRESS"
	node_start "$name" libvirtd libvirtd --pid-file /run/libvirt/libvirtd.pid
	node_start "$name" linuxbridge /usr/bin/python3 "$here/linuxbridge_agent.py" --config-file "$etc/neutron.conf" --config-file "$etc/linuxbridge-$name.ini"
	until_ok "libvirtd-$name" 120 test -S "/proc/$(<"$run/node-$name.pid")/root/run/libvirt/libvirt-sock"
	node_start "$name" nova-compute "${program[@]}" --config-file "$etc/nova.conf" --config-file "$conf"
}

# node_start HOST NAME COMMAND... starts a service in a compute host.
node_start() {
	local host=$1 name=$2
	shift 2
	start "$name-$host" unshare --mount "$here/cgroup.sh" enter "$host" nsenter -t "$(<"$run/node-$host.pid")" -m -n -u -C "$@"
}

# computes_discover has Nova's cell know hosts that it does not know yet.
computes_discover() {
	local known=$state/hosts.known
	[[ ! -e $known || $(<"$known") != "$computes" ]] || return 0
	nova-manage --config-file "$etc/nova.conf" cell_v2 discover_hosts >"$logs/discover.log" 2>&1 ||
		fail "hosts were not found: $(tail -5 "$logs/discover.log")"
	echo "$computes" >"$known"
}
