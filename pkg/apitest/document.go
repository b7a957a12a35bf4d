package apitest

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// section is the text of a document below a heading, up to the next one. Paths begin at the
// root of the repository.
func section(t testing.TB, document, heading string) string {
	t.Helper()
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
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

// WantVerdicts checks a table of a document that says what comes of a change to each field of a
// spec: it has all fields, and what comes of each change is the bold word of its row. Fields that
// are "refused" have no change: that they are is a matter of the API server.
func WantVerdicts[Spec any](t testing.TB, document, heading string, before Spec, changes map[string]func(*Spec), comesOf func(before, after *Spec) string) {
	t.Helper()
	table, names := verdicts(t, document, heading), fields(reflect.TypeFor[Spec]())
	if diff := cmp.Diff(slices.Sorted(slices.Values(names)), slices.Sorted(maps.Keys(table))); diff != "" {
		t.Errorf("fields in the table (-of %T +of the table):\n%s", before, diff)
	}
	for field, verdict := range table {
		change := changes[field]
		if change == nil {
			if verdict != "refused" {
				t.Errorf("%s: nobody tries what comes of a change", field)
			}
			continue
		}
		after := before
		if change(&after); cmp.Equal(before, after) {
			t.Errorf("%s: nothing is changed", field)
		}
		if got := comesOf(&before, &after); got != verdict {
			t.Errorf("%s: %s, and the table says %s", field, got, verdict)
		}
	}
}

// verdicts reads a table of a document: of each name in the first column the bold word that
// the second begins with. A name that is there twice fails the test.
func verdicts(t testing.TB, document, heading string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, line := range row.FindAllStringSubmatch(section(t, document, heading), -1) {
		for _, name := range quoted.FindAllStringSubmatch(line[1], -1) {
			if _, twice := found[name[1]]; twice {
				t.Errorf("%s, %s: %s is there twice", document, heading, name[1])
			}
			found[name[1]] = line[2]
		}
	}
	return found
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

// fields are the names of the fields of a struct as users write them, those of inlined structs
// among them.
func fields(of reflect.Type) (names []string) {
	for i := range of.NumField() {
		field := of.Field(i)
		tag := field.Tag.Get("json")
		if name := inlined.ReplaceAllString(tag, ""); name != "" {
			names = append(names, name)
		} else if strings.Contains(tag, "inline") {
			names = append(names, fields(field.Type)...)
		}
	}
	return names
}
