package store

import "strings"

// ACLRules returns, in the words of ACL SETUSER, what a user must be allowed who
// does all that the store does as cfg says, through either driver, and nothing
// more: the keys under its prefix, and commands. A command inside a script counts
// as the user's own. Of cfg only the deployment, ReadFrom, WaitReplicas,
// ClientCacheSize, the database and the prefix matter. Replicas need the user too:
// servers do not replicate users.
//
// SCAN tells the names of other keys; it is for Sessions.CleanupExpired, Keys and
// DeleteAll. AUTH and HELLO are allowed to everybody.
func (cfg Config) ACLRules() string {
	rules := []string{"resetkeys", "~" + newLayout(or(cfg.KeyPrefix, DefaultKeyPrefix)).scope() + "*", "resetchannels", "-@all"}
	for _, command := range cfg.commands() {
		rules = append(rules, "+"+command)
	}
	return strings.Join(rules, " ")
}

// commands are those that drivers send and scripts call. A new one is a decision:
// who runs the store has to grant it.
func (cfg Config) commands() []string {
	all := []string{
		"eval", "evalsha", "mget", "ping", "scan", "unlink", // The drivers'; the scripts' are:
		"exists", "get", "hdel", "hget", "hgetall", "hlen", "hrandfield", "hscan", "hset", "hsetnx", "hvals", "persist", "pexpire",
		"pexpireat", "pttl", "set", "time", "type", "zadd", "zcard", "zcount", "zrange", "zremrangebyrank", "zremrangebyscore", "zscore",
	}
	if e, err := cfg.Endpoint(); cfg.Database != 0 || err == nil && e.Database != 0 {
		all = append(all, "select")
	}
	if cfg.MasterName != "" {
		all = append(all, "role")
	}
	if cfg.WaitReplicas > 0 {
		all = append(all, "pexpiretime", "wait")
	}
	if cfg.WaitReplicas > 0 && cfg.ClusterMode {
		// valkey-go clears a connection that it has lent for the wait.
		all = append(all, "discard", "punsubscribe", "sunsubscribe", "unsubscribe")
	}
	if cfg.ClientCacheSize > 0 {
		all = append(all, "client|caching", "client|tracking", "exec", "multi", "strlen")
	}
	if !cfg.ClusterMode {
		return all
	}
	all = append(all, "asking", "cluster|shards", "cluster|slots")
	if cfg.ReadFrom == ReadFromReplica || cfg.ReadFrom == ReadFromAny {
		// go-redis asks COMMAND which commands are reads.
		all = append(all, "command", "readonly")
	}
	return all
}
