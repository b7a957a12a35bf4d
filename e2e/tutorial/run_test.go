package tutorial

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A page that is wrong has to fail, else this package proves nothing.
func TestFollow(t *testing.T) {
	cases := map[string]struct {
		page string
		err  string // "" if the page is right
	}{
		"a variable lives from block to block": {page: "```sh terminal=1\nexport A=1\n```\n```sh\necho $A\n```\n```text\n1\n```\n"},
		"terminals have nothing in common":     {page: "```sh terminal=1\nexport A=1\n```\n```sh terminal=2\necho \"A is $A\"\n```\n```text\nA is\n```\n"},
		"a job of one block ends in another":   {page: "```sh terminal=1\nsleep 1000 &\n```\n```sh\nkill %1\n```\n"},
		"it begins in the repository":          {page: "```sh terminal=1\nls go.mod\n```\n```text\ngo.mod\n```\n"},
		"errors are printed too":               {page: "```sh terminal=1\necho out; echo err >&2\n```\n```text\nout\nerr\n```\n"},
		"a command that does not read its script": {
			page: "```sh terminal=1\ncat\n```\n```sh\necho here\n```\n```text\nhere\n```\n",
		},
		"a command that ends with Ctrl-C": {
			page: "```sh terminal=1 keeps-running\nbash -c 'trap \"echo bye; exit\" INT; echo up; while true; do sleep 0.01; done'\n```\n```text\nup\n```\n" +
				"```sh terminal=2\necho other\n```\n```keys terminal=1\nCtrl-C\n```\n```text\nbye\n```\n",
		},
		"what another terminal prints meanwhile": {
			page: "```sh terminal=1 keeps-running\necho up; until test -e $HOME/go; do sleep 0.01; done; echo gone\n```\n```text\nup\n```\n" +
				"```sh terminal=2\ntouch $HOME/go\n```\n```text terminal=1\ngone\n```\n",
		},
		"a command that fails":           {page: "```sh terminal=1\necho before\nfalse\necho after\n```\n", err: "line 1: a command failed in terminal 1:\nbefore\nFAILED with status 1: false"},
		"a command that is not there":    {page: "```sh terminal=1\nno-such-command\n```\n", err: "status 127"},
		"a command that fails in a pipe": {page: "```sh terminal=1\nfalse | cat\n```\n", err: "FAILED"},
		"a variable that fails":          {page: "```sh terminal=1\na=$(false)\n```\n", err: "FAILED"},
		"a text that differs":            {page: "```sh terminal=1\necho one\n```\n```text\ntwo\n```\n", err: "line 4: terminal 1 was to print\ntwo\n\nbut printed\none"},
		"less than all of it":            {page: "```sh terminal=1\necho one; echo two\n```\n```text\none\n```\n", err: "line 4"},
		"what keeps running, and fails":  {page: "```sh terminal=1 keeps-running\necho up; false\n```\n```sh terminal=2\ntrue\n```\n", err: "a command failed in terminal 1"},
		"a terminal that is busy":        {page: "```sh terminal=1 keeps-running\nsleep 1000\n```\n```sh\ntrue\n```\n", err: "terminal 1 is still busy"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			blocks, err := parse(tc.page)
			check(t, err)
			folder := t.TempDir()
			t.Cleanup(func() { end(t, []string{folder}) })
			home := filepath.Join(folder, "home")
			check(t, os.Mkdir(home, 0o700))
			r := &reader{folder: folder, env: []string{"HOME=" + home + "/", "PATH=" + os.Getenv("PATH")}, terminals: map[string]*terminal{}}
			err = r.follow(t.Context(), blocks)
			switch {
			case tc.err == "" && err != nil:
				t.Error(err)
			case tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)):
				t.Errorf("error %v, want one with %q", err, tc.err)
			}
		})
	}
}

func TestProcessesAreFoundByTheirFolder(t *testing.T) {
	folder := t.TempDir()
	term, err := open("1", folder, []string{"HOME=" + folder + "/home", "PATH=" + os.Getenv("PATH")})
	check(t, err)
	t.Cleanup(func() { end(t, []string{folder}) })
	found, err := processes([]string{folder})
	check(t, err)
	if _, ok := found[term.shell.Process.Pid]; !ok || len(found) != 1 {
		t.Errorf("found %v, want the shell, which is %d", found, term.shell.Process.Pid)
	}
	if found, err := processes([]string{folder + "-of-another"}); err != nil || len(found) != 0 {
		t.Errorf("found %v, %v in the folder of another", found, err)
	}
}
