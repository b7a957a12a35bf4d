package api

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestReleaseName(t *testing.T) {
	rule := says("a release is named MAJOR.MINOR.PATCH-BUILD", "for example 1.37.1-1")
	cases := map[string]struct {
		name string
		want []string
	}{
		"Build":         {name: "1.30.0-1"},
		"BuildTen":      {name: "1.30.0-10"},
		"LargestBuild":  {name: "1.30.0-99999"},
		"TooLargeBuild": {name: "1.30.0-100000", want: says("MAJOR.MINOR.PATCH-BUILD", "99999")},
		"TooLargeMinor": {name: "1.100000.0-1", want: rule},
		"LeadingV":      {name: "v1.37.1-1", want: rule},
		"WithoutBuild":  {name: "1.37.1", want: rule},
		"BuildZero":     {name: "1.37.1-0", want: rule},
		"LeadingZero":   {name: "01.2.3-1", want: rule},
		"WithoutPatch":  {name: "1.37-1", want: rule},
		"Words":         {name: "latest", want: rule},
		"Prerelease":    {name: "1.37.1-rc.1", want: rule},
	}
	onEach(t, func(t *testing.T, s *server) {
		for name, tc := range cases {
			t.Run(name, func(t *testing.T) {
				judge(t, s.client.Create(t.Context(), releaseNamed(tc.name), client.DryRunAll, user), tc.want)
			})
		}
	})
}

// Nodes that joined before a change would differ from those that join after it, so
// that there is none, not even of a field that the schema does not know.
func TestReleaseCannotBeChanged(t *testing.T) {
	const was = `{supportedUntil: "2027-10-28", kubeletConfiguration: {
		apiVersion: kubelet.config.k8s.io/v1beta1, kind: KubeletConfiguration,
		serializeImagePulls: false, maxParallelImagePulls: 5,
		authentication: {anonymous: {enabled: false}}, enforceNodeAllocatable: [pods]}}`
	want := says("kubeletConfiguration cannot be changed", "publish a new build of the release")
	cases := map[string]struct {
		kubelet string
		want    []string
	}{
		"Same": {kubelet: `{apiVersion: kubelet.config.k8s.io/v1beta1, kind: KubeletConfiguration, serializeImagePulls: false,
			maxParallelImagePulls: 5, authentication: {anonymous: {enabled: false}}, enforceNodeAllocatable: [pods]}`},
		"ValueChanged": {want: want, kubelet: `{apiVersion: kubelet.config.k8s.io/v1beta1, kind: KubeletConfiguration, serializeImagePulls: false,
			maxParallelImagePulls: 6, authentication: {anonymous: {enabled: false}}, enforceNodeAllocatable: [pods]}`},
		"NestedValueChanged": {want: want, kubelet: `{apiVersion: kubelet.config.k8s.io/v1beta1, kind: KubeletConfiguration, serializeImagePulls: false,
			maxParallelImagePulls: 5, authentication: {anonymous: {enabled: true}}, enforceNodeAllocatable: [pods]}`},
		"NestedFieldRenamed": {want: want, kubelet: `{apiVersion: kubelet.config.k8s.io/v1beta1, kind: KubeletConfiguration, serializeImagePulls: false,
			maxParallelImagePulls: 5, authentication: {webhook: {enabled: false}}, enforceNodeAllocatable: [pods]}`},
		"ListChanged": {want: want, kubelet: `{apiVersion: kubelet.config.k8s.io/v1beta1, kind: KubeletConfiguration, serializeImagePulls: false,
			maxParallelImagePulls: 5, authentication: {anonymous: {enabled: false}}, enforceNodeAllocatable: [none]}`},
		"FieldAdded": {want: want, kubelet: `{apiVersion: kubelet.config.k8s.io/v1beta1, kind: KubeletConfiguration, serializeImagePulls: false,
			maxParallelImagePulls: 5, authentication: {anonymous: {enabled: false}}, enforceNodeAllocatable: [pods], maxPods: 200}`},
		"FieldRemoved": {want: want, kubelet: `{apiVersion: kubelet.config.k8s.io/v1beta1, kind: KubeletConfiguration,
			maxParallelImagePulls: 5, authentication: {anonymous: {enabled: false}}, enforceNodeAllocatable: [pods]}`},
		"FieldReplacedByAnother": {want: want, kubelet: `{apiVersion: kubelet.config.k8s.io/v1beta1, kind: KubeletConfiguration, maxPods: 200,
			maxParallelImagePulls: 5, authentication: {anonymous: {enabled: false}}, enforceNodeAllocatable: [pods]}`},
		"Emptied": {want: says("kubeletConfiguration"), kubelet: `{}`},
		"Removed": {want: says("kubeletConfiguration"), kubelet: `null`},
	}
	builds := map[string]string{"Update": "8.0.0-", "MergePatch": "8.0.1-", "Apply": "8.0.2-"}
	onEach(t, func(t *testing.T, s *server) {
		for name, tc := range cases {
			for way, write := range writes {
				t.Run(name+"/"+way, func(t *testing.T) {
					release := applied(t, s, object("KubernetesRelease", builds[way]+newName()[1:], was))
					spec := `{supportedUntil: "2028-10-28", kubeletConfiguration: ` + tc.kubelet + `}`
					judge(t, write(t.Context(), s, release, spec), tc.want)
				})
			}
		}
	})
}

// Another version of an add-on would be rolled out in every cluster at once. A release
// that had none may be given some: nothing of it runs yet.
func TestAddonsOfAReleaseCannotBeChanged(t *testing.T) {
	const kubelet = `supportedUntil: "2027-10-28", kubeletConfiguration: {kind: KubeletConfiguration}`
	want := says("addons cannot be changed", "publish a new build of the release")
	cases := map[string]struct {
		was, becomes string
		want         []string
	}{
		"Same":           {", addons: {coreDNS: v1, konnectivity: v2}", ", addons: {coreDNS: v1, konnectivity: v2}", nil},
		"Added":          {"", ", addons: {coreDNS: v1}", nil},
		"Changed":        {", addons: {coreDNS: v1}", ", addons: {coreDNS: v2}", want},
		"OneMore":        {", addons: {coreDNS: v1}", ", addons: {coreDNS: v1, konnectivity: v2}", want},
		"OneTakenAway":   {", addons: {coreDNS: v1, konnectivity: v2}", ", addons: {coreDNS: v1, konnectivity: null}", says("addons")},
		"AllTakenAway":   {", addons: {coreDNS: v1}", ", addons: null", says("addons")},
		"NoneThereStill": {"", "", nil},
	}
	builds := map[string]string{"Update": "8.1.0-", "MergePatch": "8.1.1-", "Apply": "8.1.2-"}
	onEach(t, func(t *testing.T, s *server) {
		for name, tc := range cases {
			for way, write := range writes {
				t.Run(name+"/"+way, func(t *testing.T) {
					release := applied(t, s, object("KubernetesRelease", builds[way]+newName()[1:], "{"+kubelet+tc.was+"}"))
					judge(t, write(t.Context(), s, release, "{"+kubelet+tc.becomes+"}"), tc.want)
				})
			}
		}
	})
}
