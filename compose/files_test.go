package compose

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"
)

// Roles of servers in a compose file.
const (
	rolePrimary  = "primary"
	roleReplica  = "replica"
	roleSentinel = "sentinel"
)

// Options that a file needs beside those of the docker provider, which forms a
// topology by commands.
const (
	optionReplicaOf = "replicaof"
	optionNodes     = "cluster-config-file"
)

// fileServer is a server as a compose file starts it.
type fileServer struct {
	name, role string
	port, bus  int
	options    map[string]string
}

// composeFile is a file of this directory that people start a topology by.
type composeFile struct {
	dir, topology string
	project       *types.Project
	// servers are the primaries, then the replicas, then the sentinels.
	servers []fileServer
}

// readComposeFile reads and validates the file for a topology in dir, as
// docker compose does when TORIIBENCH_IMAGE is image.
func readComposeFile(ctx context.Context, dir, topology, image string) (*composeFile, error) {
	project, err := loader.LoadWithContext(ctx, types.ConfigDetails{
		WorkingDir:  dir,
		ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(dir, topology+".yaml")}},
		Environment: types.Mapping{"TORIIBENCH_IMAGE": image},
	}, func(o *loader.Options) { o.SetProjectName("test", true) })
	if err != nil {
		return nil, err
	}
	f := &composeFile{dir: dir, topology: topology, project: project}
	for _, name := range project.ServiceNames() {
		server, err := f.readServer(project.Services[name])
		if err != nil {
			return nil, fmt.Errorf("service %s: %w", name, err)
		}
		f.servers = append(f.servers, server)
	}
	roles := []string{rolePrimary, roleReplica, roleSentinel}
	slices.SortStableFunc(f.servers, func(a, b fileServer) int {
		return slices.Index(roles, a.role) - slices.Index(roles, b.role)
	})
	return f, nil
}

func (f *composeFile) readServer(service types.ServiceConfig) (fileServer, error) {
	s := fileServer{name: service.Name, role: rolePrimary}
	words := []string(service.Command)
	s.options = map[string]string{}
	if len(words) > 0 && !strings.HasPrefix(words[0], "--") {
		text, err := os.ReadFile(filepath.Join(f.dir, words[0]))
		if err != nil {
			return s, err
		}
		s.options, words = fileOptions(string(text)), words[1:]
	}
	maps.Copy(s.options, argOptions(words))
	var err error
	if s.port, err = strconv.Atoi(s.options["port"]); err != nil {
		return s, fmt.Errorf("read its port: %w", err)
	}
	if nodes := s.options[optionNodes]; nodes != "" {
		if s.bus, err = strconv.Atoi(s.options["cluster-port"]); err != nil {
			return s, fmt.Errorf("read the port of its bus: %w", err)
		}
		text, err := os.ReadFile(filepath.Join(f.dir, nodes))
		if err != nil {
			return s, err
		}
		if strings.Contains(string(text), "myself,slave") {
			s.role = roleReplica
		}
	}
	if s.options[optionReplicaOf] != "" {
		s.role = roleReplica
	}
	if _, watches := s.options["sentinel"]; watches {
		s.role = roleSentinel
	}
	return s, nil
}

// fileOptions are the options of a configuration file by name.
func fileOptions(text string) map[string]string {
	options := map[string]string{}
	for line := range strings.Lines(text) {
		words := strings.Fields(strings.ReplaceAll(line, `""`, " "))
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if words[0] == "sentinel" {
			words = append([]string{words[0] + " " + words[1]}, words[2:]...)
		}
		options[words[0]] = strings.Join(words[1:], " ")
	}
	return options
}

// argOptions are the options of a command line by name.
func argOptions(words []string) map[string]string {
	options := map[string]string{}
	for i, word := range words {
		name, isName := strings.CutPrefix(word, "--")
		if !isName {
			continue
		}
		values := words[i+1:]
		if end := slices.IndexFunc(values, func(w string) bool { return strings.HasPrefix(w, "--") }); end >= 0 {
			values = values[:end]
		}
		options[name] = strings.Join(values, " ")
	}
	return options
}

// wantOptions are the options that the docker provider would start a server
// with at the same place.
func (f *composeFile) wantOptions(s fileServer) map[string]string {
	one := spec{shape: usual(f.topology), topology: f.topology}
	if s.role == roleSentinel {
		one.watch = &member{host: localHost, port: f.servers[0].port}
	}
	p := newPlan(Valkey, serverImage{}, one)
	p.port, p.bus = s.port, s.bus
	options := fileOptions(one.config(p.place()))
	maps.Copy(options, argOptions(p.command()))
	delete(options, "proc-title-template") // Tells the servers of one program from another's.
	delete(options, "sentinel myid")       // Here each gives itself one.
	return options
}

// problems says what the file has otherwise than the docker provider would.
func (f *composeFile) problems(image string) []string {
	var found []string
	add := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	shape, roles := usual(f.topology), map[string]int{}
	for i, s := range f.servers {
		roles[s.role]++
		got := maps.Clone(s.options)
		delete(got, optionReplicaOf)
		delete(got, optionNodes)
		if diff := cmp.Diff(f.wantOptions(s), got); diff != "" {
			add("%s: options (-docker provider +file):\n%s", s.name, diff)
		}
		if wanted := f.replicaOf(s); s.options[optionReplicaOf] != wanted {
			add("%s: it follows %q, want %q", s.name, s.options[optionReplicaOf], wanted)
		}
		if diff := f.nodesProblem(i); diff != "" {
			add("%s: %s (-want +file):\n%s", s.name, s.options[optionNodes], diff)
		}
		for _, other := range f.servers[:i] {
			if other.port == s.port {
				add("%s and %s: both have port %d", other.name, s.name, s.port)
			}
		}
		service := f.project.Services[s.name]
		if service.NetworkMode != "host" {
			add("%s: network_mode %q, want host", s.name, service.NetworkMode)
		}
		if service.Image != image && service.Image != "toriibench-prepared/"+image {
			add("%s: image %s, want %s", s.name, service.Image, image)
		}
		if service.Build != nil && *service.Build.Args["IMAGE"] != image {
			add("%s: made of image %s, want %s", s.name, *service.Build.Args["IMAGE"], image)
		}
	}
	want := map[string]int{rolePrimary: shape.Primaries, roleReplica: shape.Primaries * shape.Replicas, roleSentinel: shape.Sentinels}
	for role, n := range want {
		if roles[role] != n {
			add("%d servers are %s, want %d", roles[role], role, n)
		}
	}
	return found
}

// replicaOf is whom a server follows from its start; nobody in a cluster, whose
// nodes have that from their own file.
func (f *composeFile) replicaOf(s fileServer) string {
	if s.role != roleReplica || f.topology == Cluster {
		return ""
	}
	return fmt.Sprintf("%s %d", localHost, f.servers[0].port)
}

// nodesProblem compares what node i knows from the start with what the docker
// provider tells its nodes: the slots of each primary and whom each replica
// follows. A primary's id is that of its shard too.
func (f *composeFile) nodesProblem(i int) string {
	name := f.servers[i].options[optionNodes]
	if f.topology != Cluster {
		return name
	}
	text, err := os.ReadFile(filepath.Join(f.dir, name))
	if err != nil {
		return err.Error()
	}
	shape := usual(Cluster)
	id := func(n int) string { return fmt.Sprintf("%040d", f.servers[n].port) }
	var want strings.Builder
	for n, s := range f.servers {
		shard, role, follows, served := n, "master", "-", ""
		if n < shape.Primaries {
			served = fmt.Sprintf(" %d-%d", slots*n/shape.Primaries, slots*(n+1)/shape.Primaries-1)
		} else {
			shard = (n - shape.Primaries) / shape.Replicas
			role, follows = "slave", id(shard)
		}
		if n == i {
			role = "myself," + role
		}
		fmt.Fprintf(&want, "%s %s:%d@%d,,shard-id=%s %s %s 0 0 %d connected%s\n",
			id(n), localHost, s.port, s.bus, id(shard), role, follows, shard+1, served)
	}
	fmt.Fprintf(&want, "vars currentEpoch %d lastVoteEpoch 0\n", shape.Primaries)
	return lineDiff(want.String(), string(text))
}

// lineDiff shows the lines in which two texts differ, whole.
func lineDiff(want, got string) string {
	var diff strings.Builder
	wants, gots := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(wants), len(gots)) {
		var w, g string
		if i < len(wants) {
			w = wants[i]
		}
		if i < len(gots) {
			g = gots[i]
		}
		if w != g {
			fmt.Fprintf(&diff, "-%s\n+%s\n", w, g)
		}
	}
	return diff.String()
}

func TestComposeFilesStartWhatTheDockerProviderDoes(t *testing.T) {
	images := map[string]string{"": "valkey/valkey:" + DefaultVersion(Valkey), "some/redis:7.0": "some/redis:7.0"}
	for _, topology := range topologies() {
		for set, want := range images {
			t.Run(topology+" of image "+want, func(t *testing.T) {
				f, err := readComposeFile(t.Context(), ".", topology, set)
				if err != nil {
					t.Fatal(err)
				}
				for _, problem := range f.problems(want) {
					t.Error(problem)
				}
			})
		}
	}
}

// TestComposeFilesDifferences proves that each difference is found.
func TestComposeFilesDifferences(t *testing.T) {
	const nodes = "prepared/cluster/nodes-17004.conf"
	for name, c := range map[string]struct{ topology, file, old, new, want string }{
		"an option has another value":    {Standalone, "standalone.yaml", "--appendonly no", "--appendonly yes", "appendonly"},
		"an option is missing":           {Standalone, "standalone.yaml", "--protected-mode yes", "", "protected-mode"},
		"an option is more":              {Replicated, "replicated.yaml", `--save ""`, `--save "" --io-threads 2`, "io-threads"},
		"a replica follows another":      {Replicated, "replicated.yaml", "--replicaof 127.0.0.1 17101", "--replicaof 127.0.0.1 17103", "it follows"},
		"a replica follows nobody":       {Sentinel, "prepared/sentinel/replica.conf", "replicaof 127.0.0.1 17201", "", "3 servers are primary, want 1"},
		"two servers have one port":      {Sentinel, "sentinel.yaml", "--port 17203", "--port 17202", "both have port 17202"},
		"another quorum":                 {Sentinel, "prepared/sentinel/sentinel.conf", "17201 2", "17201 3", "sentinel monitor"},
		"sentinels wait longer":          {Sentinel, "prepared/sentinel/sentinel.conf", "milliseconds torii 2000", "milliseconds torii 5000", "down-after"},
		"a sentinel is missing":          {Sentinel, "sentinel.yaml", "  sentinel-3:\n", "x-sentinel-3:\n", "2 servers are sentinel, want 3"},
		"nodes wait longer":              {Cluster, "prepared/cluster/server.conf", "node-timeout 2000", "node-timeout 15000", "cluster-node-timeout"},
		"a bus is elsewhere":             {Cluster, "cluster.yaml", "--cluster-port 27003", "--cluster-port 27103", "-0000000000000000000000000000000000017003 127.0.0.1:17003@27103"},
		"slots are shared out otherwise": {Cluster, nodes, "0-5460", "0-5461", " 0-5461\n"},
		"a node reads another's file":    {Cluster, "cluster.yaml", "nodes-17002.conf", "nodes-17003.conf", "node-17002"},
		"a network of its own":           {Standalone, "standalone.yaml", "network_mode: host", "network_mode: bridge", "want host"},
		"a fixed image":                  {Cluster, "cluster.yaml", "/${TORIIBENCH_IMAGE:-valkey/valkey:8.1}", "/redis:7.0", "image toriibench-prepared/redis:7.0"},
		"made of a fixed image":          {Sentinel, "sentinel.yaml", "IMAGE: ${TORIIBENCH_IMAGE:-valkey/valkey:8.1}", "IMAGE: redis:7.0", "made of image redis:7.0"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(filepath.Join(dir, "prepared"), os.DirFS("prepared")); err != nil {
				t.Fatal(err)
			}
			for _, from := range []string{c.topology + ".yaml", c.file} {
				text, err := os.ReadFile(from)
				if err != nil {
					t.Fatal(err)
				}
				changed := string(text)
				if from == c.file {
					if changed = strings.Replace(changed, c.old, c.new, 1); changed == string(text) {
						t.Fatalf("%s has no %q to change", c.file, c.old)
					}
				}
				if err := os.WriteFile(filepath.Join(dir, from), []byte(changed), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			f, err := readComposeFile(t.Context(), dir, c.topology, "some/image:1")
			if err != nil {
				t.Fatal(err)
			}
			if found := strings.Join(f.problems("some/image:1"), "\n"); !strings.Contains(found, c.want) {
				t.Errorf("found %q, want a problem with %q", found, c.want)
			}
		})
	}
}
