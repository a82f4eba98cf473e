# Set up, try, test. Needs only make and Python 3.10, 3.11 or 3.12.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
FITS := import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))
# Run each candidate: a name on PATH may be a shim with no Python behind it.
PYTHON ?= $(shell for python in python3.12 python3.11 python3.10 python3 python; do \
	if "$$python" -c '$(FITS)' >/dev/null 2>&1; then echo "$$python"; break; fi; done)

.DELETE_ON_ERROR:
.PHONY: help setup demo test lint audit lock clean

help:  ## show this list
	@sed -n 's/^\([a-z]*\):.*## /make \1	/p' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP)  ## create .venv and install everything into it

demo: setup  ## analyse the demo lecture and show where the results are
	@$(BIN)/engage demo

test: setup  ## run all tests, two files at once (PYTEST_ARGS="-n 8": eight)
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

lint: setup  ## check style and types
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy

audit: setup  ## look the locked packages up among known vulnerabilities
	@$(BIN)/python .ci/audit.py

lock:  ## renew requirements.lock (UPGRADE=--upgrade raises every version)
	@"$(PYTHON)" -m venv build/lock && build/lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	@build/lock/bin/uv pip compile pyproject.toml --quiet --all-extras --generate-hashes --python-version 3.11 \
		--python-platform x86_64-unknown-linux-gnu --no-annotate --no-header --no-emit-index-url $(UPGRADE) \
		--output-file requirements.lock
	@{ echo "# Python 3.11 on Linux (x86_64), every extra. Made by make lock (docs/contributing.md), never by hand."; \
		cat requirements.lock; } > build/lock/new && mv build/lock/new requirements.lock

clean:  ## remove .venv, caches and builds (sessions are kept)
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last, so an install that was interrupted is done again.
$(STAMP): pyproject.toml
	@if [ -z "$(PYTHON)" ] || ! "$(PYTHON)" -c '$(FITS)' 2>/dev/null; then \
		echo "make: Python 3.10, 3.11 or 3.12 is needed (found: $(if $(PYTHON),$(PYTHON),none));" \
			"install one, or name it: make setup PYTHON=/path/to/python3.11" >&2; exit 1; fi
	@if ! { $(BIN)/python -c '$(FITS)' && $(BIN)/python -m pip --version; } >/dev/null 2>&1; then \
		"$(PYTHON)" -m venv --clear $(VENV) || { \
		echo "make: $(PYTHON) cannot create a virtual environment;" \
			"on Debian and Ubuntu install it with: apt-get install python3-venv" >&2; exit 1; }; fi
	@echo "Installing into $(VENV): about two minutes and 8 GB of disk, once ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@
	@echo "Installed."
