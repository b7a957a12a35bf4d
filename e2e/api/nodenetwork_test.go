package api

import "testing"

const (
	networkID = "5f3a3c2e-7a52-4d9b-9f0c-3b8f2f9a0001"
	subnetID  = "5f3a3c2e-7a52-4d9b-9f0c-3b8f2f9a0002"
)

// TestNodeNetwork has the rules of clusters whose nodes Marina makes.
func TestNodeNetwork(t *testing.T) {
	const (
		placed = "infrastructureRef: {name: paris}, credentialsRef: {name: mine}, "
		theirs = "existing: {networkID: " + networkID + ", subnetID: " + subnetID + "}"
	)
	together := says("infrastructureRef and credentialsRef belong together", "or neither, for nodes that you bring yourself")
	alone := says("network.nodeCIDR and network.existing are of clusters whose nodes Marina makes")
	bad := says("nodeCIDR must be an IPv4 network between /8 and /28 with no host bits set", "for example 10.250.0.0/22")
	cases := map[string]struct {
		spec string
		want []string
	}{
		"Placed":                     {spec: placed},
		"WithoutCredentials":         {spec: "infrastructureRef: {name: paris}, ", want: together},
		"CredentialsAlone":           {spec: "credentialsRef: {name: mine}, ", want: together},
		"NamelessInfrastructure":     {spec: "infrastructureRef: {name: ''}, credentialsRef: {name: mine}, ", want: says("infrastructureRef.name", "at least 1 chars")},
		"NamelessSecret":             {spec: "infrastructureRef: {name: paris}, credentialsRef: {name: ''}, ", want: says("credentialsRef.name", "at least 1 chars")},
		"Range":                      {spec: placed + "network: {nodeCIDR: 192.168.0.0/24}"},
		"LargestRange":               {spec: placed + "network: {nodeCIDR: 11.0.0.0/8}"},
		"TooLargeRange":              {spec: placed + "network: {nodeCIDR: 12.0.0.0/7}", want: bad},
		"SmallestRange":              {spec: placed + "network: {nodeCIDR: 192.168.0.0/28}"},
		"TooSmallRange":              {spec: placed + "network: {nodeCIDR: 192.168.0.0/29}", want: bad},
		"HostBits":                   {spec: placed + "network: {nodeCIDR: 192.168.0.1/24}", want: bad},
		"IPv6":                       {spec: placed + "network: {nodeCIDR: 'fd00::/16'}", want: bad},
		"Garbage":                    {spec: placed + "network: {nodeCIDR: nodes}", want: bad},
		"Empty":                      {spec: placed + "network: {nodeCIDR: ''}", want: bad},
		"RangeWithoutInfrastructure": {spec: "network: {nodeCIDR: 192.168.0.0/24}", want: alone},
		"OverPods":                   {spec: placed + "network: {nodeCIDR: 10.244.8.0/24}", want: says("nodeCIDR and podCIDR overlap: choose two ranges")},
		"AroundPods":                 {spec: placed + "network: {nodeCIDR: 10.240.0.0/13}", want: says("nodeCIDR and podCIDR overlap")},
		"OverServices":               {spec: placed + "network: {nodeCIDR: 10.96.0.0/24}", want: says("nodeCIDR and serviceCIDR overlap: choose two ranges")},
		"AroundServices":             {spec: placed + "network: {nodeCIDR: 10.96.0.0/12}", want: says("nodeCIDR and serviceCIDR overlap")},
		"JustBehindPods":             {spec: placed + "network: {nodeCIDR: 10.245.0.0/24}"},
		"PodsOverTheDefault":         {spec: placed + "network: {podCIDR: 10.250.0.0/16}", want: says("podCIDR overlaps 10.250.0.0/22, which nodes get unless you say otherwise", "or set network.nodeCIDR")},
		"ServicesOverTheDefault":     {spec: placed + "network: {serviceCIDR: 10.250.2.0/24}", want: says("serviceCIDR overlaps 10.250.0.0/22")},
		"PodsOverTheDefaultAndOther": {spec: placed + "network: {podCIDR: 10.250.0.0/16, nodeCIDR: 192.168.0.0/24}"},
		"PodsThereWithoutNodes":      {spec: "network: {podCIDR: 10.250.0.0/16}"},
		"Existing":                   {spec: placed + "network: {" + theirs + "}"},
		"ExistingAndPodsThere":       {spec: placed + "network: {podCIDR: 10.250.0.0/16, " + theirs + "}"},
		"ExistingAndRange":           {spec: placed + "network: {nodeCIDR: 192.168.0.0/24, " + theirs + "}", want: says("an existing network has a range already: remove nodeCIDR")},
		"ExistingByName":             {spec: placed + "network: {existing: {networkID: lan, subnetID: " + subnetID + "}}", want: says("networkID is the id of a network and not its name: 'openstack network list' shows it")},
		"ExistingSubnetByName":       {spec: placed + "network: {existing: {networkID: " + networkID + ", subnetID: lan}}", want: says("subnetID is the id of a subnet and not its name: 'openstack subnet list' shows it")},
		"ExistingWithoutSubnet":      {spec: placed + "network: {existing: {networkID: " + networkID + "}}", want: says("subnetID: Required value")},
		"ExistingWithoutNodes":       {spec: "network: {" + theirs + "}", want: alone},
	}
	onEach(t, func(t *testing.T, s *server) {
		for name, tc := range cases {
			t.Run(name, func(t *testing.T) {
				judge(t, s.client.Create(t.Context(), object("Cluster", newName(), "{version: 1.37.1-1, "+tc.spec+"}"), user), tc.want)
			})
		}
	})
}
