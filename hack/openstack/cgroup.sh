#!/usr/bin/env bash
# The cgroup of the cloud, and below it those of its compute hosts, in all hierarchies at
# once. Run it in a mount namespace of its own (unshare --mount): it mounts hierarchies.
#
#   cgroup.sh enter NAME COMMAND...   moves itself into the cgroup NAME, then runs COMMAND
#   cgroup.sh processes NAME          the ids of all processes in it and below
#   cgroup.sh remove NAME             deletes it with all below, where no process is left
#   cgroup.sh list NAME               what is there of it, by hierarchy
set -euo pipefail
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

# hierarchies prints type and options of each. Systems in containers mount every
# controller, and would be in the root of those that nobody has used before: these are
# included, where version 1 is in use at all.
hierarchies() {
	local controllers name number enabled first=
	while IFS=: read -r _ controllers _; do
		case $controllers in
		'') echo "cgroup2 rw" ;;
		name=*) echo "cgroup none,$controllers" ;;
		*)
			first=yes
			echo "cgroup $controllers"
			;;
		esac
	done </proc/self/cgroup
	[[ $first ]] || return 0
	while read -r name number _ enabled; do
		[[ $number != 0 || $enabled != 1 ]] || echo "cgroup $name"
	done < <(grep -v '^#' /proc/cgroups)
}

# each FUNCTION NAME calls it with the folder of NAME in each hierarchy.
each() {
	local type options mounted=/mnt # nobody else sees it
	while read -r type options; do
		mount -t "$type" -o "$options" cgroup "$mounted" 2>/dev/null || continue
		"$1" "$mounted/$2" "$options"
		umount "$mounted"
	done < <(hierarchies)
}

enter_one() {
	local folder=$1 file
	mkdir -p "$folder"
	# A cpuset takes no process before it is told on which processors.
	for file in cpuset.cpus cpuset.mems; do
		if [[ -e $folder/$file && $2 == *cpuset* ]]; then cat "$folder/../$file" >"$folder/$file"; fi
	done
	# A group has the share of one process, unless told otherwise: too little for a cloud.
	[[ ! -e $folder/cpu.shares ]] || echo 16384 >"$folder/cpu.shares"
	[[ ! -e $folder/cpu.weight ]] || echo 1600 >"$folder/cpu.weight"
	echo $$ >"$folder/cgroup.procs"
}

processes_one() {
	[[ ! -d $1 ]] || find "$1" -name cgroup.procs -exec cat {} + 2>/dev/null || true
}

remove_one() {
	[[ ! -d $1 ]] || find "$1" -depth -type d -exec rmdir {} + 2>/dev/null || true
}

list_one() {
	[[ ! -d $1 ]] || echo "$2 $(find "$1" -type d | wc -l)"
}

command=$1 name=$2
shift 2
case $command in
enter)
	each enter_one "$name"
	exec "$@"
	;;
processes) each processes_one "$name" | sort -un ;;
remove) each remove_one "$name" ;;
list) each list_one "$name" ;;
esac
