# The same commands for a person and for CI. The environment is made when it is missing.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
OUT ?= demo
DATA ?=
# Names and options of `make bench`, as SUITES="kmeans --full".
SUITES ?=

.PHONY: demo test readers lint types fmt bench clean

$(READY): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e ".[dev]"
	touch $@

demo: $(READY)
	C2L="$(CURDIR)/$(BIN)/c2l" examples/demo.sh "$(OUT)" $(if $(DATA),"$(DATA)")

# Two processes of one thread each: threads that wait for one another are slow on shared cores.
test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

# Readers of other projects that the tests of formats ask; datumaro wants an older Pillow than c2l.
readers:
	$(PYTHON) -m venv .venv-readers
	.venv-readers/bin/python -m pip install --quiet datumaro label-studio-converter

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

fmt: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)
	$(BIN)/python -m benchmarks $(SUITES)

clean:
	rm -rf $(VENV) .venv-readers demo build *.egg-info
