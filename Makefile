# Two commands do everything: `make demo` and `make test`. Both install first, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= runs/demo
# One thread a worker: two workers with two threads each are slower on two cores than two with one.
TEST_FLAGS ?= -n 2

.PHONY: setup demo test lint bench clean help

help:
	@echo 'make demo [DATA=camvid:path]   render, train a teacher, adapt it, write $(OUT)/report.html'
	@echo 'make test                      the whole test suite'
	@echo 'make setup                     install into $(VENV), once'
	@echo 'make lint                      ruff, mypy --strict, import order'
	@echo 'make bench                     speed, as ratios'
	@echo 'make clean                     remove caches and $(VENV); runs/ stays'

setup: $(VENV)/.installed

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 14))' || \
	  { echo "simteacher needs Python 3.10 to 3.13, and $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make setup PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "No virtual environment could be made. On Debian and Ubuntu: apt install python3-venv"; exit 1; }

# The stamps make both installs happen once, and again when a dependency changes. All processors compile modules, of which
# pip uses one; some packages hold files that are no Python, which is no error.
INSTALL = $(BIN)/python -m pip install --quiet --no-compile --editable
COMPILE = $(BIN)/python -m compileall -q -j 0

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@echo 'Installing into $(VENV); torch is large, this takes some minutes the first time'
	$(INSTALL) '.[onnx,video]'
	@$(COMPILE) $(VENV)/lib src > /dev/null 2>&1 || true
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(BIN)/python
	@echo 'Installing into $(VENV), with what the tests need; this takes some minutes the first time'
	$(INSTALL) '.[test]'
	@$(COMPILE) $(VENV)/lib src > /dev/null 2>&1 || true
	@touch $(VENV)/.installed $@

demo: setup
	$(BIN)/simteacher demo --out $(OUT) $(if $(DATA),--data $(DATA))

test: $(VENV)/.installed-test
	@$(COMPILE) src tests  # hundreds of processes start, and some environments forbid Python to keep what it compiled
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(TEST_FLAGS)

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed-test
	@for script in bench/[!_]*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './runs/*' -prune -exec rm -rf {} +
