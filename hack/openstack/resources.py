"""Makes what is in the cloud from the start, where it is missing: flavors, quotas, the
external network, volume types and the image for fake hosts.

resources.py CIDR GATEWAY FIRST LAST: of the external network
"""

import io
import sys

import openstack

# Name, vCPUs, MiB of memory, GiB of disk. A disk of 0 has servers boot from a volume.
FLAVORS = [
    ("b3-2", 2, 2048, 20),
    ("b3-4", 2, 4096, 20),
    ("b3-8", 2, 8192, 50),
    ("b3-2-volume", 2, 2048, 0),
]
# Of the projects for tests. All are numbers: what is unlimited has nothing to compare.
QUOTAS = {
    "compute": {"instances": 60, "cores": 200, "ram": 512000, "key_pairs": 100, "server_groups": 60, "server_group_members": 60},
    "network": {"networks": 100, "subnets": 100, "ports": 500, "routers": 50, "floating_ips": 50, "security_groups": 100, "security_group_rules": 1000},
    "volume": {"volumes": 100, "gigabytes": 4000, "snapshots": 50},
    "load_balancer": {"load_balancers": 50, "listeners": 200, "pools": 200, "members": 500, "health_monitors": 200},
}


def flavors(cloud):
    there = {f.name for f in cloud.compute.flavors()}
    for name, vcpus, ram, disk in FLAVORS:
        if name not in there:
            cloud.compute.create_flavor(name=name, vcpus=vcpus, ram=ram, disk=disk)


def quotas(cloud, name):
    project = cloud.identity.find_project(name, ignore_missing=False).id
    cloud.set_compute_quotas(project, **QUOTAS["compute"])
    cloud.network.update_quota(project, **QUOTAS["network"])
    cloud.set_volume_quotas(project, **QUOTAS["volume"])
    cloud.load_balancer.update_quota(project, **QUOTAS["load_balancer"])


def external_network(cloud, cidr, gateway, first, last):
    network = cloud.network.find_network("public") or cloud.network.create_network(
        name="public",
        is_router_external=True,
        provider_network_type="flat",
        provider_physical_network="external",
    )
    if not cloud.network.find_subnet("public"):
        cloud.network.create_subnet(
            name="public",
            network_id=network.id,
            ip_version=4,
            cidr=cidr,
            gateway_ip=gateway,
            is_dhcp_enabled=False,
            allocation_pools=[{"start": first, "end": last}],
        )


def volume_types(cloud):
    there = {t.name for t in cloud.block_storage.types()}
    for name in {"standard", "fast"} - there:
        cloud.block_storage.create_type(name=name, extra_specs={"volume_backend_name": "nfs"})


def image(cloud):
    if any(i.status == "active" for i in cloud.image.images(name="blank")):
        return
    for half in cloud.image.images(name="blank"):
        cloud.image.delete_image(half)
    cloud.image.create_image(
        name="blank",
        data=io.BytesIO(b"\0" * 65536),
        disk_format="raw",
        container_format="bare",
        visibility="public",
        img_hv_type="fake",
    )


def main(*network):
    cloud = openstack.connect(cloud="admin")
    flavors(cloud)
    external_network(cloud, *network)
    volume_types(cloud)
    image(cloud)
    for name in ("tenant", "tenant2"):
        quotas(cloud, name)


main(*sys.argv[1:])
