#!/usr/bin/env bash
# Builds the image of the nodes of a release: Debian, cloud-init, containerd, the kubelet, and
# the container images that every node runs. It takes root on Debian 12, Debian's packages and
# Go modules; make images comes first.
#
#   hack/node-image/build.sh MINOR                    bin/node-images/marina-node-1.37.1-1.qcow2
#   hack/node-image/build.sh MINOR test-container     ...-test-container.raw: a file system for
#                                                     servers of libvirt-lxc, for tests only
#
#   BUILD            of the release (that of the newest in manifests/releases)
#   EXTRA_PACKAGES   of Debian, besides
#   APT_SOURCES      a file of apt that says where Debian's packages come from (that of this
#                    machine)
#   IMAGE_PREFIX     what the container images' names begin with (marina.local)
#
# The image is kept in the user's cache directory by a hash of all that is in it; bin/node-images
# has links to it, and to a manifest that says what is in it.
set -euo pipefail
shopt -s inherit_errexit

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=$(readlink -m "${XDG_CACHE_HOME:-$HOME/.cache}/marina/node-image")
prefix=${IMAGE_PREFIX:-marina.local}
partial=$cache/.partial.$$
export CGO_ENABLED=0 GOFLAGS='' GOWORK=off GOTOOLCHAIN=local LC_ALL=C.UTF-8
umask 022
cd "$root"

fail() {
	echo "node-image: $*" >&2
	exit 1
}

# step NAME COMMAND... says what is done and how long it took.
step() {
	local name=$1 started=$SECONDS
	shift
	"$@"
	printf '== %-44s %4d s\n' "$name" $((SECONDS - started))
}

# shellcheck source=common.sh
source hack/node-image/common.sh
# shellcheck source=root.sh
source hack/node-image/root.sh
# shellcheck source=disk.sh
source hack/node-image/disk.sh
# shellcheck source=manifest.sh
source hack/node-image/manifest.sh
# shellcheck source=test-container/apply.sh
source hack/node-image/test-container/apply.sh

# named sets of which release the image is.
named() {
	local minor=$1 releases
	kubernetes_version=$(awk '$1 == "require" { $1 = ""; $0 = $0 } $1 == "k8s.io/kubernetes" { print $2; exit }' "hack/kubernetes/$minor.mod")
	releases=$(printf '%s\n' manifests/releases/"${kubernetes_version#v}"-*.yaml | sort -V | tail -n 1)
	[[ -f $releases ]] || fail "manifests/releases has no release of $kubernetes_version"
	release=$releases
	release_name=$(basename "$release" .yaml)
	release_name=${kubernetes_version#v}-${BUILD:-${release_name##*-}}
	[[ $release_name =~ -[1-9][0-9]*$ ]] || fail "BUILD is the number of a build, as in ${kubernetes_version#v}-2"
}

# debian_part sets debian to the archive of Debian's packages. A new build takes those of its
# day; one that was begun stays as it is.
debian_part() {
	local names
	read -ra names <<<"${node_packages[*]} ${EXTRA_PACKAGES:-}"
	debian=$cache/debian-$({
		echo "$node_release ${names[*]} ${release_name##*-}"
		[[ -z ${APT_SOURCES:-} ]] || cat "$APT_SOURCES"
	} | sha256sum | cut -c1-12).tar.zst
	if [[ ! -f $debian.packages ]]; then
		# The initrd is made later, when it is known of what time it has to be.
		INITRD=No node_debian "$debian" "${APT_SOURCES:-}" "${names[@]}"
		packages_of "$debian" >"$debian.packages.$$"
		mv "$debian.packages.$$" "$debian.packages"
	fi
}

# entry_root sets entry to the folder of the cache that has the root.
entry_root() {
	root_key=$(root_inputs | sha256sum | cut -c1-12)
	entry=$cache/$release_name-$root_key
	[[ ! -f $entry/root.tar.zst ]] || return 0
	mkdir -p "$partial/entry"
	step 'root file system' root_archive
	cp "$debian.packages" "$partial/entry/packages"
	mv -T "$partial/entry" "$entry" 2>/dev/null || [[ -f $entry/root.tar.zst ]] # another build was faster
}

# image FUNCTION FILE has FUNCTION make an image of the root, unless it is there.
image() {
	local function=$1 file=$2 to=$partial/root
	[[ ! -f $file ]] || return 0
	mkdir -p "$to"
	tar -C "$to" --xattrs --xattrs-include='*' -xf "$entry/root.tar.zst"
	root_times "$to"
	"$function" "$partial/image" "$to"
	mv "$partial/image" "$file"
	rm -rf --one-file-system "$to"
}

image_container() {
	test_container "$2"
	find "$2" -newermt "@$epoch" -print0 | xargs -0r touch -h -d "@$epoch"
	container "$1" "$2"
}

# linked NAME FILE puts an image into bin/node-images.
linked() {
	ln -sfn "$2" "bin/node-images/$1"
	printf '%-44s %5d MB\n' "bin/node-images/$1" $(($(stat -c '%b * %B' "$2") / 1000000))
}

(($# == 1)) || [[ $# == 2 && $2 == test-container ]] || {
	sed -n '2,/^[^#]/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
	exit 2
}
[[ -f hack/kubernetes/$1.mod ]] || fail "no Kubernetes $1 here"
[[ -f bin/images/list ]] || fail 'make images comes first'
started=$SECONDS
named "$1"
node_images_exist
mkdir -p "$partial" bin/node-images
trap 'jobs -p | xargs -r kill; wait; rm -rf --one-file-system "$partial"' EXIT
step 'programs' node_programs "$1" kubelet
if ((EUID != 0)); then fail 'to build the node image takes root'; fi
step 'Debian packages' debian_part
entry_root
disk_needs
if (($# == 1)); then
	file=$entry/disk-$(sha256sum <hack/node-image/disk.sh | cut -c1-8).qcow2
	step 'disk image' image disk "$file"
	name=marina-node-$release_name
	linked "$name.qcow2" "$file"
	manifest "$file" qcow2 >"$entry/$name.json"
	linked "$name.json" "$entry/$name.json"
else
	key=$(cat hack/node-image/disk.sh hack/node-image/test-container/* | sha256sum | cut -c1-8)
	file=$entry/test-container-$key.raw
	step 'file system for tests' image image_container "$file"
	linked "marina-node-$release_name-test-container.raw" "$file"
fi
touch "$entry"
newest "$cache" '[0-9]*' 4
newest "$cache" 'debian-*' 6 # two files each
echo "node image $release_name after $((SECONDS - started)) s"
