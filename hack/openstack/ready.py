"""Waits until all agents of Neutron, all compute hosts and Cinder's services are up.

The hosts are those of $COMPUTES. Says after five minutes what is missing, and fails.
"""

import os
import sys
import time

import openstack

LIMIT = 300  # seconds


def missing(cloud, hosts):
    """What is not up yet, each as one word."""
    agents = {(a.binary, a.host) for a in cloud.network.agents() if a.is_alive}
    computes = {s.host for s in cloud.compute.services(binary="nova-compute") if s.state == "up"}
    volumes = cloud.block_storage.get("/os-services").json()["services"]
    up = {s["binary"] for s in volumes if s["state"] == "up"}
    wanted = {(f"neutron-{name}-agent", "controller") for name in ("linuxbridge", "dhcp", "l3", "metadata")}
    wanted |= {("neutron-linuxbridge-agent", host) for host in hosts}
    return (
        [f"{binary}@{host}" for binary, host in sorted(wanted - agents)]
        + [f"nova-compute@{host}" for host in sorted(hosts - computes)]
        + sorted({"cinder-scheduler", "cinder-volume"} - up)
    )


def main():
    cloud = openstack.connect(cloud="admin")
    hosts = {pair.split("=")[0] for pair in os.environ["COMPUTES"].split()}
    begun = time.monotonic()
    told = begun
    while True:
        try:
            what = missing(cloud, hosts)
        except (openstack.exceptions.SDKException, openstack.exceptions.keystoneauth1.exceptions.ClientException) as e:
            what = [str(e)]
        if not what:
            return
        now = time.monotonic()
        if now - begun > LIMIT:
            sys.exit(f"openstack: not up after {LIMIT} s: {' '.join(what)}")
        if now - told > 15:
            told = now
            print(f"   waiting for {' '.join(what)}", flush=True)
        time.sleep(0.5)


main()
