# What one types here. Each target makes what it needs first; the second time that takes no time.

PYTHON ?= python3
BIN := .venv/bin
PEER := sandbox/peer
COMPILE := .venv-lock/bin/uv --no-config pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --no-header
PIP_INSTALL := pip install --quiet --disable-pip-version-check

WITHOUT_FUNDING := const fs = require("fs"), file = process.argv[1], lock = JSON.parse(fs.readFileSync(file)); \
	for (const entry of Object.values(lock.packages)) delete entry.funding; \
	fs.writeFileSync(file, JSON.stringify(lock, null, 2) + "\n")

VENV := .venv/.installed
SYNAPSE := .venv-synapse/.installed
CLIENT := $(PEER)/node_modules/.package-lock.json

# Each in a process of its own, the longest first; together they are all tests.
PARTS := e2e-elsewhere e2e-r e2e-a-to-q e2e-s-to-z unit
OF_e2e-a-to-q := $(wildcard tests/e2e/test_[a-q]*.py)
OF_e2e-r := $(wildcard tests/e2e/test_r*.py)
OF_e2e-s-to-z := $(wildcard tests/e2e/test_[s-z]*.py)
OF_e2e-elsewhere := tests --ignore=tests/e2e

# Where the environment forbids it, Python would compile everything anew at each of many starts.
export PYTHONDONTWRITEBYTECODE :=

MAKEFLAGS += --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help setup demo story test $(PARTS) e2e check words format bench lock clean

help: ## Show this
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup ## Run a mediation on this machine and watch it in a browser; Ctrl-C ends it
	@$(BIN)/mediatrix demo

story: setup ## Play the whole story unattended, with a real homeserver and real clients
	@$(BIN)/mediatrix demo --script

test: setup ## All tests that need no root: unit and end-to-end, two parts at a time
	@$(MAKE) --jobs=2 --keep-going --output-sync=target $(PARTS)

$(filter e2e-%,$(PARTS)): setup
	@echo "$@: $(OF_$@)" && $(BIN)/pytest -m e2e $(OF_$@)

unit: $(VENV) ## The tests that take seconds
	@$(BIN)/pytest -m "not e2e"

e2e: setup ## The tests on a real Synapse with real clients
	@$(BIN)/pytest -m e2e

check: $(VENV) ## Style, types, and who may import whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

words: $(VENV) ## Bring the catalogues of texts for parties up to date with the code
	@$(BIN)/python -m catalogue.gather

format: $(VENV) ## Rewrite the code in the project's style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: setup ## Measure
	@$(BIN)/python -m benchmarks

setup: $(VENV) $(SYNAPSE) $(CLIENT) ## Install everything that the targets above need

$(VENV): requirements/build.txt requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Mediatrix needs Python 3.11 or later" if sys.version_info < (3, 11) else 0)'
	@echo "Installing Mediatrix and its tools into .venv (about a minute)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/$(PIP_INSTALL) --require-hashes --only-binary :all: -r requirements/build.txt
	@$(BIN)/$(PIP_INSTALL) --require-hashes --no-build-isolation --use-pep517 -r requirements/dev.txt
	@$(BIN)/$(PIP_INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(SYNAPSE): requirements/synapse.txt
	@echo "Installing Synapse, a Matrix homeserver, into .venv-synapse (about half a minute)"
	@$(PYTHON) -m venv .venv-synapse
	@.venv-synapse/bin/$(PIP_INSTALL) --require-hashes --only-binary :all: -r requirements/synapse.txt
	@touch $@

$(CLIENT): $(PEER)/package.json $(PEER)/package-lock.json | $(VENV)
	@echo "Installing matrix-js-sdk, a Matrix client, into $(PEER)"
	@cd $(PEER) && $(abspath $(BIN))/npm ci --ignore-scripts --loglevel=error >/dev/null
	@touch $@

lock: .venv-lock/bin/uv $(VENV) ## Resolve all dependencies anew
	$(COMPILE) --upgrade pyproject.toml --output-file requirements/run.txt
	$(COMPILE) --upgrade pyproject.toml --extra dev --constraint requirements/run.txt --output-file requirements/dev.txt
	$(COMPILE) --upgrade requirements/build.in --constraint requirements/dev.txt --output-file requirements/build.txt
	$(COMPILE) --upgrade requirements/synapse.in --output-file requirements/synapse.txt
	cd $(PEER) && rm -f package-lock.json && $(abspath $(BIN))/npm install --package-lock-only --ignore-scripts
	$(BIN)/node -e '$(WITHOUT_FUNDING)' $(PEER)/package-lock.json
	@! grep -nE 'https?://' requirements/*.txt $(PEER)/package-lock.json tests/e2e/*/package-lock.json || { echo "A lock must not name a host."; exit 1; }

.venv-lock/bin/uv:
	@$(PYTHON) -m venv .venv-lock
	@.venv-lock/bin/$(PIP_INSTALL) uv

clean: ## Remove everything that was made here, the demo's data too
	rm -rf .venv .venv-synapse .venv-lock $(PEER)/node_modules var build dist
	rm -rf tests/e2e/*/node_modules tests/e2e/element/dist
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
