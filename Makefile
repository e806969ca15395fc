# Needs nothing but make and Python 3.10 or newer. `make train ARGS="--epochs 1"` passes options on.
PYTHON ?= python3
VENV ?= .venv
ARGS ?=

.PHONY: train test check docs clean

train: $(VENV)/installed
	$(VENV)/bin/python train.py $(ARGS)

test: $(VENV)/installed-dev
	$(VENV)/bin/python -m pytest --numprocesses auto --dist worksteal $(ARGS)

check: $(VENV)/installed-dev
	$(VENV)/bin/python -m ruff check .
	$(VENV)/bin/python -m ruff format --check .
	$(VENV)/bin/python -m mypy
	$(VENV)/bin/lint-imports --no-logo

# A warning is an error, such as a link that leads nowhere; what failed leaves no site.
docs: $(VENV)/installed-docs
	rm -rf build/docs site
	$(VENV)/bin/python -m sphinx --quiet --fail-on-warning --keep-going \
		--conf-dir docs --doctree-dir build/docs/doctrees . build/docs/html
	mv build/docs/html site

clean:
	rm -rf $(VENV) build/docs site

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# The marker files are newer than the pins they stand for, so a changed pin is installed at once.
$(VENV)/installed: requirements.txt | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -r requirements.txt
	touch $@

$(VENV)/installed-docs: requirements-docs.txt requirements-serve.txt $(VENV)/installed
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -r requirements-docs.txt
	touch $@

$(VENV)/installed-dev: requirements-dev.txt requirements-docs.txt requirements-serve.txt $(VENV)/installed
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -r requirements-dev.txt
	touch $@
