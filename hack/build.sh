#!/usr/bin/env bash
# Builds the programs of others that Marina runs or is made with, from Go modules.
#
#   hack/build.sh kubernetes MINOR [BINARY...]   bin/kubernetes/v1.37.1/kube-apiserver ...
#   hack/build.sh etcd                           bin/etcd/v3.7.3/etcd
#   hack/build.sh coredns                        bin/coredns/v1.14.6/coredns
#   hack/build.sh pause MINOR                    bin/pause/v1.37.1/pause
#   hack/build.sh module FOLDER                  bin/FOLDER/VERSION/..., all tools that hack/FOLDER/go.mod names
#   hack/build.sh tools [TOOL...]                bin/tools/controller-gen ...
#
# Binaries lie in the user's cache directory, in a folder named by a hash of all
# that they are made from; bin/ has links to them. So a clean clone, another
# worktree or a changed branch finds what was built before. A binary is moved
# into the cache when it is complete and one process at a time builds a folder,
# so this may be interrupted and run several times at once.
set -euo pipefail
shopt -s inherit_errexit # or a failing $(...) inside of $(...) goes unnoticed

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/marina

# The caller's Go settings must not change what comes out: static, without paths
# of this machine, without symbol tables.
export CGO_ENABLED=0 GOFLAGS='' GOWORK=off GOTOOLCHAIN=local
unset GOEXPERIMENT
build=(go build -v -trimpath -buildvcs=false)
strip='-s -w'

kubernetes_binaries=(kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubeadm kubectl hollow-node)

fail() {
	echo "build.sh: $*" >&2
	exit 1
}

# required GO.MOD MODULE prints the version of a module that go.mod requires.
required() {
	awk -v module="$2" '$1 == "require" { $1 = ""; $0 = $0 } $1 == module { print $2; exit }' "$1"
}

# released MODULE [FLAG...] prints when its version was made: a date that is the same in every build.
released() {
	go list -m "${@:2}" -f '{{.Time.UTC.Format "2006-01-02T15:04:05Z"}}' "$1"
}

# key hashes its input together with what every build depends on.
key() {
	{
		go env GOVERSION GOOS GOARCH GOAMD64 GOARM64
		printf '%s\n' "${build[*]}" "$strip"
		cat
	} | sha256sum | cut -c1-12
}

# progress FOLDER reads what go build -v says: a line per package that it compiles.
# It prints a line per binary that appears in FOLDER, and a sign of life in between.
progress() {
	local line status file name seen=' ' packages=0 started=$SECONDS said=$SECONDS
	while true; do
		status=0
		IFS= read -r -t 1 line || status=$?
		if ((status == 0)); then
			if [[ $line =~ ^[A-Za-z0-9._~/-]+$ ]]; then
				((++packages))
			else
				echo "  $line" # a download or an error
			fi
		fi
		for file in "$1"/*; do
			name=${file##*/}
			if [[ -f $file && $seen != *" $name "* ]]; then
				printf '  %-24s %4d s\n' "$name" $((SECONDS - started))
				seen+="$name "
				said=$SECONDS
			fi
		done
		((status == 0 || status > 128)) || return 0 # end of input; above 128 it was only late
		if ((SECONDS - said >= 15)); then
			printf '  ... %d packages compiled  %4d s\n' "$packages" $((SECONDS - started))
			said=$SECONDS
		fi
	done
}

# provide ENTRY VIEW LDFLAGS FLAG... -- PACKAGE... has the packages' binaries built
# into the cache's folder ENTRY and linked from bin/VIEW. LDFLAGS is a function that
# prints the linker's flags, called only when something is to be built. It runs in
# the folder of the module.
provide() {
	local entry=$cache/$1 view=$root/bin/$2 ldflags=$3 flags=() package binary
	shift 3
	while [[ $1 != -- ]]; do
		flags+=("$1")
		shift
	done
	shift
	mkdir -p "$entry" "$view"
	(
		if ! flock -n 9; then
			echo "${entry##*/}: waiting for the build that is running"
			flock 9
		fi
		missing=()
		for package in "$@"; do
			[[ -x $entry/${package##*/} ]] || missing+=("$package")
		done
		((${#missing[@]})) || exit 0
		echo "${entry##*/}: building ${missing[*]##*/}"
		linker="$strip $("$ldflags")"
		partial=$entry/.partial
		rm -rf "$partial" # of an interrupted build: nobody else holds the lock
		mkdir "$partial"
		trap 'rm -rf "$partial"' EXIT
		"${build[@]}" "${flags[@]}" -ldflags "$linker" -o "$partial/" "${missing[@]}" 2>&1 |
			progress "$partial"
		mv "$partial"/* "$entry/"
	) 9>"$entry.lock"
	for package in "$@"; do
		binary=${package##*/}
		[[ $(readlink "$view/$binary") != "$entry/$binary" ]] || continue
		# A new link moved over the old one: there is no moment without it.
		ln -s "$entry/$binary" "$view/.$binary.$$"
		mv -fT "$view/.$binary.$$" "$view/$binary"
	done
}

kubernetes() {
	local minor=${1#v} modfile version packages=() hollow='' binary
	shift
	cd "$root/hack/kubernetes"
	modfile=$minor.mod
	[[ -f $modfile ]] || fail "no Kubernetes $minor here, only: $(echo 1.*.mod)"
	version=$(required "$modfile" k8s.io/kubernetes)
	(($#)) || set -- "${kubernetes_binaries[@]}"
	for binary in "$@"; do
		[[ " ${kubernetes_binaries[*]} " == *" $binary "* ]] || fail "no binary $binary, only: ${kubernetes_binaries[*]}"
		if [[ $binary == hollow-node ]]; then
			hollow=./hollow-node
		else
			packages+=("k8s.io/kubernetes/cmd/$binary")
		fi
	done

	kubernetes_ldflags() {
		local package fields
		# A module has no commit, but the tag names it.
		fields=("gitVersion=$version" "gitMajor=${minor%.*}" "gitMinor=${minor#*.}" gitTreeState=clean
			"gitCommit=$version" "buildDate=$(released k8s.io/kubernetes -modfile="$modfile")")
		for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
			printf -- '-X %s ' "${fields[@]/#/$package.}"
		done
	}
	local inputs=("$modfile" "$minor.sum") hash
	if ((${#packages[@]})); then
		hash=$({ cat "${inputs[@]}"; declare -f kubernetes_ldflags; } | key)
		provide "kubernetes-$version-$hash" "kubernetes/$version" \
			kubernetes_ldflags -modfile="$modfile" -- "${packages[@]}"
	fi
	# Apart from the others, which need not be linked anew when its source changes.
	if [[ $hollow ]]; then
		mapfile -t -O "${#inputs[@]}" inputs < <(find hollow-node -name '*.go' ! -name '*_test.go' | LC_ALL=C sort)
		hash=$({ cat "${inputs[@]}"; declare -f kubernetes_ldflags; } | key)
		provide "hollow-node-$version-$hash" "kubernetes/$version" \
			kubernetes_ldflags -modfile="$modfile" -- "$hollow"
	fi
	echo "bin/kubernetes/$version: $*"
}

etcd() {
	cd "$root/hack/etcd"
	local version hash
	version=$(required go.mod go.etcd.io/etcd/server/v3)
	etcd_ldflags() { echo "-X go.etcd.io/etcd/api/v3/version.GitSHA=$version"; }
	hash=$({ cat go.mod go.sum *.go; declare -f etcd_ldflags; } | key)
	provide "etcd-$version-$hash" "etcd/$version" etcd_ldflags -- github.com/marina-dev/marina/hack/etcd
	echo "bin/etcd/$version: etcd"
}

coredns() {
	cd "$root/hack/coredns"
	local version hash
	version=$(required go.mod github.com/coredns/coredns)
	coredns_ldflags() { echo "-X github.com/coredns/coredns/coremain.GitCommit=$version"; }
	hash=$({ cat go.mod go.sum *.go; declare -f coredns_ldflags; } | key)
	provide "coredns-$version-$hash" "coredns/$version" coredns_ldflags -- github.com/marina-dev/marina/hack/coredns
	echo "bin/coredns/$version: coredns"
}

# pause is C: a Go program would cost every pod a megabyte of memory.
pause() {
	local minor=${1#v} modfile version source entry hash
	cd "$root/hack/kubernetes"
	modfile=$minor.mod
	version=$(required "$modfile" k8s.io/kubernetes)
	hash=$({ cat "$modfile"; gcc --version; declare -f pause; } | key)
	entry=$cache/pause-$version-$hash
	if [[ ! -x $entry/pause ]]; then
		go mod download -modfile="$modfile" k8s.io/kubernetes
		source=$(go list -m -modfile="$modfile" -f '{{.Dir}}' k8s.io/kubernetes)/build/pause/linux/pause.c
		mkdir -p "$entry"
		gcc -Os -static -s -Wl,--build-id=none "-DVERSION=$version" -o "$entry/.pause.$$" "$source"
		mv "$entry/.pause.$$" "$entry/pause"
	fi
	mkdir -p "$root/bin/pause/$version"
	ln -sfn "$entry/pause" "$root/bin/pause/$version/pause"
	echo "bin/pause/$version: pause"
}

# packages prints what the tool directives of go.mod name.
packages() {
	awk '$1 == "tool" && $2 == "(" { all = 1; next } $1 == ")" { all = 0 }
		all { print $1 } $1 == "tool" { print $2 }' go.mod
}

# module_of PACKAGE prints the module of a package, by what go.mod requires.
module_of() {
	local module=$1
	until [[ $(required go.mod "$module") ]]; do
		[[ $module == */* ]] || fail "go.mod does not require the module of $1"
		module=${module%/*}
	done
	echo "$module"
}

# module builds all that the tool directives of one nested module name, in one
# folder by the version of the first one's module.
module() {
	local folder=$1 packages module version hash tags=
	cd "$root/hack/$folder"
	mapfile -t packages < <(packages)
	module=$(module_of "${packages[0]}")
	version=$(required go.mod "$module")
	# Snapshotters that no node of the tests has.
	[[ $folder != containerd ]] || tags=no_btrfs,no_devmapper,no_zfs,no_erofs
	module_ldflags() {
		echo "-X $module/version.Version=$version -X $module/pkg/version.Version=$version"
	}
	hash=$({ cat go.mod go.sum; echo "$tags"; declare -f module_ldflags; } | key)
	provide "$folder-$version-$hash" "$folder/$version" module_ldflags -tags="$tags" -- "${packages[@]}"
	echo "bin/$folder/$version: ${packages[*]##*/}"
}

# tools builds what the tool directives of hack/tools and the modules in it name.
tools() {
	local folder package module version hash provided=()
	for folder in "$root"/hack/tools/ "$root"/hack/tools/*/; do
		cd "$folder"
		while read -r package; do
			(($# == 0)) || [[ " $* " == *" ${package##*/} "* ]] || continue
			module=$(module_of "$package")
			version=$(required go.mod "$module")
			tools_ldflags() { echo "-X main.version=${version#v} -X main.commit=$version -X main.date=$(released "$module")"; }
			[[ ${package##*/} != helm ]] || tools_ldflags() { echo "-X $module/internal/version.version=$version"; }
			hash=$({ cat go.mod go.sum; declare -f tools_ldflags; } | key)
			provide "${package##*/}-$version-$hash" tools tools_ldflags -- "$package"
			provided+=("${package##*/}")
		done < <(packages)
	done
	((${#provided[@]} == $# || $# == 0)) || fail "no such tool among: $*"
	echo "bin/tools: ${provided[*]}"
}

case ${1-} in
kubernetes)
	(($# >= 2)) || fail "which minor? kubernetes MINOR [BINARY...]"
	"$@"
	;;
pause | module)
	(($# == 2)) || fail "pause MINOR, module FOLDER"
	"$@"
	;;
etcd | coredns | tools) "$@" ;;
*)
	sed -n '2,/^[^#]/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
	exit 2
	;;
esac
