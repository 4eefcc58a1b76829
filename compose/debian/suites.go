// Package debian fetches server programs out of the package archive that the
// machine already uses, as a plain user and without touching the system: with
// apt itself, in a private root below the user's cache folder, each package
// checked against the archive's signature.
package debian

import (
	"slices"
	"strings"
)

// offer is one version of an engine and where a distribution has it.
type offer struct {
	engine, version string
	// suites by distribution, to be tried in this order. What a suite really
	// has is read from its index, and a different version is refused.
	suites map[string][]string
}

// offers is what can be obtained, as of the archives of autumn 2026.
func offers() []offer {
	return []offer{
		{"redis", "7.0", map[string][]string{
			"debian": {"bookworm"},
			"ubuntu": {"noble", "noble-updates", "plucky"},
		}},
		{"redis", "8.0", map[string][]string{
			"debian": {"trixie", "forky"},
			"ubuntu": {"questing", "resolute"},
		}},
		{"valkey", "7.2", map[string][]string{
			"ubuntu": {"noble", "noble-updates"},
		}},
		{"valkey", "8.0", map[string][]string{
			"debian": {"bookworm-backports"},
			"ubuntu": {"plucky"},
		}},
		{"valkey", "8.1", map[string][]string{
			"debian": {"trixie"},
			"ubuntu": {"questing"},
		}},
		{"valkey", "9.0", map[string][]string{
			"ubuntu": {"resolute"},
		}},
		{"valkey", "9.1", map[string][]string{
			"debian": {"forky"},
		}},
	}
}

// Versions are the versions of an engine that some distribution offers, in
// rising order.
func Versions(engine string) []string {
	var versions []string
	for _, o := range offers() {
		if o.engine == engine {
			versions = append(versions, o.version)
		}
	}
	return versions
}

// Offer is a version that can be fetched.
type Offer struct {
	Version string
	// Suite is the first that is asked for it.
	Suite string
}

// Offered is what a distribution has of an engine, in rising order.
func Offered(engine, distribution string) []Offer {
	var found []Offer
	for _, o := range offers() {
		if suites := o.suites[distribution]; o.engine == engine && len(suites) > 0 {
			found = append(found, Offer{Version: o.version, Suite: suites[0]})
		}
	}
	return found
}

// offering finds the offer of a version, which may be the full one, since 8.0.2
// is looked for where 8.0 is, or the beginning of one, which is the newest that
// begins so.
func offering(engine, version string) (offer, bool) {
	for _, o := range slices.Backward(offers()) {
		if o.engine == engine && (matches(version, o.version) || matches(o.version, version)) {
			return o, true
		}
	}
	return offer{}, false
}

// known lists the versions of an engine for an error.
func known(engine string) string {
	versions := Versions(engine)
	if len(versions) == 0 {
		return "the engines redis and valkey"
	}
	return engine + " " + strings.Join(versions, ", ")
}

// offeredText lists what a distribution has, for an error.
func offeredText(engine, distribution string) string {
	var versions []string
	for _, o := range Offered(engine, distribution) {
		versions = append(versions, o.Version)
	}
	return engine + " " + strings.Join(versions, ", ")
}
