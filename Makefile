# make book   build the website          make serve   look at it
# make test   run every check            make lab     open the chapters in Jupyter
# make clean  remove what the build made
#
# The same steps without make are in README.md.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin

.PHONY: book serve test lab clean
.DEFAULT_GOAL := book

book: $(VENV)/.installed
	@$(BIN)/python book/build.py

serve: $(VENV)/.installed
	@test -f _build/html/index.html || { echo "There is no site yet: run make book first."; exit 1; }
	@echo "The book is at http://localhost:$(PORT)/ (Ctrl-C stops the server)."
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

test: $(VENV)/.installed
	@$(BIN)/python tests/run.py

lab: $(VENV)/.lab
	@$(BIN)/python -m jupyterlab notebooks

clean:
	rm -rf _build book/_generated book/claims.md book/_ext/node_modules .pytest_cache .ruff_cache
	find llmlab tests book benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "The environment $(VENV) is kept; delete the folder to make it anew."

# Installs again only when the pins or the package's own description changed.
$(VENV)/.installed: requirements.txt pyproject.toml setup.py | $(VENV)/bin/python
	@echo "Installing the pinned packages into $(VENV)"
	@$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@touch $@

# What JupyterLab needs beside the pinned packages is added; those stay as they are.
$(VENV)/.lab: $(VENV)/.installed
	@echo "Installing JupyterLab into $(VENV)"
	@$(BIN)/python -m pip install --disable-pip-version-check --constraint requirements.txt \
	    --no-build-isolation -e '.[lab]'
	@touch $@

# The first Python of 3.11 or newer; PYTHON=/path/to/python chooses another.
$(VENV)/bin/python:
	@for candidate in $${PYTHON:-} python3 python python3.14 python3.13 python3.12 python3.11; do \
	    if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	        found=$$candidate; break; \
	    fi; \
	done; \
	if [ -z "$${found:-}" ]; then \
	    echo "The book needs Python 3.11 or newer, and none was found: install one, or name it" \
	        "with make PYTHON=/path/to/python."; exit 1; \
	fi; \
	echo "Making the environment $(VENV) with $$($$found --version)"; \
	$$found -m venv $(VENV) || { rm -rf $(VENV); \
	    echo "$$found could not make a virtual environment; on Debian and Ubuntu install" \
	        "the package python3-venv."; exit 1; }
