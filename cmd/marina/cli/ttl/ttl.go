// Package ttl reads how long credentials shall live. People think of that in
// days, which Go's durations do not have.
package ttl

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

const day = 24 * time.Hour

// maxDays keeps the sum from overflowing; what is allowed is not decided here.
const maxDays = 36500

// Parse reads a duration such as 30d, 12h, 1d12h or 90m. It must be positive.
func Parse(s string) (time.Duration, error) {
	invalid := fmt.Errorf("%q is no duration: write for example 30d, 12h or 90m", s)
	var total time.Duration
	rest := s
	if days, after, found := strings.Cut(s, "d"); found {
		// Bits as in a number of days that fits: no sign, no fraction.
		n, err := strconv.ParseUint(days, 10, 32)
		if err != nil || n > maxDays {
			return 0, invalid
		}
		total, rest = time.Duration(n)*day, after
	}
	if rest != "" || total == 0 && s == "" {
		d, err := time.ParseDuration(rest)
		if err != nil || d < 0 {
			return 0, invalid
		}
		total += d
	}
	if total <= 0 {
		return 0, fmt.Errorf("%q must be longer than nothing: write for example 30d, 12h or 90m", s)
	}
	return total, nil
}

// Format writes d as Parse reads it, in the largest units: 720h is 30d.
func Format(d time.Duration) string {
	if d <= 0 {
		return d.String()
	}
	var b strings.Builder
	if days := d / day; days > 0 {
		fmt.Fprintf(&b, "%dd", days)
		d %= day
	}
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{time.Hour, "h"}, {time.Minute, "m"}} {
		if n := d / unit.length; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, unit.name)
			d %= unit.length
		}
	}
	if d > 0 {
		b.WriteString(d.String())
	}
	return b.String()
}

// About writes d for people, who asked for thirty minutes and do not want to read
// that 29m59s of them are left.
func About(d time.Duration) string {
	unit := time.Minute
	if d < 2*time.Minute {
		unit = time.Second
	}
	return Format(d.Round(unit))
}

// value is a flag for such a duration.
type value struct{ d *time.Duration }

// Var defines a flag that Parse reads.
func Var(flags *pflag.FlagSet, p *time.Duration, name string, def time.Duration, usage string) {
	*p = def
	flags.Var(value{p}, name, usage)
}

func (v value) String() string {
	if v.d == nil {
		return ""
	}
	return Format(*v.d)
}

func (v value) Set(s string) error {
	d, err := Parse(s)
	if err != nil {
		return err
	}
	*v.d = d
	return nil
}

func (v value) Type() string { return "duration" }
