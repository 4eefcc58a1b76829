package memory

import (
	"maps"
	"slices"
)

// hget returns a field of a hash.
func (t *turn) hget(key, field string) (string, bool) {
	e, _ := t.find(key)
	value, ok := e.fields[field]
	return value, ok
}

// hset writes a field and leaves the life of the hash as it is; a new hash
// lives for ever. It replaces what is no hash, where a server would refuse.
func (t *turn) hset(key, field, value string) {
	e, _ := t.find(key)
	if e.fields == nil {
		e = entry{fields: map[string]string{}}
	}
	e.fields[field] = value
	t.space[key] = e
}

// hdel takes fields out and returns how many were there. A hash without fields
// is gone.
func (t *turn) hdel(key string, fields ...string) int {
	e, _ := t.find(key)
	n := 0
	for _, field := range fields {
		if _, there := e.fields[field]; there {
			delete(e.fields, field)
			n++
		}
	}
	if n > 0 && len(e.fields) == 0 {
		delete(t.space, key)
	}
	return n
}

// hkeys returns the fields of a hash in order.
func (t *turn) hkeys(key string) []string {
	e, _ := t.find(key)
	return slices.Sorted(maps.Keys(e.fields))
}

// persist lets what lies under a key live for ever.
func (t *turn) persist(key string) {
	if e, ok := t.find(key); ok {
		e.expires = 0
		t.space[key] = e
	}
}

// expireAt moves the end of what lies under a key; a time that is not in the
// future removes it, as on a server.
func (t *turn) expireAt(key string, at int64) {
	e, ok := t.find(key)
	if !ok {
		return
	}
	if at <= t.ms {
		delete(t.space, key)
		return
	}
	e.expires = at
	t.space[key] = e
}
