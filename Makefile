# Needs Debian 12 or later with python3 >= 3.11 and python3-venv. `make help` lists the targets.
PYTHON ?= python3
PORT ?= 8780
HUB_PORT ?= 8790
VENV := .venv
BIN := $(VENV)/bin
BACKEND := $(VENV)/backend
PIP := $(BIN)/pip --quiet
# Never a build: pip would resolve what it takes.
LOCKED := --no-deps --require-hashes --only-binary :all:
HATCHLING := $(BACKEND)/bin/python -m hatchling build
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
COMPILE := pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header
# Of python-escpos only the printer database is read (docs/decisions.md, number 61): what its code needs is not installed.
UNUSED := $(addprefix --no-emit-package=,appdirs argcomplete importlib-resources python-barcode pyyaml setuptools six)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Images for CI set it; each of the many processes that tests start would compile the program anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run run-hub test lint audit mutants bench faults faults-release fuzz test-nightly test-package test-fleet test-arm client-generator test-clients \
	architecture dashboards record-incidents pictures openapi wheel deb deb-hub sbom bundle apt-repo release completion lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

# A changed lock makes a new environment: what it no longer names is gone.
$(VENV)/.python: requirements.lock requirements-dev.lock requirements-build.lock
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11)' || { echo "Python 3.11 or newer is needed"; exit 1; }
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV) || { echo "Install it first: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }
	@touch $@

# The build backend, in an environment of its own: pip's build isolation would resolve it anew at every set-up.
$(VENV)/.backend: $(VENV)/.python
	@$(PYTHON) -m venv --without-pip $(BACKEND)
	$(PIP) --python $(BACKEND)/bin/python install $(LOCKED) --requirement requirements-build.lock
	@touch $@

$(VENV)/.run: $(VENV)/.backend pyproject.toml hatch_build.py
	$(PIP) install $(LOCKED) --requirement requirements.lock
	@rm -rf $(VENV)/editable
	$(HATCHLING) --target wheel:editable --directory $(VENV)/editable
	$(PIP) install --no-deps --no-index --force-reinstall $(VENV)/editable/*.whl
	packaging/pip-check $(BIN)/pip
	@touch $@

# forbiddenfruit (of blockbuster) is published as sources only: built by the locked setuptools.
$(VENV)/.dev: $(VENV)/.run
	@sed -n '/^forbiddenfruit==/,/[^\\]$$/p' requirements-dev.lock >$(VENV)/sources.lock
	$(PIP) --python $(BACKEND)/bin/python wheel --no-deps --require-hashes --no-build-isolation \
		--wheel-dir $(VENV)/wheels --requirement $(VENV)/sources.lock
	$(PIP) install --no-deps --no-index $(VENV)/wheels/*.whl
	$(PIP) install $(LOCKED) --requirement requirements-dev.lock
	packaging/pip-check $(BIN)/pip
	@touch $@

run: $(VENV)/.run ## the till page on the embedded sandbox: http://127.0.0.1:8780/ (PORT=8790 for another)
	$(BIN)/ksef-agent demo --page --port $(PORT)

run-hub: $(VENV)/.run ## a chain on this machine: hub, three tills, sandbox; http://127.0.0.1:8790/ and /demo (HUB_PORT= for another)
	$(BIN)/ksef-agent hub demo --port $(HUB_PORT)

# Four workers for two cores: a test of a page, a crash or a service waits for another process half of its time.
test: $(VENV)/.dev lint ## lint, types, import direction, all tests of a change
	$(BIN)/pytest -n 4 -m 'not nightly'

lint: $(VENV)/.dev ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

audit: $(VENV)/.dev build/release-tools/.made ## advisories about the locked libraries: a dated extract, then PyPI or OSV where they answer
	$(BIN)/python -m tools.audit build/release-tools/bin/pip-audit

mutants: $(VENV)/.dev ## plant known bugs, then drawn ones: does the suite notice? (an hour; COUNT=, SEED=)
	$(BIN)/python -m tests.mutation planted
	$(BIN)/python -m tests.mutation map
	$(BIN)/python -m tests.mutation random --count $(or $(COUNT),200) --seed $(or $(SEED),1)

bench: $(VENV)/.dev ## speed and memory, as ratios within one run
	$(BIN)/python -m tests.bench

faults: $(VENV)/.dev ## the goal table, column night, resumable (ONLY=name, MINUTES=, PROCESSES=)
	$(BIN)/python -m tests.faults night $(addprefix --only ,$(ONLY)) $(addprefix --minutes ,$(MINUTES)) \
		$(addprefix --processes ,$(PROCESSES))

faults-release: $(VENV)/.dev ## the same, column release: days
	$(BIN)/python -m tests.faults release $(addprefix --only ,$(ONLY)) $(addprefix --minutes ,$(MINUTES)) \
		$(addprefix --processes ,$(PROCESSES))

fuzz: $(VENV)/.dev ## spoilt inputs for an hour to every reader of bytes from outside (SECONDS=, SEED=)
	$(BIN)/python -m tests.fuzz --seconds $(or $(SECONDS),3600) --seed $(or $(SEED),1)

test-nightly: $(VENV)/.dev ## the long runs
	$(BIN)/pytest -m nightly

# The generators of clients and the linters of descriptions, as locked beside their tests.
build/generators/.made: tests/generators/package-lock.json tests/generators/requirements.lock
	@rm -rf build/generators
	@mkdir -p build/generators
	$(PYTHON) -m venv build/generators/venv
	build/generators/venv/bin/pip --quiet install $(LOCKED) --requirement tests/generators/requirements.lock
	cp tests/generators/package.json tests/generators/package-lock.json tests/generators/.npmrc build/generators/
	cd build/generators && npm ci --no-audit --no-fund
	@touch $@

client-generator: ## build/client/bin/openapi-python-client, as locked
	$(PYTHON) -m venv build/client
	build/client/bin/pip --quiet install $(LOCKED) --requirement tests/generators/requirements.lock

# PHP with curl, and Mono for C#: php-cli php-curl mono-mcs libmono-system-net-http4.0-cil libmono-system-runtime-serialization4.0-cil
test-clients: $(VENV)/.dev build/generators/.made ## generated clients; examples in TypeScript, PHP, C# (node, npm, php, mono)
	KSEF_AGENT_GENERATORS=build/generators $(BIN)/pytest -v tests/generators

pictures: $(VENV)/.dev ## docs/pictures, what README opens with (needs Debian's chromium)
	$(BIN)/python -m tools.pictures

record-incidents: $(VENV)/.dev ## docs/hq/incidents: incidents that happen to running agents, and the alerts they raise (ONLY=name)
	$(BIN)/python -m tests.incidents $(ONLY)

dashboards: $(VENV)/.dev ## docs/hq/dashboards, pages of Grafana
	$(BIN)/python -m tools.dashboards

architecture: $(VENV)/.dev ## docs/architecture.svg, drawn from the imports
	$(BIN)/python -m tools.architecture

test-package: $(VENV)/.dev deb deb-hub ## the package's life on Debian 12 and 13 in containers (root, debootstrap, systemd-container; BEFORE=older.deb)
	$(if $(BEFORE),KSEF_AGENT_DEB_BEFORE=$(BEFORE)) KSEF_AGENT_DEB=$$(echo dist/ksef-agent_$(VERSION)_$$(dpkg --print-architecture).deb) \
		KSEF_AGENT_HUB_DEB=$$(echo dist/ksef-agent-hub_$(VERSION)_$$(dpkg --print-architecture).deb) \
		$(BIN)/pytest -x -v tests/package --ignore-glob 'tests/package/test_fleet*.py'

build/ansible/.made: tests/package/ansible.lock
	@rm -rf build/ansible
	$(PYTHON) -m venv build/ansible
	build/ansible/bin/pip --quiet install $(LOCKED) --requirement tests/package/ansible.lock
	@touch $@

test-fleet: $(VENV)/.dev build/ansible/.made deb deb-hub ## three tills, and a hub, by the Ansible roles: rolled out, renewed, upgraded, rolled back (as above)
	KSEF_AGENT_DEB=$$(echo dist/ksef-agent_$(VERSION)_$$(dpkg --print-architecture).deb) \
		KSEF_AGENT_HUB_DEB=$$(echo dist/ksef-agent-hub_$(VERSION)_$$(dpkg --print-architecture).deb) \
		$(BIN)/pytest -x -v tests/package/test_playbooks.py tests/package/test_fleet.py tests/package/test_fleet_hub.py

test-arm: $(VENV)/.dev ## the arm64 package imports on an emulated processor (root, debootstrap, qemu-user-static)
	$(MAKE) deb ARCHITECTURE=arm64
	KSEF_AGENT_DEB_ARM64=dist/ksef-agent_$(VERSION)_arm64.deb $(BIN)/pytest -v tests/package/test_arm64.py

openapi: $(VENV)/.dev ## schemas/api, generated from the types of the API
	$(BIN)/python -m tools.openapi

wheel: $(VENV)/.run ## dist/ksef_agent-*.whl, with schemas, page, fonts, migrations
	$(HATCHLING) --target wheel --directory dist

deb: wheel ## dist/ksef-agent_*.deb: Debian package with its libraries in /opt/ksef-agent (ARCHITECTURE=arm64 for another)
	PYTHON=$(BIN)/python ARCHITECTURE=$(ARCHITECTURE) packaging/build-deb dist/ksef_agent-$(VERSION)-py3-none-any.whl dist

deb-hub: $(VENV)/.run ## dist/ksef-agent-hub_*.deb: the hub of a chain as a service; needs ksef-agent of the same version
	PYTHON=$(BIN)/python ARCHITECTURE=$(ARCHITECTURE) packaging/build-deb-hub dist

build/release-tools/.made: packaging/release/requirements.lock
	@rm -rf build/release-tools
	$(PYTHON) -m venv build/release-tools
	build/release-tools/bin/pip --quiet install $(LOCKED) --requirement packaging/release/requirements.lock
	@touch $@

OUT ?= dist
sbom: build/release-tools/.made ## bill of materials of what the package holds (CycloneDX), into OUT
	build/release-tools/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --validate --of JSON \
		--output-file $(OUT)/ksef-agent_$(VERSION).cdx.json requirements.lock

bundle: $(if $(PACKAGE),,deb) ## one file for a till without a repository: the package and what Debian may lack (PACKAGE=released.deb)
	packaging/bundle $(or $(PACKAGE),$$(echo dist/ksef-agent_$(VERSION)_$(or $(ARCHITECTURE),$$(dpkg --print-architecture)).deb)) dist

SUITE ?= stable
apt-repo: ## dist/apt, a signed apt repository of dist/release-*/*.deb (KEY=gpg key; SUITE=canary for the first tills)
	packaging/apt-repo --key $(KEY) --suite $(SUITE) dist/apt dist/release-*/*.deb

release: $(VENV)/.dev build/release-tools/.made ## VERSION=1.2.3 KEY=gpg-key: version, changelog, packages, SBOM, checksums, signature, tag
	MAKE=$(MAKE) $(BIN)/python -m tools.release $(VERSION) --key $(KEY)

completion: $(VENV)/.run ## shell completion of bash, zsh and fish, into build/completion
	packaging/completion $(BIN)/python build/completion

lock: ## resolve the lock files again (needs uv)
	uv $(COMPILE) $(UNUSED) pyproject.toml -o requirements.lock
	uv $(COMPILE) $(filter-out %=six,$(UNUSED)) pyproject.toml --extra dev -c requirements.lock -o requirements-dev.lock
	$(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], "setuptools", sep="\n")' \
		| uv $(COMPILE) - -c requirements-dev.lock -o requirements-build.lock
	uv $(COMPILE) packaging/release/requirements.in -o packaging/release/requirements.lock

clean: ## remove the environment and what was built
	rm -rf $(VENV) build dist var demo-out
