# Everything sets itself up: a target that needs packages makes .venv first.
# `make VENV=` uses the python3 on the path and the packages it has.
VENV ?= .venv
ROADMAP ?= tiny
SEEDS ?= 1
RUNS ?= runs
FIGURES ?= figures
BENCH ?= bench.json
ARGUMENTS ?=

ifeq ($(VENV),)
PYTHON := python3
READY :=
else
PYTHON := $(VENV)/bin/python
READY := $(VENV)/ready
endif
CLI = $(PYTHON) -m roadmap

.DEFAULT_GOAL := help
.PHONY: help setup roadmap table plots cost bench test lint format clean

help:  ## this menu
	@printf 'From ResNet to ConvNeXt, every step trainable.\n\n'
	@printf '  %-16s%s\n' 'make step-05' 'train one row and show it beside the paper (about 2 minutes)'
	@sed -n 's/^\([a-z]*\):.*## /\1 /p' Makefile | while read -r name text; do \
		printf '  %-16s%s\n' "make $$name" "$$text"; done
	@printf '\nROADMAP=%s (or cifar, resnet50, resnet200, FILE.yaml)  SEEDS=%s  RUNS=%s\n' \
		'$(ROADMAP)' '$(SEEDS)' '$(RUNS)'
	@printf 'ARGUMENTS="--data DIR" adds to the command line; see also: %s --help\n' '$(CLI)'

step-%: $(READY)
	$(CLI) train $* --roadmap $(ROADMAP) --runs $(RUNS) $(ARGUMENTS)

setup: $(READY)  ## make .venv with everything in it (about 3 minutes)

roadmap: $(READY)  ## train the whole path, 14 rows; goes on where it was (SEEDS=3)
	$(CLI) run --roadmap $(ROADMAP) --seeds $(SEEDS) --runs $(RUNS) $(ARGUMENTS)

table: $(READY)  ## accuracy and cost of every row, beside the paper's
	$(CLI) table --roadmap $(ROADMAP) --runs $(RUNS) $(ARGUMENTS)

plots: $(READY)  ## Figure 2 from the paper's numbers and from yours: PDF, SVG, PNG
	$(CLI) plot --roadmap $(ROADMAP) --runs $(RUNS) --out $(FIGURES) $(ARGUMENTS)

cost: $(READY)  ## what every row costs, exactly, without training
	$(CLI) cost --roadmap $(ROADMAP) $(ARGUMENTS)

bench: $(READY)  ## speed against a bare loop, fvcore and timm (PEER=path/to/train.py)
	$(PYTHON) -m experiments.benchmarks --out $(BENCH) $(if $(PEER),--peer $(PEER))

test: $(READY) lint  ## the test suite, with real short trainings
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n auto --dist worksteal

lint: $(READY)
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

format: $(READY)
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

clean:  ## remove .venv and caches; runs stay
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis *.egg-info

ifneq ($(READY),)
$(READY): setup.cfg pyproject.toml
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $(READY)
endif
