// Package release orders the Kubernetes releases that Marina offers and says which steps between
// them are safe.
//
// It is plain arithmetic on version numbers: it knows no API objects, no images and no clock. What a
// release contains is data of a KubernetesRelease object.
package release

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Version names one release: a Kubernetes version and Marina's build of it, written
// MAJOR.MINOR.PATCH-BUILD, for example 1.37.1-1.
//
// Build counts our own builds of the same Kubernetes version from 1. It is not a semver pre-release:
// -10 is newer than -9, and 1.32.3-1 is not older than 1.32.3. That is why no semver library is used
// here. The zero Version is no release.
type Version struct {
	Major, Minor, Patch, Build int
}

// maxNumber bounds every number of a version, so that all of them fit an int32 in the API and a typing
// error such as a date is refused instead of becoming the newest release.
const maxNumber = 99_999

// ParseError says that Value is not a version. It is the user's to fix.
type ParseError struct {
	Value   string
	Problem string
}

func (e *ParseError) Error() string {
	return fmt.Sprintf("release %q: %s; write MAJOR.MINOR.PATCH-BUILD, for example 1.37.1-1", e.Value, e.Problem)
}

// Parse reads MAJOR.MINOR.PATCH-BUILD. It is strict, so that every release has exactly one spelling
// and can be used as an object name: no leading v, no leading zeros, no spaces, a build of at least 1,
// numbers up to 99999. It returns a *ParseError otherwise.
func Parse(s string) (Version, error) {
	fail := func(problem string) (Version, error) {
		return Version{}, &ParseError{Value: s, Problem: problem}
	}
	if strings.HasPrefix(s, "v") {
		return fail("must not begin with v")
	}
	kubernetes, build, found := strings.Cut(s, "-")
	if !found {
		return fail("the build number is missing")
	}
	fields := strings.Split(kubernetes, ".")
	if len(fields) != 3 {
		return fail("needs three numbers before the build number")
	}
	var numbers [4]int
	for i, field := range append(fields, build) {
		n, problem := parseNumber(field)
		if problem != "" {
			return fail(problem)
		}
		numbers[i] = n
	}
	v := Version{Major: numbers[0], Minor: numbers[1], Patch: numbers[2], Build: numbers[3]}
	if v.Build < 1 {
		return fail("build numbers begin at 1")
	}
	return v, nil
}

// parseNumber reads one number in its only permitted spelling, or says what is wrong with it.
func parseNumber(s string) (n int, problem string) {
	if s == "" {
		return 0, "a number is missing"
	}
	for _, r := range s {
		if r < '0' || r > '9' {
			return 0, fmt.Sprintf("%q is not a number", s)
		}
	}
	if len(s) > 1 && s[0] == '0' {
		return 0, fmt.Sprintf("%q has a leading zero", s)
	}
	n, err := strconv.Atoi(s)
	if err != nil || n > maxNumber {
		return 0, fmt.Sprintf("%q is larger than %d", s, maxNumber)
	}
	return n, ""
}

// String is the spelling that Parse reads.
func (v Version) String() string {
	return fmt.Sprintf("%d.%d.%d-%d", v.Major, v.Minor, v.Patch, v.Build)
}

// Kubernetes is the upstream version, for example "v1.37.1": what binaries report and what image tags
// carry. It never has the build number.
func (v Version) Kubernetes() string {
	return fmt.Sprintf("v%d.%d.%d", v.Major, v.Minor, v.Patch)
}

// MinorVersion is the Kubernetes minor, for example "1.37", as --emulated-version takes it.
func (v Version) MinorVersion() string {
	return fmt.Sprintf("%d.%d", v.Major, v.Minor)
}

// IsZero reports whether v is unset. Parse never returns such a version without an error.
func (v Version) IsZero() bool { return v == Version{} }

// Compare is negative when v is older than w, zero when they are equal and positive when v is newer.
func (v Version) Compare(w Version) int {
	return cmp.Or(
		cmp.Compare(v.Major, w.Major),
		cmp.Compare(v.Minor, w.Minor),
		cmp.Compare(v.Patch, w.Patch),
		cmp.Compare(v.Build, w.Build),
	)
}

// Compare is Version.Compare as a function, for slices.SortFunc and its like.
func Compare(a, b Version) int { return a.Compare(b) }
