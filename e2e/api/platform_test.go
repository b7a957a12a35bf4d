package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEtcdClusterName(t *testing.T) {
	const rule = "at most 40 lower-case letters, digits and '-', and starts with a letter"
	cases := map[string]struct {
		name string
		want []string
	}{
		"OneLetter":        {name: "e"},
		"FortyCharacters":  {name: strings.Repeat("e", 40)},
		"FortyOne":         {name: strings.Repeat("e", 41), want: says(rule)},
		"StartsWithADigit": {name: "1e", want: says(rule)},
		"HasADot":          {name: "e.f", want: says(rule)},
		"Uppercase":        {name: "E", want: says("lower case")},
	}
	onEach(t, func(t *testing.T, s *server) {
		for name, tc := range cases {
			t.Run(name, func(t *testing.T) {
				judge(t, s.client.Create(t.Context(), object("EtcdCluster", tc.name, "{version: 3.7.3}"), user), tc.want)
			})
		}
	})
}

// platformCases are the rules of the specs of what the platform team and the
// controllers write, except those of TestRule01WhatCannotBeChanged and TestNetwork.
func platformCases() map[string]struct {
	kind, spec string
	want       []string
} {
	const (
		etcdVersion = "at least 3.6.13, for example 3.7.3"
		quota       = "storageQuota must be at least 64Mi"
		uid         = "tenantUID must be lower-case letters, digits and '-'"
	)
	tenant := func(uid string) string {
		return fmt.Sprintf("{tenantUID: %q, etcdClusters: [a], clientSecretName: s}", uid)
	}
	external := func(more string) string {
		return "{" + more + "external: {endpoints: ['https://etcd-0.example.com:2379'], clientCASecretRef: {name: etcd-ca}, rootSecretRef: {name: etcd-root}}}"
	}
	many := func(n int) string {
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("e%d", i)
		}
		return strings.Join(names, ", ")
	}
	release := func(until string) string {
		return fmt.Sprintf("{supportedUntil: %q, kubeletConfiguration: {}}", until)
	}
	const kubelet = "kubeletConfiguration: {}"
	return map[string]struct {
		kind, spec string
		want       []string
	}{
		"EtcdVersionMissing":    {kind: "EtcdCluster", spec: "{}", want: says("version is required unless the EtcdCluster is external")},
		"EtcdExternal":          {kind: "EtcdCluster", spec: external("")},
		"EtcdExternalVersion":   {kind: "EtcdCluster", spec: external("version: 3.7.3, "), want: says("leave it out with external")},
		"EtcdExternalPlain":     {kind: "EtcdCluster", spec: strings.Replace(external(""), "https", "http", 1), want: says("an endpoint is written as https://etcd-0.example.com:2379")},
		"EtcdExternalNoPort":    {kind: "EtcdCluster", spec: strings.Replace(external(""), ":2379", "", 1), want: says("an endpoint is written as")},
		"EtcdExternalNowhere":   {kind: "EtcdCluster", spec: "{external: {endpoints: [], clientCASecretRef: {name: a}, rootSecretRef: {name: b}}}", want: says("endpoints", "at least 1 items")},
		"EtcdExternalSecrets":   {kind: "EtcdCluster", spec: "{external: {endpoints: ['https://e:2379']}}", want: says("clientCASecretRef: Required value", "rootSecretRef: Required value")},
		"EtcdIssuer":            {kind: "EtcdCluster", spec: "{version: 3.7.3, certificates: {issuerRef: {name: platform, kind: ClusterIssuer}}}"},
		"EtcdIssuerElsewhere":   {kind: "EtcdCluster", spec: "{version: 3.7.3, certificates: {issuerRef: {name: platform, kind: CloudIssuer, group: issuers.example.com}}}"},
		"EtcdIssuerKind":        {kind: "EtcdCluster", spec: "{version: 3.7.3, certificates: {issuerRef: {name: platform, kind: CloudIssuer}}}", want: says("kind must be Issuer or ClusterIssuer, unless another group is given")},
		"EtcdIssuerName":        {kind: "EtcdCluster", spec: "{version: 3.7.3, certificates: {issuerRef: {kind: Issuer}}}", want: says("certificates.issuerRef.name: Required value")},
		"EtcdIssuerMissing":     {kind: "EtcdCluster", spec: "{version: 3.7.3, certificates: {}}", want: says("certificates.issuerRef: Required value")},
		"EtcdIssuerOfExternal":  {kind: "EtcdCluster", spec: external("certificates: {issuerRef: {name: a}}, "), want: says("certificates are of the members that Marina runs")},
		"EtcdHosting":           {kind: "EtcdCluster", spec: "{version: 3.7.3, storageSize: 20Gi, storageClass: fast, registry: images.example.com/marina, imagePullSecret: pull, nodeSelector: {disk: fast}, tolerations: [{key: etcd, operator: Exists}], priorityClassName: high, resources: {cpu: '2', memory: 4Gi, memoryLimit: 8Gi}}"},
		"EtcdNoStorage":         {kind: "EtcdCluster", spec: "{version: 3.7.3, storageSize: '0'}", want: says("storageSize must be more than nothing")},
		"EtcdRegistryWithSlash": {kind: "EtcdCluster", spec: "{version: 3.7.3, registry: images.example.com/}", want: says("without a slash at its end")},
		"EtcdVersionOldest":     {kind: "EtcdCluster", spec: "{version: 3.6.13}"},
		"EtcdVersionTooOld":     {kind: "EtcdCluster", spec: "{version: 3.6.12}", want: says(etcdVersion, "do not keep tenants apart")},
		"EtcdVersionByNumbers":  {kind: "EtcdCluster", spec: "{version: 3.6.9}", want: says(etcdVersion)},
		"EtcdVersion35":         {kind: "EtcdCluster", spec: "{version: 3.5.99}", want: says(etcdVersion)},
		"EtcdVersion310":        {kind: "EtcdCluster", spec: "{version: 3.10.0}"},
		"EtcdVersion4":          {kind: "EtcdCluster", spec: "{version: 4.0.0}"},
		"EtcdVersionCandidate":  {kind: "EtcdCluster", spec: "{version: 3.6.13-rc.1}", want: says(etcdVersion)},
		"EtcdVersionWithV":      {kind: "EtcdCluster", spec: "{version: v3.7.3}", want: says(etcdVersion)},
		"EtcdVersionCutShort":   {kind: "EtcdCluster", spec: "{version: '3.7'}", want: says(etcdVersion)},
		"EtcdVersionEmpty":      {kind: "EtcdCluster", spec: "{version: ''}", want: says(etcdVersion)},
		"EtcdVersionGarbage":    {kind: "EtcdCluster", spec: "{version: latest}", want: says(etcdVersion)},
		"EtcdVersionTooLong":    {kind: "EtcdCluster", spec: "{version: 3.7.3-" + strings.Repeat("a", 27) + "}", want: says("may not be more than 32")},
		"EtcdNoTenants":         {kind: "EtcdCluster", spec: "{version: 3.7.3, maxTenants: 0}"},
		"EtcdNegativeTenants":   {kind: "EtcdCluster", spec: "{version: 3.7.3, maxTenants: -1}", want: says("maxTenants", "greater than or equal to 0")},
		"EtcdQuotaSmallest":     {kind: "EtcdCluster", spec: "{version: 3.7.3, storageQuota: 64Mi}"},
		"EtcdQuotaInBytes":      {kind: "EtcdCluster", spec: "{version: 3.7.3, storageQuota: 67108864}"},
		"EtcdQuotaTooSmall":     {kind: "EtcdCluster", spec: "{version: 3.7.3, storageQuota: 63Mi}", want: says(quota, "for example 8Gi")},
		"EtcdQuotaBytesTooFew":  {kind: "EtcdCluster", spec: "{version: 3.7.3, storageQuota: 67108863}", want: says(quota)},
		"EtcdQuotaZero":         {kind: "EtcdCluster", spec: "{version: 3.7.3, storageQuota: '0'}", want: says(quota)},
		"EtcdQuotaNegative":     {kind: "EtcdCluster", spec: "{version: 3.7.3, storageQuota: '-8Gi'}", want: says(quota)},
		"EtcdQuotaGarbage":      {kind: "EtcdCluster", spec: "{version: 3.7.3, storageQuota: much}", want: says("storageQuota", "should match")},
		"ClassOfOne":            {kind: "HostingClass", spec: "{etcdClusters: [a]}"},
		"ClassOf64":             {kind: "HostingClass", spec: "{etcdClusters: [" + many(64) + "]}"},
		"ClassOf65":             {kind: "HostingClass", spec: "{etcdClusters: [" + many(65) + "]}", want: says("etcdClusters", "at most 64 items")},
		"ClassWithoutAny":       {kind: "HostingClass", spec: "{exposure: {type: Host}}", want: says("spec.etcdClusters: Required value")},
		"ClassOfEmptyList":      {kind: "HostingClass", spec: "{etcdClusters: []}", want: says("etcdClusters", "at least 1 items")},
		"ClassOfDuplicate":      {kind: "HostingClass", spec: "{etcdClusters: [a, b, a]}", want: says("etcdClusters[2]: Duplicate value")},
		"ClassOfEmptyName":      {kind: "HostingClass", spec: "{etcdClusters: ['']}", want: says("etcdClusters[0]", "at least 1 chars")},
		"ClassOfLongName":       {kind: "HostingClass", spec: "{etcdClusters: [" + strings.Repeat("a", 64) + "]}", want: says("etcdClusters[0]", "may not be more than 63")},
		"ClassLoadBalancer":     {kind: "HostingClass", spec: "{exposure: {type: LoadBalancer, sourceRanges: [192.0.2.0/24]}, nodeAccess: Konnectivity, etcdClusters: [a]}"},
		"ClassDirectAccess":     {kind: "HostingClass", spec: "{exposure: {type: NodePort}, etcdClusters: [a]}", want: says("nodeAccess must be Konnectivity unless exposure is by Host")},
		"ClassOtherExposure":    {kind: "HostingClass", spec: "{exposure: {type: Ingress}, etcdClusters: [a]}", want: says("exposure.type", "supported values", "Host")},
		"ClassAddressOfNone":    {kind: "HostingClass", spec: "{exposure: {type: ClusterIP, address: 192.0.2.1}, etcdClusters: [a]}", want: says("address is only for exposure by NodePort")},
		"ClassRangesOfNodePort": {kind: "HostingClass", spec: "{exposure: {type: NodePort, sourceRanges: [192.0.2.0/24]}, etcdClusters: [a]}", want: says("sourceRanges and loadBalancerClass are only for exposure by LoadBalancer")},
		"ClassRangeOfWords":     {kind: "HostingClass", spec: "{exposure: {type: LoadBalancer, sourceRanges: [home]}, etcdClusters: [a]}", want: says("a source range is written as 203.0.113.0/24")},
		"ClassRegistryWithURL":  {kind: "HostingClass", spec: "{registry: 'https://example.com/', etcdClusters: [a]}", want: says("registry is written without a scheme")},
		"Bootstrap":             {kind: "NodeBootstrap", spec: "{nodeName: shop-a1b2, ttlSeconds: 60}"},
		"BootstrapOfADay":       {kind: "NodeBootstrap", spec: "{nodeName: shop-a1b2, ttlSeconds: 86400}"},
		"BootstrapTooShort":     {kind: "NodeBootstrap", spec: "{nodeName: shop-a1b2, ttlSeconds: 59}", want: says("ttlSeconds", "greater than or equal to 60")},
		"BootstrapTooLong":      {kind: "NodeBootstrap", spec: "{nodeName: shop-a1b2, ttlSeconds: 86401}", want: says("ttlSeconds", "less than or equal to 86400")},
		"BootstrapOfNobody":     {kind: "NodeBootstrap", spec: "{}", want: says("nodeName: Required value")},
		"BootstrapOfAName":      {kind: "NodeBootstrap", spec: "{nodeName: shop.a1b2}", want: says("nodeName has lower-case letters, digits and '-'")},
		"BootstrapOfALongName":  {kind: "NodeBootstrap", spec: "{nodeName: " + strings.Repeat("a", 64) + "}", want: says("nodeName", "may not be more than 63")},
		"TenantOfAUUID":         {kind: "EtcdTenant", spec: tenant("0f8e4a52-2f0c-4a55-8a43-bd1f6c8f0a11")},
		"TenantOf64Characters":  {kind: "EtcdTenant", spec: tenant(strings.Repeat("a", 64))},
		"TenantOf65Characters":  {kind: "EtcdTenant", spec: tenant(strings.Repeat("a", 65)), want: says("may not be more than 64")},
		"TenantEmpty":           {kind: "EtcdTenant", spec: tenant(""), want: says("tenantUID", "at least 1 chars")},
		"TenantUppercase":       {kind: "EtcdTenant", spec: tenant("ABC"), want: says(uid)},
		"TenantWithSlash":       {kind: "EtcdTenant", spec: tenant("a/b"), want: says(uid)},
		"TenantWithDot":         {kind: "EtcdTenant", spec: tenant("a.b"), want: says(uid)},
		"TenantWithNUL":         {kind: "EtcdTenant", spec: tenant("a\x00b"), want: says(uid)},
		"TenantWithNewline":     {kind: "EtcdTenant", spec: tenant("a\n"), want: says(uid)},
		"TenantStartsWithDash":  {kind: "EtcdTenant", spec: tenant("-a"), want: says(uid)},
		"TenantEndsWithDash":    {kind: "EtcdTenant", spec: tenant("a-"), want: says(uid)},
		"TenantWithoutClusters": {kind: "EtcdTenant", spec: "{tenantUID: a, etcdClusters: [], clientSecretName: s}", want: says("etcdClusters", "at least 1 items")},
		"TenantDuplicate":       {kind: "EtcdTenant", spec: "{tenantUID: a, etcdClusters: [a, a], clientSecretName: s}", want: says("Duplicate value")},
		"TenantOnEmptyName":     {kind: "EtcdTenant", spec: "{tenantUID: a, etcdClusters: [''], clientSecretName: s}", want: says("etcdClusters[0]", "at least 1 chars")},
		"TenantWithoutSecret":   {kind: "EtcdTenant", spec: "{tenantUID: a, etcdClusters: [a]}", want: says("clientSecretName: Required value")},
		"TenantOfEmptySecret":   {kind: "EtcdTenant", spec: "{tenantUID: a, etcdClusters: [a], clientSecretName: ''}", want: says("clientSecretName", "at least 1 chars")},
		"HostedEmpty":           {kind: "HostedControlPlane", spec: "{}", want: says("clusterRef: Required value", "version: Required value", "network: Required value", "etcdClusters: Required value")},
		"HostedEmptyRef":        {kind: "HostedControlPlane", spec: "{clusterRef: {}}", want: says("clusterRef.namespace: Required value", "clusterRef.name: Required value", "clusterRef.uid: Required value")},
		"EtcdWithoutSpec":       {kind: "EtcdCluster", spec: "", want: says("spec: Required value")},
		"ClassWithoutSpec":      {kind: "HostingClass", spec: "", want: says("spec: Required value")},
		"TenantWithoutSpec":     {kind: "EtcdTenant", spec: "", want: says("spec: Required value")},
		"TenantWithoutUID":      {kind: "EtcdTenant", spec: "{etcdClusters: [a], clientSecretName: s}", want: says("tenantUID: Required value")},
		"TenantWithoutList":     {kind: "EtcdTenant", spec: "{tenantUID: a, clientSecretName: s}", want: says("etcdClusters: Required value")},
		"TenantOn64Clusters":    {kind: "EtcdTenant", spec: "{tenantUID: a, etcdClusters: [" + many(64) + "], clientSecretName: s}"},
		"TenantOn65Clusters":    {kind: "EtcdTenant", spec: "{tenantUID: a, etcdClusters: [" + many(65) + "], clientSecretName: s}", want: says("at most 64 items")},
		"TenantOnLongName":      {kind: "EtcdTenant", spec: "{tenantUID: a, etcdClusters: [" + strings.Repeat("a", 64) + "], clientSecretName: s}", want: says("may not be more than 63")},
		"TenantOfLongSecret":    {kind: "EtcdTenant", spec: "{tenantUID: a, etcdClusters: [a], clientSecretName: " + strings.Repeat("a", 254) + "}", want: says("may not be more than 253")},
		"HostedWithoutSpec":     {kind: "HostedControlPlane", spec: "", want: says("spec: Required value")},
		"HostedLongVersion":     {kind: "HostedControlPlane", spec: "{version: '" + strings.Repeat("1", 33) + "'}", want: says("may not be more than 32")},
		"HostedOtherExposure":   {kind: "HostedControlPlane", spec: "{exposure: {type: Ingress}}", want: says("exposure.type", "supported values", "Host")},
		"ReleaseWithoutSpec":    {kind: "KubernetesRelease", spec: "", want: says("spec: Required value")},
		"ReleaseUntilADay":      {kind: "KubernetesRelease", spec: release("2028-02-29")},
		"ReleaseUntilNoDay":     {kind: "KubernetesRelease", spec: release("2027-02-29"), want: says("supportedUntil", "must be of type date")},
		"ReleaseUntilATime":     {kind: "KubernetesRelease", spec: release("2027-10-28T00:00:00Z"), want: says("supportedUntil")},
		"ReleaseUntilGarbage":   {kind: "KubernetesRelease", spec: release("soon"), want: says("must be of type date")},
		"ReleaseUntilMissing":   {kind: "KubernetesRelease", spec: "{" + kubelet + "}", want: says("supportedUntil: Required value")},
		"ReleaseWithoutKubelet": {kind: "KubernetesRelease", spec: "{supportedUntil: 2027-10-28}", want: says("kubeletConfiguration: Required value")},
		"ReleaseKubeletAsText":  {kind: "KubernetesRelease", spec: "{supportedUntil: 2027-10-28, kubeletConfiguration: 'kind: KubeletConfiguration'}", want: says("kubeletConfiguration", "must be of type object")},
	}
}

func TestPlatformSpecs(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		for name, tc := range platformCases() {
			t.Run(name, func(t *testing.T) {
				id := newName()
				if tc.kind == "KubernetesRelease" {
					id = fmt.Sprintf("7.7.7-%d", names.Add(1))
				}
				judge(t, s.client.Create(t.Context(), object(tc.kind, id, tc.spec), user), tc.want)
			})
		}
	})
}

func TestPlatformDefaults(t *testing.T) {
	addons := map[string]any{"coreDNS": "None", "kubeProxy": "None"}
	cases := map[string]struct {
		kind, spec string
		want       map[string]any
	}{
		"EtcdCluster": {kind: "EtcdCluster", spec: "{version: 3.7.3}",
			want: map[string]any{"version": "3.7.3", "maxTenants": int64(250), "storageQuota": "8Gi"}},
		"HostingClass": {kind: "HostingClass", spec: "{etcdClusters: [a]}",
			want: map[string]any{"exposure": map[string]any{"type": "Host"}, "nodeAccess": "Direct", "addons": addons, "etcdClusters": []any{"a"}}},
		"HostingClassEmptyExposure": {kind: "HostingClass", spec: "{exposure: {}, etcdClusters: [a]}",
			want: map[string]any{"exposure": map[string]any{"type": "Host"}, "nodeAccess": "Direct", "addons": addons, "etcdClusters": []any{"a"}}},
		"HostedControlPlane": {kind: "HostedControlPlane",
			spec: "{version: 1.37.1-1, clusterRef: {namespace: a, name: b, uid: c}, etcdClusters: [a], exposure: {}, network: {}}",
			want: map[string]any{
				"version":      "1.37.1-1",
				"clusterRef":   map[string]any{"namespace": "a", "name": "b", "uid": "c"},
				"etcdClusters": []any{"a"},
				"exposure":     map[string]any{"type": "Host"},
				"nodeAccess":   "Direct",
				"addons":       addons,
				"network":      map[string]any{"podCIDR": "10.244.0.0/16", "serviceCIDR": "10.96.0.0/16", "dnsDomain": "cluster.local"},
			}},
	}
	onEach(t, func(t *testing.T, s *server) {
		for name, tc := range cases {
			t.Run(name, func(t *testing.T) {
				o := made(t, s, object(tc.kind, newName(), tc.spec))
				if d := cmp.Diff(tc.want, o.Object["spec"]); d != "" {
					t.Errorf("the spec as stored (-want +got):\n%s", d)
				}
			})
		}
	})
}
