package memory

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
)

// ranked returns the members of a sorted set by score, then by bytes.
func (t *turn) ranked(key string) []string {
	e, _ := t.find(key)
	return slices.SortedFunc(maps.Keys(e.members), e.order)
}

// order compares two members of a sorted set.
func (e entry) order(a, b string) int {
	return cmp.Or(cmp.Compare(e.members[a], e.members[b]), cmp.Compare(a, b))
}

// remove takes members out and returns how many were there. A sorted set
// without members is gone.
func (t *turn) remove(key string, members ...string) int {
	e, ok := t.find(key)
	n := 0
	for _, member := range members {
		if _, there := e.members[member]; there {
			delete(e.members, member)
			n++
		}
	}
	if ok && len(e.members) == 0 {
		delete(t.space, key)
	}
	return n
}

// head returns the first limit of members, or all.
func head(members []string, limit string) []string {
	return members[:min(len(members), int(number(limit)))]
}

// number reads what the store wrote as a number.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic("memory: the store passed " + strconv.Quote(text) + " for a number")
	}
	return n
}

// numbers reports whether every field of a stored record is a number.
func numbers(fields ...string) bool {
	for _, field := range fields {
		if _, err := strconv.ParseInt(field, 10, 64); err != nil || field[0] == '+' {
			return false
		}
	}
	return true
}

func text(n int64) string { return strconv.FormatInt(n, 10) }
