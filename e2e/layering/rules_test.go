package layering

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	ruleTest = regexp.MustCompile(`(?m)^func TestRule(\d\d(?:And\d\d)*)[A-Z0-9]\w*\(t \*testing\.T\)`)
	ruleName = regexp.MustCompile(`(?m)^func TestRule\d\w*`)
)

// What users of such services trip over is numbered, and each rule has a test that is named by
// its number, so that whoever changes one finds the other. 26 to 28 are of an autoscaler.
func TestEachRuleHasATest(t *testing.T) {
	found, misnamed := map[string]int{}, []string{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "bin" || strings.HasPrefix(d.Name(), ".git")):
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(filepath.Clean(path))
		for _, name := range ruleTest.FindAllSubmatch(text, -1) {
			for number := range strings.SplitSeq(string(name[1]), "And") {
				found[number]++
			}
		}
		if all := ruleName.FindAll(text, -1); len(all) != len(ruleTest.FindAll(text, -1)) {
			misnamed = append(misnamed, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for number := 1; number <= 32; number++ {
		if number >= 26 && number <= 28 {
			continue
		}
		if name := fmt.Sprintf("%02d", number); found[name] == 0 {
			t.Errorf("no test is named TestRule%s...", name)
		}
	}
	if len(misnamed) > 0 {
		t.Errorf("tests of rules are named by two digits, TestRule07... or TestRule07And12...: see %s", strings.Join(misnamed, ", "))
	}
}
