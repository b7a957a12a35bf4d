# shellcheck shell=bash
# The root of a node of a release, without a boot loader. To be sourced.

# What a node needs: to boot, to be told who it is, to run containers, to be looked at.
node_packages=(
	systemd systemd-sysv systemd-resolved systemd-timesyncd udev dbus kmod util-linux mount
	linux-image-cloud-amd64 initramfs-tools zstd e2fsprogs fdisk
	cloud-init cloud-guest-utils isc-dhcp-client netbase ca-certificates openssh-server sudo
	runc libseccomp2 pigz iproute2 iptables nftables conntrack ethtool
	procps curl jq iputils-ping less
)
# What the add-ons of a release run on each node, or on any (controlplane/addon).
node_images=(pause kube-proxy konnectivity-agent coredns)

# image_version NAME prints of which version an image is, by what the release says.
image_version() {
	local key
	case $1 in
	kube-proxy) echo "$kubernetes_version" && return ;;
	konnectivity-agent) key=konnectivity ;;
	coredns) key=coreDNS ;;
	*) key=$1 ;;
	esac
	awk -v key="$key:" '$1 == key { print $2 }' "$release"
}

# image_of NAME FIELD prints a field of bin/images/list: 2 the image's name and tag, 3 its
# digest, 4 the archive.
image_of() {
	awk -v name="$1" -v image="$prefix/$1:$(image_version "$1")" -v field="$2" \
		'$1 == name && $2 == image { print $field }' bin/images/list
}

node_images_exist() {
	local name
	for name in "${node_images[@]}"; do
		[[ -f $(image_of "$name" 4) ]] || fail "the release $release wants $prefix/$name:$(image_version "$name"), and make images has not made it"
	done
}

# packages_of ARCHIVE prints what is installed in a root: name and version.
packages_of() {
	zstd -dc "$1" | tar -xO ./var/lib/dpkg/status |
		awk '$1 == "Package:" { name = $2 } $1 == "Version:" { print name, $2 }' | LC_ALL=C sort
}

# root_inputs prints all that a root is made of.
root_inputs() {
	local name
	echo "$release_name $prefix"
	cat hack/node-image/{common,root}.sh hack/node-image/dhcp.conf "$debian.packages"
	find hack/node-image/root -type f -printf '%P\n' | LC_ALL=C sort | while read -r name; do
		echo "== $name"
		cat "hack/node-image/root/$name"
	done
	# The folders in the cache are named by what is in them, and the cache by whose it is.
	readlink "$kubernetes/kubelet" "$containerd"/* "$crictl"/* "$cni"/* | awk -F/ '{ print $(NF - 1) "/" $NF }'
	for name in "${node_images[@]}"; do image_of "$name" 2; image_of "$name" 3; done
}

# root_files puts our files and programs into a root.
root_files() {
	local to=$1
	cp -r --no-preserve=mode,ownership hack/node-image/root/. "$to/"
	sed -i "s|SANDBOX_IMAGE|$(image_of pause 2)|" "$to/etc/containerd/config.toml"
	install -D -t "$to/usr/local/bin" "$containerd"/* "$crictl/crictl"
	install -D -t "$to/opt/cni/bin" "$cni"/*
	install -D -t "$to/usr/bin" "$kubernetes/kubelet"
	mkdir -p "$to"/etc/kubernetes/{manifests,kubelet.conf.d} "$to"/etc/containerd/{conf.d,certs.d} "$to/etc/cni/net.d"
	{
		echo "RELEASE=$release_name"
		echo "KUBERNETES_VERSION=$kubernetes_version"
		echo "CONTAINERD_VERSION=${containerd##*/}"
		echo "CNI_PLUGINS_VERSION=${cni##*/}"
		echo "CRICTL_VERSION=${crictl##*/}"
		echo "DEBIAN_VERSION=$(cat "$to/etc/debian_version")"
		echo "INPUTS=$root_key"
	} >"$to/etc/marina-node"
}

# root_setup leaves in a root what every node has, and nothing that only one may have.
root_setup() {
	local to=$1 unit
	chroot "$to" systemctl -q enable containerd.service systemd-networkd.service systemd-networkd-wait-online.service \
		systemd-resolved.service systemd-timesyncd.service ssh.service
	# The user data enables it, when it has said what to join.
	chroot "$to" systemctl -q disable kubelet.service
	# A node is replaced, not updated; and its disk is trimmed by whoever has it.
	for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service; do
		ln -sfn /dev/null "$to/etc/systemd/system/$unit"
	done
	ln -sfn ../run/systemd/resolve/resolv.conf "$to/etc/resolv.conf"
	# Beside the file that cloud-init writes for each interface.
	for ((unit = 0; unit < 8; unit++)); do
		install -D -m 644 hack/node-image/dhcp.conf "$to/etc/systemd/network/10-cloud-init-eth$unit.network.d/marina.conf"
	done
	# Empty, it is made anew by the first boot.
	: >"$to/etc/machine-id"
	rm -f "$to"/etc/ssh/ssh_host_* "$to/etc/hostname" "$to/var/lib/dbus/machine-id" "$to/var/lib/systemd/random-seed" \
		"$to"/etc/{passwd,group,shadow,gshadow,subuid,subgid}- "$to"/var/lib/dpkg/*-old "$to/var/cache/ldconfig/aux-cache"
	find "$to"/var/log "$to"/var/lib/apt/lists "$to"/var/cache/{apt,debconf} "$to/tmp" "$to/var/tmp" -type f -delete
}

# root_times has nothing in a root be newer than what Debian has made, so that it does not
# matter when the root was made.
root_times() {
	local to=$1
	epoch=$(find "$to/usr/lib/python3" -name '*.py' -printf '%Ts\n' | sort -n | tail -n 1)
	# The day of the last change of a password: there is none.
	sed -i -E "s/^([^:]*:[^:]*):[0-9]+:/\1:$((epoch / 86400)):/" "$to/etc/shadow"
}

# root_initrd makes the first file system. The mounts that this takes go with their namespace.
root_initrd() {
	local to=$1 kernels=("$1"/lib/modules/*)
	# Debian makes the links only when there is an initrd already.
	ln -sfn "boot/vmlinuz-${kernels[0]##*/}" "$to/vmlinuz"
	ln -sfn "boot/initrd.img-${kernels[0]##*/}" "$to/initrd.img"
	rm -f "$to"/{vmlinuz,initrd.img}.old
	# shellcheck disable=SC2016 # expanded inside
	SOURCE_DATE_EPOCH=$epoch unshare --mount --pid --fork sh -euc '
		mount -t proc proc "$1/proc"
		mount --rbind /dev "$1/dev"
		chroot "$1" update-initramfs -c -k "$2"' - "$to" "${kernels[0]##*/}" >"$partial/initrd.log" 2>&1 ||
		fail "no initrd: $(tail -3 "$partial/initrd.log")"
}

release_images() {
	local name archives=()
	for name in "${node_images[@]}"; do archives+=("$(image_of "$name" 4)"); done
	node_import "${archives[@]}"
}

# packed ROOT ARGUMENT... prints an archive of a root, the same for the same files.
packed() {
	local to=$1
	shift
	tar -C "$to" --sort=name --format=posix --pax-option='exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime' \
		--xattrs --xattrs-include='*' -c "$@"
}

# root_archive makes the archive of the root.
root_archive() {
	local to=$partial/root
	mkdir -p "$to"
	tar -C "$to" --exclude='./dev/*' -xf "$debian"
	root_files "$to"
	root_setup "$to"
	root_times "$to"
	step 'initrd' root_initrd "$to"
	step 'container images' node_store "$to" release_images
	# Each node makes its own.
	rm -f "$to/var/lib/containerd/io.containerd.grpc.v1.introspection/uuid"
	find "$to/var/log" -type f -delete
	find "$to" -newermt "@$epoch" -print0 | xargs -0r touch -h -d "@$epoch"
	# It has times in it; what it lists is in the manifest.
	packed "$to" --exclude=./var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db . | sha256sum | cut -d' ' -f1 >"$partial/entry/root.sha256"
	packed "$to" . | zstd -q -3 -T2 -o "$partial/entry/root.tar.zst"
	rm -rf --one-file-system "$to"
}
