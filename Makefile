# `make demo` and `make test` are the two commands of the README. Each sets itself up from a bare
# Python 3.11+: a .venv beside this file, filled once from requirements-dev.txt (every file checked
# against its hash) and again only when that list changes.
#
#   make demo ARGS="--headless --seconds 90"     ARGS go to the command behind the target
#   make test PYTHON=python3.12                  another interpreter

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=
SEEDS  ?= 0-1999

PY     := $(VENV)/bin/python
LISTED := requirements-dev.txt
STAMP  := $(VENV)/.installed-$(shell cksum < $(LISTED) | cut -d ' ' -f 1)
CODE   := bot data memory tests docs

announce = @printf '\n== %s\n' '$(1)'

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test setup fmt lint types rooms tidy sim bench replay docs lock check soak clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

demo: $(STAMP) ## the whole service in a pretend world; prints the address of its chat page
	@exec $(PY) -m bot demo $(ARGS)

test: $(STAMP) ## every test, on two cores
	@$(PY) -m pytest -n 2 --dist worksteal $(ARGS)

setup: $(STAMP) ## make .venv and install what requirements-dev.txt lists

fmt: $(STAMP) ## format the code and mend what can be mended by itself
	@$(VENV)/bin/ruff format $(CODE)
	@$(VENV)/bin/ruff check --fix $(CODE)

lint: $(STAMP) ## ruff's rules
	@$(VENV)/bin/ruff check $(CODE)

types: $(STAMP) ## mypy, strict
	@$(VENV)/bin/mypy

rooms: $(STAMP) ## import contracts: who may know whom, and which library
	@$(VENV)/bin/lint-imports --no-logo

tidy: $(STAMP) ## sizes, docstrings, clocks, unfinished marks
	@$(PY) -m pytest tests/test_tidy.py

sim: $(STAMP) ## seeded fault simulation (SEEDS=0-1999)
	@$(PY) -m bot sim --seeds $(SEEDS) $(ARGS)

bench: $(STAMP) ## benchmarks, each against a floor measured in the same run
	@$(PY) -m bot bench $(ARGS)

replay: $(STAMP) ## a recorded tape through the service's own code: ARGS="--tape DIR"
	@$(PY) -m bot replay $(ARGS)

docs: $(STAMP) ## draw docs/trade-machine.md from the transition table
	@$(PY) -m docs.draw_machine

soak: $(STAMP) ## hours, not seconds: many seeds, then a long unattended demo
	@$(PY) -m bot sim --seeds 0-10000
	@$(PY) -m tests.scenarios.kill_harness --kills 200 --seed 1
	@$(PY) -m tests.venue.fuzz --count 1000000
	@$(PY) -m tests.venue.soak --minutes 60
	@$(PY) -m bot demo --headless --seconds 3600 --report var/soak.json $(ARGS)

lock: $(PY) ## compile pyproject.toml to hashed requirements; ARGS=--upgrade moves the versions
	@test -x $(VENV)/bin/uv || $(PY) -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'
	@$(call compile,requirements.txt)
	@$(call compile,requirements-dev.txt,--extra dev --constraint requirements.txt)

# The versions already in the file are kept unless --upgrade is given. Made for every platform and
# for each Python from 3.11 on; no address of an index is written down.
define compile
touch $(1) && \
$(VENV)/bin/uv pip compile pyproject.toml $(2) $(ARGS) --output-file $(1) --quiet --universal \
	--python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links && \
{ echo '# Made by `make lock` from pyproject.toml: edit that, not this.'; cat $(1); } > $(1).new && \
mv $(1).new $(1) && echo "$(1): $$(grep -c == $(1)) packages"
endef

check: $(STAMP) ## everything CI asks: format, lint, types, rooms, tidy, docs, tests, 2,000 seeds
	$(call announce,format)
	@$(VENV)/bin/ruff format --check $(CODE)
	$(call announce,lint)
	@$(MAKE) --no-print-directory lint
	$(call announce,types)
	@$(MAKE) --no-print-directory types
	$(call announce,rooms)
	@$(MAKE) --no-print-directory rooms
	$(call announce,tidy)
	@$(MAKE) --no-print-directory tidy ARGS=
	$(call announce,docs)
	@$(PY) -m docs.draw_machine --check
	@$(PY) -m pytest tests/test_docs.py
	$(call announce,tests)
	@$(MAKE) --no-print-directory test ARGS=
	$(call announce,simulation: seeds $(SEEDS))
	@$(MAKE) --no-print-directory sim ARGS=
	$(call announce,all good)

clean: ## remove .venv and what the tools keep; var/ (database, logs) stays
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# --- setting up ------------------------------------------------------------------------------

# An interrupted installation leaves no stamp, so the next call takes it up again.
$(STAMP): | $(PY)
	@echo "Installing what $(LISTED) lists into $(VENV) (once; about a minute) ..."
	@$(PY) -m pip install -qq --disable-pip-version-check --no-input --require-hashes \
		--only-binary :all: -r $(LISTED)
	@rm -f $(VENV)/.installed-*
	@touch $@

$(PY):
	@command -v $(PYTHON) >/dev/null 2>&1 || { echo \
		"No '$(PYTHON)' here: install Python 3.11 or newer, or name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
		"$$($(PYTHON) --version 2>&1) is too old: Python 3.11 or newer is needed; name one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo \
		"$(PYTHON) cannot make a virtual environment: install its venv package (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)
