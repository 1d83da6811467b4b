# What a developer runs. `make test` sets up what it needs and proves everything; `make help` lists the rest.

GO      ?= go
OUT     ?= bin
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.1.0-dev)
COMMIT  ?= $(shell git rev-parse --short HEAD 2>/dev/null)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
FUZZTIME ?= 20s
ATTACKTIME ?= 5m

# Debian's Python modules belong to Debian's interpreter, whatever else is in the PATH.
export PYTHON ?= /usr/bin/python3
# Real clients and the Debian packages that hold them; test/interop runs them as separate processes. Only what is
# missing is installed, so that a node of another origin stays.
TOOLS   := mosquitto:mosquitto mosquitto_pub:mosquitto-clients mosquitto_sub:mosquitto-clients coap-client-notls:libcoap3-bin coap-client-openssl:libcoap3-bin coap-client-gnutls:libcoap3-bin \
           amqp-publish:amqp-tools amqp-consume:amqp-tools node:nodejs npm:npm openssl:openssl $(PYTHON):python3
MODULES := stomp:python3-stomp pika:python3-pika paho.mqtt.client:python3-paho-mqtt
NODE_DIR := test/interop/node

.PHONY: help build test setup check vuln unit matrix scale crash interop fuzz bench microbench attack fmt lint generate clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

build: ## bin/entrepot, static
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(OUT)/entrepot ./cmd/entrepot

test: setup check vuln unit matrix scale crash ## vet, format, vulnerabilities, units with the race detector, the matrix, the sizes, kill -9

# Modules are looked for from elsewhere: here Python takes the directory stomp for one.
setup: ## install the real clients (as root), or say which are missing
	@absent() { for t in $(TOOLS); do command -v $${t%%:*} >/dev/null || echo $$t; done; \
	  for m in $(MODULES); do (cd / && $(PYTHON) -c "import $${m%%:*}") 2>/dev/null || echo $$m; done; }; \
	missing=$$(absent); \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$(for t in $$missing; do echo $${t##*:}; done | sort -u) || exit 1; \
	  missing=$$(absent); \
	fi; \
	[ -z "$$missing" ] || { for t in $$missing; do echo "missing: $${t%%:*}, which Debian has in $${t##*:}"; done; exit 1; }
	cd $(NODE_DIR) && npm ci --silent

check: ## go vet and gofmt
	$(GO) vet ./...
	cd test/peers && $(GO) vet ./...
	@bad=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$bad" ] || { echo "gofmt: $$bad"; exit 1; }

vuln: ## known vulnerabilities of what is built; needs https://vuln.go.dev, or GOVULNDB
	cd tools && $(GO) build -o ../$(OUT)/govulncheck golang.org/x/vuln/cmd/govulncheck
	@tools/vuln.sh $(OUT)/govulncheck

unit: ## unit tests and fuzz seeds with the race detector; what counts allocations without it; what measures load comes last, one after the other
	$(GO) test -race -timeout 10m $$($(GO) list ./... | grep -v -e /test/interop -e /test/matrix -e /test/abuse -e /test/scale -e /test/crash -e /test/credentials)
	$(GO) test -timeout 5m -run TestAStartTakesLittleForEachThing ./internal/store/disk
	cd test/peers && $(GO) test -timeout 5m ./...
	$(GO) test -race -p 1 -timeout 10m ./test/abuse ./test/scale ./test/credentials

matrix: ## every protocol in, every protocol out, in one process over real sockets
	$(GO) test -timeout 5m ./test/matrix/...

scale: ## ten thousand sessions, storms, every packet identifier; SCALE=10 for longer ones
	$(GO) test -timeout 20m -count=1 ./test/scale/

crash: ## kill -9 amid load of every protocol; CRASH=200 for so many times
	$(GO) test -timeout 60m -count=1 ./test/crash/

interop: setup ## the matrix with real clients as separate processes against the built binary
	$(GO) test -timeout 10m -count=1 -parallel 8 ./test/interop/...

fuzz: ## each fuzz target for FUZZTIME
	@for p in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p 2>/dev/null | grep ^Fuzz); do \
	    echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p || exit 1; \
	  done; \
	done

# Brokers that the benchmark alone needs, so `make test` does not install them.
PEERS := mosquitto:mosquitto rabbitmq-server:rabbitmq-server
BENCHFLAGS ?=

bench: ## docs/performance.md: beside mosquitto, mochi, RabbitMQ and a bare relay, half an hour; BENCHFLAGS='-workloads fan-in' for less, see test/peers
	@missing=$$(for t in $(PEERS); do command -v $${t%%:*} >/dev/null || echo $${t##*:}; done); \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing || exit 1; \
	fi
	cd test/peers && $(GO) run . $(BENCHFLAGS) -write ../../docs/performance.md

microbench: ## the benchmarks beside the code
	$(GO) test -run '^$$' -bench . -benchmem ./...

attack: ## the attack list in full, and random input to every listener for ATTACKTIME; ATTACK_TARGET=mqtt://host:port against another broker
ifdef ATTACK_TARGET
	$(GO) test -count=1 -v -timeout 30m -run '^TestAttackTarget$$' ./test/abuse/
else
	ATTACK=full ABUSE_MUTATE=$(ATTACKTIME) $(GO) test -race -count=1 -p 1 -timeout 120m ./test/abuse/
	ENTREPOT_FLOOD=10m $(GO) test -count=1 -timeout 30m -run '_R2_' ./internal/gateway/
	ENTREPOT_STORM=10000 $(GO) test -count=1 -p 1 -timeout 30m ./test/credentials/
endif

fmt: ## gofmt
	gofmt -w $$(git ls-files '*.go')

lint: ## golangci-lint, where it is installed
	golangci-lint run

generate: ## configs/default.yaml, docs/metrics.md, docs/commands.md, docs/mapping.md and docs/conformance from the code; the requirements of test/peers from go.mod
	$(GO) generate ./...
	$(GO) test ./test/matrix -run TestTheMappingDocumentIsUpToDate -update
	$(GO) test ./cmd/entrepot -run TestTheReferenceIsUpToDate -update
	$(GO) test ./internal/conformance -update
	cd test/peers && $(GO) mod tidy

clean:
	rm -rf $(OUT) $(NODE_DIR)/node_modules
