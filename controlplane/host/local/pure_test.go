package local

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestExpand(t *testing.T) {
	vars := map[string]string{"FILES": "/f", "PORT_https": "21000", "ODD": "$(FILES)"}
	cases := map[string]struct{ in, want string }{
		"Nothing":              {"--v=2", "--v=2"},
		"One":                  {"--cert=$(FILES)/tls.crt", "--cert=/f/tls.crt"},
		"Two":                  {"$(FILES):$(PORT_https)", "/f:21000"},
		"Escaped":              {"$$(FILES)", "$(FILES)"},
		"EscapedDollar":        {"5$$", "5$"},
		"EscapedBeforeOne":     {"$$$(FILES)", "$/f"},
		"ADollarAlone":         {"$HOME and $", "$HOME and $"},
		"NotClosed":            {"$(FILES", "$(FILES"},
		"AValueIsNotReadAgain": {"$(ODD)", "$(FILES)"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := expand(tc.in, vars)
			if err != nil || got != tc.want {
				t.Errorf("expand(%q) = %q, %v: want %q", tc.in, got, err, tc.want)
			}
		})
	}
	if _, err := expand("$(DATA)", vars); err == nil || !strings.Contains(err.Error(), "$(DATA)") {
		t.Errorf("expand of an unknown variable: %v, want an error that names it", err)
	}
}

func TestParseStat(t *testing.T) {
	const rest = " S 1 4321 4321 0 -1 4194560 100 0 0 0 5 3 0 0 20 0 9 0 987654321 1000 10 18446744073709551615"
	cases := map[string]string{
		"AnOrdinaryName":       "4321 (kube-apiserver)" + rest,
		"ANameThatPlaysTricks": "4321 (a) R 1 (b)" + rest,
		"ANameWithSpaces":      "4321 (my program)" + rest,
	}
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := parseStat([]byte(text))
			want := procStat{state: 'S', session: 4321, threads: 9, start: 987654321}
			if err != nil || got != want {
				t.Errorf("parseStat(%q) = %+v, %v: want %+v", text, got, err, want)
			}
		})
	}
	for _, text := range []string{"", "12", "12 (sh) S 1", "12 (sh) S 1 2 x" + strings.Repeat(" 0", 20)} {
		if got, err := parseStat([]byte(text)); err == nil {
			t.Errorf("parseStat(%q) = %+v, want an error", text, got)
		}
	}
}

func TestEnded(t *testing.T) {
	cases := map[string]struct {
		stat procStat
		want bool
	}{
		"Running":                     {procStat{state: 'R', threads: 9}, false},
		"Waiting":                     {procStat{state: 'D', threads: 1}, false},
		"OnlyItsFirstThreadHasEnded":  {procStat{state: 'Z', threads: 2}, false},
		"EndedAndNobodyHasAskedForIt": {procStat{state: 'Z', threads: 1}, true},
		"BeingForgotten":              {procStat{state: 'X'}, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := tc.stat.ended(); got != tc.want {
				t.Errorf("ended of %+v = %v, want %v", tc.stat, got, tc.want)
			}
		})
	}
}

func TestRecognise(t *testing.T) {
	environ := func(vars ...string) []byte { return []byte(strings.Join(vars, "\x00") + "\x00") }
	f, ours := recognise(environ("PATH=/bin", "MARINA_DIR=/state", "MARINA_PROCESS=ns/etcd/2/etcd", "MARINA_HASH=abc",
		"MARINA_ORDER=1", "MARINA_GRACE=10s"), "/state")
	want := found{id: processID{key{"ns", "etcd"}, 2, "etcd"}, hash: "abc", order: 1, grace: 10 * time.Second}
	if !ours || f != want {
		t.Errorf("recognise = %+v, %v: want %+v", f, ours, want)
	}
	f, ours = recognise(environ("MARINA_DIR=/state", "MARINA_PROCESS=ns/kube-apiserver/balancer"), "/state")
	if want := (processID{key{"ns", "kube-apiserver"}, -1, "balancer"}); !ours || f.id != want {
		t.Errorf("recognise of a balancer = %+v, %v: want %+v", f.id, ours, want)
	}
	for name, text := range map[string][]byte{
		"AnotherFolder": environ("MARINA_DIR=/other", "MARINA_PROCESS=ns/etcd/2/etcd"),
		"NoProcess":     environ("MARINA_DIR=/state"),
		"NoOrdinal":     environ("MARINA_DIR=/state", "MARINA_PROCESS=ns/etcd/x/etcd"),
		"Nothing":       nil,
	} {
		if f, ours := recognise(text, "/state"); ours {
			t.Errorf("%s: recognised as %+v, want not ours", name, f)
		}
	}
}

func TestVerdict(t *testing.T) {
	fail := errors.New("refused")
	cases := map[string]struct {
		answers []error
		want    readiness
		why     string
	}{
		"NoAnswerYet":        {nil, unknown, "nothing is known"},
		"OneFailure":         {[]error{fail}, unknown, "an adopted replica must not be taken for dead at once"},
		"TwoFailures":        {[]error{fail, fail}, notReady, "now it is"},
		"Ready":              {[]error{fail, fail, fail, nil}, ready, "one good answer is enough"},
		"OneFailureOfReady":  {[]error{nil, fail}, ready, "a single late answer is no outage"},
		"FailuresApart":      {[]error{nil, fail, nil, fail}, ready, "they must be in a row"},
		"TwoFailuresOfReady": {[]error{nil, fail, fail}, notReady, "it hangs"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var v verdict
			for _, err := range tc.answers {
				v.add(err)
			}
			if v.readiness != tc.want {
				t.Errorf("readiness %d, want %d: %s", v.readiness, tc.want, tc.why)
			}
		})
	}
}

func TestProbePause(t *testing.T) {
	cases := map[string]struct {
		verdict verdict
		asked   time.Duration
		want    time.Duration
	}{
		"Starting":        {verdict{probeResult: probeResult{readiness: notReady}, failures: 9}, 10 * time.Second, 100 * time.Millisecond},
		"NotReadyForLong": {verdict{probeResult: probeResult{readiness: notReady}, failures: 99}, 2 * time.Minute, time.Second},
		"Ready":           {verdict{probeResult: probeResult{readiness: ready}}, time.Hour, time.Second},
		"ReadyButFailed":  {verdict{probeResult: probeResult{readiness: ready}, failures: 1}, time.Hour, 100 * time.Millisecond},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.verdict.pause(tc.asked)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
