# shellcheck shell=bash
# A disk that boots, by BIOS or UEFI, and a file system of a root, without a loop device or a
# mount. To be sourced.

# All nodes have the same ones; a disk that is made twice has to as well.
disk_id=6d617269-6e61-4e6f-8e64-696d61676500
root_id=6d617269-6e61-4e6f-8e64-696d61676501
mib=$((1024 * 1024))
# Where the parts begin, in MiB: GRUB's for BIOS, that of UEFI, the root, which is the last
# so that it can grow.
bios_at=1 efi_at=2 root_at=18

disk_needs() {
	node_needs qemu-img=qemu-utils mkfs.ext4=e2fsprogs sfdisk=fdisk mkfs.vfat=dosfstools mcopy=mtools \
		grub-mkimage=grub-common /usr/lib/grub/i386-pc/boot.img=grub-pc-bin /usr/lib/grub/x86_64-efi/linux.mod=grub-efi-amd64-bin
}

# filesystem_size ROOT prints what the files of a root take and some room, in MiB.
filesystem_size() { echo $((($(du -sm "$1" | cut -f1) * 110 / 100 + 320) / 64 * 64)); }

# filesystem FILE OFFSET SIZE ROOT writes ext4 into a file, with the files of a root. Offset
# and size are in MiB. Without the newest features, which older GRUBs and kernels do not read.
filesystem() {
	E2FSPROGS_FAKE_TIME=$epoch mkfs.ext4 -q -F -L marina-root -U "$root_id" -m 1 -J size=64 \
		-O '^metadata_csum_seed,^orphan_file' -E "offset=$(($2 * mib)),hash_seed=$root_id,root_owner=0:0" \
		-d "$4" "$1" "$3M" >"$partial/mkfs.log" 2>&1 || fail "mkfs.ext4: $(tail -3 "$partial/mkfs.log")"
}

# at FILE OFFSET writes standard input into a file, from a byte on.
at() { dd of="$1" bs=4096 seek="$2" oflag=seek_bytes conv=notrunc status=none; }

# sector N prints the number of a sector as the eight bytes that GRUB reads.
sector() {
	local byte number=$1
	for ((byte = 0; byte < 8; byte++, number >>= 8)); do printf "\\x$(printf %x $((number & 255)))"; done
}

# grub FORMAT FILE MODULE... makes GRUB as one file, which finds the rest by the label.
grub() {
	local format=$1 file=$2
	shift 2
	cat >"$partial/grub.cfg" <<-'CONFIG'
		search --no-floppy --label marina-root --set=root
		set prefix=($root)/boot/grub
	CONFIG
	grub-mkimage -O "$format" -o "$file" -p /boot/grub -c "$partial/grub.cfg" \
		part_gpt ext2 search search_label normal configfile linux echo test serial terminal minicmd reboot "$@"
}

# bios_boot DISK: the BIOS reads the first sector, which reads the first of GRUB's part,
# which reads the others. Each has to be told where the next one is.
bios_boot() {
	local disk=$1 core=$partial/core.img first=$((bios_at * mib / 512))
	grub i386-pc "$core" biosdisk
	(($(stat -c %s "$core") <= (efi_at - bios_at) * mib)) || fail 'GRUB has become too large for its part'
	head -c 440 /usr/lib/grub/i386-pc/boot.img | at "$disk" 0
	sector "$first" | at "$disk" $((0x5c))
	at "$disk" $((bios_at * mib)) <"$core"
	sector $((first + 1)) | at "$disk" $((bios_at * mib + 0x1f4))
}

efi_boot() {
	local disk=$1 part=$partial/efi.img
	grub x86_64-efi "$partial/bootx64.efi" efi_gop
	touch -d "@$epoch" "$partial/bootx64.efi"
	truncate -s $(((root_at - efi_at) * mib)) "$part"
	mkfs.vfat --invariant -n EFI "$part" >/dev/null
	SOURCE_DATE_EPOCH=$epoch mmd -i "$part" ::/EFI ::/EFI/BOOT
	SOURCE_DATE_EPOCH=$epoch mcopy -m -i "$part" "$partial/bootx64.efi" ::/EFI/BOOT/BOOTX64.EFI
	at "$disk" $((efi_at * mib)) <"$part"
}

# disk FILE ROOT writes a disk image in the format of QEMU.
disk() {
	local file=$1 to=$2 raw=$partial/disk.raw size
	size=$(filesystem_size "$to")
	truncate -s $(((root_at + size + 1) * mib)) "$raw"
	filesystem "$raw" "$root_at" "$size" "$to"
	sfdisk -q --wipe never --wipe-partitions never "$raw" >"$partial/sfdisk.log" 2>&1 <<-TABLE || fail "sfdisk: $(tail -3 "$partial/sfdisk.log")"
		label: gpt
		label-id: $disk_id
		start=${bios_at}MiB, size=$((efi_at - bios_at))MiB, type=21686148-6449-6E6F-744E-656564454649, uuid=${disk_id%0}2
		start=${efi_at}MiB, size=$((root_at - efi_at))MiB, type=uefi, uuid=${disk_id%0}3
		start=${root_at}MiB, size=${size}MiB, type=linux, uuid=${disk_id%0}4
	TABLE
	bios_boot "$raw"
	efi_boot "$raw"
	qemu-img convert -O qcow2 -c -W -m 2 "$raw" "$file"
	rm "$raw"
}

# container FILE ROOT writes a file system without a partition table, in which there is no
# boot loader and no kernel to boot.
container() {
	local size
	size=$(filesystem_size "$2")
	truncate -s $((size * mib)) "$1"
	filesystem "$1" 0 "$size" "$2"
}
