#!/usr/bin/env bash
# The first process of the cloud, and of each compute host in it: a machine of its own,
# made of namespaces. It mounts what must be its own, says that it is there, and reaps.
#
#   init.sh NAME ADDRESS FOLDER READY   FOLDER is what it keeps; READY is written, with its
#                                       process id outside, when others may enter
set -euo pipefail
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
here=$(cd "$(dirname "$0")" && pwd)
name=$1 address=$2 folder=$3 ready=$4

# While /proc is still that of outside, it tells the id there. Inside it may be another.
read -r outside _ </proc/self/stat
[[ $outside == "$BASHPID" ]] || mount -t proc proc /proc

hostname "$name"
ip link set lo up
mkdir -p "$folder"
printf '127.0.0.1 localhost\n%s %s\n' "$address" "$name" >"$folder/hosts"
mount --bind "$folder/hosts" /etc/hosts

# Network interfaces are those of the network namespace only in a /sys mounted in it.
mount -t sysfs sysfs /sys
own=$(</proc/self/cgroup)
if [[ $own == 0::* && $own != *$'\n'* ]]; then
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	own=
else
	mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
fi
while IFS=: read -r _ controllers _; do
	[[ $controllers$own ]] || continue
	case $controllers in
	'') to=unified type=cgroup2 options=rw ;;
	name=*) to=${controllers#name=} type=cgroup options=none,$controllers ;;
	*) to=$controllers type=cgroup options=$controllers ;;
	esac
	mkdir "/sys/fs/cgroup/$to"
	mount -t "$type" -o "$options" cgroup "/sys/fs/cgroup/$to"
done <<<"$own"

# Sockets and pid files of this machine's services are not seen, and ours end with us.
mount -t tmpfs -o mode=755 run /run
mkdir -p /run/lock /run/libvirt /run/netns /run/openstack
# A mount of NFS is a bind mount: kernels of test machines seldom have NFS.
if ! cmp -s "$here/mount.nfs.sh" /usr/sbin/mount.nfs; then
	mkdir -p "$folder/sbin"
	install -m 755 "$here/mount.nfs.sh" "$folder/sbin/mount.nfs"
	mount -t overlay -o "lowerdir=$folder/sbin:/usr/sbin" overlay /usr/sbin
fi
for kept in lib:/var/lib/libvirt etc:/etc/libvirt log:/var/log/libvirt cache:/var/cache/libvirt; do
	mkdir -p "$folder/libvirt/${kept%%:*}"
	[[ ! -d ${kept#*:} ]] || mount --bind "$folder/libvirt/${kept%%:*}" "${kept#*:}"
done

for setting in net/ipv4/ip_forward net/bridge/bridge-nf-call-iptables net/bridge/bridge-nf-call-ip6tables; do
	echo 1 2>/dev/null >"/proc/sys/$setting" || true # the module may not be there
done

echo "$outside" >"$ready.new"
mv "$ready.new" "$ready"
# A shell reaps the orphans that come to it while it waits.
sleep infinity &
wait
