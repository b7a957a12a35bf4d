package preflight

import (
	"bufio"
	"io"
	"regexp"
	"strings"

	"github.com/marina-dev/marina/pkg/release"
)

// metric is a gauge that is 1 for each deprecated API that an API server was asked for.
const metric = "apiserver_requested_deprecated_apis{"

// label finds the labels of a sample. Groups, versions and resources hold nothing that would
// have to be escaped.
var label = regexp.MustCompile(`([a-z_]+)="([^"\\]*)"`)

// readMetrics takes the deprecated APIs from metrics in the text format. It reads them line by
// line: those of a busy API server are megabytes.
func (f *finding) readMetrics(text io.Reader) error {
	for lines := bufio.NewReader(text); ; {
		line, err := lines.ReadString('\n')
		if sample, ok := strings.CutPrefix(line, metric); ok {
			labels := map[string]string{}
			for _, l := range label.FindAllStringSubmatch(sample, -1) {
				labels[l[1]] = l[2]
			}
			if api := (release.DeprecatedAPI{
				Group: labels["group"], Version: labels["version"], Resource: labels["resource"], RemovedIn: labels["removed_release"],
			}); api.RemovedIn != "" && !strings.HasSuffix(strings.TrimSpace(sample), " 0") {
				f.deprecated = append(f.deprecated, api)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
