package openstack

import (
	"context"
	"fmt"
)

// ComputeMicroversion is the one that Nova is asked in. It is the oldest that has what
// nodes need: tags and metadata at creation (2.52), which say at once whose a server is;
// a limit of members per host in server groups (2.64); and the type of the volume that a
// server boots from (2.67), which Nova then makes and deletes itself. OpenStack Stein, of
// 2019, has it. A fixed one has the same answers in every cloud.
const ComputeMicroversion = "2.67"

const computeMinor = 67

// Microversion is Nova's newest, such as "2.93". It is an error if that is older than
// ComputeMicroversion.
func (c *Client) Microversion(ctx context.Context) (string, error) {
	c.mu.Lock()
	minor := c.minor
	c.mu.Unlock()
	if minor == 0 {
		var err error
		if minor, err = c.askMicroversion(ctx); err != nil {
			return "", err
		}
		c.mu.Lock()
		c.minor = minor
		c.mu.Unlock()
	}
	newest := fmt.Sprintf("2.%d", minor)
	if minor < computeMinor {
		return newest, &Error{Kind: BadRequest, Service: Compute, Message: fmt.Sprintf("its newest microversion is %s, and nodes need %s", newest, ComputeMicroversion)}
	}
	return newest, nil
}

// askMicroversion does not use the library's own discovery, which takes a service that
// fails for one without microversions.
func (c *Client) askMicroversion(ctx context.Context) (int, error) {
	endpoint := c.endpoint(Compute)
	if endpoint == "" {
		return 0, &Error{Kind: NotFound, Service: Compute, Message: "the catalogue has no " + c.side + " endpoint of it in the region " + c.region}
	}
	var document struct {
		Version struct{ Version string }
	}
	sc := c.service(Compute, endpoint)
	if _, err := sc.Get(ctx, endpoint, &document, nil); err != nil { //nolint:bodyclose // it is closed when the document is read
		return 0, Classify(Compute, err)
	}
	minor := 1 // a Nova without microversions says none
	if _, err := fmt.Sscanf(document.Version.Version, "2.%d", &minor); err != nil {
		minor = 1
	}
	return minor, nil
}
