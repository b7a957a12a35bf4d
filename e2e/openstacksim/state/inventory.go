package state

import "maps"

// inventory is what a table tells of its objects.
type inventory interface {
	list() (kind string, objects []*Base)
}

func (t *Table[T]) list() (string, []*Base) {
	var found []*Base
	for _, row := range t.All() {
		found = append(found, row.Meta())
	}
	return t.kind, found
}

// SetUp takes everything that is there for set up by the test. Its caller holds the lock.
func (s *State) SetUp() {
	for _, t := range s.tables {
		_, objects := t.list()
		for _, o := range objects {
			s.setUp[o.ID] = true
		}
	}
}

// IsSetUp takes one object for set up. Its caller holds the lock.
func (s *State) IsSetUp(id string) { s.setUp[id] = true }

// Objects are the objects of a project that the test did not set up, by kind. Its caller
// holds the lock.
func (s *State) Objects(project string) map[string][]Base {
	found := map[string][]Base{}
	for _, t := range s.tables {
		kind, objects := t.list()
		for _, o := range objects {
			if o.Project == project && !s.setUp[o.ID] {
				found[kind] = append(found[kind], *o)
			}
		}
	}
	return found
}

// Quotas are the limits of one service: -1 is no limit.
type Quotas struct {
	defaults map[string]int
	projects map[string]map[string]int
	used     func(project, resource string) int
}

// NewQuotas are the limits of a service, which hold for every project until they are set,
// and how what is used is counted.
func NewQuotas(s *State, service string, defaults map[string]int, used func(project, resource string) int) *Quotas {
	q := &Quotas{defaults: defaults, projects: map[string]map[string]int{}, used: used}
	s.Keep("quotas of "+service, &q.projects)
	return q
}

// Known reports whether there is a limit of that name.
func (q *Quotas) Known(resource string) bool { _, ok := q.defaults[resource]; return ok }

// Set sets a limit of a project.
func (q *Quotas) Set(project, resource string, limit int) {
	if q.projects[project] == nil {
		q.projects[project] = map[string]int{}
	}
	q.projects[project][resource] = limit
}

// Reset gives a project the default limits again.
func (q *Quotas) Reset(project string) { delete(q.projects, project) }

// Limits are all limits of a project.
func (q *Quotas) Limits(project string) map[string]int {
	limits := maps.Clone(q.defaults)
	maps.Copy(limits, q.projects[project])
	return limits
}

// Limit is one limit of a project.
func (q *Quotas) Limit(project, resource string) int { return q.Limits(project)[resource] }

// Used is how much of a limit a project uses.
func (q *Quotas) Used(project, resource string) int { return q.used(project, resource) }

// Over reports whether a project would be over a limit with so much more.
func (q *Quotas) Over(project, resource string, more int) bool {
	limit := q.Limit(project, resource)
	return limit >= 0 && q.used(project, resource)+more > limit
}
