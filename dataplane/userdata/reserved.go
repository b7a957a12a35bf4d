package userdata

import (
	"fmt"
	"math"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Capacity of a machine.
type Capacity struct {
	// CPUs is the number of cores.
	CPUs int
	// MemoryMiB and DiskGiB are what the flavor and the root disk have.
	MemoryMiB, DiskGiB int
}

const (
	// minDiskGiB is the smallest disk of a node (features P23).
	minDiskGiB = 20
	// mostMemory is what is reserved of memory on all but small machines (features P24).
	mostMemory = 1590e6
)

// Reserved is what system and kubelet keep of a machine, as kubeReserved of a
// KubeletConfiguration has it:
//
//   - cpu: 15 % of one core and 0.5 % of all of them
//   - memory: 1590 MB; on machines below 6.4 GiB a quarter of the first 4 GiB and a fifth
//     of what is above, which is less. 1590 MB of 2 GiB would leave nothing for pods
//   - ephemeral-storage: ten GB for each power of ten that the disk has in GB, and a tenth
//     of it
//
// The figures are features P24's, those for small machines are those of GKE.
func Reserved(c Capacity) map[string]string {
	memory := float64(c.MemoryMiB) * (1 << 20)
	const small = 4 << 30
	curve := min(memory, small)/4 + max(0, memory-small)/5
	disk := float64(c.DiskGiB)
	return map[string]string{
		"cpu":               fmt.Sprintf("%dm", int(math.Ceil(150+5*float64(c.CPUs)))),
		"memory":            resource.NewQuantity(int64(min(mostMemory, curve))>>20<<20, resource.BinarySI).String(),
		"ephemeral-storage": fmt.Sprintf("%dG", int(math.Round(10*math.Log10(disk)+disk/10))),
	}
}
