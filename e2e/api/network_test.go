package api

import (
	"fmt"
	"testing"
)

// TestNetwork has the rules of address ranges, on both kinds that have them.
func TestNetwork(t *testing.T) {
	const (
		badPod     = "podCIDR must be an IPv4 network between /8 and /22 with no host bits set"
		badService = "serviceCIDR must be an IPv4 network between /12 and /24 with no host bits set"
		overlap    = "podCIDR and serviceCIDR overlap"
		choose     = "choose two ranges that share no address, for example 10.244.0.0/16 and 10.96.0.0/16"
		badDomain  = "dnsDomain must be a DNS name"
	)
	const label63 = "a23456789-a23456789-a23456789-a23456789-a23456789-a23456789-a23"
	long := label63 + "." + label63 + "." + label63 + "."
	cases := map[string]struct {
		network string
		want    []string
	}{
		"Both":                    {network: "podCIDR: 192.168.0.0/16, serviceCIDR: 172.20.0.0/16"},
		"LargestPodRange":         {network: "podCIDR: 11.0.0.0/8"},
		"TooLargePodRange":        {network: "podCIDR: 12.0.0.0/7", want: says(badPod, "for example")},
		"SmallestPodRange":        {network: "podCIDR: 10.244.0.0/22"},
		"TooSmallPodRange":        {network: "podCIDR: 10.244.0.0/23", want: says(badPod)},
		"LargestServiceRange":     {network: "serviceCIDR: 172.16.0.0/12"},
		"TooLargeServiceRange":    {network: "serviceCIDR: 172.0.0.0/11", want: says(badService, "for example")},
		"SmallestServiceRange":    {network: "serviceCIDR: 10.96.0.0/24"},
		"TooSmallServiceRange":    {network: "serviceCIDR: 10.96.0.0/25", want: says(badService)},
		"PodHostBits":             {network: "podCIDR: 10.244.0.1/16", want: says(badPod)},
		"ServiceHostBits":         {network: "serviceCIDR: 10.96.1.0/16", want: says(badService)},
		"PodIPv6":                 {network: "podCIDR: 'fd00::/16'", want: says(badPod)},
		"ServiceIPv6":             {network: "serviceCIDR: 'fd00::/16'", want: says(badService)},
		"BothIPv6":                {network: "podCIDR: 'fd00::/16', serviceCIDR: 'fd01::/16'", want: says(badPod, badService)},
		"IPv4InIPv6":              {network: "podCIDR: '::ffff:10.0.0.0/104'", want: says(badPod)},
		"PodWithoutPrefix":        {network: "podCIDR: 10.244.0.0", want: says(badPod)},
		"ServiceWithoutPrefix":    {network: "serviceCIDR: 10.96.0.0", want: says(badService)},
		"PrefixPast32":            {network: "podCIDR: 10.244.0.0/33", want: says(badPod)},
		"NegativePrefix":          {network: "podCIDR: 10.244.0.0/-1", want: says(badPod)},
		"ThreeNumbers":            {network: "podCIDR: 10.244.0/16", want: says(badPod)},
		"LeadingZero":             {network: "podCIDR: 010.244.0.0/16", want: says(badPod)},
		"PodGarbage":              {network: "podCIDR: pods", want: says(badPod)},
		"ServiceGarbage":          {network: "serviceCIDR: '10.96.0.0/16 '", want: says(badService)},
		"PodEmpty":                {network: "podCIDR: ''", want: says(badPod)},
		"ServiceEmpty":            {network: "serviceCIDR: ''", want: says(badService)},
		"TwoRanges":               {network: "podCIDR: '10.244.0.0/16,fd00::/48'", want: says(badPod)},
		"Longer":                  {network: "podCIDR: '" + long + "'", want: says("may not be more than 43")},
		"ServicesLonger":          {network: "serviceCIDR: '" + long + "'", want: says("may not be more than 43")},
		"Equal":                   {network: "podCIDR: 10.0.0.0/16, serviceCIDR: 10.0.0.0/16", want: says(overlap, choose)},
		"ServicesStartPods":       {network: "podCIDR: 10.0.0.0/12, serviceCIDR: 10.0.0.0/16", want: says(overlap, choose)},
		"ServicesInsidePods":      {network: "podCIDR: 10.0.0.0/8, serviceCIDR: 10.96.0.0/16", want: says(overlap, choose)},
		"ServicesEndPods":         {network: "podCIDR: 10.0.0.0/8, serviceCIDR: 10.255.255.0/24", want: says(overlap, choose)},
		"PodsInsideServices":      {network: "podCIDR: 172.20.0.0/16, serviceCIDR: 172.16.0.0/12", want: says(overlap, choose)},
		"PodsEndServices":         {network: "podCIDR: 172.31.252.0/22, serviceCIDR: 172.16.0.0/12", want: says(overlap, choose)},
		"PodsOverDefaultServices": {network: "podCIDR: 10.0.0.0/8", want: says(overlap, choose)},
		"ServicesInDefaultPods":   {network: "serviceCIDR: 10.244.8.0/24", want: says(overlap, choose)},
		"ServicesJustBehindPods":  {network: "podCIDR: 10.0.0.0/16, serviceCIDR: 10.1.0.0/16"},
		"ServicesJustBeforePods":  {network: "podCIDR: 10.1.0.0/16, serviceCIDR: 10.0.255.0/24"},
		"OtherDomain":             {network: "dnsDomain: k8s.example.com"},
		"DomainOfOneLabel":        {network: "dnsDomain: local"},
		"DomainWithDigits":        {network: "dnsDomain: 0.1-a.x2"},
		"DomainWithLongestLabel":  {network: "dnsDomain: " + label63 + ".local"},
		"DomainWithTooLongLabel":  {network: "dnsDomain: a" + label63 + ".local", want: says(badDomain)},
		"DomainTooLong":           {network: "dnsDomain: " + long + label63, want: says("may not be more than 253")},
		"DomainEmpty":             {network: "dnsDomain: ''", want: says(badDomain, "for example cluster.local")},
		"DomainUppercase":         {network: "dnsDomain: Cluster.local", want: says(badDomain)},
		"DomainWithTrailingDot":   {network: "dnsDomain: cluster.local.", want: says(badDomain)},
		"DomainWithLeadingDot":    {network: "dnsDomain: .local", want: says(badDomain)},
		"DomainWithTrailingDash":  {network: "dnsDomain: cluster-.local", want: says(badDomain)},
		"DomainWithUnderscore":    {network: "dnsDomain: my_cluster.local", want: says(badDomain)},
		"DomainIsAnAddress":       {network: "dnsDomain: 10.96.0.10", want: says(badDomain)},
		"DomainWithWildcard":      {network: "dnsDomain: '*.local'", want: says(badDomain)},
	}
	kinds := map[string]string{
		"Cluster": "{version: 1.37.1-1, network: {%s}}",
		"HostedControlPlane": `{version: 1.37.1-1, clusterRef: {namespace: a, name: b, uid: c},
			exposure: {}, etcdClusters: [default], network: {%s}}`,
	}
	onEach(t, func(t *testing.T, s *server) {
		for name, tc := range cases {
			t.Run(name, func(t *testing.T) {
				for kind, spec := range kinds {
					o := object(kind, newName(), fmt.Sprintf(spec, tc.network))
					judge(t, s.client.Create(t.Context(), o, user), tc.want)
				}
			})
		}
	})
}
