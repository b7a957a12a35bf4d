package openstack

import (
	"regexp"
	"testing"
)

// What is marked is read again, and what only looks like it is not.
func TestMarks(t *testing.T) {
	want := Mark{Cluster: "00000001-7a52-4d9b-9f0c-3b8f2f9a0001", Owner: "00000002-7a52-4d9b-9f0c-3b8f2f9a0002"}
	key, name := FloatingIPKey(want), ServerGroupName("a-pool", want)
	if key != "marina.dev/cluster-uid=00000001-7a52-4d9b-9f0c-3b8f2f9a0001 role=node machine-uid=00000002-7a52-4d9b-9f0c-3b8f2f9a0002" {
		t.Errorf("the key is %q: what was made before would not be found", key)
	}
	if name != "marina-a-pool-00000002-7a52-4d9b-9f0c-3b8f2f9a0002-00000001-7a52-4d9b-9f0c-3b8f2f9a0001" {
		t.Errorf("the name is %q: what was made before would not be found", name)
	}
	if m, ok := FloatingIPMark(key); !ok || m != want {
		t.Errorf("the key is read as %+v, %t", m, ok)
	}
	if m, ok := ServerGroupMark(name); !ok || m != want {
		t.Errorf("the name is read as %+v, %t", m, ok)
	}
	for _, text := range []string{"", key + " ", "my " + key, key[:len(key)-1], OwnerKey(want.Cluster, "router"), OwnerKey("", "node machine-uid=")} {
		if m, ok := FloatingIPMark(text); ok {
			t.Errorf("%q is read as %+v", text, m)
		}
	}
	for _, text := range []string{"", name + "-2", "my-" + name, name[:len(name)-1], "marina-a-pool-" + string(want.Owner), "marina-" + string(want.Owner)} {
		if m, ok := ServerGroupMark(text); ok {
			t.Errorf("%q is read as %+v", text, m)
		}
	}
	for text, want := range map[string]bool{
		name: true, "marina-a-pool-" + string(want.Owner): true, "marina-pool-" + string(want.Owner): false, "marina-a-pool-" + string(want.Owner) + "0": false, "": false,
	} {
		if IsServerGroup(text, "a-pool", "00000002-7a52-4d9b-9f0c-3b8f2f9a0002") != want {
			t.Errorf("%q is a server group of the pool: want %t", text, want)
		}
	}
	for _, metadata := range []map[string]string{nil, {MetadataCluster: "a"}, {MetadataMachine: "b"}} {
		if m, ok := ServerMark(metadata); ok {
			t.Errorf("%v is read as %+v", metadata, m)
		}
	}
}

// Nova's own pattern, of nova/api/validation/parameter_types.py: a server with another key is
// refused.
func TestNovaTakesTheKeys(t *testing.T) {
	taken := regexp.MustCompile(`^[a-zA-Z0-9-_:. ]{1,255}$`)
	for _, key := range []string{MetadataCluster, MetadataMachine, MetadataPool} {
		if !taken.MatchString(key) {
			t.Errorf("Nova takes no key %q in the metadata of a server", key)
		}
	}
}
