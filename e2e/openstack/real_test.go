package openstack

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/flavors"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/projects"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/roles"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/users"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/external"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/groups"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/yaml"

	"github.com/marina-dev/marina/dataplane/openstack"
)

// admin is who runs a real cloud.
type admin struct {
	*openstack.Client
	authURL, region string
}

// realCloud makes a project with users and a flavor in the cloud of a clouds.yaml, as its
// cloud "admin", and takes them away in the end.
func realCloud(t testing.TB, file string) *cloud {
	t.Helper()
	a := logIn(t, file)
	name := "marina-e2e-" + rand.String(6)
	identity, compute := a.service(t, openstack.Identity), a.service(t, openstack.Compute)
	project, err := projects.Create(t.Context(), identity, projects.CreateOpts{Name: name, DomainID: "default"}).Extract()
	check(t, err)
	atEnd(t, func(ctx context.Context) error { return a.dissolve(ctx, identity, project.ID) })
	flavor, err := flavors.Create(t.Context(), compute, flavors.CreateOpts{Name: name, VCPUs: vcpus, RAM: memoryMiB, Disk: new(diskGiB)}).Extract()
	check(t, err)
	atEnd(t, func(ctx context.Context) error { return flavors.Delete(ctx, compute, flavor.ID).ExtractErr() })
	c := &cloud{
		authURL: a.authURL, region: a.region, projectID: project.ID, external: a.externalNetwork(t), flavor: name, image: name,
		member: a.user(t, identity, project.ID, name, "member", "load-balancer_member"),
		pace:   500 * time.Millisecond, step: time.Minute, limit: 10 * time.Minute,
	}
	c.reader = func(t testing.TB) account { return a.user(t, identity, project.ID, name+"-reader", "reader") }
	c.setQuota = func(t testing.TB, service, resource string, limit int) {
		t.Helper()
		a.setQuota(t, project.ID, service, resource, limit)
	}
	return c
}

// logIn logs in as whoever runs the cloud.
func logIn(t testing.TB, file string) *admin {
	t.Helper()
	data, err := os.ReadFile(file)
	check(t, err)
	credentials, err := openstack.ParseCloudsYAML(data, "admin")
	check(t, err)
	var clouds struct {
		Clouds map[string]struct {
			Region string `json:"region_name"`
			Auth   struct {
				URL string `json:"auth_url"`
			}
		}
	}
	check(t, yaml.Unmarshal(data, &clouds))
	a := &admin{authURL: clouds.Clouds["admin"].Auth.URL, region: clouds.Clouds["admin"].Region}
	a.Client, err = shared.Client(t.Context(), openstack.Cloud{AuthURL: a.authURL, Region: a.region}, credentials)
	check(t, err)
	return a
}

func (a *admin) service(t testing.TB, name string) *gophercloud.ServiceClient {
	t.Helper()
	sc, err := a.Service(t.Context(), name)
	check(t, err)
	return sc
}

// atEnd does something when a test ends, whose own context has ended then.
func atEnd(t testing.TB, do func(context.Context) error) {
	t.Helper()
	t.Cleanup(func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := do(ctx); err != nil {
			t.Errorf("in the end: %v", err)
		}
	})
}

// user makes one with roles in a project, as far as the cloud has them.
func (a *admin) user(t testing.TB, identity *gophercloud.ServiceClient, project, name string, wanted ...string) account {
	t.Helper()
	made := account{name: name, password: "secret of " + rand.String(16)}
	user, err := users.Create(t.Context(), identity, users.CreateOpts{Name: made.name, Password: made.password, DomainID: "default"}).Extract()
	check(t, err)
	atEnd(t, func(ctx context.Context) error { return users.Delete(ctx, identity, user.ID).ExtractErr() })
	pages, err := roles.List(identity, roles.ListOpts{}).AllPages(t.Context())
	check(t, err)
	all, err := roles.ExtractRoles(pages)
	check(t, err)
	all = slices.DeleteFunc(all, func(r roles.Role) bool { return !slices.Contains(wanted, r.Name) })
	if len(all) == 0 {
		t.Fatalf("the cloud has none of the roles %v", wanted)
	}
	for _, r := range all {
		check(t, roles.Assign(t.Context(), identity, r.ID, roles.AssignOpts{UserID: user.ID, ProjectID: project}).ExtractErr())
	}
	return made
}

// externalNetwork is the name of the only external network.
func (a *admin) externalNetwork(t testing.TB) string {
	t.Helper()
	pages, err := networks.List(a.service(t, openstack.Network), external.ListOptsExt{ListOptsBuilder: networks.ListOpts{}, External: new(true)}).AllPages(t.Context())
	check(t, err)
	all, err := networks.ExtractNetworks(pages)
	check(t, err)
	if len(all) != 1 {
		t.Fatalf("the cloud has %d external networks, want one", len(all))
	}
	return all[0].Name
}

func (a *admin) setQuota(t testing.TB, project, service, resource string, limit int) {
	t.Helper()
	path, key := map[string]string{openstack.Compute: "os-quota-sets", openstack.Volume: "os-quota-sets", openstack.Network: "quotas"}[service], "quota_set"
	if service == openstack.Network {
		key = "quota"
	}
	sc := a.service(t, service)
	_, err := sc.Put(t.Context(), sc.ServiceURL(path, project), map[string]any{key: map[string]int{resource: limit}}, nil, &gophercloud.RequestOpts{OkCodes: []int{200}}) //nolint:bodyclose // gophercloud has
	check(t, err)
}

// dissolve deletes a project with what Neutron has made in it by itself.
func (a *admin) dissolve(ctx context.Context, identity *gophercloud.ServiceClient, project string) error {
	sc, err := a.Service(ctx, openstack.Network)
	if err != nil {
		return err
	}
	pages, err := groups.List(sc, groups.ListOpts{ProjectID: project, Name: "default"}).AllPages(ctx)
	if err != nil {
		return err
	}
	all, err := groups.ExtractGroups(pages)
	for _, g := range all {
		err = errors.Join(err, groups.Delete(ctx, sc, g.ID).ExtractErr())
	}
	for _, service := range []string{openstack.Compute, openstack.Volume} {
		quotas, of := a.Service(ctx, service)
		if err = errors.Join(err, of); of == nil {
			_, gone := quotas.Delete(ctx, quotas.ServiceURL("os-quota-sets", project), &gophercloud.RequestOpts{OkCodes: []int{200, 202, 204}}) //nolint:bodyclose // gophercloud has
			err = errors.Join(err, gone)
		}
	}
	_, gone := sc.Delete(ctx, sc.ServiceURL("quotas", project), &gophercloud.RequestOpts{OkCodes: []int{200, 204, 404}}) //nolint:bodyclose // gophercloud has
	return errors.Join(err, gone, projects.Delete(ctx, identity, project).ExtractErr())
}
