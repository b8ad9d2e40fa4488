# Everything sets itself up: a target that needs packages makes .venv first.
# `make VENV=` uses the python3 on the path and the packages it has.
VENV ?= .venv
ROADMAP ?= tiny
SEEDS ?= 1
RUNS ?= runs
FIGURES ?= figures
REPORT ?= report
BENCH ?= bench.json
BENCH_GPU ?= bench-gpu.json
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
.PHONY: help setup roadmap table plots report cost bench bench-gpu test lint format clean

help:  ## this menu
	@printf 'From ResNet to ConvNeXt, every step trainable.\n\n'
	@sed -n 's/^\([a-z%-]*\):.*## /\1 /p' Makefile | sed 's/^step-%/step-05/' | while read -r name text; do \
		printf '  %-14s%s\n' "make $$name" "$$text"; done
	@printf '\nWith ROADMAP=%s (cifar, resnet50, resnet200, FILE.yaml), SEEDS=%s, RUNS=%s,\n' \
		'$(ROADMAP)' '$(SEEDS)' '$(RUNS)'
	@printf 'and ARGUMENTS="--data DIR", or other options (%s run --help)\n' '$(CLI)'

step-%: $(READY)  ## train one row, show it beside the paper's (2 minutes)
	$(CLI) train $* --roadmap $(ROADMAP) --runs $(RUNS) $(ARGUMENTS)

setup: $(READY)  ## make .venv with everything in it (about 3 minutes)

roadmap: $(READY)  ## train all 14 rows; goes on where it was (SEEDS=3)
	$(CLI) run --roadmap $(ROADMAP) --seeds $(SEEDS) --runs $(RUNS) $(ARGUMENTS)

table: $(READY)  ## accuracy and cost of every row, beside the paper's
	$(CLI) table --roadmap $(ROADMAP) --runs $(RUNS) $(ARGUMENTS)

plots: $(READY)  ## all figures: roadmap, effects, blocks, … (PDF, SVG, PNG)
	$(CLI) plot --roadmap $(ROADMAP) --runs $(RUNS) --out $(FIGURES) $(ARGUMENTS)

report: $(READY)  ## one HTML page of all that the runs say, tables for papers
	$(CLI) report --roadmap $(ROADMAP) --runs $(RUNS) --out $(REPORT) $(ARGUMENTS)

cost: $(READY)  ## what every row costs, exactly, without training
	$(CLI) cost --roadmap $(ROADMAP) $(ARGUMENTS)

bench: $(READY)  ## speed beside a bare loop, fvcore, timm (PEER=train.py)
	$(PYTHON) -m experiments.benchmarks --out $(BENCH) $(if $(PEER),--peer $(PEER))

bench-gpu: $(READY)  ## speed on a GPU, all parts in 6 minutes (PEER=train.py)
	$(PYTHON) -m experiments.benchmarks.gpu --out $(BENCH_GPU) $(if $(PEER),--peer $(PEER))

test: $(READY) lint  ## the test suite, with real short trainings
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n auto --dist worksteal

lint: $(READY)  ## check style and format
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

format: $(READY)  ## mend style and format
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
