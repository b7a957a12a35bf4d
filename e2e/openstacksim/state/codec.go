package state

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"
	"unsafe"
)

// notKept is the tag of a field that is not in the file.
const notKept = "-"

var timeType = reflect.TypeFor[time.Time]()

// encode makes of a value, which can be addressed, one that JSON has words for: all of its
// fields by their names, also those that the API does not show, or under another name.
func encode(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == timeType {
			return v.Interface()
		}
		fields := map[string]any{}
		for i := range v.NumField() {
			if name, ok := kept(v.Type().Field(i)); ok && !v.Field(i).IsZero() {
				fields[name] = encode(open(v.Field(i)))
			}
		}
		return fields
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return encode(v.Elem())
	case reflect.Map:
		pairs := [][2]any{}
		for i := v.MapRange(); i.Next(); {
			pairs = append(pairs, [2]any{encode(addressable(i.Key())), encode(addressable(i.Value()))})
		}
		return pairs
	case reflect.Slice:
		if v.IsNil() || v.Type().Elem().Kind() == reflect.Uint8 {
			return v.Interface()
		}
		list := []any{}
		for i := range v.Len() {
			list = append(list, encode(v.Index(i)))
		}
		return list
	default:
		return v.Interface()
	}
}

// decode reads what encode has made into a value that can be set.
func decode(data json.RawMessage, v reflect.Value) error {
	switch {
	case v.Type() == timeType || v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
		return json.Unmarshal(data, v.Addr().Interface())
	case v.Kind() == reflect.Struct:
		return decodeStruct(data, v)
	case v.Kind() == reflect.Map:
		return decodeMap(data, v)
	case v.Kind() == reflect.Pointer:
		if string(data) == "null" {
			return nil
		}
		v.Set(reflect.New(v.Type().Elem()))
		return decode(data, v.Elem())
	case v.Kind() == reflect.Slice:
		var list []json.RawMessage
		if err := json.Unmarshal(data, &list); err != nil || list == nil {
			return err
		}
		v.Set(reflect.MakeSlice(v.Type(), len(list), len(list)))
		for i := range list {
			if err := decode(list[i], v.Index(i)); err != nil {
				return err
			}
		}
		return nil
	default:
		return json.Unmarshal(data, v.Addr().Interface())
	}
}

func decodeStruct(data json.RawMessage, v reflect.Value) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	for i := range v.NumField() {
		name, ok := kept(v.Type().Field(i))
		if data, found := fields[name]; ok && found {
			if err := decode(data, open(v.Field(i))); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

func decodeMap(data json.RawMessage, v reflect.Value) error {
	var pairs [][2]json.RawMessage
	if err := json.Unmarshal(data, &pairs); err != nil {
		return err
	}
	all := reflect.MakeMap(v.Type())
	for _, pair := range pairs {
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		if err := decode(pair[0], key); err != nil {
			return err
		}
		if err := decode(pair[1], value); err != nil {
			return err
		}
		all.SetMapIndex(key, value)
	}
	v.Set(all)
	return nil
}

// kept is the name of a field in the file.
func kept(f reflect.StructField) (name string, ok bool) {
	return f.Name, f.Tag.Get("state") != notKept
}

// open is a field that may be read and set although it is not exported: the services keep
// their objects to themselves, and none of them has to know of the file.
func open(field reflect.Value) reflect.Value {
	return reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem()
}

// addressable is a copy of what is in a map.
func addressable(v reflect.Value) reflect.Value {
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	return c
}
