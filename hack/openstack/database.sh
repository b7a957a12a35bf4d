# shellcheck shell=bash disable=SC2154,SC2034 # variables are set, and read, by others
# MariaDB, RabbitMQ and memcached, and the services' tables. To be sourced.

databases=(keystone placement glance nova nova_api nova_cell0 neutron cinder octavia)

sql() { mariadb --socket="$SOCKET" -uroot; }

# database_start begins anew when the tables were not completed: migrations of MariaDB
# cannot be taken up where they were interrupted.
database_start() {
	if [[ ! -e $state/tables ]]; then
		end mariadb
		rm -rf "$state/mysql" "$state/keystone" "$state"/identity
		mkdir -m 700 "$state/mysql" "$state/keystone"
		mariadb-install-db --defaults-file="$etc/my.cnf" --auth-root-authentication-method=normal --skip-test-db \
			>"$logs/mariadb-install.log" 2>&1 || fail "no database: $(tail -5 "$logs/mariadb-install.log")"
	fi
	start mariadb mariadbd --defaults-file="$etc/my.cnf"
	start memcached memcached -u root -l "$api" -p 11211 -m 64 -t 1
	rabbit_start
}

# rabbit_start: nothing that is in a queue is worth keeping over a restart.
rabbit_start() {
	alive rabbitmq && return
	end rabbitmq
	pkill -KILL -x epmd || true
	rm -rf "$state/rabbit"
	mkdir -m 700 "$state/rabbit"
	# One scheduler that does not spin, and the ports of Erlang at 127.0.0.1 in here.
	start rabbitmq env HOME="$state/rabbit" RABBITMQ_NODENAME=marina@localhost ERL_EPMD_ADDRESS=127.0.0.1 \
		RABBITMQ_CONFIG_FILE="$etc/rabbitmq.conf" RABBITMQ_ENABLED_PLUGINS_FILE="$etc/rabbitmq-plugins" \
		RABBITMQ_MNESIA_BASE="$state/rabbit/mnesia" RABBITMQ_LOG_BASE="$logs" RABBITMQ_PID_FILE="$state/rabbit/pid" \
		RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}' \
		/usr/lib/rabbitmq/bin/rabbitmq-server
}

database_ready() {
	until_ok mariadb 120 mariadb-admin --socket="$SOCKET" -uroot ping
	[[ ! -e $state/tables ]] || return 0
	tables_key
	# A lasting copy saves most of a first start; it has no secrets in it.
	if [[ -s $tables_copy ]]; then
		zstd -dc "$tables_copy" | sql
	else
		tables_make
		mkdir -p "$(dirname "$tables_copy")"
		mariadb-dump --socket="$SOCKET" -uroot --databases "${databases[@]}" | zstd -q >"$tables_copy.$$"
		mv "$tables_copy.$$" "$tables_copy"
	fi
	keystone_keys fernet
	keystone_keys credential
	touch "$state/tables"
}

# tables_key sets the name of the copy: of the versions of the packages that made it, and how.
tables_key() {
	tables_copy=${XDG_CACHE_HOME:-$HOME/.cache}/marina/openstack/tables-$({
		dpkg-query -W keystone placement-common glance-common nova-common neutron-common cinder-common octavia-common mariadb-server
		cat "$here/database.sh"
	} | sha256sum | cut -c1-12).sql.zst
}

# keystone_keys KIND makes the two keys that tokens, or credentials, are encrypted with.
keystone_keys() {
	local number
	mkdir -p "$state/keystone/$1"
	for number in 0 1; do
		(umask 077 && openssl rand -base64 32 | tr '+/' '-_' >"$state/keystone/$1/$number")
	done
}

tables_make() {
	local name chain chains=()
	for name in "${databases[@]}"; do echo "create database if not exists $name character set utf8;"; done | sql
	# Two at a time; Nova's and Neutron's take the longest.
	tables_first >"$logs/tables-1.log" 2>&1 &
	chains+=($!)
	tables_second >"$logs/tables-2.log" 2>&1 &
	chains+=($!)
	for chain in "${chains[@]}"; do
		wait "$chain" || fail "the tables were not made: $(cat "$logs"/tables-?.log | tail -n 10)"
	done
}

tables_first() {
	keystone-manage --config-file "$etc/keystone.conf" db_sync &&
		placement-manage --config-file "$etc/placement.conf" db sync &&
		glance-manage --config-file "$etc/glance.conf" db_sync &&
		cinder-manage --config-file "$etc/cinder.conf" db sync &&
		octavia-db-manage --config-file "$etc/octavia.conf" upgrade head
}

# tables_second: what is in braces, Nova fills in from its configuration.
tables_second() {
	local nova=(nova-manage --config-file "$etc/nova.conf") of='{scheme}://{username}@{hostname}'
	"${nova[@]}" api_db sync &&
		"${nova[@]}" cell_v2 map_cell0 --database_connection "$of/nova_cell0?{query}" &&
		"${nova[@]}" cell_v2 create_cell --name cell1 --database_connection "$of/{path}?{query}" \
			--transport-url '{scheme}://{username}:{password}@{hostname}:{port}/' &&
		"${nova[@]}" db sync &&
		neutron-db-manage --config-file "$etc/neutron.conf" --config-file "$etc/ml2.ini" upgrade heads
}
