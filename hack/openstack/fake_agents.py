"""Stands in for the Linux bridge agents of fake compute hosts.

Neutron binds ports only on hosts with an agent that is alive, and a port is ACTIVE when the
agent says that it is plugged. This one says both and plugs nothing.

fake_agents.py "HOST..." --config-file FILE...
"""

import sys
import time

# isort: off
import eventlet

eventlet.monkey_patch()

import openstack
from neutron.agent import rpc as agent_rpc
from neutron.common import config
from neutron.conf.agent import common as agent_config
from neutron_lib import context
from neutron_lib import rpc
from neutron_lib.agent import topics
from oslo_config import cfg
from oslo_log import log

HEARTBEAT = 20  # seconds

LOG = log.getLogger(__name__)


def state(host, number, first):
    """What an agent reports; the first report of a process says so."""
    report = {
        "binary": "neutron-linuxbridge-agent",
        "agent_type": "Linux bridge agent",
        "host": host,
        "topic": "N/A",
        "configurations": {
            "bridge_mappings": {},
            "interface_mappings": {},
            "tunnel_types": ["vxlan"],
            # Nobody is there; agents of other hosts send frames to it all the same.
            "tunneling_ip": f"172.24.15.{200 + number}",
            "l2_population": True,
            "devices": 0,
            "extensions": [],
            "resource_provider_bandwidths": {},
            "resource_provider_inventory_defaults": {},
        },
        "resource_versions": {},
    }
    if first:
        report["start_flag"] = True
    return report


def run(hosts):
    admin = context.get_admin_context_without_session()
    reports = agent_rpc.PluginReportStateAPI(topics.REPORTS)
    plugin = agent_rpc.PluginApi(topics.PLUGIN)
    network = openstack.connect(cloud="admin").network
    due, reported = 0, set()
    while True:
        try:
            if time.monotonic() >= due:
                for number, host in enumerate(hosts):
                    reports.report_state(admin, state(host, number, host not in reported), use_call=True)
                    reported.add(host)
                due = time.monotonic() + HEARTBEAT
            for port in network.ports(status="DOWN", fields=["id", "binding:host_id", "binding:vif_type"]):
                if port.binding_host_id in hosts and port.binding_vif_type == "bridge":
                    plugin.update_device_up(admin, port.id, f"lb-{port.binding_host_id}", port.binding_host_id)
        except Exception:  # the services come and go, it does not
            LOG.exception("it will be tried again")
        time.sleep(1)


def main():
    hosts = sys.argv[1].split()
    config.register_common_config_options()
    agent_config.register_agent_state_opts_helper(cfg.CONF)
    config.init(sys.argv[2:])
    config.setup_logging()
    rpc.init(cfg.CONF)
    run(hosts)


main()
