package apitest

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// section is the text of a document below a heading, up to the next one. Paths begin at the
// root of the repository.
func section(t testing.TB, document, heading string) string {
	t.Helper()
	root, err := filepath.Abs(".")
	for err == nil {
		if _, none := os.Stat(filepath.Join(root, "go.mod")); none == nil {
			break
		}
		if root = filepath.Dir(root); root == "/" {
			t.Fatal("there is no go.mod above this test")
		}
	}
	text, err := os.ReadFile(filepath.Join(root, document))
	if err != nil {
		t.Fatal(err)
	}
	_, below, found := strings.Cut("\n"+string(text), "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s has no heading %q", document, heading)
	}
	below, _, _ = strings.Cut(below, "\n#")
	return below
}

var (
	row     = regexp.MustCompile("(?m)^\\| ([^|]*`[^|]*) \\| \\*\\*(\\w+)\\*\\*")
	quoted  = regexp.MustCompile("`([^`]+)`")
	arrow   = regexp.MustCompile(`(?m)^ *(\w+) --> (\w+)$`)
	inlined = regexp.MustCompile(`,.*`)
)

// Verdicts reads a table of a document: of each name in the first column the bold word that
// the second begins with. A name that is there twice fails the test.
func Verdicts(t testing.TB, document, heading string) map[string]string {
	t.Helper()
	verdicts := map[string]string{}
	for _, line := range row.FindAllStringSubmatch(section(t, document, heading), -1) {
		for _, name := range quoted.FindAllStringSubmatch(line[1], -1) {
			if _, twice := verdicts[name[1]]; twice {
				t.Errorf("%s, %s: %s is there twice", document, heading, name[1])
			}
			verdicts[name[1]] = line[2]
		}
	}
	return verdicts
}

// Transitions reads the picture of a state machine in a document: whither each state leads.
func Transitions(t testing.TB, document, heading string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, line := range arrow.FindAllStringSubmatch(section(t, document, heading), -1) {
		found[line[1]] = append(found[line[1]], line[2])
	}
	return found
}

// Fields are the names of the fields of a struct as users write them, those of inlined structs
// among them.
func Fields(of reflect.Type) (names []string) {
	for i := range of.NumField() {
		field := of.Field(i)
		tag := field.Tag.Get("json")
		if name := inlined.ReplaceAllString(tag, ""); name != "" {
			names = append(names, name)
		} else if strings.Contains(tag, "inline") {
			names = append(names, Fields(field.Type)...)
		}
	}
	return names
}
