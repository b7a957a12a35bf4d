package component

import "github.com/marina-dev/marina/pkg/api/v1alpha1"

// sized is what a replica asks for: as the platform says, else the default.
func sized(size v1alpha1.Size, r Resources) Resources {
	if size.CPU != nil {
		r.RequestMilliCPU = size.CPU.MilliValue()
	}
	if size.Memory != nil {
		r.RequestMemory = size.Memory.Value()
	}
	if size.MemoryLimit != nil {
		r.LimitMemory = size.MemoryLimit.Value()
	}
	// A limit below the request would be refused.
	r.LimitMemory = max(r.LimitMemory, r.RequestMemory)
	return r
}
