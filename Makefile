# What one does with this project; `make help` lists it. Every target does its own set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=
SHELL := /bin/bash

# With VEREDITO_REQUIRE=1 (CI) every library and server must be there; without it, what is missing is skipped.
GROUP := $(if $(VEREDITO_REQUIRE),all,dev)

.PHONY: help demo test check fix bench torture clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "veredito needs Python 3.11 or newer; say which with: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'

$(VENV)/.demo: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[lightgbm,sklearn,plots]'
	@touch $@

$(VENV)/.$(GROUP): $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable . --group $(GROUP)
	@touch $@

demo: $(VENV)/.demo ## the main job, from simulated payments to a report (TRANSACTIONS=file.parquet, KEEP=1)
	$(BIN)/python examples/card_fraud/demo.py $(if $(TRANSACTIONS),--transactions $(TRANSACTIONS)) $(if $(KEEP),--keep)

test: $(VENV)/.$(GROUP) ## every test, and every example in docstrings and docs
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(VENV)/.$(GROUP) ## lint, format, types, and which room imports which; changes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py

fix: $(VENV)/.$(GROUP) ## what can be mended without a person
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.$(GROUP) ## measure, side by side with the peers; writes bench/results/ and the docs' tables
	$(BIN)/python -m bench

torture: $(VENV)/.$(GROUP) ## the long and violent tests
	$(BIN)/python -m pytest -m torture --timeout 1800 $(PYTEST_ARGS)

clean: ## remove what the targets made
	rm -rf $(VENV) .tools var build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
