# The two commands a newcomer needs are `make run` and `make test`; `make help` lists the rest.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .tools/bin/uv
INVENTORY := .venv/bin/inventory
SUPERSET := .venv-superset/bin/python -m dashboards.server

ifeq ($(INVENTORY_DATA_DIR),)
override INVENTORY_DATA_DIR := data
endif
export INVENTORY_DATA_DIR
# dbt's artefacts belong to the data they describe, so that two data folders never share one build's results
export DBT_TARGET_PATH ?= $(INVENTORY_DATA_DIR)/dbt/target
export DBT_LOG_PATH ?= $(INVENTORY_DATA_DIR)/dbt/logs
export DBT_PROFILES_DIR ?= .
export DBT_SEND_ANONYMOUS_USAGE_STATS ?= false
ifneq ($(DEEP),)
export INVENTORY_DETECTORS := lstm_autoencoder
endif
# container images often set it: each process then compiles dbt, pandas or Superset anew (4 s instead of 2 to import dbt)
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

# ---------------------------------------------------------------- environments

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' \
	  || { echo "Python 3.11 or 3.12 is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Set PYTHON=/path/to/python3.11." >&2; exit 1; }
	@echo "» installing uv $(UV_VERSION)"
	@$(PYTHON) -m venv .tools \
	  || { echo "Python's venv module is missing (Debian and Ubuntu: apt-get install python3-venv)." >&2; exit 1; }
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.runtime: requirements.lock pyproject.toml | $(UV)
	@echo "» installing the main environment (.venv)"
	@[ -x .venv/bin/python ] || $(UV) venv --quiet --python "$$(command -v $(PYTHON))" .venv
	@$(UV) pip sync --quiet --python .venv/bin/python --require-hashes requirements.lock
	@$(UV) pip install --quiet --python .venv/bin/python --no-deps --editable .
	@rm -f .venv/.dev .venv/.deep && touch $@

.venv/.deep: .venv/.runtime requirements-deep.lock
	@echo "» adding the optional detector"
	@$(UV) pip install --quiet --python .venv/bin/python --require-hashes --requirement requirements-deep.lock
	@touch $@

.venv/.dev: .venv/.runtime requirements-dev.lock
	@echo "» adding the development tools"
	@$(UV) pip install --quiet --python .venv/bin/python --require-hashes --requirement requirements-dev.lock
	@touch $@

.venv-superset/.ready: requirements-superset.lock | $(UV)
	@echo "» installing Superset's environment (.venv-superset)"
	@[ -x .venv-superset/bin/python ] || $(UV) venv --quiet --python "$$(command -v $(PYTHON))" .venv-superset
	@$(UV) pip sync --quiet --python .venv-superset/bin/python --require-hashes requirements-superset.lock
	@touch $@

# Two first runs in one clone would fill one environment together. Whoever comes second waits, and finds it filled.
# Where there is no flock (util-linux), nobody waits.
ENVIRONMENTS := .environments.lock
IN_TURN := $(if $(shell command -v flock),flock --nonblock $(ENVIRONMENTS) true || echo "» waiting for another make to install"; flock $(ENVIRONMENTS))

.PHONY: setup setup-dev setup-superset
setup: ## Install the main environment
	@$(IN_TURN) $(MAKE) --silent $(if $(DEEP),.venv/.deep,.venv/.runtime)

setup-dev: ## Install the main environment with the development tools
	@$(IN_TURN) $(MAKE) --silent .venv/.dev

setup-superset: ## Install Superset's environment
	@$(IN_TURN) $(MAKE) --silent .venv-superset/.ready

# ---------------------------------------------------------------- the product

.PHONY: run
run: setup setup-superset ## Set everything up, fill the dashboards, leave Superset serving on http://127.0.0.1:8088; DEEP=1 adds the LSTM autoencoder
	@$(SUPERSET) check
	@$(MAKE) pipeline
	@$(SUPERSET) start
	@$(INVENTORY) status

.PHONY: stop
stop: ## Stop what `make run` started
	@[ ! -x .venv-superset/bin/python ] || $(SUPERSET) stop

.PHONY: broker broker-stop
broker: setup maven ## Start a real Pulsar broker on pulsar://127.0.0.1:6650 (PULSAR_PORT, PULSAR_WEB_PORT move it)
	@.venv/bin/python -m dev.pulsar_broker start

broker-stop: ## Stop the broker of `make broker`
	@[ ! -x .venv/bin/python ] || .venv/bin/python -m dev.pulsar_broker stop

.PHONY: events
events: setup
	@echo "» landing events"
	@umask 027; .venv/bin/python -m ingest.simulation.demo

.PHONY: pipeline
pipeline: events ## The same without Superset: events to SQLite files
	@$(INVENTORY) build

# ---------------------------------------------------------------- checks

.PHONY: check
check: setup-dev setup-superset ## The fast checks, for every commit: lint, and unit tests, dbt's among them
	@$(MAKE) --jobs 2 --output-sync=target lint unit

PYTEST := .venv/bin/pytest --dist loadgroup --no-loadscope-reorder --durations 20
# The tests of a broker, of Superset and of Spark wait for those a third of their time: one process more than two cores
# have fills it. Unit tests do not wait.
INTEGRATION := --numprocesses 3

.PHONY: unit
unit:
	$(PYTEST) --numprocesses 2 tests/unit

.PHONY: integration
integration: setup-dev setup-superset chromium maven postgresql ## The tests that `make check` leaves: brokers, Spark, whole builds, dashboards
	$(PYTEST) $(INTEGRATION) tests/integration tests/browser

.PHONY: test
test: setup-dev setup-superset chromium maven postgresql ## Run all tests
	$(PYTEST) $(INTEGRATION)

.PHONY: lint
lint: setup-dev ## Check format, types and SQL style
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/sqlfluff lint models tests/dbt

.PHONY: bench
bench: setup-dev ## Measure speed and accuracy against baselines; ONLY="loader spark" runs some of them, RECORD=1 writes docs/benchmarks.md
	RECORD=$(RECORD) .venv/bin/python -m bench $(ONLY)

.PHONY: chaos
chaos: setup-dev maven ## Disturb `inventory live` for MINUTES=10, and compare what it publishes with an undisturbed run
	.venv/bin/python -m tests.integration.live.chaos --minutes $(or $(MINUTES),10)

.PHONY: report
report: setup-dev ## Describe the demo data in pictures and figures (docs/demo_data.md); REAL=FOLDER sets real till data beside
	.venv/bin/python -m docs.demo_data $(REAL)

.PHONY: format
format: setup-dev ## Format Python and SQL
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .
	.venv/bin/sqlfluff fix models tests/dbt

.PHONY: maven
maven:
	@[ -z "$$(.venv/bin/python -c 'from dev.pulsar_broker import missing_prerequisites; print(missing_prerequisites() or "")')" ] || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "» installing Maven and Java for the Pulsar broker"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends maven default-jre-headless >/dev/null; \
	fi

.PHONY: postgresql
postgresql:
	@[ -z "$$(.venv/bin/python -c 'from dev.postgresql_server import missing_prerequisites; print(missing_prerequisites() or "")')" ] || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "» installing PostgreSQL for its tests"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql-15 >/dev/null; \
	fi

.PHONY: chromium
chromium:
	@command -v chromium >/dev/null || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "» installing Chromium for the browser tests"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	else echo "» Chromium is missing: the browser tests will say that they did not run" >&2; fi

# ---------------------------------------------------------------- upkeep

LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock"

.PHONY: lock
lock: | $(UV) ## Refresh the lock files
	$(LOCK) --upgrade --extra dev --extra deep pyproject.toml --output-file requirements-dev.lock
	$(LOCK) --upgrade --constraint requirements-dev.lock pyproject.toml --output-file requirements.lock
	$(LOCK) --upgrade --constraint requirements-dev.lock --extra deep pyproject.toml --output-file requirements-deep.lock
	$(LOCK) --upgrade requirements-superset.in --output-file requirements-superset.lock

.PHONY: clean
clean: stop ## Remove the environments; data stay
	rm -rf .tools .venv .venv-superset target
