# Everything works on a clean clone with only Python >= 3.11, pip and make; nothing needs a network but the set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow test-postgres test-fast lint types format fault guards golden fuzz fuzz-reading bench bench-post bench-limits bench-portfolio bench-reading docs lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | while IFS='|' read -r name text; do printf '  %-15s %s\n' "$$name" "$$text"; done

setup: $(STAMP) ## Create .venv and install the locked dependencies

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## Run the main job on the sandbox: dry run, run, status, reconcile, report
	@$(BIN)/centra-mews demo

test: lint types ## Lint, types and the suite
	$(BIN)/python -m pytest -n 3 --dist loadfile -q --ignore=tests/december -m "not slow"

test-slow: setup ## The longest end-to-end and kill tests, which CI runs too
	$(BIN)/python -m pytest -n 3 --dist loadfile -q --ignore=tests/december -m slow

test-postgres: setup ## The tests of ledger and loader again, on a private PostgreSQL (Debian: postgresql)
	$(BIN)/python -m pytest -n 2 --dist loadfile -q --postgres $(addprefix tests/unit/load/test_,$(addsuffix .py,$(ON_POSTGRES))) tests/fault/test_fault_on_server.py

test-fast: setup ## Unit and property tests only
	$(BIN)/python -m pytest -q tests/unit tests/property

ON_POSTGRES := ledger poster undo customers kinds corrected_orders recovery survey crash_windows sender

lint: setup ## ruff, rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## mypy --strict
	$(BIN)/mypy

format: setup ## Format and fix what ruff can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

SCHEDULES ?= 200
fault: setup ## The fault harness: SCHEDULES=10000 JOBS=2 for the long proof, FIRST=N to go on, SEED=N to replay one, LEDGER=postgresql
	$(BIN)/python tests/fault/harness.py --ledger $(or $(LEDGER),sqlite) --jobs $(or $(JOBS),0) \
		$(if $(SEED),--seed $(SEED),--schedules $(SCHEDULES) --first $(or $(FIRST),0))

WORLDS ?= 200
fuzz: setup ## Random worlds of money against a second arithmetic: WORLDS=2000, SEED=N to replay one
	$(BIN)/python tests/worlds/fuzz.py $(if $(SEED),--seed $(SEED),--worlds $(WORLDS))

guards: setup ## Break every guard of the loader on purpose: tests must notice each (ONLY=word for some; takes minutes)
	$(BIN)/python tests/fault/break_guards.py $(if $(ONLY),--only $(ONLY))

fuzz-reading: setup ## Damaged workbooks: each ends in orders or in a sentence; SEED=N COUNT=N
	PYTHONPATH=. $(BIN)/python tests/fuzz_reading/fuzz_workbooks.py $(or $(SEED),1) $(or $(COUNT),20000)

bench: setup ## Speed and memory as ratios within one run, into docs/benchmarks.md (minutes; ONLY=word for some rows, LONG=yes for all)
	$(BIN)/python benchmarks/bench.py --write $(if $(ONLY),--only "$(ONLY)") $(if $(LONG),--long)
	$(if $(ONLY),,$(BIN)/python benchmarks/reading.py)
	$(if $(ONLY),,$(BIN)/python benchmarks/page.py)

bench-post: setup ## Speed of posting beside dlt (DLT=python that has it) and a plain script, into docs/posting.md
	$(BIN)/python benchmarks/posting.py --write --limited 100000 $(if $(DLT),--dlt $(DLT))

bench-limits: setup ## Share of the window used at the limit, 429s and CPU, with latency (LONG=yes: 200/30s too, minutes)
	$(BIN)/python benchmarks/limits.py $(if $(LONG),--long)

bench-portfolio: setup ## A hundred properties at once beside one alone, each at its token's limit, into docs/scale.md (minutes)
	$(BIN)/python benchmarks/portfolio.py --write

bench-reading: setup ## Rows per second from files into staging; AGAINST=folder measures another checkout in turn
	$(BIN)/python benchmarks/reading.py $(if $(AGAINST),--against $(AGAINST))

golden: setup ## Write what is planned and reported of the sample orders again: look at git diff tests/golden before a commit
	PYTHONPATH=tests/support $(BIN)/python tests/golden/golden.py

docs: setup ## Write docs/problems.md from the table of problem codes, and the rooms of docs/architecture.md
	$(BIN)/python docs/make_problems.py
	$(BIN)/python docs/make_rooms.py

lock: ## Write requirements.lock from pyproject.toml (newest versions that fit)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python benchmarks/lock.py

clean: ## Remove .venv and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build *.egg-info
