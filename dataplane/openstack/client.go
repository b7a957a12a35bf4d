package openstack

import (
	"context"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/catalog"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"
)

// Services, by the types that they have in the catalogue.
const (
	Identity     = "identity"
	Compute      = "compute"
	Network      = "network"
	Image        = "image"
	Volume       = "volumev3"
	LoadBalancer = "load-balancer"
)

// aliases are further types under which catalogues have a service.
var aliases = map[string][]string{Volume: {"block-storage"}}

// Client is logged in to one project in one region. It may be used by several at once.
type Client struct {
	provider     *gophercloud.ProviderClient
	region, side string

	mu      sync.Mutex
	entries []tokens.CatalogEntry
	minor   int // Nova's newest microversion, 2.minor; 0 until it was asked
}

func newClient(provider *gophercloud.ProviderClient, region, side string) *Client {
	c := &Client{provider: provider, region: region, side: side}
	if issued, ok := provider.GetAuthResult().(tokens.CreateResult); ok {
		if list, err := issued.ExtractServiceCatalog(); err == nil {
			c.entries = list.Entries
		}
	}
	return c
}

func (c *Client) close() { c.provider.HTTPClient.CloseIdleConnections() }

// Scope is what the credentials are good for.
type Scope struct {
	ProjectID, ProjectName string
	Roles                  []string
	// Ends is when the token does, which for an application credential is not after its own
	// end.
	Ends time.Time
}

// Scope is that of the newest token. It asks nothing.
func (c *Client) Scope() Scope {
	var s Scope
	issued, ok := c.provider.GetAuthResult().(tokens.CreateResult)
	if !ok {
		return s
	}
	if project, err := issued.ExtractProject(); err == nil && project != nil {
		s.ProjectID, s.ProjectName = project.ID, project.Name
	}
	if roles, err := issued.ExtractRoles(); err == nil {
		for _, role := range roles {
			s.Roles = append(s.Roles, role.Name)
		}
	}
	if token, err := issued.ExtractToken(); err == nil {
		s.Ends = token.ExpiresAt
	}
	return s
}

// Refresh asks for the catalogue. It shows for real whether the credentials are good, as
// one whose token has ended gets a new one first.
func (c *Client) Refresh(ctx context.Context) error {
	pages, err := catalog.List(c.service(Identity, c.provider.IdentityBase+"v3/")).AllPages(ctx)
	if err != nil {
		return Classify(Identity, err)
	}
	entries, err := catalog.ExtractServiceCatalog(pages)
	if err != nil {
		return Classify(Identity, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries, c.minor = entries, 0
	return nil
}

// Regions are the names of the regions that the catalogue has.
func (c *Client) Regions() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var regions []string
	for _, entry := range c.entries {
		for _, endpoint := range entry.Endpoints {
			regions = append(regions, endpoint.RegionID)
		}
	}
	slices.Sort(regions)
	return slices.Compact(regions)
}

// Has reports whether the catalogue has a service in the region.
func (c *Client) Has(service string) bool { return c.endpoint(service) != "" }

func (c *Client) endpoint(service string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range append([]string{service}, aliases[service]...) {
		for _, entry := range c.entries {
			for _, e := range entry.Endpoints {
				if entry.Type == name && e.Interface == c.side && (e.RegionID == c.region || e.Region == c.region) {
					return gophercloud.NormalizeURL(e.URL)
				}
			}
		}
	}
	return ""
}

// version is the end of an endpoint that has one.
var version = regexp.MustCompile(`/v[0-9]+(\.[0-9]+)?/$`)

// Service is a service of the region, for the calls of gophercloud. What these return is
// for Classify.
func (c *Client) Service(ctx context.Context, service string) (*gophercloud.ServiceClient, error) {
	endpoint := c.endpoint(service)
	if endpoint == "" {
		return nil, &Error{Kind: NotFound, Service: service, Message: "the catalogue has no " + c.side + " endpoint of it in the region " + c.region}
	}
	// Some catalogues have the version in the endpoints of these, and others have not.
	bare := version.ReplaceAllString(endpoint, "/")
	switch service {
	case Identity:
		return c.service(service, bare+"v3/"), nil
	case Network, LoadBalancer:
		sc := c.service(service, bare)
		sc.ResourceBase = bare + "v2.0/"
		return sc, nil
	case Image:
		sc := c.service(service, bare)
		sc.ResourceBase = bare + "v2/"
		return sc, nil
	case Compute:
		sc := c.service(service, endpoint)
		if _, err := c.Microversion(ctx); err != nil {
			return nil, err
		}
		sc.Microversion = ComputeMicroversion
		return sc, nil
	default:
		return c.service(service, endpoint), nil
	}
}

func (c *Client) service(service, endpoint string) *gophercloud.ServiceClient {
	return &gophercloud.ServiceClient{ProviderClient: c.provider, Endpoint: endpoint, Type: service}
}
