# run · test · check · bench · soak · rust · web · clean. Each target does its own set-up; a second call with nothing changed does nothing.
SHELL := /bin/bash
PY := .venv/bin/python
STAMPS := .stamps
RUST_SOURCES := $(shell find rust_core/src rust_core/build.rs rust_core/Cargo.toml rust_core/Cargo.lock rust_core/pyproject.toml rust_core/rust_core.pyi -type f 2>/dev/null)
WEB_SOURCES := $(shell find static/js static/css templates -type f 2>/dev/null) build.mjs package-lock.json
PYTEST_FLAGS ?=
SOAK_FLAGS ?=

.PHONY: run test test-rust test-engine test-flows test-web test-browser test-postgres check bench soak rust web clean format

run: $(STAMPS)/run-tools $(STAMPS)/python-base $(STAMPS)/rust $(STAMPS)/web
	@exec $(PY) -m workers.supervisor

# Three lanes side by side on two cores: much of a test waits for processes. The longest come first, and each part tells what
# it printed when it has ended.
test: $(STAMPS)/test-tools $(STAMPS)/python-dev $(STAMPS)/rust $(STAMPS)/web
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target --keep-going test-browser test-flows test-engine test-postgres test-web test-rust

test-rust:
	cd rust_core && cargo test --locked --quiet

test-engine:
	$(PY) -m pytest tests/workers tests/rust_core tests/benchmarks $(PYTEST_FLAGS)

test-flows:
	$(PY) -m pytest tests/flows $(PYTEST_FLAGS)

test-web:
	$(PY) -m pytest tests/webapp -m "not browser" $(PYTEST_FLAGS)

# Playwright keeps an event loop running in its process, which asynchronous tests could not share.
test-browser:
	$(PY) -m pytest -m browser $(PYTEST_FLAGS)

test-postgres:
	PYAGENT_TEST_DATABASE=postgres $(PY) -m pytest tests/webapp -m "not browser and not flow and not storm" $(PYTEST_FLAGS)

check: $(STAMPS)/python-dev $(STAMPS)/rust $(STAMPS)/web
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PY) -m pytest -q -m "not browser and not flow and not storm" $(PYTEST_FLAGS)

format: $(STAMPS)/python-dev
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

bench: $(STAMPS)/test-tools $(STAMPS)/python-dev $(STAMPS)/rust $(STAMPS)/web
	$(PY) -m tests.benchmarks

soak: $(STAMPS)/test-tools $(STAMPS)/python-dev $(STAMPS)/rust $(STAMPS)/web
	$(PY) -m tests.benchmarks.soak $(SOAK_FLAGS)

rust: $(STAMPS)/rust

web: $(STAMPS)/web

$(STAMPS)/run-tools: requirements/system.sh
	@mkdir -p $(STAMPS)
	@bash requirements/system.sh run
	@touch $@

$(STAMPS)/test-tools: requirements/system.sh
	@mkdir -p $(STAMPS)
	@bash requirements/system.sh test
	@touch $@ $(STAMPS)/run-tools

.venv/bin/python:
	python3 -m venv .venv

# The development lock holds the base lock's very versions and more: once it is installed, `make run` installs nothing again.
$(STAMPS)/python-base: requirements/base.lock | $(STAMPS)/run-tools .venv/bin/python
	@if [ ! -e $(STAMPS)/python-dev ] || [ requirements/dev.lock -nt $(STAMPS)/python-dev ]; then \
	  echo "Installing Python packages ..."; .venv/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/base.lock; fi
	@touch $@

$(STAMPS)/python-dev: requirements/dev.lock | $(STAMPS)/run-tools .venv/bin/python
	@echo "Installing Python packages ..."
	@.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/dev.lock
	@touch $@ $(STAMPS)/python-base

$(STAMPS)/rust: $(RUST_SOURCES) | $(STAMPS)/python-base
	@echo "Building the Rust core ..."
	@cd rust_core && ../.venv/bin/maturin build --release --locked --quiet --strip --interpreter ../.venv/bin/python --out target/wheels
	@.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-index --force-reinstall --find-links rust_core/target/wheels rust_core
	@touch $@

node_modules/.package-lock.json: package-lock.json | $(STAMPS)/run-tools
	@echo "Installing front-end packages ..."
	@npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

$(STAMPS)/web: $(WEB_SOURCES) node_modules/.package-lock.json
	@mkdir -p $(STAMPS)
	@echo "Building the front end ..."
	@node build.mjs
	@touch $@

clean:
	rm -rf $(STAMPS) .venv node_modules static/dist rust_core/target .mypy_cache .ruff_cache .import_linter_cache
