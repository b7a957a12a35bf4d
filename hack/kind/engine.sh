# shellcheck shell=bash
# The container engine that kind runs its nodes in. To be sourced. Where no engine
# answers, Debian's is installed and started with a data folder of its own, in a way
# that leaves no trace once it is stopped.

engine_run=/run/marina-kind
engine_data=/var/lib/marina-kind
engine_socket=$engine_run/docker.sock
# What the engine and the kubelets in it set for the whole machine.
engine_sysctls=(net/ipv4/ip_forward vm/overcommit_memory kernel/panic kernel/panic_on_oops)

# engine_reachable also sets DOCKER_HOST where an engine answers that was started here.
# That one is preferred, so that all commands mean the same engine as long as it runs.
engine_reachable() {
	if [[ -S $engine_socket ]] && DOCKER_HOST=unix://$engine_socket docker version >/dev/null 2>&1; then
		export DOCKER_HOST=unix://$engine_socket
		return
	fi
	docker version >/dev/null 2>&1
}

# What engine_install has written and takes away again, also when it is interrupted.
engine_policy=

# engine_install installs Debian's. The package would start an engine that nobody stops
# again where there is an init system, unless a policy forbids it.
engine_install() {
	apt-get update -qq
	if [[ ! -e /usr/sbin/policy-rc.d ]]; then
		engine_policy=/usr/sbin/policy-rc.d
		printf '#!/bin/sh\nexit 101\n' >"$engine_policy"
		chmod 755 "$engine_policy"
	fi
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends docker.io iptables >/dev/null ||
		fail "Debian's container engine was not installed"
	rm -f "$engine_policy"
}

# engine_up sees to it that an engine answers.
engine_up() {
	local pid sysctl
	engine_reachable && return
	((EUID == 0)) || fail "no container engine answers, and to start one takes root"
	if ! command -v dockerd >/dev/null; then
		engine_install
	fi
	mkdir -p "$engine_run" "$engine_data"
	install -m 755 "$root/hack/kind/runc.sh" "$engine_run/runc"
	iptables-save | sed -n '/^\*filter/,/^COMMIT/s/^:FORWARD \([A-Z]*\) .*/\1/p' >"$engine_run/forward-policy"
	for sysctl in "${engine_sysctls[@]}"; do echo "$sysctl $(cat "/proc/sys/$sysctl")"; done >"$engine_run/sysctls"
	# In a session of its own: it must outlive the terminal that made the cluster.
	DOCKER_HOST='' setsid dockerd --host "unix://$engine_socket" --pidfile "$engine_run/docker.pid" \
		--data-root "$engine_data" --exec-root "$engine_run/exec" \
		--shutdown-timeout 60 --add-runtime "marina=$engine_run/runc" --default-runtime marina \
		>"$engine_run/docker.log" 2>&1 </dev/null &
	pid=$!
	until engine_reachable; do
		kill -0 "$pid" 2>/dev/null || fail "the container engine did not start: $(tail -5 "$engine_run/docker.log")"
		sleep 0.2
	done
	disown "$pid"
}

# engine_undo takes back what a Docker engine and its kubelets leave on the machine.
engine_undo() {
	local policy sysctl value
	[[ -f $engine_run/sysctls ]] || return 0 # it was never started
	policy=$(cat "$engine_run/forward-policy")
	ip link delete docker0 2>/dev/null || true
	iptables-save | sed '/DOCKER\|docker0/d' | sed "/^\*filter/,/^COMMIT/s/^:FORWARD DROP/:FORWARD ${policy:-ACCEPT}/" | iptables-restore
	while read -r sysctl value; do
		[[ $value == "$(cat "/proc/sys/$sysctl")" ]] || echo "$value" >"/proc/sys/$sysctl"
	done <"$engine_run/sysctls"
}

# engine_mounts prints what is mounted in the engine's folders, in the order of mounting.
engine_mounts() { awk -v data="$engine_data" -v run="$engine_run" '$2 == data || index($2, data "/") == 1 || index($2, run "/") == 1 { print $2 }' /proc/mounts; }

# engine_down stops the engine that was started here, unless somebody uses it, and takes
# away what one has left that was interrupted.
engine_down() {
	local pid
	[[ -d $engine_run ]] || return 0
	pid=$(cat "$engine_run/docker.pid" 2>/dev/null || true)
	if [[ $pid && $(cat "/proc/$pid/comm" 2>/dev/null) == dockerd ]]; then
		if [[ -n $(DOCKER_HOST=unix://$engine_socket docker ps -aq 2>/dev/null) ]]; then
			echo "the container engine goes on: other containers run in it"
			return
		fi
		kill "$pid" 2>/dev/null || true
		while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
	fi
	# Of an engine that did not end in time, or was killed, these go on: containers with the
	# shims that they run under, containerd, mounts.
	for pid in $(pgrep -f "^[^ ]*containerd-shim.* -address $engine_run/" || true); do
		pkill -KILL -P "$pid" || true
		kill -KILL "$pid" 2>/dev/null || true
	done
	pid=$(cat "$engine_run/exec/containerd/containerd.pid" 2>/dev/null || true)
	if [[ $pid && $(cat "/proc/$pid/comm" 2>/dev/null) == containerd ]]; then
		kill "$pid" 2>/dev/null || true
		while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
	fi
	# The data folder itself is one of them: the engine binds it to itself, where the
	# machine's root does not share its mounts.
	engine_mounts | tac | xargs -r umount || true # what stays is told of below
	engine_undo
	# Refuse to delete through a mount that is there still.
	[[ -z $(engine_mounts) ]] || fail "still mounted: $(engine_mounts | paste -sd ' ')"
	rm -rf --one-file-system "$engine_data" "$engine_run"
}
