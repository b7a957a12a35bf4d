"""neutron-linuxbridge-agent without its protection against made-up MAC and ARP addresses.

The agent deletes the rules of ports that are gone by ebtables. Debian 12's, which is that of
nf_tables, refuses that for some of them (RULE_DELETE failed: Invalid argument); the agent
then tries again for ever longer, 20 minutes and more, and meanwhile no port of its host
comes up. Security groups do not go by these rules.
"""

import sys

# isort: off
from neutron.cmd.eventlet.plugins.linuxbridge_neutron_agent import main  # patches the standard library, before all else
from neutron.plugins.ml2.drivers.linuxbridge.agent import arp_protect


def nothing(*_):
    pass


arp_protect.setup_arp_spoofing_protection = nothing
arp_protect.delete_arp_spoofing_protection = nothing
arp_protect.delete_unreferenced_arp_protection = nothing
sys.argv[0] = "neutron-linuxbridge-agent"
sys.exit(main())
