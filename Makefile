# Everything one does with this repository. `make` alone lists it.

PYTHON ?= python3.11
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed-from-lock
SERVICE ?=
PYTEST_ARGS ?=
# Files of tests run side by side; WORKERS=0 runs one after the other in this process, as a debugger needs it.
WORKERS ?= 2

# What `make test SERVICE=…` selects: a service's tests by the words in their paths and names.
TESTS_normalization := normaliz or decod or market or silver or bronze
TESTS_enrichment := enrich or taxonomy or catalog
TESTS_aggregation := aggregat or bar or watermark or seal or recompute
TESTS_projection := project or latest or served

.DEFAULT_GOAL := help
.PHONY: help install demo run test coverage lint format validate sim sim-night fuzz bench bench-distributed bench-late crash-night lock clean services-install services-up services-down services-status

help:  ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  SERVICE is normalization, enrichment, aggregation or projection; for run also all_in_one."

install: $(READY)  ## Make .venv what requirements.lock says; quick when it is already

$(READY): requirements.lock Makefile
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "$(VENV) is not Python 3.11: remove it and run make install again." >&2; exit 1; }
	test "$$($(BIN)/uv --version 2>/dev/null | cut -d' ' -f2)" = "$(UV_VERSION)" || $(BIN)/python -m pip install --quiet uv==$(UV_VERSION)
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	@touch $@

demo: install  ## Run the whole refinery on a feed of its own making; Ctrl-C stops it
	$(BIN)/python -m entrypoints.all_in_one --demo $(ARGS)

run: install  ## Run one service: make run SERVICE=all_in_one ARGS="--input FILE --once --export DIR"
	@test -f "entrypoints/$(or $(SERVICE),all_in_one).py" || { echo "There is no service '$(SERVICE)' to run on its own here; SERVICE=all_in_one runs every stage in one process." >&2; exit 2; }
	$(BIN)/python -m entrypoints.$(or $(SERVICE),all_in_one) $(ARGS)

test: install  ## Run the suite, or one service's part of it: make test SERVICE=aggregation
	@test -z "$(SERVICE)" || test -n "$(TESTS_$(SERVICE))" || { echo "SERVICE must be normalization, enrichment, aggregation or projection, not '$(SERVICE)'." >&2; exit 2; }
	POLARS_MAX_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(if $(SERVICE),-k "$(TESTS_$(SERVICE))") $(PYTEST_ARGS)

coverage: install  ## Run the suite and hold its branch coverage to 100 % of the core and 90 % of all
	$(BIN)/coverage erase
	$(MAKE) test SERVICE= PYTEST_ARGS="--cov --cov-report= $(PYTEST_ARGS)"
	$(BIN)/coverage report --include='domain/*,application/*' --fail-under=100
	$(BIN)/coverage report --fail-under=90

lint: install  ## Check style, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: install  ## Format the code and fix what can be fixed mechanically
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

validate: lint test  ## Everything a commit needs: lint and test

sim: install  ## Run simulated worlds: make sim SEED=7 for one with its trace, SEED=0 N=500 for many
	POLARS_MAX_THREADS=1 $(BIN)/python -m tests.simulation.run --seed $(or $(SEED),0) --count $(or $(N),1) --workers $(WORKERS)

sim-night: install  ## Run fifty thousand simulated worlds, going on where the last night stopped
	POLARS_MAX_THREADS=1 $(BIN)/python -m tests.simulation.run --night --workers $(WORKERS)

fuzz: install  ## Feed made-up bytes to decoders and commands for 20 minutes: make fuzz ARGS="miso --seconds 60"
	POLARS_MAX_THREADS=1 $(BIN)/python -m tests.fuzz $(ARGS)

bench: install  ## Measure speed and memory; prints numbers, asserts none
	POLARS_MAX_THREADS=1 $(BIN)/python -m tests.performance.bench $(ARGS)

bench-distributed: install  ## Measure the four services on local servers: throughput, CPU and latencies
	$(BIN)/python -m tests.performance.distributed $(ARGS)

bench-late: install  ## Measure live latencies while a day of late ticks is poured in: make bench-late ARGS=--distributed
	POLARS_MAX_THREADS=1 $(BIN)/python -m tests.performance.late_burst $(ARGS)

crash-night: install  ## Kill services under load on real servers, 200 times, and let a verifier judge: make crash-night ARGS="--seed 7"
	POLARS_MAX_THREADS=1 $(BIN)/python -m tests.e2e.crash.harness --kills 200 $(ARGS)

services-install: install  ## Put PostgreSQL, Redis, Java and Kafka's jars in place (Debian packages, Maven Central)
	$(BIN)/python -m entrypoints.services install

services-up: install  ## Start Kafka, ClickHouse, PostgreSQL and Redis as local processes; addresses go to .services.env
	$(BIN)/python -m entrypoints.services up

services-down: install  ## Stop them and remove their data
	$(BIN)/python -m entrypoints.services down

services-status: install  ## Tell which of them run
	$(BIN)/python -m entrypoints.services status

lock: install  ## Renew requirements.lock from pyproject.toml
	$(BIN)/uv pip compile --quiet --generate-hashes --all-extras --python-version 3.11 --upgrade pyproject.toml -o requirements.lock

clean:  ## Remove what the commands above made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* htmlcov out
