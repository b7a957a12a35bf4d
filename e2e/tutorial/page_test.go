package tutorial

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	cases := map[string]struct {
		page string
		want []block
		err  string
	}{
		"blocks keep their order and their words": {
			page: "# Title\n\n```sh terminal=1\nmake\n\nmake test\n```\nIt prints\n```text\nok\n```\n",
			want: []block{
				{Kind: commands, Terminal: "1", Line: 3, Text: "make\n\nmake test\n"},
				{Kind: output, Terminal: "1", Line: 9, Text: "ok\n"},
			},
		},
		"a block is in the terminal of the one before": {
			page: "```sh terminal=1 keeps-running\nup\n```\n```sh terminal=2\na\n```\n```sh\nb\n```\n```keys terminal=1\nCtrl-C\n```\n",
			want: []block{
				{Kind: commands, Terminal: "1", KeepsRunning: true, Line: 1, Text: "up\n"},
				{Kind: commands, Terminal: "2", Line: 4, Text: "a\n"},
				{Kind: commands, Terminal: "2", Line: 7, Text: "b\n"},
				{Kind: keys, Terminal: "1", Line: 10, Text: "Ctrl-C\n"},
			},
		},
		"code within a line is no block":   {page: "```sh terminal=1\na\n```\nthen `b`\n", want: []block{{Kind: commands, Terminal: "1", Line: 1, Text: "a\n"}}},
		"a page without commands":          {page: "# Title\n\nNothing to do.\n", err: "no commands"},
		"a page with nothing but text":     {page: "```text terminal=1\nok\n```\n", err: "no commands"},
		"a block that does not say what":   {page: "```sh terminal=1\na\n```\n```\nb\n```\n", err: "line 4: a block that does not say"},
		"a block of another kind":          {page: "```sh terminal=1\na\n```\n```bash\nb\n```\n", err: `line 4: blocks are sh, text or keys, not "bash"`},
		"a word that means nothing":        {page: "```sh terminal=1 keepsrunning\na\n```\n", err: `line 1: "keepsrunning" means nothing`},
		"a text that keeps running":        {page: "```text terminal=1 keeps-running\na\n```\n", err: "means nothing"},
		"a first block without a terminal": {page: "```sh\na\n```\n", err: "in which terminal"},
		"an empty block":                   {page: "```sh terminal=1\n\n```\n", err: "line 1: an empty block"},
		"other keys":                       {page: "```keys terminal=1\nCtrl-D\n```\n", err: "the only keys are Ctrl-C"},
		"a block that does not end":        {page: "```sh terminal=1\na\n", err: "line 1: a block that does not end"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := parse(tc.page)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("error %v, want one with %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("blocks (-want +got):\n%s", diff)
			}
		})
	}
}
