#!/bin/sh
# runc without the capability that this machine has not got. Docker asks for every
# capability for a privileged container, and runc refuses to start it when one cannot
# be given; virtual machines were seen without CAP_SYS_RESOURCE.
bounding=0x$(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status)
if [ $((bounding >> 24 & 1)) = 0 ]; then
	# create and run read config.json in the bundle, exec reads what --process names.
	last=
	for argument in "$@"; do
		case $last in
		--bundle | -b) file=$argument/config.json ;;
		--process | -p) file=$argument ;;
		esac
		last=$argument
	done
	[ -z "${file-}" ] || sed -i -e 's/"CAP_SYS_RESOURCE",//g' -e 's/,"CAP_SYS_RESOURCE"//g' "$file"
fi
exec runc "$@"
