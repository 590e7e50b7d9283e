# copytrade: every command a person needs. `make help` lists them.
# Works with any make and a POSIX shell; needs only Python 3.11-3.13 and, once, a package index.

SHELL = /bin/sh
VENV = .venv
BIN = $(VENV)/bin
CANDIDATES = python3.11 python3.12 python3.13 python3 python
WORKERS = 2
PORT = 3000
PIP = $(BIN)/python -m pip --disable-pip-version-check
COMPILE = pip compile pyproject.toml --universal --python-version 3.11 --no-strip-extras --generate-hashes \
	--no-header --no-annotate --quiet

# The Dagster instance of this checkout: runs, events and schedules. Never committed.
INSTANCE = .dagster_home

# `make ui DEMO=1` opens what `make demo` left: its own instance and its own store.
ifdef DEMO
INSTANCE = data/demo/dagster_home
export COPYTRADE_DATA_DIR = $(CURDIR)/data/demo/data
export COPYTRADE_REPORTS_DIR = $(CURDIR)/data/demo/reports
ifeq ($(wildcard $(INSTANCE)/dagster.yaml),)
$(error there is no demo to show: run `make demo` first)
endif
endif

.PHONY: help install demo ui test suite lint format soak bench docs requirements clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' Makefile

install: $(VENV)/.project ## make .venv with the `copytrade` command (again: does nothing)
	@echo "ready: $(BIN)/copytrade --help"

demo: $(VENV)/.project $(INSTANCE)/dagster.yaml ## the whole line on a real lead's recorded pages, offline, under 3 minutes
	@DAGSTER_HOME="$(CURDIR)/$(INSTANCE)" $(BIN)/copytrade demo

ui: $(VENV)/.project $(INSTANCE)/dagster.yaml ## the Dagster UI on http://127.0.0.1:3000 (PORT=..., DEMO=1: what the demo made)
	@DAGSTER_HOME="$(CURDIR)/$(INSTANCE)" PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/dagster dev -h 127.0.0.1 -p $(PORT)

# Both at once: the tests wait for processes and clocks often enough to leave the type checker its time.
test: $(VENV)/.dev ## lint, types, contracts and the test suite
	@$(MAKE) --no-print-directory -j 2 lint suite

suite: $(VENV)/.dev
	@HYPOTHESIS_PROFILE=ci $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

lint: $(VENV)/.dev ## style, formatting, types and import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/basedpyright
	@$(BIN)/lint-imports --no-cache --no-logo

format: $(VENV)/.dev ## fix what can be fixed without thinking
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# One test after the other: most of them use every core by themselves, and one measures how fast a stop is.
soak: $(VENV)/.dev ## long endurance tests
	@HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest -m soak -o faulthandler_timeout=0

bench: $(VENV)/.bench ## measure, and write docs/performance.md and docs/performance.json
	@$(BIN)/python tests/bench/run.py

docs: $(VENV)/.dev ## write the generated pages and build the site into site/
	@set -e; for page in docs/_generate/*.py; do $(BIN)/python "$$page"; done
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "site/index.html"

requirements: $(VENV)/.made ## pin again with hashes (UPGRADE=1 takes newer versions)
	@set -e; tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT; \
	$(BIN)/python -m venv "$$tmp/uv"; "$$tmp/uv/bin/python" -m pip --disable-pip-version-check install -q uv; \
	upgrade=$${UPGRADE:+--upgrade}; \
	"$$tmp/uv/bin/uv" $(COMPILE) $$upgrade --group build -o requirements/runtime.txt; \
	"$$tmp/uv/bin/uv" $(COMPILE) $$upgrade --group build --group test --group docs \
		--constraints requirements/runtime.txt -o requirements/dev.txt; \
	"$$tmp/uv/bin/uv" $(COMPILE) $$upgrade --group build --group test --group docs --group bench \
		--constraints requirements/dev.txt -o requirements/bench.txt; \
	git --no-pager diff --stat -- requirements 2>/dev/null || :

clean: ## remove caches and the built site; keeps .venv, data, reports and the Dagster instance
	@rm -rf site build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# --- how it is made: each step leaves a stamp, so a second run is instant and an interrupted one starts again ---------

$(VENV)/.made:
	@set -e; found=; \
	for python in $(PYTHON) $(CANDIDATES); do \
	  if "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1; then \
	    found=$$python; break; \
	  fi; \
	  if [ -n "$(PYTHON)" ]; then break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "copytrade needs Python 3.11, 3.12 or 3.13; none of these is: $(or $(PYTHON),$(CANDIDATES))." >&2; \
	  echo "Install one, or name it: make install PYTHON=/path/to/python3.12" >&2; exit 1; \
	fi; \
	"$$found" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$$found has no venv module; on Debian and Ubuntu it is in the package python3-venv." >&2; exit 1; }; \
	echo "making $(VENV) with $$($$found --version)"; "$$found" -m venv $(VENV); touch $@

$(VENV)/.runtime: $(VENV)/.made requirements/runtime.txt
	@echo "installing pinned packages (once)"
	@$(PIP) install -q --require-hashes -r requirements/runtime.txt
	@touch $@

$(VENV)/.project: $(VENV)/.runtime pyproject.toml
	@$(PIP) install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.project requirements/dev.txt
	@echo "installing pinned development packages (once)"
	@$(PIP) install -q --require-hashes -r requirements/dev.txt
	@touch $@

# The peers of the benchmark: many packages that nothing else needs.
$(VENV)/.bench: $(VENV)/.dev requirements/bench.txt
	@echo "installing the benchmark's peers (once)"
	@$(PIP) install -q --require-hashes -r requirements/bench.txt
	@touch $@

# Two processes on a fresh instance race on its schema, so it is initialised once, here.
$(INSTANCE)/dagster.yaml: dagster.yaml $(VENV)/.project
	@mkdir -p "$(INSTANCE)"
	@cp dagster.yaml $@
	@DAGSTER_HOME="$(CURDIR)/$(INSTANCE)" DAGSTER_DISABLE_TELEMETRY=yes $(BIN)/python -c 'import dagster; dagster.DagsterInstance.get()'
