.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MEMBERS := $(wildcard libs/* services/*)
ARGS ?=
UV_LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11
NOT_MEMBERS := $(addprefix --no-emit-package gpt-trader-,$(notdir $(MEMBERS)))
LOCKS := deploy/docker/requirements
export PYTHONDONTWRITEBYTECODE := # a process that compiles all its modules anew needs twice as long to start

.PHONY: help setup run test check lint format bench crashes real-day chaos model controls-report images e2e-k8s dashboards observability \
  observability-alerts clean chart-docs lock

help: ## show the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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
	@$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder --durations 25 $(ARGS)

check: setup ## lint, format, types, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy libs services
	@$(BIN)/lint-imports

lint: setup ## fix what the linter can fix
	@$(BIN)/ruff check --fix .

format: setup ## format the sources
	@$(BIN)/ruff format .

bench: setup ## measure latency, decisions per second, memory, kill, restart   (writes var/bench.json)
	@$(BIN)/python tests/bench/run.py $(ARGS)

crashes: setup ## kill every process at every point of an order's way  (ARGS="--runs 312", ARGS="--without fence")
	@$(BIN)/python tests/crashes/run.py $(ARGS)

real-day: setup ## a recorded day under three profiles: verdicts, money, breakers   (writes var/real-day.json)
	@$(BIN)/python tests/days/run.py $(ARGS)

model: setup ## check the order protocol's model with spin, and refute it without each protection   (ARGS="--trace VARIANT")
	@$(BIN)/python tests/protocol/model.py $(ARGS)

chaos: setup ## break everything while orders flow, then compare venue, books, logs (ARGS="--minutes 30 --seed 7"; var/chaos.json)
	@exec $(BIN)/python tests/chaos/run.py $(ARGS)

controls-report: setup ## run the tests of each control of regulated markets (writes var/controls-report.json)
	@$(BIN)/python tests/controls/report.py

images: ## build the container images          (BASE_IMAGE=… BUILD_IMAGE=… IMAGES_ENGINE=podman ARGS="risk-gate")
	@deploy/docker/images.sh $(ARGS)

e2e-k8s: setup ## install, kill, upgrade, drain, uninstall on the cluster of KUBECONFIG   (needs the images in it)
	@E2E_K8S=yes $(BIN)/python -m pytest tests/k8s -v --timeout 900 $(ARGS)

chart-docs: setup ## write anew what is generated: the chart's README and server configurations, the network map
	@$(BIN)/python tests/chart/documents.py

dashboards: setup ## write the Grafana dashboards of the chart from their descriptions
	@$(BIN)/python deploy/observability/render_dashboards.py

observability: ## a local Prometheus with the alert rules, looking at the running stack   (PROMETHEUS_PORT=9090)
	@exec deploy/observability/prometheus.sh

observability-alerts: setup ## make each alert fire once against a real stack, under a real Prometheus
	@$(BIN)/python -m pytest tests/observability/fire_alerts.py $(ARGS)

lock: setup ## resolve requirements.lock and each image's lock anew, without addresses
	@$(UV_LOCK) --group pyproject.toml:dev $(addsuffix /pyproject.toml,$(MEMBERS)) $(NOT_MEMBERS) -o requirements.lock
	@echo "uv_build setuptools" | tr ' ' '\n' | $(UV_LOCK) --no-annotate --constraint requirements.lock - -o $(LOCKS)/build.txt
	@for member in $(wildcard services/*); do \
	  image=$$(basename $$member | sed 's/^console$$/tools/'); \
	  $(UV_LOCK) --no-annotate --constraint requirements.lock $$member/pyproject.toml $(NOT_MEMBERS) \
	    -o $(LOCKS)/$$image.txt; done

clean: ## remove the environment, run folders and caches
	@rm -rf $(VENV) var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
