"""Uploads an image, with what sends its servers to hosts of one kind.

image.py NAME FILE lxc|qemu|fake: an image of that name and content stays as it is, one of
another content is replaced.
"""

import hashlib
import sys

import openstack

PROPERTIES = {
    # libvirt runs the root file system's init.
    "lxc": {"img_hv_type": "lxc", "hw_vm_mode": "exe"},
    "qemu": {"img_hv_type": "qemu", "hw_vm_mode": "hvm", "hw_rng_model": "virtio"},
    "fake": {"img_hv_type": "fake"},
}


def read(path):
    """The format of the file and the hash of its content."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        qcow2 = file.read(4) == b"QFI\xfb"
        file.seek(0)
        while block := file.read(1 << 20):
            digest.update(block)
    return "qcow2" if qcow2 else "raw", digest.hexdigest()


def main(name, path, kind):
    if kind not in PROPERTIES:
        sys.exit(f"openstack: images are for hosts of the kinds {', '.join(PROPERTIES)}, not {kind}")
    disk_format, digest = read(path)
    if kind == "lxc" and disk_format != "raw":
        sys.exit(f"openstack: {path} is {disk_format}: an image for lxc is a raw file system without partitions")
    properties = PROPERTIES[kind] | {"content_sha256": digest}
    images = openstack.connect(cloud="admin").image
    for old in list(images.images(name=name)):
        if old.status == "active" and properties.items() <= old.properties.items():
            print(old.id)
            return
        images.delete_image(old)
    with open(path, "rb") as data:
        image = images.create_image(
            name=name,
            data=data,
            disk_format=disk_format,
            container_format="bare",
            visibility="public",
            **properties,
        )
    print(image.id)


main(*sys.argv[1:])
