package network

import (
	"context"
	"fmt"

	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/quotas"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/dataplane/project"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// refused is what an error means for what could not be made, with the numbers of a quota and, for a
// router, what may be wrong with the Infrastructure.
func (s *scope) refused(ctx context.Context, err error, what string) error {
	switch {
	case openstack.IsKind(err, openstack.Quota):
		if numbers := s.quota(ctx, what); numbers != "" {
			return &reconcile.Error{Kind: reconcile.KindUser, Reason: string(openstack.Quota), After: project.ProblemInterval, Err: err,
				Message: fmt.Sprintf("the quota of the project %s is exhausted: %s: have it raised, or delete what is not needed any more", s.cloud.project, numbers)}
		}
	case openstack.IsKind(err, openstack.NotFound) && what == "router":
		return &reconcile.Error{Kind: reconcile.KindUser, Reason: "ExternalNetworkNotFound", After: project.ProblemInterval, Err: err,
			Message: fmt.Sprintf("the external network %q (%s) of Infrastructure %s is not there for the project %s: have it shared with the project, or the Infrastructure corrected",
				s.infra.Spec.ExternalNetwork, s.infra.Status.ExternalNetworkID, s.infra.Name, s.cloud.project)}
	}
	return s.project.Outcome(err, "making the "+what)
}

// quota tells how much of it is used, in words; nothing if the cloud does not say.
func (s *scope) quota(ctx context.Context, what string) string {
	details, err := quotas.GetDetail(ctx, s.cloud.ServiceClient, s.cloud.project).Extract()
	if err != nil {
		return ""
	}
	words := func(name string, d quotas.QuotaDetail) string {
		return fmt.Sprintf("%d of %d %s are used", d.Used+d.Reserved, d.Limit, name)
	}
	switch what {
	case "network":
		return words("networks", details.Network)
	case "subnet":
		return words("subnets", details.Subnet)
	case "router":
		return words("routers", details.Router)
	case "interface of the router":
		return words("ports", details.Port)
	case "security group":
		return words("security groups", details.SecurityGroup)
	default:
		return words("security group rules", details.SecurityGroupRule)
	}
}
