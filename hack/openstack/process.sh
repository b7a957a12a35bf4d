# shellcheck shell=bash disable=SC2154,SC2034 # variables are set, and read, by others
# Starts services, waits for them, ends them. To be sourced, inside the cloud.

# alive NAME: one that has ended and that nobody has waited for yet is still in /proc.
alive() {
	local pid about
	[[ -s $run/$1.pid ]] && pid=$(<"$run/$1.pid") && read -r about 2>/dev/null <"/proc/$pid/stat" && [[ ${about##*) } != [ZX]* ]]
}

# start NAME COMMAND... starts a service in a session of its own, with a log of its own,
# unless it runs. What has survived of a former one is ended first.
start() {
	local name=$1
	shift
	alive "$name" && return
	end "$name"
	setsid "$@" >>"$logs/$name.log" 2>&1 </dev/null 9>&- &
	echo $! >"$run/$name.pid"
	disown
}

# end NAME kills a service and all in its session.
end() {
	local pid
	[[ -s $run/$1.pid ]] || return 0
	pid=$(<"$run/$1.pid")
	pkill -KILL --session "$pid" || true
	rm -f "$run/$1.pid"
}

# until_ok NAME SECONDS COMMAND... waits for the command to succeed, and fails with the end
# of the service's log when that takes longer or the service dies.
until_ok() {
	local name=$1 seconds=$2 begun=${EPOCHREALTIME/./} limit=$((SECONDS + $2))
	shift 2
	until "$@" >/dev/null 2>&1; do
		if [[ -e $run/$name.pid ]] && ! alive "$name"; then
			fail "$name has ended:"$'\n'"$(tail -15 "$logs/$name.log")"
		fi
		((SECONDS < limit)) || fail "$name is not ready after $seconds s ($*):"$'\n'"$(tail -15 "$logs/$name.log")"
		sleep 0.2
	done
	((${EPOCHREALTIME/./} - begun < 500000)) || took "waited for $name" "$begun"
}

port_open() { (exec 3<>"/dev/tcp/$api/$1"); }

# answers PORT: any HTTP answer will do, a refusal too.
answers() { curl -s -o /dev/null -m 5 "http://$api:$1/"; }
