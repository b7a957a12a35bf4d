# shellcheck shell=bash
# Makes of the root of a release one for a container on version 1 cgroups, which is for tests
# and nothing else. To be sourced: it is no part of what make node-image-MINOR makes.

# test_container ROOT
test_container() {
	local to=$1 from=hack/node-image/test-container unit
	rm "$to/usr/sbin/init"
	install -m 755 "$from/init" "$to/usr/sbin/init"
	install -D -m 644 "$from/kubelet.conf" "$to/etc/kubernetes/kubelet.conf.d/90-test-container.conf"
	install -D -m 644 "$from/containerd.toml" "$to/etc/containerd/conf.d/90-test-container.toml"
	# The kernel, its modules and its settings are the machine's, and not this container's.
	rm -rf "$to"/boot/* "$to"/lib/modules/* "$to"/{vmlinuz,initrd.img}* "$to"/etc/modules-load.d/* \
		"$to"/usr/lib/modules-load.d/* "$to"/usr/lib/sysctl.d/* "$to"/etc/sysctl.d/90-marina-kernel.conf
	: >"$to/etc/fstab"
	for unit in systemd-udevd.service systemd-udevd-{control,kernel}.socket systemd-udev-trigger.service \
		systemd-timesyncd.service systemd-binfmt.service systemd-modules-load.service; do
		ln -sfn /dev/null "$to/etc/systemd/system/$unit"
	done
	mkdir -p "$to/etc/systemd/journald.conf.d"
	printf '[Journal]\nReadKMsg=no\n' >"$to/etc/systemd/journald.conf.d/90-test-container.conf"
	echo 'VARIANT=test-container' >>"$to/etc/marina-node"
}
