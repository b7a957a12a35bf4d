package network

import (
	"context"
	"slices"

	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/rules"

	"github.com/marina-dev/marina/dataplane/openstack"
)

// The ports of Services of the type NodePort, as Kubernetes has them by default.
const firstNodePort, lastNodePort = 30000, 32767

// wanted are the rules of the nodes' security group. Nodes reach each other by whatever
// their network plugin and kubelets use, and everything outside; from outside there are
// NodePorts, behind which load balancers and floating IPs have their Services, and ICMP,
// without which large packets get lost.
func (c *cloud) wanted(group string) []rules.CreateOpts {
	all := []rules.CreateOpts{
		{Direction: rules.DirEgress, EtherType: rules.EtherType4},
		{Direction: rules.DirEgress, EtherType: rules.EtherType6},
		{Direction: rules.DirIngress, EtherType: rules.EtherType4, RemoteGroupID: group},
		{Direction: rules.DirIngress, EtherType: rules.EtherType6, RemoteGroupID: group},
		{Direction: rules.DirIngress, EtherType: rules.EtherType4, Protocol: rules.ProtocolICMP},
		{Direction: rules.DirIngress, EtherType: rules.EtherType4, Protocol: rules.ProtocolTCP, PortRangeMin: firstNodePort, PortRangeMax: lastNodePort},
		{Direction: rules.DirIngress, EtherType: rules.EtherType4, Protocol: rules.ProtocolUDP, PortRangeMin: firstNodePort, PortRangeMax: lastNodePort},
	}
	for i := range all {
		all[i].SecGroupID, all[i].Description = group, c.key(roleRule)
	}
	return all
}

// allows is what a rule does, whatever it is called.
func allows(r rules.SecGroupRule) rules.CreateOpts {
	return rules.CreateOpts{
		Direction: rules.RuleDirection(r.Direction), EtherType: rules.RuleEtherType(r.EtherType), Protocol: rules.RuleProtocol(r.Protocol),
		PortRangeMin: r.PortRangeMin, PortRangeMax: r.PortRangeMax,
		RemoteGroupID: r.RemoteGroupID, RemoteIPPrefix: r.RemoteIPPrefix, RemoteAddressGroupID: r.RemoteAddressGroupID,
	}
}

// ensureGroup makes the security group, adds the rules that it lacks, and takes away those
// of ours that it is not to have any more. What others have added stays.
func (r *Reconciler) ensureGroup(ctx context.Context, s *scope) error {
	group, err := s.cloud.groups().Ensure(ctx, s.network.Status.NodeSecurityGroupID)
	if err != nil {
		return s.refused(ctx, err, "security group")
	}
	s.network.Status.NodeSecurityGroupID = group.ID
	missing, kept := []rules.CreateOpts{}, map[string]bool{}
	for _, want := range s.cloud.wanted(group.ID) {
		bare := want
		bare.SecGroupID, bare.Description = "", ""
		at := slices.IndexFunc(group.Rules, func(have rules.SecGroupRule) bool { return allows(have) == bare })
		if at < 0 {
			missing = append(missing, want)
			continue
		}
		kept[group.Rules[at].ID] = true
	}
	if len(missing) > 0 {
		if _, err := of(rules.CreateBulk(ctx, s.cloud.ServiceClient, missing).Extract()); err != nil {
			return s.refused(ctx, err, "security group rule")
		}
	}
	for _, have := range group.Rules {
		if have.Description != s.cloud.key(roleRule) || kept[have.ID] {
			continue
		}
		err := openstack.Classify(openstack.Network, rules.Delete(ctx, s.cloud.ServiceClient, have.ID).ExtractErr())
		if err != nil && !openstack.IsKind(err, openstack.NotFound) {
			return s.project.Outcome(err, "deleting a rule of the security group")
		}
	}
	return nil
}
