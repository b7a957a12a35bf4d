package tutorial

import "testing"

func TestMatches(t *testing.T) {
	const table = "NAME   VERSION    AGE\nshop   1.37.1-1   8s\n"
	cases := map[string]struct {
		want, got string
		more      bool
		match     bool
	}{
		"the same":                               {want: table, got: table, match: true},
		"columns of another width":               {want: "NAME VERSION AGE\nshop  1.37.1-1  8s\n", got: table, match: true},
		"another word":                           {want: table, got: "NAME   VERSION    AGE\nshop   1.36.4-1   8s\n"},
		"another header":                         {want: table, got: "NAME   RELEASE    AGE\nshop   1.37.1-1   8s\n"},
		"what differs within a word":             {want: "NAME VERSION AGE\nshop 1.37.1-1 …s\n", got: table, match: true},
		"what differs, and a word that does not": {want: "NAME VERSION AGE\nshop 1.36.4-1 …\n", got: table},
		"… is of one line":                       {want: "NAME …\n", got: table},
		"any lines, also none":                   {want: "…\nNAME VERSION AGE\n…\nshop 1.37.1-1 8s\n…\n", got: table, match: true},
		"any lines, but those that are shown":    {want: "…\nother …\n", got: table},
		"lines out of order":                     {want: "shop 1.37.1-1 8s\nNAME VERSION AGE\n", got: table},
		"a line too many":                        {want: "NAME VERSION AGE\n", got: table},
		"a line too few":                         {want: table + "more\n", got: table},
		"a line too many of what still runs":     {want: "NAME VERSION AGE\n", got: table, more: true, match: true},
		"a line too few of what still runs":      {want: table + "more\n", got: table, more: true},
		"a half line of what still runs":         {want: "NAME VER\n", got: table, more: true},
		"nothing":                                {want: table, got: ""},
		"characters of regular expressions":      {want: "a.c (d)\n", got: "abc d\n"},
		"empty lines":                            {want: "a\n\nb\n", got: "a\nb\n\n", match: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := matches(tc.want, tc.got, tc.more); got != tc.match {
				t.Errorf("matches is %v, want %v:\n%s\n%s", got, tc.match, tc.want, tc.got)
			}
		})
	}
}
