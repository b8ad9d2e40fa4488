# Every target sets up what it needs: one that needs packages makes .venv first.
# `make VENV=` uses the python3 on the PATH and its packages instead.
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
PYTEST = OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n auto --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help setup detection segmentation roadmap table plots report cost bench bench-gpu test test-fast golden lint \
	format clean

help:  ## print this menu
	@printf 'From ResNet to ConvNeXt, every step trainable.\n\n'
	@sed -n 's/^\([a-z%-]*\):.*## /\1 /p' Makefile | sed 's/^step-%/step-05/' | while read -r name text; do \
		printf '  %-19s%s\n' "make $$name" "$$text"; done
	@printf '\nROADMAP=%s (or small, cifar, resnet50, resnet200, FILE.yaml), SEEDS=%s,\n' \
		'$(ROADMAP)' '$(SEEDS)'
	@printf 'RUNS=%s, and ARGUMENTS="--data DIR" for more options\n' '$(RUNS)'
	@printf '(all options: %s run --help)\n' '$(CLI)'

step-%: $(READY)  ## train row 05 and show it next to the paper (2 minutes)
	$(CLI) train $* --roadmap $(ROADMAP) --runs $(RUNS) $(ARGUMENTS)

detection: $(READY)  ## train row 13 to detect objects, and show it (3 minutes)
	$(CLI) train 13 --task detection --roadmap $(ROADMAP) --runs $(RUNS) $(ARGUMENTS)

segmentation: $(READY)  ## train row 13 to segment images, and show it (3 minutes)
	$(CLI) train 13 --task segmentation --roadmap $(ROADMAP) --runs $(RUNS) $(ARGUMENTS)

setup: $(READY)  ## install everything into .venv (about 3 minutes)

roadmap: $(READY)  ## train all 14 rows, or resume them (SEEDS=3)
	$(CLI) run --roadmap $(ROADMAP) --seeds $(SEEDS) --runs $(RUNS) $(ARGUMENTS)

table: $(READY)  ## print accuracy and cost of every row
	$(CLI) table --roadmap $(ROADMAP) --runs $(RUNS) $(ARGUMENTS)

plots: $(READY)  ## draw all figures (PDF, SVG, PNG)
	$(CLI) plot --roadmap $(ROADMAP) --runs $(RUNS) --out $(FIGURES) $(ARGUMENTS)

report: $(READY)  ## write one HTML page of all results, and paper tables
	$(CLI) report --roadmap $(ROADMAP) --runs $(RUNS) --out $(REPORT) $(ARGUMENTS)

cost: $(READY)  ## print what every row costs, without training
	$(CLI) cost --roadmap $(ROADMAP) $(ARGUMENTS)

bench: $(READY)  ## compare our speed with other programs (PEER=train.py)
	$(PYTHON) -m experiments.benchmarks --out $(BENCH) $(if $(PEER),--peer $(PEER))

bench-gpu: $(READY)  ## measure speed on a GPU (at most 6 minutes)
	$(PYTHON) -m experiments.benchmarks.gpu --out $(BENCH_GPU) $(if $(PEER),--peer $(PEER))

test: $(READY) lint  ## run lint and all tests, with real short trainings
	$(PYTEST)

test-fast: $(READY)  ## run the tests that take less than a second each
	$(PYTEST) -m "not slow"

golden: $(READY)  ## rewrite tests/golden after a change of shipped rows
	$(PYTHON) -m tests.golden

lint: $(READY)  ## check style, format and types
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

format: $(READY)  ## fix style and format
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

clean:  ## remove .venv and caches, but no runs
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis *.egg-info

ifneq ($(READY),)
$(READY): setup.cfg pyproject.toml
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $(READY)
endif
