package compose

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/testcontainers/testcontainers-go"
	tclog "github.com/testcontainers/testcontainers-go/log"
)

// Environment that testcontainers reads.
const (
	envRyukDisabled = "TESTCONTAINERS_RYUK_DISABLED"
	envHostOverride = "TESTCONTAINERS_HOST_OVERRIDE"
	envHubPrefix    = "TESTCONTAINERS_HUB_IMAGE_NAME_PREFIX"
)

// runTimeout bounds the start of a container whose image is here, and of the
// reaper before it.
const runTimeout = 45 * time.Second

// testcontainersMu guards what testcontainers keeps once per process and
// without a lock: its default logger, and the environment that it reads. It is
// a package variable because its object is the process.
var testcontainersMu sync.Mutex

// quietLogger drops what testcontainers tells of each step.
type quietLogger struct{}

// Printf does nothing.
func (quietLogger) Printf(string, ...any) {}

// run creates and starts a container. The image has to be here, else
// testcontainers would download it without a word. A context that ends
// meanwhile does not break it off, since the engine completes a request whose
// sender has hung up, and the container would have no owner.
func (e *engine) run(ctx context.Context, p plan) (testcontainers.Container, error) {
	testcontainersMu.Lock()
	defer testcontainersMu.Unlock()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), runTimeout)
	defer cancel()
	giveBack, err := e.prepareTestcontainers(ctx)
	defer giveBack()
	if err != nil {
		return nil, err
	}
	return runRequest(ctx, p.request())
}

// runRequest turns the panics by which testcontainers gives up on an engine or
// a setting into errors.
func runRequest(ctx context.Context, req testcontainers.GenericContainerRequest) (ctr testcontainers.Container, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("testcontainers gave up: %v", reason)
		}
	}()
	return testcontainers.GenericContainer(ctx, req)
}

// registryAuth returns what the user's Docker configuration has for the registry
// of an image, in the engine's form; "" when it has nothing.
func (e *engine) registryAuth(ctx context.Context, name string) (string, error) {
	testcontainersMu.Lock()
	defer testcontainersMu.Unlock()
	giveBack, err := e.prepareTestcontainers(ctx)
	defer giveBack()
	if err != nil {
		return "", err
	}
	_, auth, err := testcontainers.DockerImageAuth(ctx, name)
	if err != nil {
		return "", nil // none is the usual case, and the registry has the last word
	}
	text, err := authconfig.Encode(auth)
	if err != nil {
		return "", fmt.Errorf("encode registry credentials: %w", err)
	}
	return text, nil
}

// prepareTestcontainers makes testcontainers quiet, and fit for a machine
// without a registry. The caller holds testcontainersMu, and calls giveBack
// when its use of the library is over.
//
// The reaper is a container that removes others when this program is gone. Its
// image may be missing where no registry can be reached; Sweep does its work
// then. Testcontainers reads that setting once, at its first use in the process.
//
// Where a file /.dockerenv is, as in many sandboxes, testcontainers takes the
// program for one in a container, and would seek the reaper at the address of
// a gateway.
func (e *engine) prepareTestcontainers(ctx context.Context) (giveBack func(), err error) {
	if _, quiet := tclog.Default().(quietLogger); !quiet {
		tclog.SetDefault(quietLogger{})
	}
	var undo []func()
	giveBack = func() {
		for _, f := range undo {
			f()
		}
	}
	if strings.HasPrefix(e.host, "unix:") && boxed() {
		undo = append(undo, lendEnv(envHostOverride, "127.0.0.1"))
	}
	if _, err := e.inspectImage(ctx, reaperImage()); errors.Is(err, errNoImage) {
		undo = append(undo, lendEnv(envRyukDisabled, "true"))
	}
	return giveBack, e.sameAsConfigured(testcontainers.ReadConfig())
}

// sameAsConfigured refuses settings of testcontainers that name another engine
// than the one that was found.
func (e *engine) sameAsConfigured(config testcontainers.TestcontainersConfig) error {
	for _, host := range []string{config.Config.TestcontainersHost, config.Config.Host} {
		if host != "" && host != e.host {
			return fmt.Errorf("the file .testcontainers.properties names the engine %s, and %s answers: set DOCKER_HOST to the one to use", host, e.host)
		}
	}
	return nil
}

// boxed tells whether this program may run in a container.
func boxed() bool {
	_, err := os.Stat("/.dockerenv")
	return err == nil
}

// reaperImage is the image of testcontainers' reaper.
func reaperImage() string {
	name := testcontainers.ReaperDefaultImage //nolint:staticcheck // The library has no other name for it, and a copy would grow stale.
	if prefix := os.Getenv(envHubPrefix); prefix != "" {
		return strings.TrimSuffix(prefix, "/") + "/" + name
	}
	return name
}

// lendEnv sets a variable that the user has not set, until giveBack is called.
func lendEnv(key, value string) (giveBack func()) {
	if _, set := os.LookupEnv(key); set || os.Setenv(key, value) != nil {
		return func() {}
	}
	return func() { _ = os.Unsetenv(key) } // fails only for keys that cannot be set
}
