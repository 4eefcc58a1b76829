package compose

import (
	"strconv"
	"strings"
)

// sumInfo makes one answer of those of several servers: it adds up what can be
// added, keeps what all say alike, and leaves out the rest, such as percentiles
// and peaks. The clock is that of the first.
func sumInfo(infos []map[string]string) map[string]string {
	all := map[string]string{}
	for field, first := range infos[0] {
		values := make([]string, len(infos))
		alike := true
		for i, info := range infos {
			values[i] = info[field]
			alike = alike && values[i] == first
		}
		switch total, err := sum(values); {
		case addable(field) && err == nil:
			all[field] = total
		case strings.HasPrefix(field, "latency_percentiles"):
		case alike || field == "server_time_usec":
			all[field] = first
		}
	}
	for _, info := range infos {
		for field := range info {
			if strings.HasPrefix(field, "cmdstat_") {
				all[field] = sumCommand(field, infos)
			}
		}
	}
	return all
}

// addable says whether a field counts something that no two servers share.
func addable(field string) bool {
	switch field {
	case "used_memory", "used_memory_dataset", "used_memory_overhead", "used_memory_rss",
		"mem_clients_normal", "mem_clients_slaves", "mem_overhead_db_hashtable_rehashing",
		"used_cpu_user", "used_cpu_sys", "connected_clients",
		"expired_keys", "evicted_keys", "keyspace_hits", "keyspace_misses",
		"total_commands_processed", "total_connections_received", "total_error_replies":
		return true
	default:
		return false
	}
}

// sum adds numbers: whole ones, and else those with a fraction.
func sum(values []string) (string, error) {
	var whole int64
	var real float64
	isWhole := true
	for _, v := range values {
		n, err := strconv.ParseInt(v, 10, 64)
		isWhole = isWhole && err == nil
		whole += n
		f, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return "", err
		}
		real += f
	}
	if isWhole {
		return strconv.FormatInt(whole, 10), nil
	}
	return strconv.FormatFloat(real, 'f', -1, 64), nil
}

// sumCommand adds the counters of one command up; a server that never had it has
// none. The mean is left out.
func sumCommand(field string, infos []map[string]string) string {
	var names []string
	totals := map[string]int64{}
	for _, info := range infos {
		for part := range strings.SplitSeq(info[field], ",") {
			name, value, _ := strings.Cut(part, "=")
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				continue // a mean, or nothing
			}
			if _, known := totals[name]; !known {
				names = append(names, name)
			}
			totals[name] += n
		}
	}
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = name + "=" + strconv.FormatInt(totals[name], 10)
	}
	return strings.Join(parts, ",")
}
