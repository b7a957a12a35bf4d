package guest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strconv"

	"sigs.k8s.io/yaml"
)

// Mistake is one in what the user gave: the server boots all the same, and its console
// tells.
type Mistake string

func (e Mistake) Error() string { return string(e) }

// Wrong is a Mistake.
func Wrong(format string, args ...any) error { return Mistake(fmt.Sprintf(format, args...)) }

// CloudConfig is what of cloud-init's configuration is done. What else it says is left
// out, as on an image without the module.
type CloudConfig struct {
	WriteFiles []File `json:"write_files"`
	// RunCmd are texts for a shell, and lists of words.
	RunCmd []any `json:"runcmd"`
}

// File is one of write_files.
type File struct {
	Path        string `json:"path"`
	Content     string `json:"content"`
	Permissions string `json:"permissions"`
	Encoding    string `json:"encoding"`
}

// Mode is 0644 if nothing is said, as in cloud-init. Parse refuses what is no mode.
func (f File) Mode() (mode uint64, err error) {
	if f.Permissions == "" {
		return 0o644, nil
	}
	if mode, err = strconv.ParseUint(f.Permissions, 8, 9); err != nil {
		return 0, Wrong("write_files: %s has the permissions %q", f.Path, f.Permissions)
	}
	return mode, nil
}

// maxUserData is how much user data may be when it is not compressed any more.
const maxUserData = 16 << 20

// Parse reads user data as cloud-init does: compressed or not. An error is a Mistake.
func Parse(userData []byte) (*CloudConfig, error) {
	if len(userData) == 0 {
		return nil, Wrong("there is no user data")
	}
	text := userData
	if bytes.HasPrefix(userData, []byte{0x1f, 0x8b}) {
		r, err := gzip.NewReader(bytes.NewReader(userData))
		if err == nil {
			text, err = io.ReadAll(io.LimitReader(r, maxUserData))
		}
		if err != nil {
			return nil, Wrong("the user data cannot be decompressed: %v", err)
		}
	}
	if !bytes.HasPrefix(text, []byte("#cloud-config\n")) {
		return nil, Wrong("the user data is no cloud-config: its first line is not #cloud-config")
	}
	c := &CloudConfig{}
	if err := yaml.Unmarshal(text, c); err != nil {
		return nil, Wrong("the cloud-config cannot be read: %v", err)
	}
	for _, f := range c.WriteFiles {
		if f.Path == "" {
			return nil, Wrong("write_files: a file has no path")
		}
		if f.Encoding != "" && f.Encoding != "text/plain" {
			return nil, Wrong("write_files: %s has the encoding %q, which the simulator does not know", f.Path, f.Encoding)
		}
		if _, err := f.Mode(); err != nil {
			return nil, err
		}
	}
	return c, nil
}
