package compose

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/redis/go-redis/v9"

	"github.com/toriibench/toriibench/compose/filelock"
)

const (
	// upTimeout bounds one call of docker compose.
	upTimeout = time.Minute
	// formedTimeout bounds the wait for a topology that nobody forms.
	formedTimeout = 30 * time.Second
)

// composeCommands are the ways to say docker compose that this machine has: the
// command of its own, which may be version 1, and the plugin.
func composeCommands(t *testing.T) [][]string {
	t.Helper()
	var found [][]string
	for _, words := range [][]string{{"docker-compose"}, {"docker", "compose"}} {
		if exec.CommandContext(t.Context(), words[0], append(words[1:], "version")...).Run() == nil {
			found = append(found, words)
		}
	}
	if len(found) == 0 {
		needless(t, "docker compose is not on this machine")
	}
	return found
}

// claimPorts keeps other tests of this machine from the ports in the compose
// files, which are fixed, until the test ends.
func claimPorts(t *testing.T) {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(cache, programName)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*upTimeout)
	defer cancel()
	lock, err := filelock.Acquire(ctx, filepath.Join(folder, "compose-ports.lock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lock.Release(); err != nil {
			t.Error(err)
		}
	})
}

// byHand is one topology of a compose file, as a person starts it.
type byHand struct {
	eng     *engine
	words   []string // docker compose with the file
	project string
	file    *composeFile
}

// TestDockerComposeFiles starts each file with an image that has nothing in it
// but the server, uses it, and takes it down.
func TestDockerComposeFiles(t *testing.T) {
	eng := needEngine(t)
	if shared, err := eng.sharesLoopback(t.Context()); err != nil || !shared {
		needless(t, "the engine does not share this machine's network (%v)", err)
	}
	commands := composeCommands(t)
	image, _ := importServer(t, eng, Target{Engine: Valkey, Topology: Standalone})
	t.Setenv("TORIIBENCH_IMAGE", image)
	t.Setenv("DOCKER_HOST", eng.host)
	claimPorts(t)
	for _, words := range commands {
		for _, topology := range topologies() {
			t.Run(strings.Join(words, " ")+" "+topology, func(t *testing.T) {
				file, err := readComposeFile(t.Context(), ".", topology, image)
				if err != nil {
					t.Fatal(err)
				}
				project := fmt.Sprintf("toriibench-test-%d-%s", os.Getpid(), topology)
				b := byHand{
					eng: eng, project: project, file: file,
					words: slices.Concat(words, []string{"-p", project, "-f", topology + ".yaml"}),
				}
				b.life(t, image)
			})
		}
	}
}

// run calls docker compose, and returns what it wrote.
func (b byHand) run(t *testing.T, words ...string) (string, error) {
	t.Helper()
	// The end of a test, where this is called too, ends its context.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), upTimeout)
	defer cancel()
	all := slices.Concat(b.words, words)
	text, err := exec.CommandContext(ctx, all[0], all[1:]...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(all, " "), err, text)
	}
	return string(text), err
}

// life starts the topology, uses it, and takes it down.
func (b byHand) life(t *testing.T, image string) {
	t.Helper()
	down := []string{"down", "-v"}
	prepared := b.file.topology == Sentinel || b.file.topology == Cluster
	if prepared {
		down = append(down, "--rmi", "all") // That is the image which "up" made of the other.
	}
	t.Cleanup(func() {
		if t.Failed() {
			logs, _ := b.run(t, "logs", "--no-color", "--tail", logLines)
			t.Log(logs)
		}
		if _, err := b.run(t, down...); err != nil {
			t.Error(err)
		}
		b.leftovers(t)
		if _, err := b.eng.inspectImage(context.WithoutCancel(t.Context()), "toriibench-prepared/"+image); prepared && err == nil {
			t.Error("the image that was made is left behind")
		}
	})
	began := time.Now()
	if _, err := b.run(t, "up", "-d", "--build"); err != nil {
		t.Fatal(err)
	}
	up := time.Since(began)
	b.use(t)
	t.Logf("up after %s, formed and used after %s", up.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
}

// assembly is the topology of the file, as the docker provider knows its own.
func (b byHand) assembly(t *testing.T) *assembly {
	t.Helper()
	a := &assembly{spec: spec{shape: usual(b.file.topology), topology: b.file.topology}}
	for _, s := range b.file.servers {
		url := "redis://" + localHost + ":" + strconv.Itoa(s.port)
		watch, err := newExternalNode(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		m := &member{
			node: watch, contact: at(url), host: localHost, port: s.port, bus: s.bus,
			tail: func(context.Context) string { return " (" + s.name + ")" },
		}
		if s.role == roleSentinel {
			a.sentinels = append(a.sentinels, m)
		} else {
			a.data = append(a.data, m)
		}
	}
	t.Cleanup(func() {
		if err := a.close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return a
}

// use waits until the topology is ready by itself, writes to it, and finds what
// was written, also on the replicas.
func (b byHand) use(t *testing.T) {
	t.Helper()
	a := b.assembly(t)
	ctx, cancel := context.WithTimeout(t.Context(), formedTimeout)
	defer cancel()
	for _, m := range a.members() {
		if err := waitReady(ctx, m.contact); err != nil {
			t.Fatal(err)
		}
	}
	var steps []func(context.Context) error
	write := func(ctx context.Context) error { return b.write(ctx, t, a) }
	switch b.file.topology {
	case Cluster:
		// Clients are told of a replica when it has received something.
		steps = append(steps, a.awaitState, write, a.awaitReplicas, a.awaitView)
	case Sentinel:
		steps = append(steps, a.awaitSentinels, write, a.awaitReplicas)
	default:
		steps = append(steps, a.awaitReplicas, write, a.awaitReplicas)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			t.Fatal(err)
		}
	}
	b.checkCopies(ctx, t, a)
	if b.file.topology == Cluster {
		checkShards(ctx, t, a)
	}
}

// checkShards expects that every node tells of all shards with all their
// servers, as it does only if all have the same ids of the shards.
func checkShards(ctx context.Context, t *testing.T, a *assembly) {
	t.Helper()
	shape := a.spec.shape
	for _, m := range a.data {
		err := once(ctx, m.contact, "CLUSTER SHARDS", func(ctx context.Context, c *redis.Client) error {
			shards, err := c.ClusterShards(ctx).Result()
			if len(shards) != shape.Primaries {
				t.Errorf("%s tells of %d shards, want %d", m.contact, len(shards), shape.Primaries)
			}
			for _, shard := range shards {
				if len(shard.Nodes) != 1+shape.Replicas || len(shard.Slots) != 1 {
					t.Errorf("%s tells of a shard of %d servers with slots %v", m.contact, len(shard.Nodes), shard.Slots)
				}
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// handKeys is how many keys are written, over all slots.
const handKeys = 50

func (b byHand) write(ctx context.Context, t *testing.T, a *assembly) error {
	t.Helper()
	c := connect(t, a.topology(Target{Engine: Valkey, Topology: b.file.topology}, "hand"))
	for i := range handKeys {
		if err := c.Set(ctx, fmt.Sprintf("key-%d", i), i, time.Minute).Err(); err != nil {
			return err
		}
	}
	for i := range handKeys {
		if got, err := c.Get(ctx, fmt.Sprintf("key-%d", i)).Int(); err != nil || got != i {
			return fmt.Errorf("read key-%d: got %d, %w", i, got, err)
		}
	}
	return nil
}

// checkCopies expects all keys on the primaries together, some on each, and the
// same on their replicas.
func (byHand) checkCopies(ctx context.Context, t *testing.T, a *assembly) {
	t.Helper()
	size := func(m *member) int64 {
		reply, err := m.command(ctx, "DBSIZE")
		if err != nil {
			t.Fatal(err)
		}
		n, _ := reply.(int64)
		return n
	}
	all := int64(0)
	for i := range a.spec.shape.Primaries {
		here := size(a.data[i])
		if here == 0 {
			t.Errorf("%s has no key", a.data[i].contact)
		}
		all += here
		for _, r := range a.replicas(i) {
			if copied := size(r); copied != here {
				t.Errorf("%s has %d keys, its primary %d", r.contact, copied, here)
			}
		}
	}
	if all != handKeys {
		t.Errorf("the primaries have %d keys, want %d", all, handKeys)
	}
}

// leftovers expects that nothing of the project is there.
func (b byHand) leftovers(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), callTimeout)
	defer cancel()
	label := "com.docker.compose.project=" + b.project
	containers, err := b.eng.containers(ctx, label)
	if err != nil {
		t.Fatal(err)
	}
	filters := make(client.Filters).Add("label", label)
	volumes, err := b.eng.api.VolumeList(ctx, client.VolumeListOptions{Filters: filters})
	if err != nil {
		t.Fatal(err)
	}
	networks, err := b.eng.api.NetworkList(ctx, client.NetworkListOptions{Filters: filters})
	if err != nil {
		t.Fatal(err)
	}
	if left := len(containers) + len(volumes.Items) + len(networks.Items); left > 0 {
		t.Errorf("left behind: %d containers, %d volumes, %d networks", len(containers), len(volumes.Items), len(networks.Items))
	}
	for _, s := range b.file.servers {
		var dialer net.Dialer
		if conn, err := dialer.DialContext(ctx, "tcp", fmt.Sprintf("%s:%d", localHost, s.port)); err == nil {
			t.Errorf("%s still listens on %d", s.name, s.port)
			conn.Close()
		}
	}
}
