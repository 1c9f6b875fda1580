# Everything here sets up what it needs by itself: Python 3.11+, git and make are enough.
# PYTHON=python3.13 chooses the interpreter. TESTS=tests/cache narrows a test run, ARGS="-k warm" goes to pytest.

PYTHON ?=
TESTS ?= tests
ARGS ?=
WORKERS ?= logical

VENV := .venv/bin
LINTED := $(wildcard core pages app.py)
GET_PYTHON := Debian, Ubuntu: apt-get install python3 python3-venv
# -B: no __pycache__ beside the script. The newest Python of at least 3.11 wins.
define set-up
	@for python in $(if $(PYTHON),"$(PYTHON)",python3.14 python3.13 python3.12 python3.11 python3); do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue; \
		SETUP_PYTHON_CHOSEN="$(PYTHON)" exec "$$python" -B .ci/setup.py $(1); \
	done; \
	echo '$(if $(PYTHON),PYTHON=$(PYTHON) is no Python 3.11 or newer that runs.,No Python 3.11 or newer was found. $(GET_PYTHON))' >&2; exit 1
endef
PYTEST := $(VENV)/python -m pytest --numprocesses=$(WORKERS) --maxprocesses=8 --dist=loadgroup

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run test test-slow faults check bench clean clean-data
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

help: ## say what there is
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r target text; do \
		printf '  make %-11s %s\n' "$$target" "$$text"; done

setup: ## make .venv with what the console needs (run does it by itself)
	$(call set-up,run)

setup-dev: ## ... and with what tests and checks need (test and check do it by themselves)
	$(call set-up,dev)

run: setup ## start the console on http://127.0.0.1:8501 (HOST, PORT)
	@$(VENV)/python -m core console || { code=$$?; [ $$code -eq 130 ] || exit $$code; }  # 130: Ctrl-C, the way to end it

test: setup-dev ## run the tests (under 5 minutes on two cores)
	@$(PYTEST) -m "not slow" $(ARGS) $(TESTS)

test-slow: setup-dev ## run the tests with faults in real time (under 10 minutes)
	@$(PYTEST) -m slow $(ARGS) $(TESTS); code=$$?; \
		if [ $$code -eq 5 ]; then echo 'There is no slow test yet.'; exit 0; fi; exit $$code

faults: setup-dev ## break a running console six ways, seconds until it is told (9 minutes; root, for a disk to fill)
	@exec $(VENV)/python -m pytest -q -s --timeout=1800 $(ARGS) tests/faults/live.py

check: setup-dev ## lint, format, types, import rules, size limits
	@echo 'ruff check';   $(VENV)/ruff check .
	@echo 'ruff format';  $(VENV)/ruff format --check .
	@echo 'mypy';         $(VENV)/mypy $(LINTED)
	@echo 'architecture'; $(VENV)/python -m pytest -q tests/test_architecture.py

bench: setup-dev ## measure the targets on this machine (ARGS="-k http" for one); results: docs/benchmarks.md
	@exec $(VENV)/python -m pytest -q -s --timeout=3600 $(ARGS) $(wildcard tests/bench/bench_*.py)

clean: ## remove .venv, caches and compiled files; .data stays
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .coverage
	@find core pages tests alembic data .ci -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
	@rm -rf __pycache__
	@echo 'Removed .venv, caches and compiled files. The embedded servers keep their .data: make clean-data removes it.'

clean-data: ## remove .data, the embedded servers' data (refused while one of them runs)
	$(call set-up,clean-data)
