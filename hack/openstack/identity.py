"""Makes the users, projects, roles and endpoints of the cloud that are not there yet.

identity.py ADDRESS: of the APIs. Passwords are those of clouds.yaml; that of the services'
user is in $SERVICE_PASSWORD.
"""

import os
import sys

import openstack
from openstack.config import OpenStackConfig

ENDPOINTS = [
    ("identity", "keystone", ":5000/v3"),
    ("compute", "nova", ":8774/v2.1"),
    ("placement", "placement", ":8778"),
    ("network", "neutron", ":9696"),
    ("image", "glance", ":9292"),
    ("block-storage", "cinder", ":8776/v3/%(project_id)s"),
    ("volumev3", "cinderv3", ":8776/v3/%(project_id)s"),
    ("load-balancer", "octavia", ":9876"),
]
# Project, which is the user's name too, and the user's roles in it.
PROJECTS = {
    "tenant": ["member", "load-balancer_member"],
    "tenant2": ["member", "load-balancer_member"],
    "platform": ["reader"],
}


def main(address):
    identity = openstack.connect(cloud="admin").identity
    domain = identity.find_domain("default", ignore_missing=False).id

    def role(name):
        return identity.find_role(name) or identity.create_role(name=name)

    def user(project, name, password, roles):
        found = identity.find_user(name) or identity.create_user(
            name=name, password=password, domain_id=domain
        )
        place = identity.find_project(project) or identity.create_project(
            name=project, domain_id=domain
        )
        for each in roles:
            identity.assign_project_role_to_user(place, found, role(each))

    user("service", "service", os.environ["SERVICE_PASSWORD"], ["admin", "service"])
    for name, roles in PROJECTS.items():
        password = OpenStackConfig().get_one(cloud=name).config["auth"]["password"]
        user(name, name, password, roles)

    for kind, name, path in ENDPOINTS:
        service = identity.find_service(name) or identity.create_service(
            name=name, type=kind
        )
        there = {e.interface for e in identity.endpoints(service_id=service.id)}
        for interface in {"public", "internal", "admin"} - there:
            identity.create_endpoint(
                service_id=service.id,
                interface=interface,
                url=f"http://{address}{path}",
                region_id="RegionOne",
            )


main(*sys.argv[1:])
