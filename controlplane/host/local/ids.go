package local

import (
	"fmt"
	"strconv"
	"strings"
)

// key names a Component.
type key struct{ namespace, name string }

func (k key) String() string { return k.namespace + "/" + k.name }

// validate refuses what could not be a folder's name, or would be one elsewhere.
func (k key) validate() error {
	for _, s := range []string{k.namespace, k.name} {
		if s == "" || s[0] == '.' || strings.ContainsAny(s, "/\x00") {
			return fmt.Errorf("component %q: not a namespace and a name", k)
		}
	}
	return nil
}

// balancerOrdinal stands for the balancer, which is of no replica.
const balancerOrdinal = -1

// balancerName is the balancer's name among the processes of its Component.
const balancerName = "balancer"

// processID names a process of ours: <namespace>/<component>/<ordinal>/<process>, or
// <namespace>/<component>/balancer.
type processID struct {
	key
	ordinal int
	process string
}

func (id processID) String() string {
	if id.ordinal == balancerOrdinal {
		return id.key.String() + "/" + balancerName
	}
	return fmt.Sprintf("%s/%d/%s", id.key, id.ordinal, id.process)
}

func parseProcessID(s string) (processID, error) {
	parts := strings.Split(s, "/")
	switch {
	case len(parts) == 3 && parts[2] == balancerName:
		return processID{key{parts[0], parts[1]}, balancerOrdinal, balancerName}, nil
	case len(parts) == 4:
		ordinal, err := strconv.Atoi(parts[2])
		if err != nil || ordinal < 0 {
			return processID{}, fmt.Errorf("process %q: no ordinal", s)
		}
		return processID{key{parts[0], parts[1]}, ordinal, parts[3]}, nil
	default:
		return processID{}, fmt.Errorf("process %q: not <namespace>/<component>/<ordinal>/<process>", s)
	}
}

// replicaName is what component.VarReplica stands for.
func replicaName(component string, ordinal int) string {
	return component + "-" + strconv.Itoa(ordinal)
}
