package userdata

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRule31Reserved: the figures of features P24, and small machines.
func TestRule31Reserved(t *testing.T) {
	for name, tc := range map[string]struct {
		capacity          Capacity
		cpu, memory, disk string
	}{
		"2 cores, the smallest":   {Capacity{2, 2048, 20}, "160m", "512Mi", "15G"},
		"4 cores, 50 GB":          {Capacity{4, 16384, 50}, "170m", "1516Mi", "22G"},
		"8 cores, 100 GB":         {Capacity{8, 32768, 100}, "190m", "1516Mi", "30G"},
		"16 cores, 200 GB":        {Capacity{16, 65536, 200}, "230m", "1516Mi", "43G"},
		"32 cores, 400 GB":        {Capacity{32, 131072, 400}, "310m", "1516Mi", "66G"},
		"64 cores":                {Capacity{64, 262144, 400}, "470m", "1516Mi", "66G"},
		"4 GiB":                   {Capacity{2, 4096, 50}, "160m", "1Gi", "22G"},
		"just below 1590 MB":      {Capacity{2, 6553, 50}, "160m", "1515Mi", "22G"},
		"from there on the limit": {Capacity{2, 6600, 50}, "160m", "1516Mi", "22G"},
	} {
		t.Run(name, func(t *testing.T) {
			want := map[string]string{"cpu": tc.cpu, "memory": tc.memory, "ephemeral-storage": tc.disk}
			if diff := cmp.Diff(want, Reserved(tc.capacity)); diff != "" {
				t.Errorf("reserved (-want +got):\n%s", diff)
			}
		})
	}
}
