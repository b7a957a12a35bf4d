# shellcheck shell=bash
# What the suites have in common that run in something that is made for them. To be sourced
# from the root of the repository, with
#
#   undo   the target of make that takes away what was made: at the end, also when the
#          suite fails or is told to end, unless $KEEP is set; and first, if an earlier run
#          was killed before it could
#   made   a name for what is made, in which what is made beside it differs

root=$PWD
# Who is to take it away again: the process id of a run without $KEEP.
# shellcheck disable=SC2154 # set by who sources this
owner=${XDG_CACHE_HOME:-$HOME/.cache}/marina/suites/$made

# Each child has a process group of its own, so that all of it can be ended.
set -m

finish() {
	local status=$? child
	trap '' INT TERM HUP
	for child in $(jobs -p); do kill -TERM -- "-$child" 2>/dev/null || true; done
	wait
	[[ ${KEEP-} ]] || take_away || status=1
	exit "$status"
}

# take_away also forgets whose it was.
take_away() {
	# shellcheck disable=SC2154 # set by who sources this
	make --no-print-directory -C "$root" "$undo" && rm -f "$owner"
}

# killed tells whether a run that was to take it away is no more, and has not.
killed() {
	local pid
	pid=$(cat "$owner" 2>/dev/null) || return
	[[ $pid == "$$" ]] || ! tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "${0##*/}"
}

trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# run COMMAND... waits in a way in which a signal is heard at once.
run() {
	"$@" </dev/null &
	wait $!
}

# What somebody has kept, or made without a suite, has no owner, and is used as it is.
if [[ ${KEEP-} ]]; then
	rm -f "$owner"
else
	if killed; then
		echo "an earlier run was killed: what it has left is taken away first (make $undo)"
		run take_away
	fi
	mkdir -p "${owner%/*}"
	echo $$ >"$owner"
fi
