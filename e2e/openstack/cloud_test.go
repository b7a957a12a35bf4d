package openstack

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// cloud is a project in a cloud, with what nodes need there.
type cloud struct {
	authURL, region, projectID string
	// external is the name of the external network.
	external string
	// member is somebody who has this role in the project.
	member account
	// reader is somebody who may only look.
	reader func(testing.TB) account
	// flavor and image are names; the image is for hosts on which nothing boots.
	flavor, image string
	// setQuota sets a limit of the project, under the name that the service has for it.
	setQuota func(t testing.TB, service, resource string, limit int)
	// pace is how often a test looks, step what its clock is put forward by then at most, and limit
	// how long it waits for anything.
	pace, step, limit time.Duration
}

// account is a user with a password.
type account struct{ name, password string }

const (
	vcpus, memoryMiB, diskGiB = 1, 2048, 20
)

// newCloud makes a project in the cloud that is given, or in a simulated one. In the end there
// is nothing in it that was not there in the beginning, nor does any service count anything.
func newCloud(t *testing.T) *cloud {
	t.Helper()
	t.Parallel() // each has a project of its own, and most of them wait
	var c *cloud
	if file := os.Getenv("MARINA_OPENSTACK_CLOUDS"); file != "" {
		c = realCloud(t, file)
	} else {
		c = simulatedCloud(t)
	}
	c.leavesNothing(t)
	c.makeImage(t, c.image)
	return c
}

// yaml is a clouds.yaml of somebody in the project, as Marina takes them.
func (c *cloud) yaml(a account) string {
	return fmt.Sprintf("clouds:\n  %s:\n    region_name: %s\n    auth:\n      auth_url: %s\n      username: %q\n      password: %q\n      project_id: %s\n      user_domain_name: Default\n",
		v1alpha1.CloudName, c.region, c.authURL, a.name, a.password, c.projectID)
}

func (c *cloud) credentials(t testing.TB, a account) openstack.Credentials {
	t.Helper()
	credentials, err := openstack.ParseCloudsYAML([]byte(c.yaml(a)), v1alpha1.CloudName)
	check(t, err)
	return credentials
}

// service is one of the cloud's, as the member of the project uses it, also when the test is
// over.
func (c *cloud) service(t testing.TB, name string) *gophercloud.ServiceClient {
	t.Helper()
	logged, err := shared.Client(context.Background(), openstack.Cloud{AuthURL: c.authURL, Region: c.region}, c.credentials(t, c.member))
	check(t, err)
	sc, err := logged.Service(context.Background(), name)
	check(t, err)
	return sc
}

// shared has the clients of the tests themselves. Marina never has them.
var shared openstack.Pool
