# Everything starts here: `make demo` and `make test` do their own set-up.
SHELL := /bin/sh
.DEFAULT_GOAL := help

# Tools come from uv.lock. Where there is no uv, one is installed by pip into .uv, for this folder.
export PATH := $(PATH):$(CURDIR)/.uv/bin
export UV_COMPILE_BYTECODE := 1
# --frozen: what is locked is what is installed; `uv lock --check` is a lint of its own.
RUN := uv run --frozen --no-sync

.PHONY: help setup demo test bench lint lock clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.complete  ## Install everything that the lock names, into .venv

.venv/.complete: pyproject.toml uv.lock
	@uv --version >/dev/null 2>&1 || \
	  { echo "installing uv into .uv"; python3 -m venv .uv && .uv/bin/pip install --quiet uv; }
	uv sync --frozen --all-extras
	@touch $@

demo: setup  ## The whole way on this machine; DATA=file.csv for your own data
	@$(RUN) ecluse demo $(if $(DATA),--data "$(DATA)")

# Three workers on two cores: tests wait for servers as much as they compute.
# Compiled beforehand: the tests start servers and commands by the dozen, and where
# PYTHONDONTWRITEBYTECODE is set each would compile all of src anew.
test: setup  ## Run every test
	@$(RUN) python -m compileall -q src pipelines
	$(RUN) pytest -n 3 --dist worksteal $(ARGS)

# One after the other: each wants the machine for itself.
bench: setup  ## Measure everything beside its alternative, into docs/benchmarks.md
	$(RUN) python benchmarks/orchestrator.py
	$(RUN) python benchmarks/plan.py
	$(RUN) python benchmarks/promotion.py

lint: setup  ## Run every linter: Python, types, walls, workflows, secrets, lock
	$(RUN) pre-commit run --all-files

lock: setup  ## Lock the dependencies anew, the runtime image included
	uv lock
	uv export --quiet --frozen --only-group runtime --no-header \
	  --output-file src/churn/requirements.txt

clean:  ## Remove what was made here: environments, caches, local state
	rm -rf .venv .uv .ecluse dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
