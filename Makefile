# Everything from a fresh clone: `make demo`, `make test`. Needs Python 3.11 or newer, make and git.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
DEMO := demo-changed.jpg

.DEFAULT_GOAL := help
.PHONY: help demo test check docs clean

help:  ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: .venv/base.stamp  ## change the face of an example picture with the shipped networks
	@begin=$$(date +%s) && \
	$(BIN)/facechange swap examples/source.jpg examples/target.jpg --output $(DEMO) \
		--consent "Nobody in these pictures exists: the project's own model drew them." && \
	echo "The changed picture is $(CURDIR)/$(DEMO) ($$(($$(date +%s) - begin)) s; both originals are in examples/)."

test: .venv/dev.stamp  ## run the tests (installs every extra, PyTorch among them)
	@$(BIN)/python -m pytest

check: .venv/dev.stamp  ## ruff and mypy
	@$(BIN)/ruff check . && $(BIN)/mypy

docs: .venv/docs.stamp  ## build the documentation site into site/, strictly
	@$(BIN)/python tools/docs/reference.py docs/reference
	@$(BIN)/zensical build --strict --clean

clean:  ## remove the environment and every cache
	rm -rf .venv site .cache build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache $(DEMO)

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "facechange needs Python 3.11 or newer: install one, or name it with make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "Python cannot make a virtual environment here: install its venv package (Debian: python3-venv)." >&2; exit 1; }

.venv/base.stamp: pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing facechange into .venv (without PyTorch) ..."
	@$(INSTALL) --no-compile --editable .
	@touch $@

.venv/dev.stamp: .venv/base.stamp
	@echo "Installing every extra, for the tests ..."
	@$(INSTALL) --editable ".[train,fast,video,serve,scale,dev]"
	@touch $@

.venv/docs.stamp: .venv/base.stamp
	@echo "Installing what builds the documentation ..."
	@$(INSTALL) --editable ".[docs]"
	@touch $@
