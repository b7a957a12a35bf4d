#!/usr/bin/env bash
# Builds every container image of an installation as an archive, without a container
# engine and without a registry: from Go modules and Debian packages.
#
#   hack/images/build.sh            bin/images/kube-apiserver-v1.37.1.tar ...
#
#   IMAGE_PREFIX   what the images' names begin with (marina.local)
#   VERSION        the tag of Marina's own image
#   MINORS         the Kubernetes releases
#
# bin/images/list names them: a line of name, image, digest and archive each. Archives
# lie in the user's cache directory, by a hash of what they are made of; bin/images
# has links to them.
set -euo pipefail
shopt -s inherit_errexit

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=$(readlink -m "${XDG_CACHE_HOME:-$HOME/.cache}/marina")
prefix=${IMAGE_PREFIX:-marina.local}
version=${VERSION:-$(git -C "$root" describe --tags --always --dirty 2>/dev/null || echo dev)}
read -ra minors <<<"${MINORS:-1.36 1.37}"
partial=$cache/images/.partial.$$
export CGO_ENABLED=0 GOFLAGS='' GOWORK=off GOTOOLCHAIN=local
cd "$root"
mkdir -p "$cache/images"
trap 'rm -rf "$partial"' EXIT
# shellcheck source=debian.sh
source hack/images/debian.sh

fail() {
	echo "images: $*" >&2
	exit 1
}

# step NAME COMMAND... says what is done and how long it took.
step() {
	local name=$1 started=$SECONDS
	shift
	"$@"
	printf '== %-44s %4d s\n' "$name" $((SECONDS - started))
}

# program KIND MINOR... builds with hack/build.sh and prints the folder it says.
program() {
	local said
	said=$(hack/build.sh "$@" | tee >(cat >&2) | tail -1) # /dev/stderr would empty a file that it is
	echo "${said%%:*}"
}

# identity prints what changes when a program's file changes. The binaries lie in
# folders of the cache that are named by a hash, so where they lie is enough; but for
# what has just been built here.
identity() {
	local file
	for file in "$@"; do
		file=$(readlink -f "${file#*=}")
		case $file in
		"$partial"/*) sha256sum <"$file" ;;
		*) echo "$file" ;;
		esac
	done
}

# write FOLDER NAME TAG FLAG... DEST=SOURCE... writes image.tar and digest into a folder.
write() {
	local folder=$1 reference=$prefix/$2:$3
	shift 3
	[[ -x $partial/bin/images ]] || go build -trimpath -o "$partial/bin/images" ./hack/images
	mkdir -p "$folder"
	"$partial/bin/images" -out "$folder/image.tar" -name "$reference" "$@" >"$folder/digest"
}

# listed NAME TAG DIGEST adds an image to the list.
listed() { echo "$1 $prefix/$1:$2 $3 bin/images/$1-$2.tar" >>"$partial/list"; }

# image NAME TAG FLAG... -- DEST=SOURCE... writes an image unless it is in the cache.
image() {
	local name=$1 tag=$2 flags=() key entry
	shift 2
	while [[ $1 != -- ]]; do
		flags+=("$1")
		shift
	done
	shift
	key=$({
		echo "$prefix/$name:$tag ${flags[*]}" "${@%%=*}"
		cat hack/images/{main,archive,layer}.go
		identity "$@"
	} | sha256sum | cut -c1-12)
	entry=$cache/images/$name-$tag-$key
	if [[ ! -f $entry/digest ]]; then
		write "$partial/$name" "$name" "$tag" "${flags[@]}" "$@"
		mv -T "$partial/$name" "$entry" 2>/dev/null || [[ -f $entry/digest ]] # another build was faster
	fi
	ln -sfn "$entry/image.tar" "bin/images/$name-$tag.tar"
	listed "$name" "$tag" "$(cat "$entry/digest")"
}

# marina's image is not cached: there would soon be one for every edit.
marina() {
	local module=github.com/marina-dev/marina/cmd/marina
	go build -trimpath -buildvcs=false -ldflags "-s -w -X $module/cli/buildinfo.version=$version" -o "$partial/bin/marina" ./cmd/marina
	write "$partial/marina" marina "$version" -tree "$base" "/usr/local/bin/marina=$partial/bin/marina"
	mv "$partial/marina/image.tar" "bin/images/marina-$version.tar"
	listed marina "$version" "$(cat "$partial/marina/digest")"
}

kubernetes() {
	local minor=$1 folder tag name
	folder=$(program kubernetes "$minor" kube-apiserver kube-controller-manager kube-scheduler kube-proxy)
	tag=${folder##*/}
	go build -trimpath -buildvcs=false -ldflags '-s -w' -o "$partial/bin/launcher" ./hack/images/launcher
	image kube-apiserver "$tag" -tree "$base" -- "/usr/local/bin/kube-apiserver=$partial/bin/launcher" "/usr/local/libexec/kube-apiserver=$folder/kube-apiserver"
	for name in kube-controller-manager kube-scheduler; do
		image "$name" "$tag" -tree "$base" -- "/usr/local/bin/$name=$folder/$name"
	done
	# It configures the kernel of the node, for which it has to be root.
	image kube-proxy "$tag" -user 0:0 -tree "$base" -tree "$firewall" -- "/usr/local/bin/kube-proxy=$folder/kube-proxy"
}

etcd() {
	local folder
	folder=$(program etcd)
	image etcd "${folder##*/}" -tree "$base" -- "/usr/local/bin/etcd=$folder/etcd"
}

konnectivity() {
	local folder
	folder=$(program module konnectivity)
	image konnectivity-server "${folder##*/}" -tree "$base" -- "/usr/local/bin/konnectivity-server=$folder/server"
	image konnectivity-agent "${folder##*/}" -tree "$base" -- "/usr/local/bin/konnectivity-agent=$folder/agent"
}

coredns() {
	local folder
	folder=$(program coredns)
	image coredns "${folder##*/}" -low-ports -tree "$base" -- "/usr/local/bin/coredns=$folder/coredns"
}

pause() {
	local folder
	folder=$(program pause "${minors[-1]}")
	image pause "${folder##*/}" -- "/pause=$folder/pause"
}

rm -rf "$partial"
mkdir -p "$partial" bin/images
started=$SECONDS
step 'Debian packages' debian
step etcd etcd
for minor in "${minors[@]}"; do step "Kubernetes $minor" kubernetes "$minor"; done
step konnectivity konnectivity
step CoreDNS coredns
step pause pause
step "marina $version" marina
# What an earlier version of Marina left here.
for link in bin/images/*.tar; do
	grep -q " $link\$" "$partial/list" || rm -f "$link"
done
mv "$partial/list" bin/images/list
while read -r name reference digest link; do
	printf '%-52s %7s MB  %s\n' "$reference" "$(($(stat -Lc %s "$link") / 1000000))" "${digest:0:19}"
done <bin/images/list
printf '%d images in bin/images after %d s\n' "$(wc -l <bin/images/list)" $((SECONDS - started))
