package state

import (
	"cmp"
	"reflect"
	"slices"
	"time"
)

// Base is what every object has.
type Base struct {
	ID      string    `json:"-"`
	Name    string    `json:"name"`
	Project string    `json:"-"`
	Created time.Time `json:"-"`
	Updated time.Time `json:"-"`

	order int
}

// Meta makes what embeds a Base a Row.
func (b *Base) Meta() *Base { return b }

// Row is an object in a table.
type Row interface{ Meta() *Base }

// Table holds all objects of one kind. It is used under the lock of its State.
type Table[T Row] struct {
	state *State
	kind  string
	rows  map[string]T
}

// NewTable makes a table. Its objects are in the inventory under the kind's name, or not
// at all if it has none.
func NewTable[T Row](s *State, kind string) *Table[T] {
	t := &Table[T]{state: s, kind: kind, rows: map[string]T{}}
	s.Keep(cmp.Or(kind, reflect.TypeFor[T]().Elem().Name()), &t.rows)
	if kind != "" {
		s.tables = append(s.tables, t)
	}
	return t
}

// Insert adds an object, with an id and times if it has none.
func (t *Table[T]) Insert(row T) T {
	b := row.Meta()
	if b.ID == "" {
		b.ID = NewID()
	}
	if b.Created.IsZero() {
		b.Created = t.state.Now()
	}
	b.Updated = b.Created
	t.state.order++
	b.order = t.state.order
	t.rows[b.ID] = row
	return row
}

// Get finds an object by its id.
func (t *Table[T]) Get(id string) (T, bool) {
	row, ok := t.rows[id]
	return row, ok
}

// Visible finds an object by its id if a project owns it, or somebody sees everything.
func (t *Table[T]) Visible(id, project string, everything bool) (T, bool) {
	row, ok := t.rows[id]
	if ok && !everything && row.Meta().Project != project {
		var none T
		return none, false
	}
	return row, ok
}

// Touch notes a change of an object.
func (t *Table[T]) Touch(row T) { row.Meta().Updated = t.state.Now() }

// Delete removes an object.
func (t *Table[T]) Delete(id string) { delete(t.rows, id) }

// All are the objects for which every condition holds, the oldest first.
func (t *Table[T]) All(where ...func(T) bool) []T {
	found := make([]T, 0, len(t.rows))
	for _, row := range t.rows {
		if !slices.ContainsFunc(where, func(holds func(T) bool) bool { return !holds(row) }) {
			found = append(found, row)
		}
	}
	slices.SortFunc(found, func(a, b T) int { return cmp.Compare(a.Meta().order, b.Meta().order) })
	return found
}

// Of are the objects of a project, the oldest first.
func (t *Table[T]) Of(project string) []T { return t.All(In[T](project)) }

// Count is how many objects a project has.
func (t *Table[T]) Count(project string) int { return len(t.Of(project)) }

// In is the condition that a project owns an object.
func In[T Row](project string) func(T) bool {
	return func(row T) bool { return row.Meta().Project == project }
}
