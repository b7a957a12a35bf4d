package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// listed are n words with a prefix, as a list in YAML.
func listed(n int, format string) string {
	words := make([]string, n)
	for i := range words {
		words[i] = fmt.Sprintf(format, i)
	}
	return "[" + strings.Join(words, ", ") + "]"
}

// TestNodePool has the rules of what a pool may ask for, in every way to write it: it is
// created so, and one that asks for nothing special is changed to it.
func TestNodePool(t *testing.T) {
	const id = "'00000000-0000-0000-0000-%012d'"
	hard := says("a pool with hard anti-affinity has at most 5 nodes", "ask for fewer nodes, or use antiAffinity Soft")
	groups := says("securityGroups holds ids and not names: 'openstack security group list' shows them")
	networks := says("networks holds ids and not names: 'openstack network list' shows them")
	cases := map[string]struct {
		more string
		want []string
		// created is whether it is tried when it is created only: it cannot be changed, or
		// an apply is refused before the rules are asked.
		created bool
	}{
		"None":                    {more: "replicas: 0"},
		"Twenty":                  {more: "replicas: 20"},
		"TwentyOne":               {more: "replicas: 21", want: says("spec.replicas", "less than or equal to 20")},
		"FewerThanNone":           {more: "replicas: -1", want: says("spec.replicas", "greater than or equal to 0")},
		"NoFlavor":                {more: "flavor: ''", want: says("spec.flavor", "at least 1 chars")},
		"Version":                 {more: "version: 1.36.4-1"},
		"VersionWithoutBuild":     {more: "version: v1.36.4", want: says("a version is MAJOR.MINOR.PATCH-BUILD, for example 1.37.1-1")},
		"Image":                   {more: "image: " + networkID},
		"ImageByName":             {more: "image: debian", want: says("image is an id and not a name: 'openstack image list' shows it")},
		"SmallestDisk":            {more: "diskGiB: 20"},
		"TooSmallDisk":            {more: "diskGiB: 19", want: says("spec.diskGiB", "greater than or equal to 20")},
		"LargestDisk":             {more: "diskGiB: 51200"},
		"TooLargeDisk":            {more: "diskGiB: 51201", want: says("spec.diskGiB", "less than or equal to 51200")},
		"FiveApart":               {more: "antiAffinity: Hard, replicas: 5", created: true},
		"SixApart":                {more: "antiAffinity: Hard, replicas: 6", want: hard, created: true},
		"TwentySoftlyApart":       {more: "antiAffinity: Soft, replicas: 20", created: true},
		"InPlace":                 {more: "upgrade: {strategy: InPlace}", created: true},
		"HealedByARebuild":        {more: "autoHeal: {action: Rebuild}", created: true},
		"RebuildOnAVolume":        {more: "diskGiB: 30, autoHeal: {action: Rebuild}", want: says("action Rebuild is for nodes on the disk of their flavor", "leave diskGiB out, or use the action Replace"), created: true},
		"HealedByAReboot":         {more: "autoHeal: {action: Reboot}", want: says("spec.autoHeal.action", "Unsupported value"), created: true},
		"InPlaceOnAVolume":        {more: "diskGiB: 30, upgrade: {strategy: InPlace}", want: says("strategy InPlace is for nodes on the disk of their flavor", "leave diskGiB out, or use the strategy Rolling"), created: true},
		"InSomeOtherWay":          {more: "upgrade: {strategy: Blue}", want: says("strategy", "supported values"), created: true},
		"OtherwiseApart":          {more: "antiAffinity: Rack", want: says("antiAffinity", "supported values"), created: true},
		"SixteenGroups":           {more: "securityGroups: " + listed(16, id)},
		"SeventeenGroups":         {more: "securityGroups: " + listed(17, id), want: says("securityGroups", "at most 16 items")},
		"GroupByName":             {more: "securityGroups: [web]", want: groups},
		"GroupInCapitals":         {more: "securityGroups: ['0000000A-0000-0000-0000-000000000000']", want: groups},
		"GroupTwice":              {more: "securityGroups: [" + networkID + ", " + networkID + "]", want: says("Duplicate value"), created: true},
		"EightNetworks":           {more: "networks: " + listed(8, id)},
		"NineNetworks":            {more: "networks: " + listed(9, id), want: says("networks", "at most 8 items")},
		"NetworkByName":           {more: "networks: [lan]", want: networks},
		"Labels":                  {more: "labels: {tier: web}"},
		"TooManyLabels":           {more: "labels: {" + strings.Trim(listed(65, "l%d: a"), "[]") + "}", want: says("labels", "at most 64 items")},
		"Taint":                   {more: "taints: [{key: env, value: demo, effect: NoSchedule}]"},
		"TaintWithoutEffect":      {more: "taints: [{key: env, value: demo}]", want: says("taints[0].effect: Required value")},
		"TaintOfAnotherEffect":    {more: "taints: [{key: env, effect: NoEntry}]", want: says("taints[0].effect", "supported values", "NoExecute")},
		"TaintWithoutKey":         {more: "taints: [{effect: NoSchedule}]", want: says("taints[0].key: Required value")},
		"Upgrade":                 {more: "upgrade: {maxSurge: 0, maxUnavailable: 1, drainTimeoutSeconds: 0}"},
		"UpgradeWithoutRoom":      {more: "upgrade: {maxSurge: 0}", want: says("maxSurge and maxUnavailable cannot both be 0")},
		"DrainForTenMinutes":      {more: "upgrade: {drainTimeoutSeconds: 600}"},
		"DrainForLonger":          {more: "upgrade: {drainTimeoutSeconds: 601}", want: says("drainTimeoutSeconds", "less than or equal to 600")},
		"AutoHeal":                {more: "autoHeal: {enabled: false, notReadyTimeoutSeconds: 60, maxUnhealthy: 3}"},
		"HealTooSoon":             {more: "autoHeal: {notReadyTimeoutSeconds: 59}", want: says("notReadyTimeoutSeconds", "greater than or equal to 60")},
		"HealAll":                 {more: "autoHeal: {maxUnhealthy: '100%'}"},
		"HealMoreThanAll":         {more: "autoHeal: {maxUnhealthy: '101%'}", want: says("maxUnhealthy is a number of nodes from 0 to 20, or a part of them from 0% to 100%")},
		"HealSome":                {more: "autoHeal: {maxUnhealthy: some}", want: says("maxUnhealthy is a number of nodes from 0 to 20")},
		"HealTwentyOne":           {more: "autoHeal: {maxUnhealthy: 21}", want: says("maxUnhealthy is a number of nodes from 0 to 20")},
		"SlowToBoot":              {more: "creationTimeoutSeconds: 86400"},
		"NoTimeToBoot":            {more: "creationTimeoutSeconds: 59", want: says("creationTimeoutSeconds", "greater than or equal to 60")},
		"NodesToRemove":           {more: "nodesToRemove: [mine-web-abcde]"},
		"NodeToRemoveTwice":       {more: "nodesToRemove: [a, a]", want: says("Duplicate value"), created: true},
		"NodeToRemoveOfALongName": {more: "nodesToRemove: [" + strings.Repeat("a", 64) + "]", want: says("may not be more than 63")},
	}
	onEach(t, func(t *testing.T, s *server) {
		for name, tc := range cases {
			spec := "{clusterRef: {name: mine}, flavor: b3-8, " + tc.more + "}"
			if strings.HasPrefix(tc.more, "flavor") {
				spec = "{clusterRef: {name: mine}, " + tc.more + "}"
			}
			t.Run(name+"/Create", func(t *testing.T) {
				judge(t, s.client.Create(t.Context(), object("NodePool", newName(), spec), user), tc.want)
			})
			for way, write := range writes {
				if tc.created {
					continue
				}
				t.Run(name+"/"+way, func(t *testing.T) {
					was := applied(t, s, object("NodePool", newName(), "{clusterRef: {name: mine}, flavor: b3-8}"))
					judge(t, write(t.Context(), s, was, spec), tc.want)
				})
			}
		}
	})
}

// What a pool says nothing about is in it when it is read, but for the number of its nodes: a
// default of that would be the one of an update, too.
func TestNodePoolDefaults(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		o := made(t, s, object("NodePool", newName(), "{clusterRef: {name: mine}, flavor: b3-8, autoHeal: {}, upgrade: {}}"))
		want := map[string]any{
			"clusterRef": map[string]any{"name": "mine"}, "flavor": "b3-8", "creationTimeoutSeconds": int64(1800),
			"autoHeal": map[string]any{"enabled": true, "notReadyTimeoutSeconds": int64(600), "maxUnhealthy": "40%"},
			"upgrade":  map[string]any{"maxSurge": int64(1), "maxUnavailable": int64(0), "drainTimeoutSeconds": int64(600)},
		}
		if diff := cmp.Diff(want, o.Object["spec"]); diff != "" {
			t.Errorf("a pool (-want +got):\n%s", diff)
		}
	})
}

// TestNodePoolScale has the same limits for who writes nothing but the number.
func TestNodePoolScale(t *testing.T) {
	cases := map[string]struct {
		more string
		to   int32
		want []string
	}{
		"ToNone":      {to: 0},
		"ToTwenty":    {to: 20},
		"ToTwentyOne": {to: 21, want: says("spec.replicas", "less than or equal to 20")},
		"FiveApart":   {more: "antiAffinity: Hard", to: 5},
		"SixApart":    {more: "antiAffinity: Hard", to: 6, want: says("a pool with hard anti-affinity has at most 5 nodes", "ask for fewer nodes, or use antiAffinity Soft")},
		"SixSoftly":   {more: "antiAffinity: Soft", to: 6},
	}
	onEach(t, func(t *testing.T, s *server) {
		for name, tc := range cases {
			for _, way := range []string{"Update", "Patch"} {
				t.Run(name+"/"+way, func(t *testing.T) {
					o := made(t, s, object("NodePool", newName(), "{clusterRef: {name: mine}, flavor: b3-8, "+tc.more+"}"))
					scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: tc.to}}
					var err error
					if way == "Update" {
						err = s.client.SubResource("scale").Update(t.Context(), o, client.WithSubResourceBody(scale))
					} else {
						patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"spec": {"replicas": %d}}`, tc.to))
						err = s.client.SubResource("scale").Patch(t.Context(), o, patch, client.WithSubResourceBody(scale))
					}
					judge(t, err, tc.want)
					now := live(t, s, o).Object["spec"].(map[string]any)["replicas"]
					if want := int64(tc.to); tc.want == nil && now != want {
						t.Errorf("%v replicas, want %d", now, want)
					}
				})
			}
		}
	})
}

func TestNodePoolName(t *testing.T) {
	const rule = "a pool's name has at most 20 characters, starts with a letter and holds only lower-case letters, digits and '-'"
	cases := map[string]struct {
		name string
		want []string
	}{
		"OneLetter":        {name: "p"},
		"TwentyCharacters": {name: strings.Repeat("p", 20)},
		"TwentyOne":        {name: strings.Repeat("p", 21), want: says(rule)},
		"StartsWithADigit": {name: "1p", want: says(rule)},
		"HasADot":          {name: "p.q", want: says(rule)},
		"EndsWithADash":    {name: "p-", want: says("lower case")},
	}
	onEach(t, func(t *testing.T, s *server) {
		for name, tc := range cases {
			t.Run(name, func(t *testing.T) {
				judge(t, s.client.Create(t.Context(), object("NodePool", tc.name, "{clusterRef: {name: mine}, flavor: b3-8}"), user), tc.want)
			})
		}
	})
}
