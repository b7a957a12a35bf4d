package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const valid = "{version: 1.37.1-1}"

func TestClusterName(t *testing.T) {
	const charset = "starts with a letter and holds only lower-case letters"
	cases := map[string]struct {
		name string
		want []string
	}{
		"OneLetter":         {name: "a"},
		"DigitsAndDashes":   {name: "a-1--2"},
		"ThirtyCharacters":  {name: strings.Repeat("a", 30)},
		"ThirtyOne":         {name: strings.Repeat("a", 31), want: says("at most 30 characters", "choose a shorter one")},
		"StartsWithADigit":  {name: "1a", want: says(charset, "choose another one")},
		"OnlyDigits":        {name: "123", want: says(charset)},
		"HasADot":           {name: "a.b", want: says(charset)},
		"Uppercase":         {name: "Abc", want: says("lower case")},
		"StartsWithADash":   {name: "-a", want: says("start and end with an alphanumeric character")},
		"EndsWithADash":     {name: "a-", want: says("start and end with an alphanumeric character")},
		"Underscore":        {name: "a_b", want: says("lower case")},
		"TwoHundredAndMore": {name: strings.Repeat("a", 253), want: says("at most 30 characters")},
	}
	onEach(t, func(t *testing.T, s *server) {
		for name, tc := range cases {
			t.Run(name, func(t *testing.T) {
				judge(t, s.client.Create(t.Context(), object("Cluster", tc.name, valid), user), tc.want)
			})
		}
		t.Run("GeneratedNamesCountToo", func(t *testing.T) {
			for length, want := range map[int][]string{25: nil, 26: says("at most 30 characters")} {
				o := object("Cluster", "", valid)
				o.SetGenerateName(strings.Repeat("g", length)) // five characters are added
				judge(t, s.client.Create(t.Context(), o, user), want)
			}
		})
	})
}

func TestClusterDefaults(t *testing.T) {
	want := map[string]any{
		"version":         "1.37.1-1",
		"hostingClassRef": map[string]any{"name": "default"},
		"controlPlane":    map[string]any{"type": "Hosted"},
		"network": map[string]any{
			"podCIDR":     "10.244.0.0/16",
			"serviceCIDR": "10.96.0.0/16",
			"dnsDomain":   "cluster.local",
		},
	}
	cases := map[string]string{
		"OnlyAVersion":   valid,
		"EmptyBlocks":    "{version: 1.37.1-1, controlPlane: {}, network: {}}",
		"NullBlocks":     "{version: 1.37.1-1, controlPlane: null, network: null, hostingClassRef: null, access: null}",
		"NullFields":     "{version: 1.37.1-1, controlPlane: {type: null}, network: {podCIDR: null, serviceCIDR: null, dnsDomain: null}}",
		"HalfOfANetwork": "{version: 1.37.1-1, network: {podCIDR: 10.244.0.0/16}}",
	}
	onEach(t, func(t *testing.T, s *server) {
		for name, spec := range cases {
			t.Run(name, func(t *testing.T) {
				o := made(t, s, object("Cluster", newName(), spec))
				if d := cmp.Diff(want, o.Object["spec"]); d != "" {
					t.Errorf("the spec as stored (-want +got):\n%s", d)
				}
			})
		}
	})
}

// TestClusterSpec has the rules of single fields that may be changed later. Each
// holds when a cluster is created and when one that was valid is changed.
func TestClusterSpec(t *testing.T) {
	const (
		spelling = "MAJOR.MINOR.PATCH-BUILD"
		example  = "for example 1.37.1-1"
		sans     = "certSANs must be DNS names"
	)
	version := func(v string) string { return fmt.Sprintf("{version: %q}", v) }
	san := func(names ...string) string {
		return fmt.Sprintf("{version: 1.37.1-1, access: {certSANs: [%s]}}", strings.Join(names, ", "))
	}
	many := func(n int) (names []string) {
		for i := range n {
			names = append(names, fmt.Sprintf("n%d.example.com", i))
		}
		return names
	}
	label := strings.Repeat("a", 63)
	var longest []string // what rules cost most for
	for i := range 32 {
		longest = append(longest, fmt.Sprintf("%s.%s.%s.%s.a%d", label, label, label, label[:57], 10+i))
	}
	cases := map[string]struct {
		spec string
		want []string
	}{
		"VersionMissing":          {spec: "{}", want: says("spec.version: Required value")},
		"SpecMissing":             {spec: "", want: says("spec: Required value")},
		"VersionEmpty":            {spec: version(""), want: says(spelling, example)},
		"VersionNull":             {spec: "{version: null}", want: says("spec.version")},
		"VersionWithLeadingV":     {spec: version("v1.37.1-1"), want: says(spelling, example)},
		"VersionWithoutBuild":     {spec: version("1.37.1"), want: says(spelling, example)},
		"VersionWithoutPatch":     {spec: version("1.37-1"), want: says(spelling, example)},
		"VersionWithBuildZero":    {spec: version("1.37.1-0"), want: says(spelling, example)},
		"VersionWithLeadingZero":  {spec: version("01.2.3-1"), want: says(spelling, example)},
		"VersionWithZeroInBuild":  {spec: version("1.37.1-01"), want: says(spelling, example)},
		"VersionWithFourNumbers":  {spec: version("1.37.1.1-1"), want: says(spelling, example)},
		"VersionWithPrerelease":   {spec: version("1.37.1-rc.1"), want: says(spelling, example)},
		"VersionWithTwoBuilds":    {spec: version("1.37.1-1-1"), want: says(spelling, example)},
		"VersionWithMetadata":     {spec: version("1.37.1+1"), want: says(spelling, example)},
		"VersionWithSpace":        {spec: version(" 1.37.1-1"), want: says(spelling, example)},
		"VersionWithNewline":      {spec: version("1.37.1-1\n"), want: says(spelling, example)},
		"VersionLargestNumbers":   {spec: version("99999.99999.99999-99999")},
		"VersionWithSixDigits":    {spec: version("1.37.1-100000"), want: says(spelling, "99999")},
		"VersionPastAnInt64":      {spec: version("1.37.1-99999999999999999999"), want: says(spelling, "99999")},
		"VersionPastAnUint64":     {spec: version("99999999999999999999.37.1-1"), want: says(spelling, "99999")},
		"VersionOf33Characters":   {spec: version(strings.Repeat("1", 27) + ".1.1-1"), want: says("may not be more than 32")},
		"Hosted":                  {spec: "{version: 1.37.1-1, controlPlane: {type: Hosted}}"},
		"HostedWithReplicas":      {spec: "{version: 1.37.1-1, controlPlane: {type: Hosted, replicas: 3}}", want: says("always has three replicas", "remove controlPlane.replicas")},
		"HostedByDefaultReplicas": {spec: "{version: 1.37.1-1, controlPlane: {replicas: 1}}", want: says("remove controlPlane.replicas")},
		"HostedWithTwoReplicas":   {spec: "{version: 1.37.1-1, controlPlane: {replicas: 2}}", want: says("supported values")},
		"HostedWithFlavor":        {spec: "{version: 1.37.1-1, controlPlane: {type: Hosted, flavor: b3-8}}", want: says("has no flavor", "remove controlPlane.flavor")},
		"HostedWithEmptyFlavor":   {spec: `{version: 1.37.1-1, controlPlane: {flavor: ""}}`, want: says("remove controlPlane.flavor")},
		"HostedWithLongFlavor":    {spec: "{version: 1.37.1-1, controlPlane: {flavor: " + strings.Repeat("a", 256) + "}}", want: says("may not be more than 255")},
		"Standalone":              {spec: "{version: 1.37.1-1, controlPlane: {type: Standalone}}", want: says("not offered", "use type Hosted")},
		"StandaloneInFull":        {spec: "{version: 1.37.1-1, controlPlane: {type: Standalone, replicas: 3, flavor: b3-8}}", want: says("not offered", "use type Hosted")},
		"UnknownType":             {spec: "{version: 1.37.1-1, controlPlane: {type: Shared}}", want: says("supported values", "Hosted")},
		"NamesAndAddresses":       {spec: san("api.example.com", "a", "0.example.com", "1password.com", "10.0.0.1", "'2001:db8::1'", "'::1'")},
		"Wildcard":                {spec: san("'*.example.com'")},
		"NoSANs":                  {spec: san()},
		"EmptyAccess":             {spec: "{version: 1.37.1-1, access: {}}"},
		"ThirtyTwoSANs":           {spec: san(many(32)...)},
		"ThirtyTwoLongestSANs":    {spec: san(longest...)},
		"PatchesWithoutWindow":    {spec: "{version: 1.37.1-1, maintenance: {autoUpgrade: Patch}}", want: says("spec.maintenance.window", "autoUpgrade: Patch needs a window: say when")},
		"PatchesInAWindow":        {spec: "{version: 1.37.1-1, maintenance: {autoUpgrade: Patch, window: {startHour: 0}}}"},
		"MinorsByThemselves":      {spec: "{version: 1.37.1-1, maintenance: {autoUpgrade: Minor, window: {startHour: 2}}}", want: says("spec.maintenance.autoUpgrade", "Unsupported value")},
		"WindowOfNoHour":          {spec: "{version: 1.37.1-1, maintenance: {window: {startHour: 24}}}", want: says("spec.maintenance.window.startHour")},
		"WindowWithoutHour":       {spec: "{version: 1.37.1-1, maintenance: {window: {day: Sunday}}}", want: says("spec.maintenance.window.startHour: Required value")},
		"WindowOfNoDay":           {spec: "{version: 1.37.1-1, maintenance: {window: {day: Sun, startHour: 2}}}", want: says("spec.maintenance.window.day", "Unsupported value")},
		"ThirtyThreeSANs":         {spec: san(many(33)...), want: says("certSANs", "at most 32 items")},
		"SANTwice":                {spec: san("a.example.com", "a.example.com"), want: says("Duplicate value")},
		"SANWithLongestLabel":     {spec: san(label + ".example.com")},
		"SANWithTooLongLabel":     {spec: san(label + "a.example.com"), want: says(sans)},
		"SANOf253Characters":      {spec: san(label + "." + label + "." + label + "." + label[:61])},
		"SANOf254Characters":      {spec: san(label + "." + label + "." + label + "." + label[:62]), want: says("may not be more than 253")},
		"SANWithScheme":           {spec: san("'https://api.example.com'"), want: says(sans, "without scheme or port")},
		"SANWithPort":             {spec: san("'api.example.com:6443'"), want: says(sans, "without scheme or port")},
		"SANAddressWithPort":      {spec: san("'10.0.0.1:6443'"), want: says(sans)},
		"SANUppercase":            {spec: san("API.example.com"), want: says(sans, "lower case")},
		"SANEmpty":                {spec: san("''"), want: says(sans)},
		"SANWithTrailingDot":      {spec: san("api.example.com."), want: says(sans)},
		"SANWithEmptyLabel":       {spec: san("api..example.com"), want: says(sans)},
		"SANWithLeadingDash":      {spec: san("-api.example.com"), want: says(sans)},
		"SANWithTrailingDash":     {spec: san("api-.example.com"), want: says(sans)},
		"SANOnlyWildcard":         {spec: san("'*'"), want: says(sans)},
		"SANWildcardInside":       {spec: san("'api.*.example.com'"), want: says(sans)},
		"SANPartlyWildcard":       {spec: san("'api*.example.com'"), want: says(sans)},
		"SANNetwork":              {spec: san("10.0.0.0/8"), want: says(sans)},
		"SANMistypedAddress":      {spec: san("10.0.0.256"), want: says(sans, "IP addresses")},
		"SANAddressCutShort":      {spec: san("10.0.0"), want: says(sans, "IP addresses")},
		"SANAddressInBrackets":    {spec: san("'[::1]'"), want: says(sans)},
		"SANBadAmongGood":         {spec: san("a.example.com", "b_c.example.com"), want: says(sans)},
		"HostingClassWithoutName": {spec: "{version: 1.37.1-1, hostingClassRef: {}}", want: says("hostingClassRef.name: Required value")},
		"HostingClassOfEmptyName": {spec: "{version: 1.37.1-1, hostingClassRef: {name: ''}}", want: says("hostingClassRef.name", "at least 1 chars")},
		"HostingClassOfLongName":  {spec: fmt.Sprintf("{version: 1.37.1-1, hostingClassRef: {name: %s}}", strings.Repeat("a", 254)), want: says("may not be more than 253")},
	}
	onEach(t, func(t *testing.T, s *server) {
		for name, tc := range cases {
			t.Run(name, func(t *testing.T) {
				judge(t, s.client.Create(t.Context(), object("Cluster", newName(), tc.spec), user), tc.want)
				changed := made(t, s, object("Cluster", newName(), valid))
				setSpec(changed, tc.spec)
				judge(t, s.client.Update(t.Context(), changed, user), tc.want)
			})
		}
	})
}
