package nodepools

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/cmd/marina/cli/clitest"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func TestGet(t *testing.T) {
	p := newProject(t)
	p.addPool(t, "gpu", "demo")
	p.addPool(t, "other", "elsewhere")
	p.addPool(t, "workers", "demo")
	status := v1alpha1.NodePoolStatus{Phase: v1alpha1.PoolScaling, ReadyReplicas: 2, Version: "1.37.1-1", Message: "waiting"}
	if err := p.reports(t, "workers", status)(p); err != nil {
		t.Fatal(err)
	}
	pool := p.pool(t, "workers")
	pool.Spec.Image = imageID
	if err := p.Update(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct{ args, out, errOut, problem string }{
		"OfAllClusters":   {args: "list -o name", out: "nodepool.marina.dev/gpu\nnodepool.marina.dev/other\nnodepool.marina.dev/workers\n"},
		"OfACluster":      {args: "list --cluster demo -o name", out: "nodepool.marina.dev/gpu\nnodepool.marina.dev/workers\n"},
		"OfAnEmptyOne":    {args: "ls --cluster empty", errOut: "No nodepools of cluster \"empty\" found in " + p.namespace + " namespace.\n"},
		"OneByName":       {args: "get gpu -o name", out: "nodepool.marina.dev/gpu\n"},
		"OneThatIsNot":    {args: "get web", problem: "Error: no nodepool \"web\" in namespace \"" + p.namespace + "\"\nWhat to do: 'marina nodepool list --all-namespaces' shows what there is\n"},
		"NamesAndCluster": {args: "get gpu --cluster demo", problem: "Error: --cluster chooses among all nodepools: leave it out, or the names\nWhat to do: see 'marina get --help'\n"},
		"NamesOfAll":      {args: "get gpu -A", problem: "Error: a nodepool cannot be chosen by name from all namespaces: use -n in place of -A\nWhat to do: see 'marina get --help'\n"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			out, errOut, err := p.run(t, nil, strings.Fields(tc.args)...)
			if out != tc.out || errOut != tc.errOut {
				t.Errorf("wrote %q and %q, want %q and %q", out, errOut, tc.out, tc.errOut)
			}
			if diff := cmp.Diff(tc.problem, clitest.Explained(err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}

	out, _, err := p.run(t, nil, "get", "workers", "-o", "wide")
	if err != nil {
		t.Fatal(err)
	}
	head, line, _ := strings.Cut(strings.TrimSpace(out), "\n")
	row := strings.Fields(line)
	if len(row) != 10 {
		t.Fatalf("not ten columns:\n%s", out)
	}
	row[6] = "AGE"
	got := [][]string{strings.Fields(head), row}
	want := [][]string{
		{"NAME", "CLUSTER", "FLAVOR", "PHASE", "WANTED", "READY", "AGE", "VERSION", "IMAGE", "MESSAGE"},
		{"workers", "demo", "b3-8", "Scaling", "3", "2", "AGE", "1.37.1-1", imageID, "waiting"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
