# Everything that a contributor runs. `make help` lists it.

CARGO ?= cargo
CACHE := $(or $(KUBECTL_RELOAD_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/kubectl-reload)

BIN := $(or $(CARGO_TARGET_DIR),target)/debug

# Tests mostly wait for controllers, so more of them run at once than there are cores.
export RUST_TEST_THREADS ?= 8

# An error of a test says what was seen; where it came from, a panic says.
export RUST_LIB_BACKTRACE ?= 0

.DEFAULT_GOAL := help
.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: prerequisites
prerequisites:
	@tests/prerequisites.sh

.PHONY: control-plane
control-plane: ## A Kubernetes control plane in the cache: 10 minutes once, then nothing
	@tests/control-plane/build.sh >/dev/null

.PHONY: oldest
oldest: control-plane ## The API server of the oldest Kubernetes that is supported, in the cache: 5 minutes once
	@KUBERNETES=1.33 tests/control-plane/build.sh >/dev/null

.PHONY: helm
helm: ## Helm in the cache: 2 minutes once, then nothing
	@tests/control-plane/build.sh helm >/dev/null

.PHONY: chart-tools
chart-tools: helm ## What checks the chart and the workflows, in the cache: helm-docs, promtool, actionlint
	@tests/control-plane/build.sh helm-docs >/dev/null
	@tests/control-plane/build.sh promtool >/dev/null
	@tests/control-plane/build.sh actionlint >/dev/null

.PHONY: build
build: prerequisites ## The plugin and the webhook, into target/debug
	@$(CARGO) build --workspace

.PHONY: image
image: prerequisites ## The image as an OCI archive: static binaries alone, on Linux
	@deploy/image.sh

.PHONY: manifests
manifests: helm ## deploy/install.yaml and the chart's README, from the chart
	@deploy/manifests.sh

.PHONY: test
test: prerequisites control-plane oldest chart-tools build ## All tests, those on a real control plane included
	@tests/run.sh --workspace

.PHONY: test-unit
test-unit: prerequisites ## The tests that need no cluster
	@tests/run.sh --workspace --lib --bins

.PHONY: test-node
test-node: prerequisites control-plane helm build ## The tests on a real node: as root on Linux, else skipped
	@tests/run.sh -p reload-tests --test 'node*'

.PHONY: lint
lint: prerequisites ## Format, clippy, licences, duplicate versions, purity of core
	@$(CARGO) fmt --all -- --check
	@$(CARGO) clippy --workspace --all-targets -- -D warnings
	@$(CARGO) test --workspace --test dependencies

.PHONY: refresh-openapi
refresh-openapi: prerequisites control-plane ## tests/openapi: the schemas of pod specs, from 1.33 to the control plane of the tests
	@REFRESH_OPENAPI="$$(tests/openapi/documents.sh 1.33 1.34 1.35)" \
	  $(CARGO) test -p reload-tests --test openapi the_stored_schema

FUZZ_RUNS ?= 5000000

.PHONY: fuzz
fuzz: prerequisites ## FUZZ_RUNS inputs (5 million) for each fuzz target; wants a C++ compiler
	@fuzz/run.sh $(FUZZ_RUNS)

.PHONY: mutants
mutants: prerequisites ## Whether the tests of verdicts see every change of them; wants cargo-mutants, half an hour
	@PROPTEST_CASES=16 $(CARGO) mutants -p reload-core -f 'src/verdict/*.rs' -f src/verdict.rs --timeout 300 \
	  -o "$(or $(CARGO_TARGET_DIR),target)" -- --lib verdict

.PHONY: bench-core
bench-core: prerequisites ## Benchmarks of core: digests, records, verdicts
	@$(CARGO) bench -p reload-core --bench core

.PHONY: bench-status
bench-status: prerequisites control-plane ## What `status -A` costs against a plain download, with 2,000 and 10,000 pods
	@$(CARGO) build --release -p kubectl-reload -p kubectl-reload-webhook -p reload-tests \
	  --bin kubectl-reload --bin kubectl-reload-webhook --bin bench-status
	@$(or $(CARGO_TARGET_DIR),target)/release/bench-status

REVIEWS ?= 100000

.PHONY: bench-webhook
bench-webhook: prerequisites control-plane ## What the webhook costs, with its memory over REVIEWS (100000) reviews
	@$(CARGO) build --release -p kubectl-reload-webhook -p reload-tests --bin kubectl-reload-webhook --bin bench-webhook
	@$(or $(CARGO_TARGET_DIR),target)/release/bench-webhook $(REVIEWS)

.PHONY: vectors
vectors: ## tests/vectors: the golden vectors of the record's format, by Python 3
	@tests/vectors/generate.py

.PHONY: demo
demo: prerequisites control-plane build ## The main job on a cluster of its own, step by step
	@$(BIN)/demo up

.PHONY: pictures
pictures: prerequisites control-plane build ## docs/pictures anew, from what a terminal and a webhook really show
	@$(BIN)/pictures write

.PHONY: demo-down
demo-down: build ## Remove what the demo has left running
	@$(BIN)/demo down

.PHONY: clean-cache
clean-cache: ## Remove the cached control plane, node and tools (Go keeps its own: go clean -cache -modcache)
	rm -rf "$(CACHE)/control-plane" "$(CACHE)"/control-plane-* "$(CACHE)/helm" "$(CACHE)/helm-docs" "$(CACHE)/promtool" "$(CACHE)/actionlint" "$(CACHE)/crds" "$(CACHE)/real-node"
