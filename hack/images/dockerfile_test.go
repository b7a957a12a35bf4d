package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// made is an image as one of the two ways makes it.
type made struct {
	Entrypoint, User string
	// LowPorts: the program may listen on ports below 1024.
	LowPorts bool
	// Launched: the program is the launcher, and what it becomes is there as well.
	Launched bool
	// Base: it has certificate authorities, users and /tmp.
	Base bool
}

var (
	imageLine = regexp.MustCompile(`^\s*(?:image "?([a-z$-]+)"? |write "\$partial/marina" (marina) )(.*?)"(/[^"=]+)=`)
	namesLine = regexp.MustCompile(`^\s*for name in ([a-z -]+); do$`)
	fromLine  = regexp.MustCompile(`^FROM (\S+) AS (\S+)$`)
	capLine   = regexp.MustCompile(`setcap cap_net_bind_service=\+ep /out/(\S+)`)
)

// ofBuildScript are the images of build.sh.
func ofBuildScript(t *testing.T) map[string]made {
	t.Helper()
	images, names := map[string]made{}, []string(nil)
	for _, line := range lines(t, "build.sh") {
		if m := namesLine.FindStringSubmatch(line); m != nil {
			names = strings.Fields(m[1])
			continue
		}
		m := imageLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		image := made{User: "65532:65532", LowPorts: strings.Contains(m[3], "-low-ports"), Base: strings.Contains(m[3], `-tree "$base"`),
			Launched: strings.Contains(line, "/bin/launcher") && strings.Contains(line, `"/usr/local/libexec/`+m[1]+"=")}
		if strings.Contains(m[3], "-user 0:0") {
			image.User = "0:0"
		}
		of := []string{m[1] + m[2]}
		if of[0] == "$name" {
			of = names
		}
		for _, name := range of {
			image.Entrypoint = strings.ReplaceAll(m[4], "$name", name)
			images[name] = image
		}
	}
	return images
}

// ofDockerfile are the targets of the Dockerfile that have a program.
func ofDockerfile(t *testing.T) (images map[string]made, last string) {
	t.Helper()
	stages, capable := map[string]made{}, map[string]bool{}
	images = map[string]made{}
	launcher := false
	for _, line := range lines(t, "../../Dockerfile") {
		if m := fromLine.FindStringSubmatch(line); m != nil {
			last, launcher = m[2], false
			stage, known := stages[m[1]]
			if !known {
				stage = made{User: "0:0"}
			}
			stage.Base = stage.Base || last == "base" || strings.HasPrefix(m[1], "debian:")
			stages[last] = stage
			continue
		} else if strings.HasPrefix(line, "FROM ") {
			t.Errorf("%q has no name, by which it could be built", line)
		}
		if m := capLine.FindStringSubmatch(line); m != nil {
			capable[m[1]] = true
		}
		stage := stages[last]
		if user, ok := strings.CutPrefix(line, "USER "); ok {
			stage.User = user
		}
		launcher = launcher || strings.HasPrefix(line, "COPY --from=build /launcher /usr/local/bin/"+last)
		stage.Launched = stage.Launched || launcher && strings.HasPrefix(line, "COPY ") && strings.HasSuffix(line, "/"+last+" /usr/local/libexec/")
		if program, ok := strings.CutPrefix(line, `ENTRYPOINT ["`); ok {
			stage.Entrypoint, stage.LowPorts = strings.TrimSuffix(program, `"]`), capable[last]
			images[last] = stage
		}
		stages[last] = stage
	}
	return images, last
}

func lines(t *testing.T, file string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(data), "\n")
}

// Whoever has a registry gets what everybody else gets.
func TestTheDockerfileMakesTheSame(t *testing.T) {
	want := ofBuildScript(t)
	if len(want) != 10 {
		t.Fatalf("build.sh makes %d images: %v; the test looks for 10", len(want), want)
	}
	got, last := ofDockerfile(t)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("images (-build.sh +Dockerfile):\n%s", diff)
	}
	for name, image := range want {
		if image.Launched != (name == "kube-apiserver") {
			t.Errorf("%s: launched is %v: what clients reach through a Service is, and nothing else", name, image.Launched)
		}
	}
	if last != "marina" {
		t.Errorf("without --target %s is built, want Marina", last)
	}
}

// bin has links into the cache of whoever runs the build, which lead nowhere inside of it.
func TestTheBuildContextIsTheSource(t *testing.T) {
	for _, line := range lines(t, "../../.dockerignore") {
		if line == "/bin" {
			return
		}
	}
	t.Error(".dockerignore does not leave out /bin")
}
