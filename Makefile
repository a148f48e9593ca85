# `make` prints this page.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MEMBERS := $(patsubst %,-e %,proto/gen $(dir $(wildcard services/*/pyproject.toml)))
# uv reads none of pip's settings: the index and the certificates that pip is told of are told to it.
AS_PIP = eval "$$($(BIN)/python -m pip config list | sed -nE \
  -e 's/^[a-z:]+\.index-url=(.*)/export UV_DEFAULT_INDEX=$${UV_DEFAULT_INDEX:-\1}/p' \
  -e 's/^[a-z:]+\.cert=(.*)/export SSL_CERT_FILE=$${SSL_CERT_FILE:-\1}/p')";
UV_INSTALL = @$(AS_PIP) set -x; $(BIN)/uv pip install -q --python $(BIN)/python
export PORTOLAN_HOME ?= $(CURDIR)/.portolan
export PORT ?= 8080
PROFILE ?= embedded
BROKERS ?= 1

##@ See it
.PHONY: run demo history stack stack-down
run: $(VENV)/.run ## start it on 127.0.0.1:8080 and stay in front (PORT= moves it, PROFILE=stack runs it on the stack)
	@exec $(BIN)/portolan run --port $(PORT) --profile $(PROFILE) --brokers $(BROKERS)
stack: $(VENV)/.run ## start Apache Kafka (BROKERS=3), Redis and PostgreSQL (or DATABASE_URL=) and stay in front
	@exec $(BIN)/portolan stack up --brokers $(BROKERS)
stack-down: $(VENV)/.run ## stop what `make stack` started
	@exec $(BIN)/portolan stack down
demo: $(VENV)/.run ## play the golden cases against what `make run` started (or BASE_URL=)
	@exec $(BIN)/portolan demo

history: $(VENV)/.run ## give the demonstration two weeks of past, by seed (SEED=7), before `make run`
	@exec $(BIN)/portolan history --seed $(or $(SEED),7)

##@ Work on it
.PHONY: setup test check fmt proto lock bench microseconds clean
setup: $(VENV)/.dev ## install everything, tools included
test: $(VENV)/.dev ## every test; without Java, Maven or redis-server, those of Kafka and Redis are skipped by name
	$(BIN)/python -m pytest
check: $(VENV)/.dev ## ruff, mypy --strict, import contracts, buf lint, contract unbroken, stubs up to date, pack lint
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy services tests loadtests
	$(BIN)/lint-imports
	$(BIN)/buf lint
	$(BIN)/python proto/generate.py --check
	@for pack in services/packs/*/pack.yaml; do $(BIN)/portolan pack lint $$(dirname $$pack) || exit 1; done
fmt: $(VENV)/.dev ## format and sort imports
	$(BIN)/ruff check --fix -q . ; $(BIN)/ruff format -q .
proto: $(VENV)/.dev ## rewrite proto/gen and proto/released.binpb from the protos, unless they break what was released
	$(BIN)/python proto/generate.py
lock: $(VENV)/.uv ## resolve the pinned, hashed requirement files anew
	@$(AS_PIP) $(BIN)/python services/lock.py
bench: $(VENV)/.dev ## documents a second, end to end, beside pgbench on the same server
	$(BIN)/python loadtests/first_figure.py
.PHONY: misfortunes
misfortunes: $(VENV)/.dev ## every fault, one after another, under load; then everything is counted (RATE=100)
	$(BIN)/python -m tests.misfortunes --write --rate $(or $(RATE),100)
microseconds: $(VENV)/.dev ## CPU per document by process, kind and statement (ARGS="--profile")
	$(BIN)/python loadtests/microseconds.py $(ARGS)
clean: ## forget the virtual environment and the embedded data
	rm -rf $(VENV) $(PORTOLAN_HOME)

$(VENV)/.uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check uv
	@touch $@
$(VENV)/.run: $(VENV)/.uv requirements.lock $(wildcard services/*/pyproject.toml) proto/gen/pyproject.toml
	$(UV_INSTALL) --compile-bytecode --require-hashes -r requirements.lock
	$(UV_INSTALL) --no-deps --no-build-isolation $(MEMBERS)
	@touch $@
$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	$(UV_INSTALL) --compile-bytecode --require-hashes -r requirements-dev.lock
	@touch $@

.PHONY: help
help:
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
