# shellcheck shell=bash
# Workers: containers that stand in for the virtual machines of a tenant. To be sourced.
#
#   worker up NAME RELEASE     a machine with systemd, containerd, CNI plugins, and the
#                              kubelet and kubeadm of bin/kubernetes/RELEASE
#   worker down NAME
#   worker routes KUBECONFIG   the pods of a cluster's workers can reach each other (to be
#                              repeated when one has joined)
#
# It is the node image with other programs laid over it. It belongs to no cluster until
# somebody runs kubeadm join in it, or writes files and starts the kubelet as user data
# would (docker exec). The images that its pods need are in its containerd already: those
# of the release, by the names of bin/images/list.

worker() {
	local name=${2-} usage='worker up NAME RELEASE, worker down NAME, worker routes KUBECONFIG'
	[[ -n $name ]] || fail "$usage"
	engine_reachable || fail "no engine: hack/kind/kind.sh up"
	case $1 in
	up) worker_up "$name" "${3-}" ;;
	down) docker rm -fv "$name" >/dev/null ;;
	routes) routes "$name" ;;
	*) fail "$usage" ;;
	esac
}

worker_up() {
	local name=$1 release=$2 program archive image binaries=()
	[[ -x bin/kubernetes/$release/kubelet ]] || fail "no kubelet of $release: hack/build.sh kubernetes MINOR"
	image=$(docker image ls -q --filter "reference=$prefix/kind-node" | head -1)
	[[ $image ]] || fail "no node image: hack/kind/kind.sh up"
	for program in kubelet kubeadm kubectl; do
		binaries+=(--volume "$(readlink -f "bin/kubernetes/$release/$program"):/usr/bin/$program:ro")
	done
	# An empty store of its own, rather than a copy of the one in the image.
	docker run --detach --name "$name" --hostname "$name" --label "marina-worker=$cluster" --network kind \
		--privileged --cgroupns private --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
		--tmpfs /tmp --tmpfs /run --volume /lib/modules:/lib/modules:ro \
		--mount type=volume,dst=/var/lib/containerd,volume-nocopy --mount type=volume,dst=/var/lib/kubelet \
		"${binaries[@]}" "$image" >/dev/null
	until docker exec "$name" ctr version >/dev/null 2>&1; do
		[[ $(docker inspect -f '{{.State.Running}}' "$name") == true ]] || fail "$name stopped: $(docker logs "$name" 2>&1 | tail -3)"
		sleep 0.2
	done
	awk -v release=":$release\$" '$1 == "kube-proxy" && $2 ~ release || $1 ~ /^(pause|coredns|konnectivity-agent)$/ { print $4 }' bin/images/list |
		while read -r archive; do
			import "$name" "$archive" --label=io.cri-containerd.pinned=pinned
		done
}
