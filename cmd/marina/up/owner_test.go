package up

import (
	"testing"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func TestWhoOwnsWhatIsHosted(t *testing.T) {
	const d, id = dataDir("/data"), "11111111-2222-3333-4444-555555555555"
	cases := map[string]struct {
		is, begun string
		hosts     bool
		write     bool
		want      []string
	}{
		"a first start":                           {write: true},
		"a first start that was killed":           {is: id},
		"as always":                               {is: id, begun: "default", hosts: true},
		"clusters of a Marina that made no mark":  {begun: "default", hosts: true, write: true},
		"somebody wants to begin anew":            {is: id, begun: "default"},
		"the disk of the clusters is not mounted": {begun: "default", want: []string{"is missing in /data/tenants", `"default"`, "mount", "echo " + id + " > /data/tenants/owner"}},
		"clusters of another API":                 {is: "another", begun: "default", hosts: true, want: []string{"another management API", "/data/etcd", "backup"}},
		"clusters, and an API that is empty":      {is: "another", hosts: true, want: []string{"another management API"}},
		"a mark that is damaged":                  {is: id[:8], hosts: true, want: []string{"/data/tenants/owner names 11111111 and this one is " + id}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			write, err := judgeOwner(d, tc.is, id, tc.hosts, tc.begun)
			if write != tc.write {
				t.Errorf("the mark is written: %t, want %t", write, tc.write)
			}
			if tc.want != nil {
				assertError(t, err, tc.want...)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAnEtcdThatHasBegun(t *testing.T) {
	etcds := &v1alpha1.EtcdClusterList{Items: make([]v1alpha1.EtcdCluster, 2)}
	etcds.Items[0].Name, etcds.Items[1].Name = "new", "default"
	if got := begun(etcds); got != "" {
		t.Errorf("%q has begun, want none", got)
	}
	etcds.Items[1].Status.Endpoints = []string{"https://127.0.0.1:1"}
	if got := begun(etcds); got != "default" {
		t.Errorf("%q has begun, want default", got)
	}
}
