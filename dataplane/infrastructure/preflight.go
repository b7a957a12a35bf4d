package infrastructure

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/providers"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Purpose is what credentials are for, by which a preflight judges them.
type Purpose int

const (
	// Looking is what those of an Infrastructure are for: what only nodes need is no failure.
	Looking Purpose = iota
	// Making is what those of a project are for, in which there are to be nodes.
	Making
)

// Preflight looks at all that clusters need of a cloud, with some credentials. It changes
// nothing there. releases are the names of the KubernetesReleases that there are.
func Preflight(ctx context.Context, pool *openstack.Pool, spec *v1alpha1.InfrastructureSpec, credentials openstack.Credentials, releases []string, purpose Purpose) *Report {
	p := &preflight{inspection: inspection{spec: spec, releases: releases}, purpose: purpose}
	p.run(ctx, pool, credentials)
	return &p.report
}

type preflight struct {
	inspection
	purpose Purpose
}

func (p *preflight) run(ctx context.Context, pool *openstack.Pool, credentials openstack.Credentials) {
	client, err := p.logIn(ctx, pool, credentials)
	if err == nil && client == nil {
		return
	}
	if err == nil {
		p.client = client
		scope := client.Scope()
		p.report.ok("login", "into the project %s (%s)", scope.ProjectName, scope.ProjectID)
		p.roles(scope.Roles)
		err = p.look(ctx)
	}
	if err == nil {
		err = p.balancers(ctx)
	}
	if err == nil {
		err = p.storage(ctx)
	}
	if err == nil {
		err = p.quotas(ctx)
	}
	if e := openstack.As(err); e != nil {
		p.report.fail("cloud", string(e.Kind), e.Error(), "run this again when the cloud answers; what comes after it has not been looked at")
	} else if err != nil {
		p.report.fail("cloud", "Unreadable", err.Error(), "tell whoever runs the cloud: it answers in a way that is not known")
	}
}

// logIn logs in, and adds a check if the cloud does not let the credentials in.
func (i *inspection) logIn(ctx context.Context, pool *openstack.Pool, credentials openstack.Credentials) (*openstack.Client, error) {
	const name = "login"
	cloud := cloudOf(i.spec)
	if mismatch := credentials.Fits(cloud); mismatch != nil {
		i.report.fail(name, "CredentialsMismatch", "clouds.yaml: "+mismatch.Error(), "correct clouds.yaml")
		return nil, nil //nolint:nilerr // it is in the report
	}
	client, err := pool.Client(ctx, cloud, credentials)
	if err != nil {
		return nil, i.report.refused(name, err)
	}
	return client, nil
}

func cloudOf(spec *v1alpha1.InfrastructureSpec) openstack.Cloud {
	return openstack.Cloud{AuthURL: spec.AuthURL, Region: spec.Region, CABundle: spec.CABundle}
}

// judge adds a check for what nodes cannot do without: a failure, unless the credentials
// are only for looking.
func (p *preflight) judge(name, reason, found, do string) {
	if p.purpose == Making {
		p.report.fail(name, reason, found, do)
		return
	}
	p.report.warn(name, reason, found, do)
}

func (p *preflight) roles(roles []string) {
	const name = "roles"
	found := list(roles)
	member := slices.ContainsFunc(roles, func(r string) bool { return r == "member" || r == "_member_" })
	switch {
	case slices.Contains(roles, "admin"):
		p.report.warn(name, "TooManyRights", found, "use credentials without the role admin: "+p.enough())
	case p.purpose == Making && !member:
		// Clouds may have roles of their own that allow the same.
		p.report.warn(name, "RoleMissing", found, "give the credentials the role member, unless the policies of this cloud let another of these make servers, networks and volumes")
	default:
		p.report.ok(name, "%s", found)
	}
}

func (p *preflight) enough() string {
	if p.purpose == Making {
		return "member is enough, and load-balancer_member where Octavia wants it"
	}
	return "reader is enough"
}

func (p *preflight) balancers(ctx context.Context) error {
	const name = "load balancers"
	if !p.client.Has(openstack.LoadBalancer) {
		p.report.warn(name, "EndpointNotFound", "the catalogue has no load-balancer (Octavia)", "Services of the type LoadBalancer get no address without it")
		return nil
	}
	sc, err := p.client.Service(ctx, openstack.LoadBalancer)
	if err != nil {
		return err
	}
	pages, err := providers.List(sc, nil).AllPages(ctx)
	if err != nil {
		return p.tolerate(name, openstack.Classify(openstack.LoadBalancer, err), "Services of the type LoadBalancer may get no address")
	}
	all, err := providers.ExtractProviders(pages)
	if err != nil {
		return openstack.Classify(openstack.LoadBalancer, err)
	}
	if len(all) == 0 {
		p.report.warn(name, "ProviderNotFound", "Octavia has no provider", "Services of the type LoadBalancer get no address: have a provider enabled")
		return nil
	}
	var names []string
	for _, provider := range all {
		names = append(names, provider.Name)
	}
	p.report.ok(name, "providers %s", strings.Join(names, ", "))
	return nil
}

// tolerate adds a warning for what a service has refused and nodes can do without.
func (p *preflight) tolerate(name string, err error, means string) error {
	e := openstack.As(err)
	if e == nil || e.Passing() {
		return err
	}
	p.report.warn(name, string(e.Kind), fmt.Sprint(e), means)
	return nil
}
