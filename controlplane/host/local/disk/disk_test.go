package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLow(t *testing.T) {
	const mib, gib = 1 << 20, 1 << 30
	cases := map[string]struct {
		space Space
		want  bool
		text  string
	}{
		"a large one with two GiB": {Space{Free: 2 * gib, Total: 2000 * gib}, false, "2048 of 2048000 MiB are free"},
		"a large one with less":    {Space{Free: gib - 1, Total: 2000 * gib}, true, "1023 of 2048000 MiB are free"},
		"a small one with half":    {Space{Free: 50 * mib, Total: 100 * mib}, false, "50 of 100 MiB are free"},
		"a small one with 9 %":     {Space{Free: 9 * mib, Total: 100 * mib}, true, "9 of 100 MiB are free"},
		"one without inodes": {
			Space{Free: 50 * gib, Total: 100 * gib, CountsFiles: true}, true,
			"51200 of 102400 MiB are free, and no file can be made (no inode is left)",
		},
		"one that counts no inodes": {Space{Free: 50 * gib, Total: 100 * gib}, false, "51200 of 102400 MiB are free"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := tc.space.Low(); got != tc.want {
				t.Errorf("low is %v, want %v", got, tc.want)
			}
			if got := tc.space.String(); got != tc.text {
				t.Errorf("%q, want %q", got, tc.text)
			}
		})
	}
}

func TestRough(t *testing.T) {
	const mib = 1 << 20
	for want, space := range map[string]Space{
		"less than 1 of 100 MiB are free":        {Free: mib - 1, Total: 100 * mib},
		"less than 2 of 100 MiB are free":        {Free: mib, Total: 100 * mib},
		"less than 16 of 100 MiB are free":       {Free: 9 * mib, Total: 100 * mib},
		"no file can be made (no inode is left)": {Free: 9 * mib, Total: 100 * mib, CountsFiles: true},
	} {
		if got := space.Rough(); got != want {
			t.Errorf("%+v: %q, want %q", space, got, want)
		}
	}
}

func TestOf(t *testing.T) {
	space, err := Of(t.TempDir())
	if err != nil || space.Total == 0 || space.Free > space.Total {
		t.Errorf("%+v, %v: want what the system says", space, err)
	}
	if _, err := Of(filepath.Join(t.TempDir(), "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of a folder that is not there: %v, want ErrNotExist", err)
	}
}

func TestKindsOfErrors(t *testing.T) {
	cases := map[string]struct {
		err            error
		full, readOnly bool
	}{
		"none":               {},
		"another":            {err: unix.EACCES},
		"full":               {err: &os.PathError{Op: "write", Path: "/x", Err: unix.ENOSPC}, full: true},
		"over the quota":     {err: fmt.Errorf("x: %w", unix.EDQUOT), full: true},
		"read-only":          {err: &os.PathError{Op: "open", Path: "/x", Err: unix.EROFS}, readOnly: true},
		"full, as text":      {err: errors.New("failed to commit tx: write /x: no space left on device"), full: true},
		"read-only, as text": {err: errors.New("open /x: read-only file system"), readOnly: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Full(tc.err); got != tc.full {
				t.Errorf("full: %v, want %v", got, tc.full)
			}
			if got := ReadOnly(tc.err); got != tc.readOnly {
				t.Errorf("read-only: %v, want %v", got, tc.readOnly)
			}
		})
	}
}
