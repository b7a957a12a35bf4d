#!/usr/bin/env bash
# The demo: "marina up" in the background, a cluster in its simulated cloud, two nodes.
#
#   hack/demo.sh start     returns 0 only if both nodes of the cluster are Ready
#   hack/demo.sh stop      deletes the cluster and stops all that start started
#
# Everything lies in .demo/ of the repository, apart from any Marina of your own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export MARINA_DATA_DIR=$PWD/.demo/data
unset MARINA_KUBECONFIG
cluster=demo
pool=workers
marina=bin/marina
up_pid=.demo/marina.pid
up_log=.demo/marina.log

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

fail() {
	echo "demo: $*" >&2
	exit 1
}

# alive FILE PROGRAM tells whether the process whose pid is in FILE still is that program.
alive() {
	[[ -f $1 ]] && [[ $(readlink "/proc/$(<"$1")/exe" 2>/dev/null) == *"/$2" ]]
}

# until_true SECONDS COMMAND... runs a command again and again until it succeeds.
until_true() {
	local limit=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < limit)) || return 1
		sleep 0.1
	done
}

# end FILE PROGRAM SECONDS stops a process and waits until it is gone.
end() {
	local pid
	if alive "$1" "$2"; then
		pid=$(<"$1")
		kill "$pid"
		until_true "$3" test ! -d "/proc/$pid" || fail "$2 (pid $pid) has not stopped after $3 s"
	fi
	rm -f "$1"
}

milliseconds() { echo $(($(date +%s%N) / 1000000)); }

elapsed() { awk -v ms=$(($(milliseconds) - $1)) 'BEGIN { printf "%.1f s", ms / 1000 }'; }

start() {
	local began applied ready nodes kubectl tenant
	began=$(milliseconds)
	mkdir -p .demo
	kubectl=$(ls -d bin/kubernetes/v*/kubectl | sort -V | tail -n 1)

	if alive "$up_pid" marina; then
		say "marina up is running (pid $(<"$up_pid"))"
	else
		say "Starting marina up (log: $up_log)"
		nohup "$marina" up >"$up_log" 2>&1 &
		echo $! >"$up_pid"
	fi
	if ! until_true 60 answers; then
		tail -n 20 "$up_log" >&2
		fail "marina up is not ready after 60 s; its log is $up_log"
	fi
	echo "ready after $(elapsed "$began")"

	say "Creating the cluster \"$cluster\" and its nodes (manifests/examples/pool.yaml)"
	applied=$(milliseconds)
	KUBECONFIG=$MARINA_DATA_DIR/kubeconfig "$kubectl" apply -f manifests/examples/pool.yaml
	"$marina" cluster wait "$cluster" --for=ready --timeout 3m
	ready=$(elapsed "$applied")
	if ! KUBECONFIG=$MARINA_DATA_DIR/kubeconfig "$kubectl" wait --for=jsonpath='{.status.phase}'=Active "nodepool/$pool" --timeout=2m; then
		KUBECONFIG=$MARINA_DATA_DIR/kubeconfig "$kubectl" get nodepools -o wide >&2
		fail "the nodes are not Ready after two minutes; the log is $up_log"
	fi
	nodes=$(elapsed "$applied")
	tenant=.demo/$cluster.kubeconfig
	"$marina" kubeconfig get "$cluster" -o "$tenant" 2>/dev/null

	say "Your clusters"
	"$marina" cluster list
	say "Their pools of nodes"
	KUBECONFIG=$MARINA_DATA_DIR/kubeconfig "$kubectl" get nodepools
	say "The nodes of \"$cluster\""
	KUBECONFIG=$tenant "$kubectl" get nodes
	cat <<-END

		The cluster was ready $ready after kubectl apply, and its nodes after $nodes; all this took $(elapsed "$began").

		  export MARINA_DATA_DIR=$MARINA_DATA_DIR
		$(hint "$marina cluster list" "your clusters")
		$(hint "$marina kubeconfig get $cluster" "get in: adds it to your kubeconfig")
		$(hint "$kubectl get nodes" "its nodes, after that")
		$(hint "$marina nodepool scale $pool --replicas 5" "more of them, or none")
		$(hint "make demo-stop" "stop all of it")
	END
}

# hint COMMAND WORDS is a line that says what a command is for.
hint() { printf '  %-46s %s\n' "$1" "$2"; }

# answers tells whether clusters can be created: the API serves before the defaults are there.
answers() { grep -q "Marina is ready" "$up_log" && "$marina" cluster list; }

stop() {
	if alive "$up_pid" marina; then
		say "Deleting the cluster \"$cluster\""
		"$marina" cluster delete "$cluster" --ignore-not-found --timeout 2m ||
			echo "demo: it was not deleted and will be there when you start again" >&2
	fi
	say "Stopping"
	end "$up_pid" marina 90
	rm -f ".demo/$cluster.kubeconfig"
	echo "stopped"
}

case ${1-} in
start | stop) "$1" ;;
*) fail "usage: hack/demo.sh start|stop" ;;
esac
