package api

import (
	"strings"
	"testing"
)

// TestRule01WhatCannotBeChanged tries to change what cannot be changed, in every way to write an
// object.
func TestRule01WhatCannotBeChanged(t *testing.T) {
	const (
		plain = "{version: 1.37.1-1}"
		own   = `{version: 1.37.1-1, hostingClassRef: {name: gold}, controlPlane: {type: Hosted},
			network: {podCIDR: 10.0.0.0/16, serviceCIDR: 10.1.0.0/16, dnsDomain: own.local}}`
		hcp = `{version: 1.37.1-1, exposure: {type: Host}, etcdClusters: [default], network: {},
			clusterRef: {namespace: project, name: one, uid: 1-2-3}}`
		tenant = "{tenantUID: 1-2-3, etcdClusters: [a], clientSecretName: s}"
	)
	external := func(endpoint string) string {
		return "{external: {endpoints: ['" + endpoint + "'], clientCASecretRef: {name: a}, rootSecretRef: {name: b}}}"
	}
	issued := func(issuer string) string {
		return "{version: 3.7.3, certificates: {issuerRef: {name: " + issuer + "}}}"
	}
	placed := func(infrastructure, secret, network string) string {
		return "{version: 1.37.1-1, infrastructureRef: {name: " + infrastructure + "}, credentialsRef: {name: " + secret + "}, network: {" + network + "}}"
	}
	theirs := func(network string) string {
		return "existing: {networkID: " + network + ", subnetID: " + subnetID + "}"
	}
	pool := func(more string) string { return "{clusterRef: {name: mine}, flavor: b3-8, " + more + "}" }
	apart := says("antiAffinity cannot be changed", "create another pool and delete this one")
	infra := says("infrastructureRef can be neither changed nor added nor removed", "create another cluster")
	etcd := says("external can be neither added nor removed", "create another EtcdCluster")
	network := says("network cannot be changed", "create another cluster with the ranges")
	class := says("hostingClassRef cannot be changed", "create another cluster with the class")
	clusterRef := says("clusterRef cannot be changed")
	// A field that is left out gets its default, so that leaving out is a change
	// unless it had that value.
	cases := map[string]struct {
		kind     string
		was, now string
		want     []string
	}{
		"NothingChanges": {was: own, now: own},
		"PodCIDR": {was: own, now: `{version: 1.37.1-1, hostingClassRef: {name: gold},
			network: {podCIDR: 10.2.0.0/16, serviceCIDR: 10.1.0.0/16, dnsDomain: own.local}}`, want: network},
		"ServiceCIDR": {was: own, now: `{version: 1.37.1-1, hostingClassRef: {name: gold},
			network: {podCIDR: 10.0.0.0/16, serviceCIDR: 10.2.0.0/16, dnsDomain: own.local}}`, want: network},
		"DNSDomain": {was: own, now: `{version: 1.37.1-1, hostingClassRef: {name: gold},
			network: {podCIDR: 10.0.0.0/16, serviceCIDR: 10.1.0.0/16, dnsDomain: other.local}}`, want: network},
		"PodCIDRLeftOut": {was: own, now: `{version: 1.37.1-1, hostingClassRef: {name: gold},
			network: {serviceCIDR: 10.1.0.0/16, dnsDomain: own.local}}`, want: network},
		"ServiceCIDRLeftOut": {was: own, now: `{version: 1.37.1-1, hostingClassRef: {name: gold},
			network: {podCIDR: 10.0.0.0/16, dnsDomain: own.local}}`, want: network},
		"DNSDomainLeftOut": {was: own, now: `{version: 1.37.1-1, hostingClassRef: {name: gold},
			network: {podCIDR: 10.0.0.0/16, serviceCIDR: 10.1.0.0/16}}`, want: network},
		"NetworkLeftOut": {was: own, now: "{version: 1.37.1-1, hostingClassRef: {name: gold}}", want: network},
		"NetworkEmptied": {was: own, now: "{version: 1.37.1-1, hostingClassRef: {name: gold}, network: {}}", want: network},
		"NetworkAdded":   {was: plain, now: "{version: 1.37.1-1, network: {podCIDR: 10.0.0.0/16}}", want: network},
		"DefaultNetworkAdded": {was: plain,
			now: "{version: 1.37.1-1, network: {podCIDR: 10.244.0.0/16, serviceCIDR: 10.96.0.0/16, dnsDomain: cluster.local}}"},
		"DefaultNetworkLeftOut": {now: plain,
			was: "{version: 1.37.1-1, network: {podCIDR: 10.244.0.0/16, serviceCIDR: 10.96.0.0/16, dnsDomain: cluster.local}}"},

		"HostingClassRef":        {was: "{version: 1.37.1-1, hostingClassRef: {name: gold}}", now: "{version: 1.37.1-1, hostingClassRef: {name: silver}}", want: class},
		"HostingClassRefLeftOut": {was: "{version: 1.37.1-1, hostingClassRef: {name: gold}}", now: plain, want: class},
		"HostingClassRefAdded":   {was: plain, now: "{version: 1.37.1-1, hostingClassRef: {name: gold}}", want: class},
		"DefaultClassAdded":      {was: plain, now: "{version: 1.37.1-1, hostingClassRef: {name: default}}"},
		"DefaultClassLeftOut":    {was: "{version: 1.37.1-1, hostingClassRef: {name: default}}", now: plain},

		"ControlPlaneType":        {was: own, now: "{version: 1.37.1-1, controlPlane: {type: Standalone}}", want: says("controlPlane.type cannot be changed", "create another cluster with the type")},
		"ControlPlaneTypeAdded":   {was: plain, now: "{version: 1.37.1-1, controlPlane: {type: Standalone}}", want: says("controlPlane.type cannot be changed")},
		"SameControlPlaneAdded":   {was: plain, now: "{version: 1.37.1-1, controlPlane: {type: Hosted}}"},
		"SameControlPlaneLeftOut": {was: "{version: 1.37.1-1, controlPlane: {type: Hosted}}", now: plain},

		"AccessIsNotImmutable":        {was: plain, now: "{version: 1.37.1-1, access: {certSANs: [a.example.com]}}"},
		"AccessLeftOutIsNotImmutable": {was: "{version: 1.37.1-1, access: {certSANs: [a.example.com]}}", now: plain},

		"InfrastructureRef":        {was: placed("paris", "mine", ""), now: placed("berlin", "mine", ""), want: infra},
		"InfrastructureRefAdded":   {was: plain, now: placed("paris", "mine", ""), want: infra},
		"InfrastructureRefLeftOut": {was: placed("paris", "mine", ""), now: plain, want: infra},
		"OtherCredentials":         {was: placed("paris", "mine", ""), now: placed("paris", "new", "")},
		"CredentialsLeftOut":       {was: placed("paris", "mine", ""), now: "{version: 1.37.1-1, infrastructureRef: {name: paris}}", want: says("infrastructureRef and credentialsRef belong together")},
		"NodeCIDR":                 {was: placed("paris", "mine", "nodeCIDR: 192.168.0.0/24"), now: placed("paris", "mine", "nodeCIDR: 192.168.1.0/24"), want: network},
		"NodeCIDRAdded":            {was: placed("paris", "mine", ""), now: placed("paris", "mine", "nodeCIDR: 192.168.1.0/24"), want: network},
		"ExistingNetwork":          {was: placed("paris", "mine", theirs(networkID)), now: placed("paris", "mine", theirs(subnetID)), want: network},
		"ExistingNetworkLeftOut":   {was: placed("paris", "mine", theirs(networkID)), now: placed("paris", "mine", ""), want: network},

		"ClusterNetworkOfAnother": {kind: "ClusterNetwork", was: networked, want: clusterRef,
			now: "{clusterRef: {namespace: project, name: mine, uid: other}, infrastructureRef: {name: paris}, credentialsRef: {name: mine}}"},
		"ClusterNetworkElsewhere": {kind: "ClusterNetwork", was: networked, want: says("infrastructureRef cannot be changed"),
			now: "{clusterRef: {namespace: project, name: mine, uid: uid}, infrastructureRef: {name: berlin}, credentialsRef: {name: mine}}"},
		"ClusterNetworkCredentials": {kind: "ClusterNetwork", was: networked,
			now: "{clusterRef: {namespace: project, name: mine, uid: uid}, infrastructureRef: {name: paris}, credentialsRef: {name: new}}"},

		"PoolOfAnother":       {kind: "NodePool", was: pool(""), now: "{clusterRef: {name: other}, flavor: b3-8}", want: says("clusterRef cannot be changed", "create another pool")},
		"PoolAntiAffinity":    {kind: "NodePool", was: pool("antiAffinity: Soft"), now: pool("antiAffinity: Hard"), want: apart},
		"PoolAntiAffinityNew": {kind: "NodePool", was: pool(""), now: pool("antiAffinity: Soft"), want: apart},
		"PoolAntiAffinityOff": {kind: "NodePool", was: pool("antiAffinity: Soft"), now: pool(""), want: apart},
		"PoolOtherwise": {kind: "NodePool", was: pool(""),
			now: "{clusterRef: {name: mine}, flavor: b3-16, replicas: 5, diskGiB: 40, availabilityZone: z, securityGroups: [" + networkID + "], networks: [" + networkID + "], floatingIPs: true, labels: {a: b}, taints: [{key: c, effect: NoSchedule}], nodesToRemove: [a], upgrade: {maxSurge: 2}}"},
		"MachineTemplate":   {kind: "Machine", was: machine, now: strings.Replace(machine, "b3-8", "b3-16", 1), want: says("a Machine's template cannot be changed", "create another Machine")},
		"MachineNetworks":   {kind: "Machine", was: machine, now: strings.Replace(machine, "[a]", "[b]", 1), want: says("a Machine's template cannot be changed")},
		"MachineRelease":    {kind: "Machine", was: machine, now: strings.Replace(machine, "1.37.1-1", "1.38.0-1", 1), want: says("release and image of a Machine are changed with another rebuild")},
		"MachineNoNetworks": {kind: "Machine", was: machine, now: strings.Replace(machine, ", networks: [a]", "", 1), want: says("a Machine's template cannot be changed")},
		"MachineRebuild": {kind: "Machine", was: machine,
			now: strings.TrimSuffix(strings.Replace(machine, "1.37.1-1", "1.38.0-1, image: i", 1), "}") + ", rebuild: {id: a, release: 1.37.1-1}}"},
		"MachineOfAPool":    {kind: "Machine", was: machine, now: strings.Replace(machine, "uid: pool", "uid: other", 1), want: says("poolRef cannot be changed")},
		"MachineOfACluster": {kind: "Machine", was: machine, now: strings.Replace(machine, "uid: uid", "uid: other", 1), want: clusterRef},
		"MachineLabels":     {kind: "Machine", was: machine, now: strings.TrimSuffix(machine, "}") + ", labels: {a: b}, taints: [{key: c, effect: NoExecute}], drainTimeoutSeconds: 5}"},

		"TenantUID": {kind: "EtcdTenant", was: tenant, now: "{tenantUID: 1-2-4, etcdClusters: [a], clientSecretName: s}",
			want: says("tenantUID cannot be changed", "it names the tenant's keys")},
		"TenantUIDLeftOut": {kind: "EtcdTenant", was: tenant, now: "{etcdClusters: [a], clientSecretName: s}",
			want: says("tenantUID: Required value")},
		"EtcdClustersAreNotImmutable": {kind: "EtcdTenant", was: tenant, now: "{tenantUID: 1-2-3, etcdClusters: [b, a], clientSecretName: s}"},

		"BootstrapOfAnotherNode": {kind: "NodeBootstrap", was: "{nodeName: a}", now: "{nodeName: b}", want: says("a NodeBootstrap cannot be changed", "create another one")},
		"BootstrapForLonger":     {kind: "NodeBootstrap", was: "{nodeName: a}", now: "{nodeName: a, ttlSeconds: 3600}", want: says("a NodeBootstrap cannot be changed")},
		"BootstrapOfTheDefault":  {kind: "NodeBootstrap", was: "{nodeName: a}", now: "{nodeName: a, ttlSeconds: 1800}"},

		"EtcdBecomesExternal": {kind: "EtcdCluster", was: "{version: 3.7.3}", now: external("https://e:2379"), want: etcd},
		"EtcdBecomesMarinas":  {kind: "EtcdCluster", was: external("https://e:2379"), now: "{version: 3.7.3}", want: etcd},
		"EtcdMayMove":         {kind: "EtcdCluster", was: external("https://e:2379"), now: external("https://f:2379")},
		"EtcdGetsAnIssuer": {kind: "EtcdCluster", was: "{version: 3.7.3}", now: issued("a"),
			want: says("certificates can be neither added nor removed", "create another EtcdCluster")},
		"EtcdLosesItsIssuer": {kind: "EtcdCluster", was: issued("a"), now: "{version: 3.7.3}", want: says("certificates can be neither added nor removed")},
		"EtcdAnotherIssuer":  {kind: "EtcdCluster", was: issued("a"), now: issued("b")},
		"EtcdHostingChanges": {kind: "EtcdCluster", was: "{version: 3.7.3}", now: "{version: 3.7.3, storageClass: fast, nodeSelector: {a: b}}"},

		"ClusterRefUID": {kind: "HostedControlPlane", was: hcp, want: clusterRef,
			now: `{version: 1.37.1-1, exposure: {type: Host}, etcdClusters: [default], network: {}, clusterRef: {namespace: project, name: one, uid: 1-2-4}}`},
		"ClusterRefName": {kind: "HostedControlPlane", was: hcp, want: clusterRef,
			now: `{version: 1.37.1-1, exposure: {type: Host}, etcdClusters: [default], network: {}, clusterRef: {namespace: project, name: two, uid: 1-2-3}}`},
		"ClusterRefNamespace": {kind: "HostedControlPlane", was: hcp, want: clusterRef,
			now: `{version: 1.37.1-1, exposure: {type: Host}, etcdClusters: [default], network: {}, clusterRef: {namespace: other, name: one, uid: 1-2-3}}`},
		"ClusterRefLeftOut": {kind: "HostedControlPlane", was: hcp, want: says("clusterRef: Required value"),
			now: `{version: 1.37.1-1, exposure: {type: Host}, etcdClusters: [default], network: {}}`},
		"HostedVersionIsNotImmutable": {kind: "HostedControlPlane", was: hcp,
			now: `{version: 1.38.0-1, exposure: {type: Host}, etcdClusters: [default], network: {}, clusterRef: {namespace: project, name: one, uid: 1-2-3}}`},
	}
	onEach(t, func(t *testing.T, s *server) {
		for name, tc := range cases {
			for way, write := range writes {
				t.Run(name+"/"+way, func(t *testing.T) {
					kind := tc.kind
					if kind == "" {
						kind = "Cluster"
					}
					was := applied(t, s, object(kind, newName(), tc.was))
					judge(t, write(t.Context(), s, was, tc.now), tc.want)
					if now := live(t, s, was); tc.want != nil && now.GetResourceVersion() != was.GetResourceVersion() {
						t.Errorf("refused, and yet the object has changed: %v", now.Object)
					}
				})
			}
		}
	})
}
