package results

import "time"

// KindStores is the kind of a PerfStores.
const KindStores = "stores"

// PerfStores is one comparison of the store with other session stores, on one
// server and in one go. Its file lies beside those of [Perf].
type PerfStores struct {
	Schema int `json:"schema"`
	// Kind is [KindStores]; a [Perf] has none.
	Kind    string    `json:"kind"`
	Started time.Time `json:"started"`
	// Complete is false when the comparison ended early; Reason then says why.
	Complete    bool             `json:"complete"`
	Reason      string           `json:"reason,omitempty"`
	Seconds     float64          `json:"seconds"`
	Seed        uint64           `json:"seed"`
	Environment Environment      `json:"environment"`
	Target      string           `json:"target"`
	Server      Server           `json:"server"`
	Provider    string           `json:"provider"`
	Origin      string           `json:"origin"`
	Setup       PerfStoresSetup  `json:"setup"`
	Failed      []string         `json:"failed"` // turns without a sample, and why they have none
	Stores      []PerfStore      `json:"stores"`
	Memory      []PerfStoreBytes `json:"memory"`
	Goals       []PerfStoreGoal  `json:"goals"`
}

// PerfStoresSetup is what all stores had in common.
type PerfStoresSetup struct {
	// ServerCPU and ClientCPU are the processors that server and client were kept
	// to.
	ServerCPU int `json:"server_cpu"`
	ClientCPU int `json:"client_cpu"`
	Callers   int `json:"callers"`
	// Users is how many users the sessions belonged to while time was measured.
	Users int `json:"users"`
	// LoginBytes is what one of the sessions takes as JSON.
	LoginBytes   int     `json:"login_bytes"`
	Rounds       int     `json:"rounds"`
	RoundSeconds float64 `json:"round_seconds"`
}

// PerfStore is what a store reached in closed loops.
type PerfStore struct {
	Name string `json:"name"`
	// Ours is true for this project's store.
	Ours    bool   `json:"ours"`
	Version string `json:"version"`
	// Connections is how many it had at most.
	Connections int                  `json:"connections"`
	Operations  []PerfStoreOperation `json:"operations"`
}

// PerfStoreOperation is one kind of operation of a store.
type PerfStoreOperation struct {
	// Name is "create", "find", "refresh" or "delete".
	Name    string       `json:"name"`
	Samples []PerfSample `json:"samples"`
}

// PerfStoreBytes is what sessions of a store take in the server, each of a user of
// its own.
type PerfStoreBytes struct {
	Name    string             `json:"name"`
	Ours    bool               `json:"ours"`
	Samples []PerfStoreByteSet `json:"samples"`
	// Ratio is how many times as many bytes ours takes; nil for ours, and where
	// there is nothing to compare.
	Ratio *Spread `json:"ratio_of_ours"`
}

// PerfStoreByteSet is one loading of an empty server.
type PerfStoreByteSet struct {
	Sessions int `json:"sessions"`
	// PerSession is what used_memory grew by for each session, indexes included.
	PerSession float64 `json:"bytes_per_session"`
	// PerUser is what it had grown by before for each user; 0 for a store that
	// keeps no users.
	PerUser float64 `json:"bytes_per_user"`
}

// PerfStoreGoal is to be faster than another store at what it does: how many times
// as many, paired by round.
type PerfStoreGoal struct {
	Of string `json:"of"`
	To string `json:"to"`
	// Operation is as in [PerfStoreOperation], and Measure as in [PerfRatio].
	Operation string `json:"operation"`
	Measure   string `json:"measure"`
	Spread
	// Met tells whether the median is more than 1.
	Met bool `json:"met"`
}
