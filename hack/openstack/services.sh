# shellcheck shell=bash disable=SC2154,SC2034 # variables are set, and read, by others
# The services of the cloud itself. To be sourced.

# wsgi NAME PORT THREADS SCRIPT [VARIABLE=VALUE...] serves it from one process. Without
# buffering of what is sent, clients see their connections reset.
wsgi() {
	local name=$1 port=$2 threads=$3 script=$4
	shift 4
	start "$name" env "$@" uwsgi_python3 --master --die-on-term --lazy-apps --need-app --enable-threads --thunder-lock \
		--processes 1 --threads "$threads" --http-socket "$api:$port" --buffer-size 65535 --post-buffering 65536 \
		--add-header Connection:close --disable-logging --pyargv "--config-file $etc/$name.conf" --wsgi-file "$script"
}

# nova_main NAME MODULE serves a part of nova-api alone, in one process.
nova_main() { start "$1" /usr/bin/python3 -c "import sys; sys.argv[0] = '$1'; from nova.cmd.$2 import main; sys.exit(main())" --config-file "$etc/nova.conf"; }

services_first() {
	wsgi keystone 5000 6 "$here/keystone_wsgi.py" OS_KEYSTONE_CONFIG_DIR="$etc" OS_KEYSTONE_CONFIG_FILES=keystone.conf
	wsgi placement 8778 4 /usr/bin/placement-api OS_PLACEMENT_CONFIG_DIR="$etc"
	start glance-api glance-api --config-file "$etc/glance.conf"
	until_ok rabbitmq 300 port_open 5672
	until_ok keystone 300 answers 5000
}

# identity_ready makes users, roles and endpoints, once.
identity_ready() {
	[[ ! -e $state/identity ]] || return 0
	OS_BOOTSTRAP_PASSWORD=$ADMIN_PASSWORD keystone-manage --config-file "$etc/keystone.conf" bootstrap --bootstrap-region-id "$region" \
		--bootstrap-admin-url "http://$api:5000/v3" --bootstrap-internal-url "http://$api:5000/v3" --bootstrap-public-url "http://$api:5000/v3" \
		>"$logs/bootstrap.log" 2>&1 || fail "no first user: $(tail -5 "$logs/bootstrap.log")"
	OS_CLIENT_CONFIG_FILE=$clouds SERVICE_PASSWORD=$SERVICE_PASSWORD python identity "$api"
	touch "$state/identity"
}

services_start() {
	local neutron=(--config-file "$etc/neutron.conf") agent
	nova_main nova-api api_os_compute
	start neutron-server neutron-server "${neutron[@]}" --config-file "$etc/ml2.ini"
	start nova-conductor nova-conductor --config-file "$etc/nova.conf"
	start nova-scheduler nova-scheduler --config-file "$etc/nova.conf"
	start cinder-api cinder-api --config-file "$etc/cinder.conf"
	start cinder-scheduler cinder-scheduler --config-file "$etc/cinder.conf"
	start cinder-volume cinder-volume --config-file "$etc/cinder.conf"
	wsgi octavia 9876 4 /usr/bin/octavia-wsgi
	start octavia-worker octavia-worker --config-file "$etc/octavia-worker.conf"
	until_ok neutron-server 300 answers 9696
	start neutron-linuxbridge-agent /usr/bin/python3 "$here/linuxbridge_agent.py" "${neutron[@]}" --config-file "$etc/linuxbridge.ini"
	for agent in dhcp l3 metadata; do
		start "neutron-$agent-agent" "neutron-$agent-agent" "${neutron[@]}" --config-file "$etc/$agent.ini"
	done
}

services_wait() {
	until_ok placement 300 answers 8778
	until_ok glance-api 300 answers 9292
	until_ok nova-api 300 answers 8774
	# It asks the conductor at its start, and ends when that takes too long.
	nova_main nova-metadata api_metadata
	until_ok cinder-api 300 answers 8776
	until_ok octavia 300 answers 9876
	until_ok nova-metadata 300 port_open 8775
}
