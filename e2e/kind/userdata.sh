#!/bin/bash
# What the user data of a machine does, which finds a kubelet, a container runtime and
# /etc/kubernetes/bootstrap.kubeconfig: no kubeadm takes part.
set -euo pipefail

bootstrap=/etc/kubernetes/bootstrap.kubeconfig
kubectl() { command kubectl --kubeconfig "$bootstrap" "$@"; }

mkdir -p /etc/kubernetes/pki /var/lib/kubelet
kubectl config view --raw -o jsonpath='{.clusters[0].cluster.certificate-authority-data}' | base64 -d >/etc/kubernetes/pki/ca.crt
kubectl -n kube-system get configmap kubelet-config -o jsonpath='{.data.kubelet}' >/var/lib/kubelet/config.yaml

mkdir -p /etc/systemd/system/kubelet.service.d
cat >/etc/systemd/system/kubelet.service.d/20-userdata.conf <<END
[Service]
ExecStart=
ExecStart=/usr/bin/kubelet --config=/var/lib/kubelet/config.yaml --bootstrap-kubeconfig=$bootstrap \
	--kubeconfig=/etc/kubernetes/kubelet.conf \$KUBELET_EXTRA_ARGS
END
systemctl daemon-reload
systemctl restart kubelet
