package compose

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// behind is what a URL leads to.
type behind struct {
	// urls and access are for clients.
	urls   []string
	access Access
	// primaries are the URLs of the servers that take writes.
	primaries []string
}

// findBehind finds the servers behind a target's URL: the one that it names, the
// primaries of the cluster whose nodes it names, or the primary of which the
// sentinels tell that it names.
func findBehind(ctx context.Context, t Target) (behind, error) {
	if t.Topology == Standalone {
		return behind{urls: []string{t.URL}, primaries: []string{t.URL}}, nil
	}
	u, err := splitURL(t.URL)
	if err != nil {
		return behind{}, err
	}
	if strings.Contains(u.tail, "?") {
		return behind{}, errors.New("a URL of a cluster or of sentinels takes no options behind a question mark here")
	}
	if t.Topology == Sentinel {
		return u.behindSentinels(ctx)
	}
	return u.behindNodes(ctx)
}

// behindNodes asks the first node of a cluster that answers for the others.
func (u targetURL) behindNodes(ctx context.Context) (behind, error) {
	if strings.Trim(u.tail, "/0") != "" {
		return behind{}, errors.New("a cluster has database 0 only")
	}
	found := behind{urls: u.servers(u.user), access: Access{Cluster: true}}
	var reply any
	err := firstAnswer(ctx, found.urls, func(rawURL string) (err error) {
		reply, err = ask(ctx, at(rawURL), "CLUSTER", "SLOTS")
		return err
	})
	if err != nil {
		return behind{}, err
	}
	addresses, covered := slotPrimaries(reply)
	if covered != slots {
		return behind{}, fmt.Errorf("the cluster serves %d of its %d slots: mend it first", covered, slots)
	}
	for _, address := range addresses {
		found.primaries = append(found.primaries, u.server(u.user, address))
	}
	return found, nil
}

// behindSentinels asks the first sentinel that answers for the primary.
func (u targetURL) behindSentinels(ctx context.Context) (behind, error) {
	master, database, _ := strings.Cut(strings.TrimPrefix(u.tail, "/"), "/")
	if master == "" {
		return behind{}, errors.New("the URL lacks the name by which the sentinels know the primary, as in redis+sentinel://host:26379/mymaster")
	}
	if strings.Trim(database, "0") != "" {
		return behind{}, fmt.Errorf("database %s: behind sentinels only database 0 can be used here", database)
	}
	found := behind{urls: u.servers(nil), access: Access{MasterName: master}}
	if u.user != nil {
		found.access.Username = u.user.Username()
		found.access.Password, _ = u.user.Password()
	}
	var reply any
	err := firstAnswer(ctx, found.urls, func(rawURL string) (err error) {
		reply, err = ask(ctx, at(rawURL), "SENTINEL", "GET-MASTER-ADDR-BY-NAME", master)
		if errors.Is(err, redis.Nil) {
			return fmt.Errorf("it knows no primary %q", master)
		}
		return err
	})
	if err != nil {
		return behind{}, fmt.Errorf("ask the sentinels: %w", err)
	}
	address, _ := reply.([]any)
	if len(address) != 2 {
		return behind{}, fmt.Errorf("ask the sentinels for the address of %q: it has %d parts", master, len(address))
	}
	found.primaries = []string{u.server(u.user, net.JoinHostPort(fmt.Sprint(address[0]), fmt.Sprint(address[1])))}
	return found, nil
}

// firstAnswer tries URLs in their order until one works.
func firstAnswer(ctx context.Context, urls []string, try func(rawURL string) error) error {
	var errs []error
	for _, rawURL := range urls {
		err := tryWire(ctx, rawURL)
		if err == nil {
			err = try(rawURL)
		}
		if err == nil {
			return nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", redact(rawURL), explainWire(err)))
	}
	return joinLine(errs)
}

// joinLine is errors on one line.
func joinLine(errs []error) error {
	joined := errs[0]
	for _, err := range errs[1:] {
		joined = fmt.Errorf("%w; %w", joined, err)
	}
	return joined
}

// servers are the URLs of the single servers that are named.
func (u targetURL) servers(user *url.Userinfo) []string {
	var urls []string
	for host := range strings.SplitSeq(u.hosts, ",") {
		urls = append(urls, u.server(user, host))
	}
	return urls
}

// server is the URL of a single server.
func (u targetURL) server(user *url.Userinfo, host string) string {
	scheme, _, _ := strings.Cut(u.scheme, "+")
	if user == nil {
		return scheme + "://" + host
	}
	return scheme + "://" + user.String() + "@" + host
}

// slotPrimaries reads CLUSTER SLOTS: the addresses of the primaries, each once, and
// how many slots they serve.
func slotPrimaries(reply any) (addresses []string, covered int) {
	ranges, _ := reply.([]any)
	seen := map[string]bool{}
	for _, one := range ranges {
		// first slot, last slot, the primary as host and port and more, replicas…
		fields, _ := one.([]any)
		if len(fields) < 3 {
			continue
		}
		first, _ := fields[0].(int64)
		last, _ := fields[1].(int64)
		node, _ := fields[2].([]any)
		if len(node) < 2 {
			continue
		}
		port, _ := node[1].(int64)
		address := net.JoinHostPort(fmt.Sprint(node[0]), strconv.FormatInt(port, 10))
		if !seen[address] {
			seen[address] = true
			addresses = append(addresses, address)
		}
		covered += int(last - first + 1)
	}
	return addresses, covered
}
