"""nova-compute for hosts of containers, whose guests keep all capabilities.

libvirt drops CAP_MKNOD and others from containers unless a guest's XML says otherwise, and
Nova has no option that writes it there. Without them no container runs in the container.
"""

import sys

# isort: off
import nova.cmd  # noqa: F401 - it patches the standard library, before all else
from lxml import etree
from nova.cmd.compute import main
from nova.virt.libvirt.config import LibvirtConfigGuest

format_dom = LibvirtConfigGuest.format_dom


def with_capabilities(self):
    guest = format_dom(self)
    features = guest.find("features")
    if features is None:
        features = etree.SubElement(guest, "features")
    etree.SubElement(features, "capabilities", policy="allow")
    return guest


LibvirtConfigGuest.format_dom = with_capabilities
sys.argv[0] = "nova-compute"
sys.exit(main())
