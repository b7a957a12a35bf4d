# shellcheck shell=bash disable=SC2154,SC2034 # variables are set, and read, by others
# The packages of the cloud. To be sourced.

packages=(
	keystone placement-api glance-api
	nova-api nova-conductor nova-scheduler nova-compute nova-compute-lxc
	neutron-api neutron-rpc-server neutron-linuxbridge-agent neutron-l3-agent neutron-dhcp-agent neutron-metadata-agent
	cinder-api cinder-scheduler cinder-volume
	octavia-api octavia-worker
	rabbitmq-server mariadb-server memcached uwsgi-core uwsgi-plugin-python3
	libvirt-daemon-driver-lxc libvirt-daemon-driver-qemu libvirt-clients qemu-system-x86 qemu-utils genisoimage
	python3-openstackclient python3-octaviaclient openssl iproute2 util-linux zstd
)

packages_missing() {
	# dpkg-query fails when it knows nothing of one.
	{ dpkg-query -W -f '${Package} ${Status}\n' "${packages[@]}" 2>/dev/null || true; } |
		awk '$2 $3 $4 == "installokinstalled" { print $1 }' | sort -u |
		comm -13 - <(printf '%s\n' "${packages[@]}" | sort -u)
}

# install leaves the machine without a service that was started, with or without an init
# system, and without a database that a package has asked for.
install() {
	local policy=/usr/sbin/policy-rc.d missing
	missing=$(packages_missing)
	[[ $missing ]] || return 0
	as_root install
	grep -qs '^VERSION_CODENAME=bookworm' /etc/os-release || fail "the packages are those of Debian 12"
	if [[ -e $policy ]]; then
		policy=
	else
		# shellcheck disable=SC2064 # the name as it is now
		trap "rm -f $policy" EXIT
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
	fi
	step 'packages' packages_install
	if [[ $policy ]]; then
		rm "$policy"
		trap - EXIT
	fi
}

packages_install() {
	local package question log
	log=$(mktemp)
	apt-get update -qq
	for package in keystone glance placement nova neutron cinder octavia; do
		for question in configure_db register-endpoint configure_ksat configure_rabbit; do
			printf '%s %s/%s boolean false\n' "$package-common" "$package" "$question" \
				"$package-api" "$package" "$question" "$package" "$package" "$question"
		done
	done | debconf-set-selections
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
		-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o Dpkg::Options::=--force-unsafe-io \
		"${packages[@]}" >"$log" 2>&1 || fail "packages were not installed: $(tail -5 "$log")"
	rm "$log"
}
