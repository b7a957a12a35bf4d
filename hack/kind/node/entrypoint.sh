# Takes the place of the function of this name in kind's entrypoint. systemd would mount
# every version 1 controller that the machine has not mounted, and as there is one kernel,
# the machine and its other containers would suddenly have it, too. Hide them all.
remove_misc_controller() {
	local name rest
	while read -r name rest; do
		if [[ $name == '#'* ]] || mountpoint -q "/sys/fs/cgroup/$name"; then
			printf '%s\t%s\n' "$name" "$rest"
		fi
	done </proc/cgroups >/kind/fake-cgroups
	mount --bind /kind/fake-cgroups /proc/cgroups
}

