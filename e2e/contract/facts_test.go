package contract

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fact is what a step has found, under a name that no other one of its group has.
type fact struct{ name, value string }

// write makes the text of a group's facts: a line with the name, and lines with the value,
// which are indented. They are in the order of the steps, so that a file reads as a story.
func write(header string, facts []fact) string {
	var b strings.Builder
	b.WriteString(header)
	for _, f := range facts {
		fmt.Fprintf(&b, "%s\n", f.name)
		for line := range strings.SplitSeq(strings.TrimRight(f.value, "\n"), "\n") {
			fmt.Fprintf(&b, "    %s\n", line)
		}
	}
	return b.String()
}

// read is the other way round.
func read(text string) []fact {
	var facts []fact
	for line := range strings.SplitSeq(text, "\n") {
		value, indented := strings.CutPrefix(line, "    ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case indented && len(facts) > 0:
			f := &facts[len(facts)-1]
			f.value += value + "\n"
		default:
			facts = append(facts, fact{name: line})
		}
	}
	for i := range facts {
		facts[i].value = strings.TrimRight(facts[i].value, "\n")
	}
	return facts
}

const golden = "testdata/zed"

func file(group string) string {
	return filepath.Join(golden, strings.ReplaceAll(group, "/", "-")+".txt")
}

// known are the facts of a group in the real cloud.
func known(t testing.TB, group string) []fact {
	t.Helper()
	data, err := os.ReadFile(file(group))
	if err != nil {
		t.Fatalf("there are no facts of a real cloud for these steps: run them against one with -update: %v", err)
	}
	return read(string(data))
}

// compare has the differences between facts; both sides may lack some.
func compare(want, got []fact) map[string][2]string {
	differences := map[string][2]string{}
	for side, facts := range [][]fact{want, got} {
		for _, f := range facts {
			both := differences[f.name]
			both[side] = f.value
			differences[f.name] = both
		}
	}
	for name, both := range differences {
		if both[0] == both[1] {
			delete(differences, name)
		}
	}
	return differences
}

func TestFactsAreReadAsTheyWereWritten(t *testing.T) {
	facts := []fact{{"a: b", "one\ntwo"}, {"c", "three"}, {"empty", ""}}
	if got := read(write("# of a cloud\n", facts)); fmt.Sprint(got) != fmt.Sprint(facts) {
		t.Errorf("got %v, want %v", got, facts)
	}
}

func TestComparingShowsWhatIsOnOneSideOnly(t *testing.T) {
	got := compare([]fact{{"same", "x"}, {"other", "1"}, {"gone", "y"}}, []fact{{"same", "x"}, {"other", "2"}, {"new", "z"}})
	want := map[string][2]string{"other": {"1", "2"}, "gone": {"y", ""}, "new": {"", "z"}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
