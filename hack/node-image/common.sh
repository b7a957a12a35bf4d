# shellcheck shell=bash
# What the node image of a release and that of the tests' clusters (hack/kind) are made
# with. To be sourced: it takes the function fail, and the folder $partial to work in.

# bookworm's systemd is the last one in Debian that runs on version 1 cgroups.
node_release=bookworm

# node_needs COMMAND=PACKAGE... installs what is missing on this machine.
node_needs() {
	local need packages=()
	for need in "$@"; do
		# A package without a command of its own is named by a file of it.
		[[ -e ${need%%=*} ]] || command -v "${need%%=*}" >/dev/null || packages+=("${need#*=}")
	done
	((${#packages[@]})) || return 0
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${packages[@]}" >/dev/null
}

# node_debian ARCHIVE SOURCES PACKAGE... makes a root of Debian's packages, unless the
# archive is there. SOURCES is a file of apt; without one it is from where this machine
# takes its packages, if it is of the same release.
node_debian() {
	local archive=$1 file sources=()
	[[ -z $2 ]] || sources+=("$2")
	shift 2
	[[ -f $archive ]] && return
	node_needs mmdebstrap=mmdebstrap zstd=zstd
	if ((${#sources[@]} == 0)); then
		for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
			if grep -q "$node_release" "$file" 2>/dev/null; then sources+=("$file"); fi
		done
	fi
	mmdebstrap --quiet --mode=root --variant=minbase --include="$(IFS=,; echo "$*")" \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		"$node_release" "$partial/debian.tar" "${sources[@]}"
	zstd -q -3 -T2 "$partial/debian.tar" -o "$archive.$$"
	rm "$partial/debian.tar"
	mv "$archive.$$" "$archive"
}

# node_programs MINOR BINARY... builds what runs in a node: $kubernetes, $containerd,
# $crictl and $cni are the folders, relative to the repository's.
node_programs() {
	local said
	# shellcheck disable=SC2034 # for the caller
	for said in "kubernetes $*" 'module containerd' 'module crictl' 'module cni'; do
		# shellcheck disable=SC2086 # these are several words
		said=$(hack/build.sh $said | tail -1)
		case $said in
		bin/kubernetes/*) kubernetes=${said%%:*} ;;
		bin/containerd/*) containerd=${said%%:*} ;;
		bin/crictl/*) crictl=${said%%:*} ;;
		bin/cni/*) cni=${said%%:*} ;;
		esac
	done
}

# node_store ROOT FUNCTION runs a containerd on the store of a root, and FUNCTION
# meanwhile, to which the array ctr is its client.
node_store() {
	local to=$1 function=$2 pid ctr status=0
	ctr=("$containerd/ctr" --address "$partial/containerd.sock" --namespace k8s.io)
	"$containerd/containerd" --config /dev/null --root "$to/var/lib/containerd" --state "$partial/state" \
		--address "$partial/containerd.sock" >"$partial/containerd.log" 2>&1 &
	pid=$!
	until "${ctr[@]}" version >/dev/null 2>&1; do
		kill -0 "$pid" 2>/dev/null || fail "containerd did not start: $(tail -3 "$partial/containerd.log")"
		sleep 0.1
	done
	"$function" >"$partial/import.log" 2>&1 || status=$?
	kill "$pid"
	wait "$pid" || true
	((status == 0)) || fail "no images in the node image: $(tail -3 "$partial/import.log")"
}

# node_import ARCHIVE... has images never be collected as garbage. Without the registry that
# their names lead to, they could not be had again.
node_import() {
	local archive
	for archive in "$@"; do
		"${ctr[@]}" images import --label=io.cri-containerd.pinned=pinned --all-platforms --no-unpack "$archive" || return
	done
	# An import leaves something to the garbage collector, which would be faster in some builds.
	"${ctr[@]}" leases create --id collected >/dev/null && "${ctr[@]}" leases delete --sync collected
}

# newest FOLDER PATTERN COUNT deletes all but the newest that match: another branch may
# have use for some older ones.
newest() {
	find "$1" -mindepth 1 -maxdepth 1 -name "$2" -printf '%T@ %p\n' | sort -rn | tail -n "+$(($3 + 1))" |
		cut -d' ' -f2- | xargs -r rm -rf
}
