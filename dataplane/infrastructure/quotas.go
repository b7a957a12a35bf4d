package infrastructure

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	volumelimits "github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/limits"
	computelimits "github.com/gophercloud/gophercloud/v2/openstack/compute/v2/limits"
	networkquotas "github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/quotas"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// amount is what a project may have of something. A limit below zero is none.
type amount struct {
	name        string
	limit, used int
	// need is what a cluster with one node takes. What is optional is for those clusters
	// only that ask for it.
	need     int
	optional bool
	unit     string
}

// quotas looks at what is free in the project.
func (p *preflight) quotas(ctx context.Context) error {
	for _, ask := range []func(context.Context) ([]amount, error){p.ofCompute, p.ofNetwork, p.ofVolume} {
		amounts, err := ask(ctx)
		if err != nil {
			if err := p.tolerate("quotas", err, "whether nodes can be made shows when they are"); err != nil {
				return err
			}
		}
		for _, a := range amounts {
			p.amount(a)
		}
	}
	return nil
}

func (p *preflight) amount(a amount) {
	name := "quota " + a.name
	if a.limit < 0 {
		p.report.ok(name, "no limit, %d%s used", a.used, a.unit)
		return
	}
	free := max(a.limit-a.used, 0)
	found := fmt.Sprintf("%d of %d%s are free", free, a.limit, a.unit)
	do := fmt.Sprintf("raise the quota: a cluster with one node takes %d%s", a.need, a.unit)
	switch {
	case free >= a.need:
		p.report.ok(name, "%s", found)
	case a.optional:
		p.report.warn(name, string(openstack.Quota), found, do+", if it uses them")
	default:
		p.judge(name, string(openstack.Quota), found, do)
	}
}

func (p *preflight) ofCompute(ctx context.Context) ([]amount, error) {
	sc, err := p.service(ctx, openstack.Compute)
	if sc == nil {
		return nil, err
	}
	limits, err := computelimits.Get(ctx, sc, nil).Extract()
	if err != nil {
		return nil, openstack.Classify(openstack.Compute, err)
	}
	// The smallest of the offered flavors is what a node takes at least.
	node := v1alpha1.InfrastructureFlavor{VCPUs: 1, MemoryMiB: v1alpha1.MinFlavorMemoryMiB}
	if len(p.found.Flavors) > 0 {
		node = slices.MinFunc(p.found.Flavors, func(a, b v1alpha1.InfrastructureFlavor) int {
			return cmp.Or(cmp.Compare(a.MemoryMiB, b.MemoryMiB), cmp.Compare(a.VCPUs, b.VCPUs))
		})
	}
	l := limits.Absolute
	return []amount{
		{name: "instances", limit: l.MaxTotalInstances, used: l.TotalInstancesUsed, need: 1},
		{name: "cores", limit: l.MaxTotalCores, used: l.TotalCoresUsed, need: int(node.VCPUs)},
		{name: "memory", limit: l.MaxTotalRAMSize, used: l.TotalRAMUsed, need: int(node.MemoryMiB), unit: " MiB"},
	}, nil
}

func (p *preflight) ofNetwork(ctx context.Context) ([]amount, error) {
	sc, err := p.service(ctx, openstack.Network)
	if sc == nil {
		return nil, err
	}
	q, err := networkquotas.GetDetail(ctx, sc, p.client.Scope().ProjectID).Extract()
	if err != nil {
		return nil, openstack.Classify(openstack.Network, err)
	}
	of := func(name string, d networkquotas.QuotaDetail, need int, optional bool) amount {
		return amount{name: name, limit: d.Limit, used: d.Used + d.Reserved, need: need, optional: optional}
	}
	return []amount{
		of("networks", q.Network, 1, false),
		of("subnets", q.Subnet, 1, false),
		of("routers", q.Router, 1, false),
		of("ports", q.Port, portsPerCluster+1, false),
		of("security groups", q.SecurityGroup, 1, false),
		of("security group rules", q.SecurityGroupRule, rulesPerCluster, false),
		of("floating IPs", q.FloatingIP, 1, true),
	}, nil
}

const (
	// portsPerCluster are those of the router, of DHCP and of a load balancer.
	portsPerCluster = 3
	// rulesPerCluster are what the security group of nodes has, with some in reserve.
	rulesPerCluster = 10
)

func (p *preflight) ofVolume(ctx context.Context) ([]amount, error) {
	sc, err := p.service(ctx, openstack.Volume)
	if sc == nil {
		return nil, err
	}
	limits, err := volumelimits.Get(ctx, sc).Extract()
	if err != nil {
		return nil, openstack.Classify(openstack.Volume, err)
	}
	l := limits.Absolute
	return []amount{
		{name: "volumes", limit: l.MaxTotalVolumes, used: l.TotalVolumesUsed, need: 1, optional: true},
		{name: "volume storage", limit: l.MaxTotalVolumeGigabytes, used: l.TotalGigabytesUsed, need: 20, optional: true, unit: " GiB"},
	}, nil
}
