#!/bin/sh
# Starts the kubelet of this machine as a node of its cluster.
set -eu

# cloud-init knows which server this is. A node that says so itself is found by the cloud's
# own controllers, and is not taken for one that is gone. It names the
# platform by where it has read: the metadata service, or a config drive.
if cloud-init query platform | grep -qxE 'openstack|configdrive'; then
  echo "MARINA_PROVIDER_ARGS=--provider-id=openstack:///$(cloud-init query instance_id)" >/etc/default/marina-provider
fi

systemctl daemon-reload
systemctl enable kubelet
systemctl restart kubelet
