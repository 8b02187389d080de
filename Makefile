.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MEMBERS := $(wildcard libs/* services/*)
ARGS ?=

.PHONY: help setup run test check lint format bench clean lock

help: ## show the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## create the environment (.venv) from requirements.lock

$(VENV)/.ready: requirements.lock pyproject.toml $(addsuffix /pyproject.toml,$(MEMBERS))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python >= 3.11 is needed, this is " + sys.version)'
	@echo "setting up $(VENV) (once) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@grep -A 40 '^uv==' requirements.lock | awk 'NR>1 && /^[a-zA-Z]/{exit} {print}' > $(VENV)/uv.lock.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $(VENV)/uv.lock.txt
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(addprefix -e ./,$(MEMBERS))
	@touch $@

run: setup ## start the whole system in demo mode   (ARGS="--for 60 --summary out.json")
	@exec $(BIN)/gpt-trader up $(ARGS)

test: setup ## run the whole suite, checks included    (ARGS="-k kill")
	@$(MAKE) --no-print-directory check
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(ARGS)

check: setup ## lint, format, types, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy libs services
	@$(BIN)/lint-imports

lint: setup ## fix what the linter can fix
	@$(BIN)/ruff check --fix .

format: setup ## format the sources
	@$(BIN)/ruff format .

bench: setup ## measure latency, decisions per second, memory, kill   (writes var/bench.json)
	@$(BIN)/python tests/bench/run.py $(ARGS)

lock: setup ## resolve requirements.lock anew, without addresses
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
	  --group pyproject.toml:dev $(addsuffix /pyproject.toml,$(MEMBERS)) \
	  $(addprefix --no-emit-package gpt-trader-,$(notdir $(MEMBERS))) -o requirements.lock

clean: ## remove the environment, run folders and caches
	@rm -rf $(VENV) var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
