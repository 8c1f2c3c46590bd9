# `make` alone lists the targets. Each makes .venv and installs what it needs there, in
# the versions of constraints.txt; PYTHON chooses the interpreter it is made from.
PYTHON ?= python3
WORKERS ?= 2

BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	--constraint constraints.txt
STUDIES = $(filter-out benchmarks/suite.py benchmarks/readme.py, \
	$(sort $(wildcard benchmarks/[a-z]*.py)))

.PHONY: help demo test test-docs test-lowest coverage fuzz lint bench studies claims \
	readme docs notebooks dist clean
.NOTPARALLEL:

help:
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /make \1\t/'

demo: .venv/installed-plot ## fit on sample photos, write pictures to build/demo
	MPLBACKEND=Agg $(BIN)/python examples/demo.py

test: .venv/installed-tests ## run the tests and doctests
	OMP_NUM_THREADS=1 MPLBACKEND=Agg $(BIN)/python -m pytest -n $(WORKERS)

coverage: .venv/installed-tests ## run the tests and see which lines they run
	OMP_NUM_THREADS=1 MPLBACKEND=Agg $(BIN)/python -m pytest -n $(WORKERS) --cov --cov-report=term

test-lowest: .venv-lowest/installed ## run the tests with the oldest supported versions
	OMP_NUM_THREADS=1 MPLBACKEND=Agg .venv-lowest/bin/python -m pytest -n $(WORKERS)

test-docs: .venv/installed-docs .venv/installed-tests ## run notebooks and examples at reduced size
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) docs/tests

fuzz: .venv/installed-tests ## try 10,000 random inputs on all public callables
	OMP_NUM_THREADS=1 MPLBACKEND=Agg $(BIN)/python -m tests.fuzz --examples 10000 --seed 0

lint: .venv/installed-dev ## check style, format, spelling and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy

bench: .venv/installed-benchmarks ## print the table of the benchmark suite
	$(BIN)/python benchmarks/suite.py --compare benchmarks/expected.json

studies: .venv/installed-benchmarks ## run the long studies on the data in SPARSEVAE_DATA
	set -e; for script in $(STUDIES); do $(BIN)/python $$script; done

claims: .venv/installed-benchmarks ## list the papers' claims; CLAIM=name measures one anew
	$(BIN)/python benchmarks/claims $(CLAIM)

readme: ## write figures and tables of README.md anew, from benchmarks/results
	$(PYTHON) benchmarks/readme.py

docs: .venv/installed-docs ## build the documentation in build/docs, from empty
	rm -rf build/docs docs/auto_examples docs/generated docs/notebooks/*.ipynb \
		docs/sg_execution_times.rst
	MPLBACKEND=Agg $(BIN)/python -m sphinx -W --keep-going -b html docs build/docs

notebooks: .venv/installed-notebooks ## execute the notebooks anew, from their scripts
	$(BIN)/python notebooks/build.py

dist: .venv/installed-dev ## build wheel and sdist in dist, install and try both
	rm -rf dist build/lib
	$(BIN)/python -m build --no-isolation --outdir dist
	$(BIN)/python .ci/check_dist.py

clean: ## remove what was installed and built
	rm -rf .venv .venv-lowest build dist docs/auto_examples \
		docs/generated docs/notebooks/*.ipynb

# TORCH=2.13.0 takes that version of torch instead of the oldest, whose wheels for Linux
# bring CUDA along unless they come from PyTorch's own index.
.venv-lowest/installed: pyproject.toml constraints-lowest.txt
	test -x .venv-lowest/bin/python || $(PYTHON) -m venv .venv-lowest
	sed '$(if $(TORCH),s/^torch==.*/torch==$(TORCH)/)' constraints-lowest.txt \
		> .venv-lowest/constraints.txt
	.venv-lowest/bin/python -m pip install --quiet --constraint constraints.txt setuptools
	.venv-lowest/bin/python -m pip install --quiet --no-build-isolation \
		--constraint .venv-lowest/constraints.txt --editable '.[tests]'
	touch $@

# Building needs setuptools, which is pinned only without pip's isolated environment.
.venv/installed-%: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP_INSTALL) setuptools
	$(PIP_INSTALL) --no-build-isolation --editable '.[$*]'
	touch $@
