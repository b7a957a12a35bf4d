package api

import (
	"fmt"
	"strings"
	"testing"

	sigsyaml "sigs.k8s.io/yaml"
)

// infrastructure is a spec in which some fields are others; those that are nil are left
// out.
func infrastructure(t testing.TB, fields map[string]any) string {
	t.Helper()
	spec := map[string]any{
		"authURL": "https://cloud.example.com:5000/v3", "region": "RegionOne",
		"credentialsRef": map[string]any{"name": "openstack"}, "externalNetwork": "public",
		"releases": []any{map[string]any{"release": "1.37.1-1", "image": "node"}}, "flavors": []any{"b3-8"},
	}
	for name, value := range fields {
		if spec[name] = value; value == nil {
			delete(spec, name)
		}
	}
	data, err := sigsyaml.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

type fields = map[string]any

func offers(count int) []any {
	var all []any
	for i := range count {
		all = append(all, fields{"release": fmt.Sprintf("1.37.1-%d", i+1), "image": "node"})
	}
	return all
}

func TestInfrastructure(t *testing.T) {
	url := says("authURL is the address of Keystone", "for example https://cloud.example.com:5000/v3")
	release := says("a release is named MAJOR.MINOR.PATCH-BUILD", "kubectl get kubernetesreleases")
	flavors := func(count int) []any {
		var all []any
		for i := range count {
			all = append(all, fmt.Sprint("f", i))
		}
		return all
	}
	long := strings.Repeat("a", 256)
	cases := map[string]struct {
		fields fields
		want   []string
	}{
		"Plain":              {},
		"ByHTTP":             {fields: fields{"authURL": "http://127.0.0.1:5000"}},
		"InAFolder":          {fields: fields{"authURL": "https://cloud.example.com/identity/v3/"}},
		"WithoutAScheme":     {fields: fields{"authURL": "cloud.example.com:5000"}, want: url},
		"OtherScheme":        {fields: fields{"authURL": "ftp://cloud.example.com"}, want: url},
		"WithAUser":          {fields: fields{"authURL": "https://me:secret@cloud.example.com/v3"}, want: url},
		"WithAQuery":         {fields: fields{"authURL": "https://cloud.example.com/v3?a=b"}, want: url},
		"WithASpace":         {fields: fields{"authURL": "https://cloud.example.com/ v3"}, want: url},
		"WithoutAHost":       {fields: fields{"authURL": "https:///v3"}, want: url},
		"LongURL":            {fields: fields{"authURL": "https://" + strings.Repeat("a", 505)}, want: says("may not be more than 512")},
		"WithoutURL":         {fields: fields{"authURL": nil}, want: says("authURL: Required value")},
		"WithoutRegion":      {fields: fields{"region": nil}, want: says("region: Required value")},
		"EmptyRegion":        {fields: fields{"region": ""}, want: says("region", "at least 1 chars")},
		"LongRegion":         {fields: fields{"region": long}, want: says("may not be more than 255")},
		"CA":                 {fields: fields{"caBundle": "-----BEGIN CERTIFICATE-----\n"}},
		"CAOfWords":          {fields: fields{"caBundle": "mine"}, want: says("caBundle holds certificates in PEM")},
		"CAOfNothing":        {fields: fields{"caBundle": ""}, want: says("caBundle holds certificates in PEM")},
		"LongCA":             {fields: fields{"caBundle": strings.Repeat("-----BEGIN CERTIFICATE-----", 2428)}, want: says("may not be more than 65536")},
		"WithoutCredentials": {fields: fields{"credentialsRef": nil}, want: says("credentialsRef: Required value")},
		"NamelessSecret":     {fields: fields{"credentialsRef": fields{"name": ""}}, want: says("credentialsRef.name", "at least 1 chars")},
		"WithoutNetwork":     {fields: fields{"externalNetwork": nil}, want: says("externalNetwork: Required value")},
		"EmptyNetwork":       {fields: fields{"externalNetwork": ""}, want: says("externalNetwork", "at least 1 chars")},
		"LongNetwork":        {fields: fields{"externalNetwork": long}, want: says("may not be more than 255")},
		"Nameservers":        {fields: fields{"dnsNameservers": []any{"192.0.2.53", "2001:db8::53"}}},
		"NamedNameserver":    {fields: fields{"dnsNameservers": []any{"dns.example.com"}}, want: says("dnsNameservers are IP addresses")},
		"SixNameservers":     {fields: fields{"dnsNameservers": []any{"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6"}}, want: says("at most 5 items")},
		"WithoutReleases":    {fields: fields{"releases": nil}, want: says("releases: Required value")},
		"NoReleases":         {fields: fields{"releases": []any{}}, want: says("releases", "at least 1 items")},
		"64Releases":         {fields: fields{"releases": offers(64)}},
		"65Releases":         {fields: fields{"releases": offers(65)}, want: says("at most 64 items")},
		"TheSameRelease":     {fields: fields{"releases": append(offers(1), offers(1)...)}, want: says("releases[1]: Duplicate value")},
		"ReleaseOfWords":     {fields: fields{"releases": []any{fields{"release": "latest", "image": "node"}}}, want: release},
		"ReleaseWithV":       {fields: fields{"releases": []any{fields{"release": "v1.37.1-1", "image": "node"}}}, want: release},
		"LongRelease":        {fields: fields{"releases": []any{fields{"release": strings.Repeat("1", 33), "image": "node"}}}, want: says("may not be more than 32")},
		"WithoutImage":       {fields: fields{"releases": []any{fields{"release": "1.37.1-1"}}}, want: says("releases[0].image: Required value")},
		"EmptyImage":         {fields: fields{"releases": []any{fields{"release": "1.37.1-1", "image": ""}}}, want: says("releases[0].image", "at least 1 chars")},
		"LongImage":          {fields: fields{"releases": []any{fields{"release": "1.37.1-1", "image": long}}}, want: says("may not be more than 255")},
		"WithoutFlavors":     {fields: fields{"flavors": nil}, want: says("flavors: Required value")},
		"NoFlavors":          {fields: fields{"flavors": []any{}}, want: says("flavors", "at least 1 items")},
		"256Flavors":         {fields: fields{"flavors": flavors(256)}},
		"257Flavors":         {fields: fields{"flavors": flavors(257)}, want: says("at most 256 items")},
		"TheSameFlavor":      {fields: fields{"flavors": []any{"a", "b", "a"}}, want: says("flavors[2]: Duplicate value")},
		"EmptyFlavor":        {fields: fields{"flavors": []any{""}}, want: says("flavors[0]", "at least 1 chars")},
		"LongFlavor":         {fields: fields{"flavors": []any{long}}, want: says("may not be more than 255")},
	}
	onEach(t, func(t *testing.T, s *server) {
		for name, tc := range cases {
			t.Run(name, func(t *testing.T) {
				judge(t, s.client.Create(t.Context(), object("Infrastructure", newName(), infrastructure(t, tc.fields)), user), tc.want)
			})
		}
		t.Run("WithoutSpec", func(t *testing.T) {
			judge(t, s.client.Create(t.Context(), object("Infrastructure", newName(), ""), user), says("spec: Required value"))
		})
	})
}

func TestInfrastructureName(t *testing.T) {
	const rule = "at most 63 lower-case letters, digits and '-', and starts with a letter"
	cases := map[string]struct {
		name string
		want []string
	}{
		"OneLetter":         {name: "p"},
		"SixtyThree":        {name: strings.Repeat("p", 63)},
		"SixtyFour":         {name: strings.Repeat("p", 64), want: says(rule)},
		"StartsWithADigit":  {name: "1p", want: says(rule)},
		"HasADot":           {name: "p.q", want: says(rule)},
		"EndsWithADashOnly": {name: "p-", want: says("metadata.name")},
	}
	onEach(t, func(t *testing.T, s *server) {
		for name, tc := range cases {
			t.Run(name, func(t *testing.T) {
				judge(t, s.client.Create(t.Context(), object("Infrastructure", tc.name, infrastructure(t, nil)), user), tc.want)
			})
		}
	})
}

func TestInfrastructureCannotMove(t *testing.T) {
	cases := map[string]struct {
		now  fields
		want []string
	}{
		"NothingChanges": {},
		"AuthURL":        {now: fields{"authURL": "https://other.example.com/v3"}, want: says("authURL cannot be changed: create another Infrastructure")},
		"Region":         {now: fields{"region": "RegionTwo"}, want: says("region cannot be changed: create another Infrastructure")},
		"Others": {now: fields{
			"caBundle": "-----BEGIN CERTIFICATE-----", "credentialsRef": fields{"name": "new"}, "externalNetwork": "other", "releases": offers(2), "flavors": []any{"b3-16"},
		}},
	}
	onEach(t, func(t *testing.T, s *server) {
		for name, tc := range cases {
			for way, write := range writes {
				t.Run(name+"/"+way, func(t *testing.T) {
					was := applied(t, s, object("Infrastructure", newName(), infrastructure(t, nil)))
					judge(t, write(t.Context(), s, was, infrastructure(t, tc.now)), tc.want)
				})
			}
		}
	})
}
