package config

import (
	"encoding"
	"encoding/json"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// JSONSchema describes the file for editors: JSON Schema, draft 2020-12, made of the structures that it is decoded into.
func JSONSchema(in Input) ([]byte, error) {
	root := object(reflect.TypeFor[Config]())
	properties := root["properties"].(map[string]any)
	properties["include"] = oneOrMore(map[string]any{"type": "string"})
	for name, section := range in.Sections {
		properties[name] = typeSchema(reflect.TypeOf(section).Elem(), "")
	}
	listener := object(reflect.TypeFor[Listener]())
	keys := listener["properties"].(map[string]any)
	for _, names := range in.Protocols {
		for _, name := range names {
			if section, ok := in.Sections[name]; ok {
				for key, value := range object(reflect.TypeOf(section).Elem())["properties"].(map[string]any) {
					if _, own := keys[key]; !own {
						keys[key] = value
					}
				}
			}
		}
	}
	listener["required"] = []string{"url"}
	properties["listeners"] = map[string]any{"type": "array", "items": map[string]any{"anyOf": []any{map[string]any{"type": "string"}, listener}}}
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Configuration of entrepot"
	return json.MarshalIndent(root, "", "  ")
}

// object is the schema of a structure: its keys and no others.
func object(t reflect.Type) map[string]any {
	properties := map[string]any{}
	for _, f := range fields(t) {
		properties[f.name] = typeSchema(t.FieldByIndex(f.index).Type, f.tag)
	}
	return map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
}

func oneOrMore(item map[string]any) map[string]any {
	return map[string]any{"anyOf": []any{item, map[string]any{"type": "array", "items": item}}}
}

func typeSchema(t reflect.Type, tag reflect.StructTag) map[string]any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if isScalar(t) {
		return scalarSchema(t, tag)
	}
	switch t.Kind() {
	case reflect.Struct:
		o := object(t)
		if f, ok := shortOf(fields(t)); ok {
			return map[string]any{"anyOf": []any{o, typeSchema(t.FieldByIndex(f.index).Type, f.tag)}}
		}
		if plain := tag.Get("plain"); plain != "" {
			if i := slices.IndexFunc(fields(t), func(f field) bool { return f.name == plain }); i >= 0 {
				f := fields(t)[i]
				return map[string]any{"anyOf": []any{o, typeSchema(t.FieldByIndex(f.index).Type, f.tag)}}
			}
		}
		return o
	case reflect.Slice:
		return oneOrMore(typeSchema(t.Elem(), tag))
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": typeSchema(t.Elem(), tag)}
	}
	return map[string]any{}
}

// Values may also be ${NAME}; what they are then is not known before it is read.
const variable = `|\$\{.*\}`

func scalarSchema(t reflect.Type, tag reflect.StructTag) map[string]any {
	if words := enum(tag); words != nil {
		return map[string]any{"enum": words}
	}
	pattern := func(p string) map[string]any {
		return map[string]any{"type": []string{"string", "integer"}, "pattern": "^(" + p + variable + "|" + Unlimited + ")$"}
	}
	switch t {
	case reflect.TypeFor[time.Duration]():
		return pattern(`0|(\d+(\.\d+)?(ns|us|µs|ms|s|m|h|d))+`)
	case reflect.TypeFor[Size]():
		return pattern(`[\d_]+ ?(B|KiB|MiB|GiB|TiB)?`)
	case reflect.TypeFor[Rate]():
		return pattern(`[\d_.]+/(s|min|h)`)
	case reflect.TypeFor[Percent]():
		return pattern(`[\d.]+%`)
	case reflect.TypeFor[netip.Prefix](), reflect.TypeFor[netip.Addr](), fileType:
		return map[string]any{"type": "string"}
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return map[string]any{"type": []string{"string", "integer"}}
	}
	switch {
	case t.Kind() == reflect.Bool:
		return map[string]any{"anyOf": []any{map[string]any{"type": "boolean"}, map[string]any{"type": "string", "pattern": `^\$\{.*\}$`}}}
	case t.Kind() == reflect.String:
		return map[string]any{"type": []string{"string", "number", "boolean"}}
	}
	s := map[string]any{"type": "number"}
	for key, name := range map[string]string{"minimum": "min", "maximum": "max"} {
		if n, err := strconv.ParseFloat(tag.Get(name), 64); err == nil {
			s[key] = n
		}
	}
	return map[string]any{"anyOf": []any{s, pattern(`[\d_]+ ?(B|KiB|MiB|GiB|TiB)?`)}}
}
