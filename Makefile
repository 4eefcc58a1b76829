# `make` alone lists the targets. Only Go, make and git are needed; servers are
# fetched without root into a per-user cache (see README.md).

GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOFUMPT       := mvdan.cc/gofumpt@v0.12.0
TOOLS         := $(CURDIR)/.tools
# A module of its own, which ./... does not reach.
STORES        := runner/peers/stores
SERVERS       := redis:7.0,redis:8.0,valkey:8.0,valkey:8.1,valkey:9.1
TOPOLOGIES    := standalone+mtls+acl,replicated,sentinel,sentinel+tls,cluster,cluster+mtls+acl
FAULTS        := kill stop partition manual
FAILOVERS     := valkey:8.1@cluster,redis:7.0@cluster
comma         := ,
empty         :=
# each of SERVERS in each of TOPOLOGIES
TARGETS        = $(subst $(empty) $(empty),$(comma),$(strip $(foreach s,$(subst $(comma), ,$(SERVERS)),$(foreach t,$(subst $(comma), ,$(TOPOLOGIES)),$(s)@$(t)))))

.DEFAULT_GOAL := help
.PHONY: help bench perf perf-store memory prices conformance failover topologies images mutants test test-short race lint fmt build clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

bench: build ## measure Redis against Valkey: 3 scenarios, 2 clients, under 4 minutes (more: ARGS="--for 30s")
	./toriibench bench $(ARGS)

perf: build ## measure this generator beside redis-benchmark, valkey-benchmark and memtier, 3 minutes
	./toriibench perf $(ARGS)

perf-store: ## measure the store beside scs, redistore and fiber's storage, under 3 minutes (more: ARGS="--for 2s")
	cd $(STORES) && go build -o $(TOOLS)/perf-store .
	$(TOOLS)/perf-store $(ARGS)

memory: ## weigh sessions in this and other layouts on five servers, 15 minutes (less: ARGS="-bench 'Memory/mixed/typical'")
	go test -run '^$$' -bench . -benchtime 3000x -timeout 30m ./store/internal/layouts $(ARGS)

prices: ## what waiting for a replica and the bound of sessions cost, in rounds with and without, 1 minute
	go test -run '^$$' -bench Prices -benchtime 20x ./store/goredis ./store/valkeygo $(ARGS)

test: ## run all tests, with real servers
	go test -timeout 20m ./...
	cd $(STORES) && go test -timeout 5m ./...

test-short: ## run the tests that need nothing, in under a minute
	go test -short ./...
	cd $(STORES) && go test -short ./...

conformance: ## run the store's suite and all tests of its drivers on five servers, 200 rounds, 30 minutes (one: SERVERS=redis:8.0)
	TORIIBENCH_TEST_ENGINES=$(SERVERS) go test -timeout 60m ./store/goredis ./store/valkeygo

failover: build ## kill, stop, cut off and replace primaries, over ten times each, and tell what was lost, 50 minutes (less: FAULTS=kill FAILOVERS=valkey:8.1@cluster)
	for fault in $(FAULTS); do \
	  ./toriibench bench --scenario failover --target $(FAILOVERS) --fault $$fault --for 170s --name failover-$$fault $(ARGS) || [ $$? = 3 ] || exit 1; \
	done

topologies: images ## run the store's suite, 3 rounds, on five servers in six topologies, as processes and in containers (less: SERVERS=redis:8.0)
	for provider in native docker; do \
	  TORIIBENCH_TEST_PROVIDER=$$provider TORIIBENCH_TEST_TARGETS=$(TARGETS) \
	    go test -count=1 -timeout 120m -run TestTopologies ./store/goredis ./store/valkeygo || exit 1; \
	done

images: build ## make container images of five servers from the distribution's packages, without a registry
	./toriibench servers image $(SERVERS)

mutants: ## prove that the store's tests find known faults, with a real server, 6 minutes (more: ARGS="-tries 20")
	go run ./store/mutants $(ARGS)

# The drivers' Go code is the same for each server and for each way to reach it.
race: ## run the tests under the race detector (needs a C compiler), the store's suite on one server and one cluster
	TORIIBENCH_TEST_ENGINES=valkey:8.1 go test -race -timeout 25m -skip '^(TestTopologies|TestPublishedPorts|TestConformanceInJSON)$$' ./...
	cd $(STORES) && go test -race -timeout 10m ./...

lint: $(TOOLS)/golangci-lint $(TOOLS)/gofumpt ## vet, format check and golangci-lint
	go vet ./...
	cd $(STORES) && go vet ./...
	@bad=$$($(TOOLS)/gofumpt -l .); if [ -n "$$bad" ]; then echo "gofumpt would change:"; echo "$$bad"; exit 1; fi
	$(TOOLS)/golangci-lint run ./...
	cd $(STORES) && $(TOOLS)/golangci-lint run ./...

fmt: $(TOOLS)/golangci-lint ## format the code
	$(TOOLS)/golangci-lint fmt ./...
	cd $(STORES) && $(TOOLS)/golangci-lint fmt ./...

build: ## build ./toriibench
	go build -o toriibench .

clean: ## remove what make built here; the fetched servers stay in the user's cache
	rm -rf toriibench $(TOOLS)

$(TOOLS)/golangci-lint:
	GOFLAGS= GOBIN=$(TOOLS) go install $(GOLANGCI_LINT)

$(TOOLS)/gofumpt:
	GOFLAGS= GOBIN=$(TOOLS) go install $(GOFUMPT)
