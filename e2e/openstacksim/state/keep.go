package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
)

// Keep makes a variable, that a pointer leads to, part of what is kept in the file.
func (s *State) Keep(name string, variable any) { s.kept[name] = reflect.ValueOf(variable).Elem() }

// Open keeps the state in a file: what it holds is taken over, and every change is written
// before anybody gets an answer. failed is told of a change that could not be written; the
// next one writes everything again. What is under way is not kept: a cloud with a file has
// no delays.
func (s *State) Open(file string, failed func(error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	} else if err == nil {
		err = s.load(data)
	}
	if err != nil {
		return fmt.Errorf("reading the state of the cloud: %s: %w", file, err)
	}
	s.file, s.failed = file, failed
	return nil
}

func (s *State) load(data []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	for name, data := range all {
		variable, ok := s.kept[name]
		if !ok {
			return fmt.Errorf("%q is unknown: it is of another version", name)
		}
		if err := decode(data, variable); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// save writes the file, if there is one, after what is due by now.
func (s *State) save() {
	if s.file == "" {
		return
	}
	s.settle()
	s.changed = false
	all := map[string]any{}
	for name, variable := range s.kept {
		all[name] = encode(variable)
	}
	data, err := json.Marshal(all)
	if err == nil {
		err = replaceFile(s.file, data)
	}
	if err != nil {
		s.changed = true
		s.failed(fmt.Errorf("writing the state of the cloud: %w", err))
	}
}

// replaceFile writes a file that is there as a whole or not at all. It holds passwords.
func replaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
