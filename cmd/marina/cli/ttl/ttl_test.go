package ttl

import (
	"testing"
	"time"

	"github.com/spf13/pflag"
)

func TestParse(t *testing.T) {
	cases := map[string]struct {
		in   string
		want time.Duration // zero: refused
	}{
		"Hours":               {in: "24h", want: 24 * time.Hour},
		"Days":                {in: "30d", want: 720 * time.Hour},
		"OneDayTooManyIsRead": {in: "31d", want: 744 * time.Hour}, // whether it is allowed is not for the flag to say
		"DaysAndHours":        {in: "1d12h", want: 36 * time.Hour},
		"Minutes":             {in: "90m", want: 90 * time.Minute},
		"GoDuration":          {in: "1h30m5s", want: time.Hour + 30*time.Minute + 5*time.Second},
		"Nothing":             {in: ""},
		"NoUnit":              {in: "30"},
		"UnknownUnit":         {in: "2w"},
		"OnlyTheUnit":         {in: "d"},
		"FractionOfADay":      {in: "1.5d"},
		"NegativeDays":        {in: "-1d"},
		"NegativeHours":       {in: "-5h"},
		"NegativeRest":        {in: "1d-5h"},
		"Zero":                {in: "0s"},
		"ZeroDays":            {in: "0d"},
		"DaysTwice":           {in: "1d1d"},
		"MoreThanADuration":   {in: "999999999d"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(tc.in)
			if (err != nil) != (tc.want == 0) || got != tc.want {
				t.Errorf("Parse(%q) = %v, %v; want %v", tc.in, got, err, tc.want)
			}
		})
	}
}

func TestFormat(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"1d":      24 * time.Hour,
		"30d":     720 * time.Hour,
		"1d12h":   36 * time.Hour,
		"10m":     10 * time.Minute,
		"1h30m":   90 * time.Minute,
		"90d1m":   90*24*time.Hour + time.Minute,
		"5s":      5 * time.Second,
		"1m500ms": time.Minute + 500*time.Millisecond,
		"0s":      0,
	} {
		if got := Format(d); got != want {
			t.Errorf("Format(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestAbout(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"1d":  24*time.Hour - 700*time.Millisecond,
		"30m": 30*time.Minute - 900*time.Millisecond,
		"59s": 59*time.Second + 100*time.Millisecond,
	} {
		if got := About(d); got != want {
			t.Errorf("About(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestFlag(t *testing.T) {
	var d time.Duration
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	Var(flags, &d, "ttl", 24*time.Hour, "")
	if got := flags.Lookup("ttl").DefValue; got != "1d" {
		t.Errorf("help shows the default as %q, want 1d", got)
	}
	if err := flags.Parse([]string{"--ttl", "3d"}); err != nil || d != 72*time.Hour {
		t.Errorf("--ttl 3d is %v, %v; want 72h", d, err)
	}
	if err := flags.Parse([]string{"--ttl", "soon"}); err == nil {
		t.Error("--ttl soon was accepted")
	}
}
