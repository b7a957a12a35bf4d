# The image of the nodes that the tests start. To be sourced: node_image sets node_image
# to its name and has the engine know it.
#
# It is what kind calls a node image, made without pulling anything: Debian's packages,
# kind's own files from its module, and the programs and images that were built here.
# The root of its file system is kept in the user's cache directory as a compressed
# archive, by a hash of all that is in it.

# shellcheck source=../node-image/common.sh
source hack/node-image/common.sh

# As in kind's own image, without what serves network storage; runc is Debian's.
node_packages=(systemd systemd-sysv conntrack iptables nftables iproute2 ethtool util-linux mount kmod
	libseccomp2 pigz e2fsprogs bash ca-certificates curl jq procps runc)
# The images that a control-plane node runs.
node_images=(kube-apiserver kube-controller-manager kube-scheduler kube-proxy etcd coredns pause)

# addon_images FIELD prints a field of the images that only nodes of tenants run. kube-proxy
# is of the control plane's version, which nodes that are about to be replaced have not got.
addon_images() { awk -v field="$1" '$1 ~ /^(kube-proxy|konnectivity-agent)$/ { print $field }' bin/images/list; }

# volumes_archive writes the image of the nodes' volumes (hack/kind/volumes), which is no
# part of an installation.
volumes_archive() {
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w' -o "$partial/volumes" ./hack/kind/volumes
	volumes_image=$prefix/kind-volumes:$(sha256sum <"$partial/volumes" | cut -c1-12)
	go run ./hack/images -out "$partial/volumes.tar" -name "$volumes_image" "/usr/local/bin/volumes=$partial/volumes" >/dev/null
}

# image_of NAME FIELD prints a field of the image of this name that is of the node's version,
# or of the newest that was built: 2 its name and tag, 3 its digest, 4 the archive.
image_of() {
	awk -v name="$1" -v field="$2" -v version=":${kubernetes##*/}\$" \
		'$1 == name { last = $field } $1 == name && $2 ~ version { own = $field } END { print own ? own : last }' bin/images/list
}

# node_files puts kind's files, ours and the programs into the root $1.
node_files() {
	local to=$1 kind pod
	kind=$(cd hack/tools/kind && go mod download && go list -m -f '{{.Dir}}' sigs.k8s.io/kind)/images/base/files
	cp -r --no-preserve=mode,ownership "$kind"/{etc,kind,usr} "$to/"
	rm "$to/usr/local/bin/clean-install" "$to/etc/systemd/system/containerd-fuse-overlayfs.service"
	chmod 755 "$to"/usr/local/bin/entrypoint "$to"/kind/bin/*
	sed -i '/^# validate state$/e cat hack/kind/node/entrypoint.sh' "$to/usr/local/bin/entrypoint"
	(($(grep -c '^remove_misc_controller() {$' "$to/usr/local/bin/entrypoint") == 2)) || fail "kind's entrypoint has changed"
	# In a machine without CAP_SYS_RESOURCE nobody may lower an oom_score_adj.
	sed -i -e 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' \
		-e "s|sandbox_image = .*|sandbox_image = \"$(image_of pause 2)\"|" "$to/etc/containerd/config.toml"
	printf '\n[plugins."io.containerd.grpc.v1.cri".cni]\n  # Written with the range that the node was given: no network add-on is needed.\n  conf_template = "/etc/containerd/cni.template"\n' >>"$to/etc/containerd/config.toml"
	install -D -m 644 hack/kind/node/cni.template "$to/etc/containerd/cni.template"
	install -D -m 644 hack/kind/node/masquerade.nft "$to/etc/masquerade.nft"
	install -D -m 644 hack/kind/node/masquerade.service "$to/etc/systemd/system/masquerade.service"
	install -D -m 644 hack/kind/node/kubelet.yaml "$to/etc/kubernetes/kubelet.conf.d/10-test.conf"
	sed -i 's|$| --config-dir=/etc/kubernetes/kubelet.conf.d|' "$to/etc/default/kubelet"
	for pod in etcd kube-apiserver kube-controller-manager kube-scheduler; do
		install -D -m 644 hack/kind/node/static-pod.yaml "$to/kind/patches/$pod+strategic.yaml"
	done
	mkdir -p "$to/kind/manifests" "$to/etc/kubernetes/manifests"
	sed "s|image: IMAGE|image: $volumes_image|" hack/kind/node/default-storage.yaml >"$to/kind/manifests/default-storage.yaml"
	echo -n "${kubernetes##*/}" >"$to/kind/version"
	install -D -t "$to/usr/local/bin" "$containerd"/* "$crictl/crictl"
	install -D -t "$to/opt/cni/bin" "$cni"/*
	install -D -t "$to/usr/bin" "$kubernetes"/{kubelet,kubeadm,kubectl}
}

# node_setup does in the root $1 what kind's Dockerfile does.
node_setup() {
	local to=$1
	find "$to/lib/systemd/system/sysinit.target.wants/" -name systemd-tmpfiles-setup.service -delete
	rm -f "$to"/lib/systemd/system/{multi-user,local-fs,basic}.target.wants/* "$to"/etc/systemd/system/*.wants/* \
		"$to"/lib/systemd/system/sockets.target.wants/*{udev,initctl}*
	rm -f "$to"/usr/lib/sysctl.d/*.conf # most are the kernel's, not the container's
	rm -rf "$to"/etc/cni/net.d "$to"/var/lib/apt/lists/* "$to"/var/cache/apt/*
	echo ReadKMsg=no >>"$to/etc/systemd/journald.conf"
	chroot "$to" systemctl -q enable kubelet.service containerd.service undo-mount-hacks.service masquerade.service
	chroot "$to" systemctl -q mask systemd-binfmt.service
	chroot "$to" ctr oci spec |
		chroot "$to" jq '.hooks.createContainer += [{"path": "/kind/bin/mount-product-files.sh"}] | del(.process.rlimits)' \
			>"$partial/cri-base.json"
	mv "$partial/cri-base.json" "$to/etc/containerd/cri-base.json"
}

# kind_images imports the images, by our names and by those that kubeadm asks for.
kind_images() {
	local name wanted archives
	mapfile -t archives < <({
		for name in "${node_images[@]}"; do image_of "$name" 4; done
		addon_images 4
	} | sort -u)
	node_import "$partial/volumes.tar" "${archives[@]}" || return
	for wanted in $("$kubernetes/kubeadm" config images list --kubernetes-version "${kubernetes##*/}"); do
		name=${wanted##*/}
		"${ctr[@]}" images tag "$(image_of "${name%%:*}" 2)" "$wanted" || return
	done
}

# node_archive makes the archive of the root in the cache, unless it is there.
node_archive() {
	local to=$partial/root name key debian
	step 'programs of a node' node_programs "$minor" kubelet kubeadm kubectl
	step 'volumes of a node' volumes_archive
	key=$({
		echo "$node_release ${node_packages[*]}"
		cat hack/kind/node-image.sh hack/kind/node/* hack/node-image/common.sh hack/tools/kind/go.sum
		readlink "$kubernetes"/{kubelet,kubeadm,kubectl} "$containerd"/* "$crictl"/* "$cni"/*
		echo "$volumes_image"
		for name in "${node_images[@]}"; do image_of "$name" 2; image_of "$name" 3; done
		addon_images 2
		addon_images 3
	} | sha256sum | cut -c1-12)
	node_image=$prefix/kind-node:${kubernetes##*/}-$key
	node_archive=$cache/kind/node-${kubernetes##*/}-$key.tar.zst
	[[ -f $node_archive ]] && return
	((EUID == 0)) || fail "to build the node image takes root"
	debian=$cache/kind/debian-$(echo "$node_release ${node_packages[*]}" | sha256sum | cut -c1-12).tar.zst
	step 'Debian of a node' node_debian "$debian" '' "${node_packages[@]}"
	mkdir -p "$to"
	tar -C "$to" --exclude='./dev/*' -xf "$debian"
	step 'files of a node' node_files "$to"
	node_setup "$to"
	step 'images of a node' node_store "$to" kind_images
	step 'archive of the node image' pack "$to"
}

pack() {
	tar -C "$1" --sort=name --mtime=@0 -c . | zstd -q -3 -T2 -o "$node_archive.$$"
	mv "$node_archive.$$" "$node_archive"
	rm -rf --one-file-system "$1"
	newest "$cache/kind" 'node-*.tar.zst' 4 # of two versions
}

node_image() {
	node_archive
	docker image inspect "$node_image" >/dev/null 2>&1 && return
	step 'load the node image' engine_import
}

engine_import() {
	zstd -dc "$node_archive" | docker import - "$prefix/kind-node:root" >/dev/null
	printf '%s\n' "FROM $prefix/kind-node:root" 'ENV container=docker' 'STOPSIGNAL SIGRTMIN+3' \
		'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' |
		DOCKER_BUILDKIT=0 docker build --quiet --tag "$node_image" - >/dev/null 2>&1
	docker image rm "$prefix/kind-node:root" >/dev/null
	docker image ls --format '{{.Repository}}:{{.Tag}}' "$prefix/kind-node:${kubernetes##*/}-*" | grep -vxF "$node_image" |
		xargs -r docker image rm >/dev/null 2>&1 || true # in use still
}
