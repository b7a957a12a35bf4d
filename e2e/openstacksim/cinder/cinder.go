// Package cinder is the simulator's volume service, version 3.
package cinder

import (
	"net/http"
	"time"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/glance"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// timeFormat is how Cinder writes times: without a zone.
const timeFormat = "2006-01-02T15:04:05.000000"

// Volume is a volume.
type Volume struct {
	state.Base
	Description      string            `json:"description"`
	Size             int               `json:"size"`
	Status           string            `json:"status"`
	AvailabilityZone string            `json:"availability_zone"`
	VolumeType       string            `json:"volume_type"`
	Metadata         map[string]string `json:"metadata"`
	Bootable         bool              `json:"-"`
	Image            *glance.Image     `json:"-"`
	User             string            `json:"-"`
	Attachments      []Attachment      `json:"-"`
}

// Attachment is where a volume is attached.
type Attachment struct {
	ID, Server, Device string
	At                 time.Time
}

type volumeType struct {
	state.Base
	Description string            `json:"description"`
	ExtraSpecs  map[string]string `json:"extra_specs"`
}

// Cinder holds the volumes. Besides its handlers, its methods are called under the lock of
// the state.
type Cinder struct {
	// Delay is how long a volume is creating or deleting.
	Delay time.Duration
	// Zones are the availability zones.
	Zones []string
	// Quotas are by project: volumes, gigabytes, per_volume_gigabytes.
	Quotas *state.Quotas

	state   *state.State
	glance  *glance.Glance
	volumes *state.Table[*Volume]
	types   *state.Table[*volumeType]
}

// New adds the service to a front.
func New(s *state.State, f *front.Front, g *glance.Glance) *Cinder {
	c := &Cinder{state: s, glance: g, Zones: []string{"nova"}, volumes: state.NewTable[*Volume](s, "volume"), types: state.NewTable[*volumeType](s, "")}
	c.Quotas = state.NewQuotas(s, "block-storage", map[string]int{
		"volumes": 10, "gigabytes": 1000, "per_volume_gigabytes": -1, "snapshots": 10, "backups": 10, "backup_gigabytes": 1000, "groups": 10,
	}, c.used)
	service := f.Add(&front.Service{Name: "block-storage", Prefix: "/volume/v3/{project}", Before: before, Header: header, Error: func(e *front.Error) front.Reply { return front.FaultNamed(e, "computeFault") }})
	c.routes(service)
	return c
}

// AddType adds a volume type; the first is the default one.
func (c *Cinder) AddType(name string) string {
	return c.types.Insert(&volumeType{Base: state.Base{Name: name}, ExtraSpecs: map[string]string{}}).ID
}

func (c *Cinder) used(project, resource string) int {
	own := c.volumes.Of(project)
	switch resource {
	case "volumes":
		return len(own)
	case "gigabytes":
		sum := 0
		for _, v := range own {
			sum += v.Size
		}
		return sum
	}
	return 0
}

// Create makes a volume after all checks; Nova comes here too.
func (c *Cinder) Create(v *Volume) (*Volume, error) {
	if v.Size <= 0 {
		return nil, front.Errorf(http.StatusBadRequest, "Invalid input received: Volume size '%d' must be an integer and greater than 0", v.Size)
	}
	if v.Image != nil && v.Size < v.Image.MinDisk {
		return nil, front.Errorf(http.StatusBadRequest, "Invalid input received: Volume size %dGB cannot be smaller than the image minDisk size %dGB.", v.Size, v.Image.MinDisk)
	}
	if v.AvailabilityZone == "" {
		v.AvailabilityZone = c.Zones[0]
	} else if !contains(c.Zones, v.AvailabilityZone) {
		return nil, front.Errorf(http.StatusBadRequest, "Availability zone '%s' is invalid.", v.AvailabilityZone)
	}
	if v.VolumeType == "" {
		if all := c.types.All(); len(all) > 0 {
			v.VolumeType = all[0].Name
		}
	} else if t, ok := c.FindType(v.VolumeType); ok {
		v.VolumeType = t
	} else {
		return nil, front.Errorf(http.StatusNotFound, "Volume type with name %s could not be found.", v.VolumeType)
	}
	if err := c.checkQuota(v.Project, v.Size); err != nil {
		return nil, err
	}
	if v.Metadata == nil {
		v.Metadata = map[string]string{}
	}
	v.Status, v.Bootable = "creating", v.Image != nil
	c.volumes.Insert(v)
	c.state.After(c.Delay, func() {
		if v.Status == "creating" {
			v.Status = "available"
			c.volumes.Touch(v)
		}
	})
	return v, nil
}

func over(format string, args ...any) error {
	e := front.Errorf(http.StatusRequestEntityTooLarge, format, args...)
	e.Header = map[string]string{"Retry-After": "0"}
	return e
}

func (c *Cinder) overGigabytes(project string, size int) error {
	return over("VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. Requested %dG, quota is %dG and %dG has been consumed.",
		size, c.Quotas.Limit(project, "gigabytes"), c.Quotas.Used(project, "gigabytes"))
}

func (c *Cinder) checkQuota(project string, size int) error {
	if limit := c.Quotas.Limit(project, "per_volume_gigabytes"); limit >= 0 && size > limit {
		return over("Requested volume size %dG is larger than maximum allowed limit %dG.", size, limit)
	}
	if c.Quotas.Over(project, "gigabytes", size) {
		return c.overGigabytes(project, size)
	}
	if c.Quotas.Over(project, "volumes", 1) {
		return over("VolumeLimitExceeded: Maximum number of volumes allowed (%d) exceeded for quota 'volumes'.", c.Quotas.Limit(project, "volumes"))
	}
	return nil
}

// FindType finds the name of a volume type by its id or name.
func (c *Cinder) FindType(idOrName string) (string, bool) {
	for _, t := range c.types.All() {
		if t.ID == idOrName || t.Name == idOrName {
			return t.Name, true
		}
	}
	return "", false
}

// Find is a volume of a project.
func (c *Cinder) Find(id, project string) (*Volume, bool) {
	return c.volumes.Visible(id, project, false)
}

// Attach attaches a volume to a server.
func (c *Cinder) Attach(v *Volume, server, device string) {
	v.Attachments = append(v.Attachments, Attachment{ID: state.NewID(), Server: server, Device: device, At: c.state.Now()})
	v.Status = "in-use"
	c.volumes.Touch(v)
}

// Detach detaches a volume from a server; it is detaching for a while. Then it is deleted
// if that is asked for.
func (c *Cinder) Detach(v *Volume, server string, thenDelete bool) {
	v.Status = "detaching"
	c.volumes.Touch(v)
	c.state.After(c.Delay, func() {
		v.Attachments = nil
		v.Status = "available"
		c.volumes.Touch(v)
		if thenDelete {
			c.remove(v)
		}
	})
}

func (c *Cinder) remove(v *Volume) {
	v.Status = "deleting"
	c.volumes.Touch(v)
	c.state.After(c.Delay, func() { c.volumes.Delete(v.ID) })
}
