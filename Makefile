# make demo    set up, start the service, scrape the demo shop through the API, show the rows
# make run     set up, start the service on http://127.0.0.1:8000
# make check   format, lint, types, import contracts
# make test    set up, every test
# make faults  every test of faults, TIMES times, WORKERS files at a time, until one fails; SCRAPEMASTER_TEST_KILLS=30 and SCRAPEMASTER_TEST_OUTAGE=60 make them harder
# make fuzz    10,000 generated requests as admin and as user: is the API what its OpenAPI document says?
# make bench   measure everything, side by side with peers: report in benchmarks/out (ARGS=--quick: small, in minutes)

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
URL ?=
ARGS ?=
# Processes that tests run in; each file's tests stay together.
WORKERS ?= 2
# How often `make faults` runs them.
TIMES ?= 20

.PHONY: setup bytecode demo run check test faults fuzz bench docs lock format clean
setup: $(STAMP)

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ScrapeMaster needs Python 3.11 or newer; this is %s. Try: make PYTHON=python3.12 ..." % sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Where Python is told to write no bytecode (PYTHONDONTWRITEBYTECODE), each of the many processes would compile all of it anew.
bytecode: setup
	@$(BIN)/python -m compileall -q src tests benchmarks scripts

demo: bytecode
	$(BIN)/python scripts/demo.py $(URL)

run: bytecode
	$(BIN)/scrapemaster serve $(ARGS)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_hosts.py
	$(BIN)/python scripts/promises.py

test: bytecode
	$(BIN)/pytest -n $(WORKERS) --dist loadfile $(ARGS)

faults: bytecode
	$(BIN)/python scripts/faults.py $(TIMES) --beside $(WORKERS) $(ARGS)

fuzz: bytecode
	$(BIN)/python -m benchmarks.conformance $(ARGS)

# Peers that want other versions than we do live in .bench; what cannot be had there is named in the report.
.bench/.ready: benchmarks/peers/requirements.txt benchmarks/peers/package.json $(STAMP)
	$(BIN)/python -m benchmarks.environment
	@touch $@

bench: bytecode .bench/.ready
	$(BIN)/python -m benchmarks $(ARGS)

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup
	$(BIN)/python scripts/settings_table.py

lock: setup
	$(BIN)/python scripts/lock.py

clean:
	rm -rf $(VENV) .bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
