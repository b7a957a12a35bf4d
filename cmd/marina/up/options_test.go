package up

import (
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
)

func TestOptions(t *testing.T) {
	valid := Options{DataDir: "data", Port: 7443, Tenants: PortRange{21000, 30999}}
	with := func(change func(*Options)) Options {
		o := valid
		change(&o)
		return o
	}
	cases := map[string]struct {
		options Options
		errors  []string
	}{
		"Valid":           {options: valid},
		"NoDataDir":       {options: with(func(o *Options) { o.DataDir = "" }), errors: []string{"--data-dir"}},
		"PortTooHigh":     {options: with(func(o *Options) { o.Port = 65527 }), errors: []string{"--port 65527", "65526"}},
		"NoPort":          {options: with(func(o *Options) { o.Port = 0 }), errors: []string{"--port 0"}},
		"PortsOverlap":    {options: with(func(o *Options) { o.Port = 20991 }), errors: []string{"20991-21000", "--port-range"}},
		"ACloudOfOnesOwn": {options: with(func(o *Options) { o.Cloud = "paris" }), errors: []string{`--cloud "paris"`, "Infrastructure"}},
		"NoCloudForNodes": {options: with(func(o *Options) { o.NodeImages = []string{"node:v1.37.1"} }), errors: []string{"--node-image", "--cloud simulator"}},
		"TheSimulator":    {options: with(func(o *Options) { o.Cloud = CloudSimulator })},
		"NoAddress":       {options: with(func(o *Options) { o.ExposeAddress = "host.example.com" }), errors: []string{"--expose-address", "host.example.com"}},
		"AllAddresses":    {options: with(func(o *Options) { o.ExposeAddress = "0.0.0.0" }), errors: []string{"--expose-address", "0.0.0.0"}},
		"AnAddress":       {options: with(func(o *Options) { o.ExposeAddress = "192.0.2.1" })},
		"PortsMeetOnly":   {options: with(func(o *Options) { o.Port = 20990 })},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := tc.options.complete()
			if tc.errors != nil {
				assertError(t, err, append(tc.errors, "What to do: ")...)
				if code := failure.Print(io.Discard, err); code != failure.ExitUsage {
					t.Errorf("exit code %d, want 2: nothing has been tried", code)
				}
				return
			}
			if err != nil || !filepath.IsAbs(tc.options.DataDir) || tc.options.Log == nil {
				t.Errorf("completed to %+v, %v", tc.options, err)
			}
		})
	}
}

func TestPortRange(t *testing.T) {
	cases := map[string]struct {
		want PortRange
		ok   bool
	}{
		"21000-30999": {PortRange{21000, 30999}, true},
		"1-65535":     {PortRange{1, 65535}, true},
		"80-80":       {PortRange{80, 80}, true},
		"80":          {},
		"":            {},
		"0-80":        {},
		"80-65536":    {},
		"81-80":       {},
		"a-b":         {},
		"1-2-3":       {},
	}
	for text, tc := range cases {
		t.Run(text, func(t *testing.T) {
			var got PortRange
			err := got.Set(text)
			if (err == nil) != tc.ok || got != tc.want {
				t.Errorf("got %v, %v; want %v, %v", got, err, tc.want, tc.ok)
			}
			if tc.ok && got.String() != text {
				t.Errorf("prints as %q", got)
			}
		})
	}
}

func TestPortsFromTheEnvironment(t *testing.T) {
	cases := map[string]struct {
		port, portRange string
		want            Options
		wantErr         string
	}{
		"nothing is set":        {"", "", Options{Port: 7443, Tenants: PortRange{21000, 30999}}, ""},
		"both are":              {"8443", "9000-9099", Options{Port: 8443, Tenants: PortRange{9000, 9099}}, ""},
		"the port is no port":   {"https", "", Options{}, "MARINA_PORT"},
		"the range is no range": {"", "9000", Options{}, "MARINA_PORT_RANGE"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Setenv("MARINA_PORT", tc.port)
			t.Setenv("MARINA_PORT_RANGE", tc.portRange)
			o, err := defaults()
			switch {
			case tc.wantErr != "":
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
					t.Errorf("error %v, want one that names %s", err, tc.wantErr)
				}
			case err != nil || o.Port != tc.want.Port || o.Tenants != tc.want.Tenants:
				t.Errorf("port %d, range %s (%v), want %d and %s", o.Port, o.Tenants, err, tc.want.Port, tc.want.Tenants)
			}
		})
	}
}
