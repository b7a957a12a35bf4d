package addon

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Hash names a set of objects by its content, in whatever order they come: equal
// hashes mean that there is nothing to apply again.
func Hash(objects []client.Object) string {
	contents := make([]string, 0, len(objects))
	for _, object := range objects {
		data, err := json.Marshal(object)
		if err != nil {
			// The types of Kubernetes can always be encoded, or no client would work.
			panic(fmt.Sprintf("encode %T: %v", object, err))
		}
		contents = append(contents, string(data))
	}
	slices.Sort(contents)
	h := sha256.New()
	for _, content := range contents {
		// The length keeps two objects apart from one that holds both.
		fmt.Fprintf(h, "%d %s\n", len(content), content)
	}
	return hex.EncodeToString(h.Sum(nil))[:32]
}
