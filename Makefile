# Needs Debian 12 or later with python3 >= 3.11 and python3-venv. `make help` lists the targets.
PYTHON ?= python3
PORT ?= 8780
VENV := .venv
BIN := $(VENV)/bin
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help run test lint bench test-nightly wheel deb completion lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

$(BIN)/python:
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11)' || { echo "Python 3.11 or newer is needed"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Install it first: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }

$(VENV)/.run: $(BIN)/python requirements.lock pyproject.toml hatch_build.py
	$(BIN)/pip install --quiet --no-deps --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --no-deps --editable .
	$(BIN)/pip check
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	$(BIN)/pip install --quiet --no-deps --require-hashes --requirement requirements-dev.lock
	$(BIN)/pip check
	@touch $@

run: $(VENV)/.run ## the till page on the embedded sandbox: http://127.0.0.1:8780/ (PORT=8790 for another)
	$(BIN)/ksef-agent demo --page --port $(PORT)

test: $(VENV)/.dev lint ## lint, types, import direction, all tests of a change
	$(BIN)/pytest -n 2 -m 'not nightly'

lint: $(VENV)/.dev ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev ## speed and memory, as ratios within one run
	$(BIN)/python -m tests.bench

test-nightly: $(VENV)/.dev ## the long runs
	$(BIN)/pytest -m nightly

wheel: $(VENV)/.run ## dist/ksef_agent-*.whl, with schemas, page, fonts, migrations
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .

deb: wheel ## dist/ksef-agent_*.deb: Debian package with its own environment in /opt/ksef-agent
	PIP=$(BIN)/pip packaging/build-deb dist/ksef_agent-$(VERSION)-py3-none-any.whl dist

completion: $(VENV)/.run ## shell completion of bash, zsh and fish, into build/completion
	packaging/completion $(BIN)/python build/completion

lock: ## resolve the lock files again (needs uv)
	uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header pyproject.toml -o requirements.lock
	uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --extra dev pyproject.toml -c requirements.lock -o requirements-dev.lock

clean: ## remove the environment and what was built
	rm -rf $(VENV) build dist var demo-out
