# shellcheck shell=bash disable=SC2154,SC2034 # variables are set, and read, by others
# Writes the configuration of all services from the templates in etc/. To be sourced.

# What templates may name, as @NAME@.
config_names=(STATE ETC LOGS API REGION SOCKET SERVICE_PASSWORD RABBIT_PASSWORD METADATA_SECRET CA_PASSWORD
	ADMIN_PASSWORD TENANT_PASSWORD TENANT2_PASSWORD PLATFORM_PASSWORD HOST ADDRESS GROUP VIRT_TYPE COW IMAGES_TYPE UUID)

# secrets makes the passwords, once, and sets them.
secrets() {
	local name
	if [[ ! -s $etc/secrets ]]; then
		for name in SERVICE_PASSWORD RABBIT_PASSWORD METADATA_SECRET CA_PASSWORD ADMIN_PASSWORD TENANT_PASSWORD TENANT2_PASSWORD PLATFORM_PASSWORD; do
			echo "$name=$(openssl rand -hex 16)"
		done >"$etc/secrets.new"
		mv "$etc/secrets.new" "$etc/secrets"
	fi
	# shellcheck source=/dev/null
	source "$etc/secrets"
}

# render TEMPLATE... prints them, filled in.
render() {
	local text name
	text=$(cd "$here/etc" && cat "$@")
	for name in "${config_names[@]}"; do text=${text//@$name@/${!name-}}; done
	printf '%s\n' "$text"
}

# clients prints how the services log in at each other: their options have one group for
# each other one, and of some the wrong ones are ignored.
clients() {
	local GROUP
	for GROUP in keystone_authtoken service_user service_auth placement neutron nova cinder; do render client.conf; done
}

# replace FILE has what is said in it, at once: a service may be reading it.
replace() {
	cat >"$1.new"
	mv "$1.new" "$1"
}

# configure writes what is the same for all hosts.
configure() {
	local name
	umask 077
	mkdir -p "$etc" "$logs" "$state"/{mysql,rabbit,locks,keystone,nova,glance/images,glance/staging,cinder/share,cinder/mnt,octavia}
	(umask 022 && mkdir -p "$state/neutron") # dnsmasq reads what is in it, as nobody
	secrets
	config_variables
	for name in keystone placement glance nova neutron cinder octavia; do
		{ render "$name.conf" common.conf && clients; } | replace "$etc/$name.conf"
	done
	{ cat "$etc/octavia.conf" && render octavia-worker.conf; } | replace "$etc/octavia-worker.conf"
	for name in my.cnf rabbitmq.conf ml2.ini dhcp.ini l3.ini metadata.ini; do render "$name" | replace "$etc/$name"; done
	render linuxbridge.ini linuxbridge-external.ini | replace "$etc/linuxbridge.ini"
	echo "127.0.0.1:$state/cinder/share" >"$etc/nfs_shares"
	: >"$etc/rabbitmq-plugins"
	render clouds.yaml | replace "$clouds"
	[[ -s $etc/ca.pem ]] || config_ca
	umask 022
}

config_variables() {
	STATE=$state ETC=$etc LOGS=$logs API=$api REGION=$region SOCKET=$state/mysql/socket HOST=controller ADDRESS=$api
}

# config_ca makes the CA that Octavia asks for, though nothing here has a certificate of it.
config_ca() {
	openssl req -x509 -newkey rsa:2048 -passout "file:"<(echo "$CA_PASSWORD") -days 3650 -subj /CN=octavia \
		-keyout "$etc/ca.key" -out "$etc/ca.pem.new" 2>"$logs/ca.log" || fail "no CA for Octavia: $(tail -3 "$logs/ca.log")"
	mv "$etc/ca.pem.new" "$etc/ca.pem"
}
