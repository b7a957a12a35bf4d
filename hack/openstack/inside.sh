#!/usr/bin/env bash
# What openstack.sh has done inside the cloud's namespaces.
#
#   inside.sh up | stop | status | enter [HOST] COMMAND...
# shellcheck source-path=SCRIPTDIR
set -euo pipefail
shopt -s inherit_errexit

# shellcheck source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
# shellcheck source=process.sh
source "$here/process.sh"
# shellcheck source=config.sh
source "$here/config.sh"
# shellcheck source=database.sh
source "$here/database.sh"
# shellcheck source=services.sh
source "$here/services.sh"
# shellcheck source=computes.sh
source "$here/computes.sh"

python() { /usr/bin/python3 "$here/$1.py" "${@:2}"; }

up() {
	if all_alive; then return; fi
	echo $$ >"$run/up.pid"
	rm -f "$run/complete"
	step 'configuration' configure
	database_start
	step 'databases' database_ready
	services_first
	step 'users and catalogue' identity_ready
	services_start
	computes_start
	services_wait
	export OS_CLIENT_CONFIG_FILE=$clouds COMPUTES=$computes
	step 'agents and compute hosts' python ready
	step 'hosts in the cell' computes_discover
	step 'flavors, quotas, external network' python resources "$external_cidr" "$external_gateway" "$external_first" "$external_last"
	echo "$computes" >"$run/complete"
	rm -f "$run/up.pid"
}

# all_alive: a start was complete, and nothing of it has ended since.
all_alive() {
	local file
	[[ -e $run/complete && $(<"$run/complete") == "$computes" ]] || return 1
	for file in "$run"/*.pid; do alive "$(basename "$file" .pid)" || return 1; done
}

# stop ends a start that goes on, and lets the database write what it has in memory.
stop() {
	local pid limit=$((SECONDS + 30))
	if alive up; then kill -KILL "$(<"$run/up.pid")"; fi
	if alive mariadb; then
		pid=$(<"$run/mariadb.pid")
		kill -TERM "$pid"
		while kill -0 "$pid" 2>/dev/null && ((SECONDS < limit)); do sleep 0.1; done
	fi
}

# memory PID... prints the proportional set size of these processes in MiB.
memory() {
	local pid kib sum=0
	for pid in "$@"; do
		kib=$(awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup" 2>/dev/null) || true
		sum=$((sum + ${kib:-0}))
	done
	echo $((sum / 1024))
}

status() {
	local file name pid total=0 mib
	for file in "$run"/*.pid; do
		name=$(basename "$file" .pid)
		if alive "$name"; then
			# shellcheck disable=SC2046 # these are several words
			mib=$(memory $(pgrep --session "$(<"$file")"))
			printf '%-28s %6d MiB\n' "$name" "$mib"
			total=$((total + mib))
		else
			printf '%-28s ended\n' "$name"
		fi
	done
	# shellcheck disable=SC2046 # these are several words
	mib=$(memory $(pgrep .))
	printf '%-28s %6d MiB\n' 'servers, proxies and so on' $((mib - total)) 'all of it' "$mib"
}

enter() {
	if [[ -e $run/node-${1-}.pid ]]; then node_enter "$@"; else exec "$@"; fi
}

"$@"
