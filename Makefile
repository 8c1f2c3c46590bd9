# `make` alone lists the targets. Each makes .venv and installs what it needs there, in
# the versions of constraints.txt; PYTHON chooses the interpreter it is made from.
PYTHON ?= python3
WORKERS ?= 2

BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	--constraint constraints.txt
STUDIES = $(filter-out benchmarks/suite.py benchmarks/readme.py, \
	$(sort $(wildcard benchmarks/[a-z]*.py)))

.PHONY: help demo test test-docs fuzz lint bench studies readme docs notebooks clean
.NOTPARALLEL:

help:
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /make \1\t/'

demo: .venv/installed-plot ## fit on sample photos, write pictures to build/demo
	MPLBACKEND=Agg $(BIN)/python examples/demo.py

test: .venv/installed-tests ## run the tests and doctests
	OMP_NUM_THREADS=1 MPLBACKEND=Agg $(BIN)/python -m pytest -n $(WORKERS)

test-docs: .venv/installed-docs .venv/installed-tests ## run notebooks and examples at reduced size
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) docs/tests

fuzz: .venv/installed-tests ## try 10,000 random inputs on all public callables
	OMP_NUM_THREADS=1 MPLBACKEND=Agg $(BIN)/python -m tests.fuzz --examples 10000 --seed 0

lint: .venv/installed-dev ## check style, format and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

bench: .venv/installed-benchmarks ## print the table of the benchmark suite
	$(BIN)/python benchmarks/suite.py --compare benchmarks/expected.json

studies: .venv/installed-benchmarks ## run the long studies on the data in SPARSEVAE_DATA
	set -e; for script in $(STUDIES); do $(BIN)/python $$script; done

readme: ## write figures and tables of README.md anew, from benchmarks/results
	$(PYTHON) benchmarks/readme.py

docs: .venv/installed-docs ## build the documentation in build/docs, from empty
	rm -rf build/docs docs/auto_examples docs/generated docs/notebooks/*.ipynb
	MPLBACKEND=Agg $(BIN)/python -m sphinx -W --keep-going -b html docs build/docs

notebooks: .venv/installed-notebooks ## execute the notebooks anew, from their scripts
	$(BIN)/python notebooks/build.py

clean: ## remove .venv and everything built
	rm -rf .venv build docs/auto_examples docs/generated docs/notebooks/*.ipynb

# Building needs setuptools, which is pinned only without pip's isolated environment.
.venv/installed-%: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP_INSTALL) setuptools
	$(PIP_INSTALL) --no-build-isolation --editable '.[$*]'
	touch $@
