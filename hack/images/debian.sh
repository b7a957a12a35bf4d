# shellcheck shell=bash
# The parts of Debian in the images. To be sourced: debian sets base and firewall,
# folders in the cache that are named by the packages in them. It needs no root.

# closure PACKAGE... prints the packages with all that they depend on.
closure() {
	apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
		--no-enhances "$@" | grep -E '^[a-z0-9]' | LC_ALL=C sort -u
}

# unpack NAME FUNCTION PACKAGE... prints the folder that FUNCTION makes of the unpacked
# packages. FUNCTION FROM TO is called in an empty folder, unless the folder is there.
unpack() {
	local name=$1 function=$2 uris folder file work
	shift 2
	uris=$(apt-get download --print-uris "$@") || fail "these Debian packages are not known (apt-get update?): $*"
	folder=$cache/images/$name-$({ echo "$uris" | grep -o 'SHA256:.*' | LC_ALL=C sort; declare -f "$function"; } | sha256sum | cut -c1-12)
	if [[ ! -d $folder ]]; then
		work=$partial/$name
		mkdir -p "$work"/{packages,from,to}
		(cd "$work/packages" && apt-get download -qq -o APT::Sandbox::User=root "$@" >&2)
		for file in "$work"/packages/*.deb; do dpkg-deb -x "$file" "$work/from"; done
		"$function" "$work/from" "$work/to"
		chmod -R u=rwX,go=rX "$work/to"
		[[ ! -d $work/to/tmp ]] || chmod 1777 "$work/to/tmp"
		mv -T "$work/to" "$folder" 2>/dev/null || [[ -d $folder ]] # another build was faster
	fi
	echo "$folder"
}

# base_files: what a static program wants to find: certificate authorities, users, /tmp.
base_files() {
	local from=$1 to=$2
	mkdir -p "$to"/etc/ssl/certs "$to"/tmp
	find "$from/usr/share/ca-certificates" -name '*.crt' | LC_ALL=C sort | xargs cat >"$to/etc/ssl/certs/ca-certificates.crt"
	printf 'root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n' >"$to/etc/passwd"
	printf 'root:x:0:\nnonroot:x:65532:\n' >"$to/etc/group"
}

# firewall_files: iptables and nft, their libraries and the names of protocols.
firewall_files() {
	local from=$1 to=$2 name suffix
	mkdir -p "$to/usr/sbin" "$to/usr/lib" "$to/etc"
	cp -a "$from"/usr/sbin/{xtables-*-multi,nft} "$to/usr/sbin/"
	for name in iptables ip6tables; do
		# Debian leaves these links to update-alternatives.
		for suffix in '' -save -restore; do ln -sf xtables-nft-multi "$to/usr/sbin/$name$suffix"; done
	done
	cp -a "$from"/etc/{protocols,services} "$to/etc/"
	[[ ! -d $from/lib ]] || cp -a "$from"/lib/. "$to/usr/lib/"
	cp -a "$from/usr/lib/." "$to/usr/lib/"
	# Character sets, audit and debugging aids of the C library.
	rm -rf "$to"/usr/lib/*/{gconv,audit} "$to"/usr/lib/{systemd,modprobe.d}
	ln -s usr/lib "$to/lib"
	if [[ -d $from/lib64 ]]; then
		mkdir "$to/lib64"
		cp -a "$from/lib64/." "$to/lib64/"
	fi
}

debian() {
	local packages
	if ! apt-get download --print-uris iptables >/dev/null 2>&1; then
		((EUID == 0)) || fail "no package lists: run apt-get update as root"
		apt-get update -qq
	fi
	base=$(unpack base base_files ca-certificates)
	mapfile -t packages < <(closure iptables nftables | grep -v '^gcc-.*-base$')
	firewall=$(unpack firewall firewall_files "${packages[@]}")
}
