# shellcheck shell=bash
# What the suites have in common that run in something that is made for them. To be sourced
# from the root of the repository, with
#
#   undo   the target of make that takes away what was made: at the end, also when the
#          suite fails or is told to end, unless $KEEP is set

root=$PWD

# Each child has a process group of its own, so that all of it can be ended.
set -m

finish() {
	local status=$? child
	trap '' INT TERM HUP
	for child in $(jobs -p); do kill -TERM -- "-$child" 2>/dev/null || true; done
	wait
	# shellcheck disable=SC2154 # set by who sources this
	[[ ${KEEP-} ]] || make --no-print-directory -C "$root" "$undo" || status=1
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# run COMMAND... waits in a way in which a signal is heard at once.
run() {
	"$@" </dev/null &
	wait $!
}
