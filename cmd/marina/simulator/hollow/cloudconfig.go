package hollow

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strconv"

	"sigs.k8s.io/yaml"
)

// userError is a mistake in what the user gave: the server boots all the same.
type userError string

func (e userError) Error() string { return string(e) }

func wrong(format string, args ...any) error { return userError(fmt.Sprintf(format, args...)) }

// cloudConfig is what of cloud-init's configuration is done. What else it says is left
// out, as on an image without the module.
type cloudConfig struct {
	WriteFiles []file `json:"write_files"`
	RunCmd     []any  `json:"runcmd"`
}

// file is one of write_files.
type file struct {
	Path        string `json:"path"`
	Content     string `json:"content"`
	Permissions string `json:"permissions"`
	Encoding    string `json:"encoding"`
}

// mode is 0644 if nothing is said, as in cloud-init.
func (f file) mode() (mode uint64, err error) {
	if f.Permissions == "" {
		return 0o644, nil
	}
	if mode, err = strconv.ParseUint(f.Permissions, 8, 9); err != nil {
		return 0, wrong("write_files: %s has the permissions %q", f.Path, f.Permissions)
	}
	return mode, nil
}

// maxUserData is how much user data may be when it is not compressed any more.
const maxUserData = 16 << 20

// parse reads user data as cloud-init does: compressed or not.
func parse(userData []byte) (*cloudConfig, error) {
	if len(userData) == 0 {
		return nil, wrong("there is no user data")
	}
	text := userData
	if bytes.HasPrefix(userData, []byte{0x1f, 0x8b}) {
		r, err := gzip.NewReader(bytes.NewReader(userData))
		if err == nil {
			text, err = io.ReadAll(io.LimitReader(r, maxUserData))
		}
		if err != nil {
			return nil, wrong("the user data cannot be decompressed: %v", err)
		}
	}
	if !bytes.HasPrefix(text, []byte("#cloud-config\n")) {
		return nil, wrong("the user data is no cloud-config: its first line is not #cloud-config")
	}
	c := &cloudConfig{}
	if err := yaml.Unmarshal(text, c); err != nil {
		return nil, wrong("the cloud-config cannot be read: %v", err)
	}
	for _, f := range c.WriteFiles {
		if f.Path == "" {
			return nil, wrong("write_files: a file has no path")
		}
		if f.Encoding != "" && f.Encoding != "text/plain" {
			return nil, wrong("write_files: %s has the encoding %q, which the simulator does not know", f.Path, f.Encoding)
		}
		if _, err := f.mode(); err != nil {
			return nil, err
		}
	}
	return c, nil
}
