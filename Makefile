# Isthmus: `make` lists what can be made.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# the environment's tools come first, for recipes and for what they start
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# options of `make bench`
BENCH :=
# tests run in two processes, those of a file in one: they share the runs that they look at
SIDE_BY_SIDE := --numprocesses 2 --dist loadfile
DEMO := config/imaging_transcriptomics.yaml
TYPED := workflow/isthmus workflow/snakemake_executor_plugin_isthmus_slurm $(wildcard workflow/scripts)
PYTHON_CODE := workflow tests envs
LOCK := uv pip compile --universal --generate-hashes --no-emit-index-url --python-version 3.11 --quiet

.PHONY: help setup demo kb figure test test-slow test-all test-slurm check config profiles lock bench bundle clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

setup:  ## make .venv from the hash lock (done once; again when the lock changes)
	@envs/setup.sh

demo: setup  ## fetch real demo data, run the imaging transcriptomics use case, say where the report is
	isthmus fetch xenium_breast_small
	isthmus run $(DEMO)
	@echo "The report: $(CURDIR)/results/imaging_transcriptomics/report.html"

figure: setup  ## the picture of the README, from the results of the demo
	python -P -m isthmus.report.figure results/imaging_transcriptomics docs/images/demo.png

test: setup  ## the fast tests: units, properties, one run end to end
	pytest $(SIDE_BY_SIDE) -m "not slow and not slurm"

test-slow: kb  ## the tests that `make test` leaves out for their length
	envs/environment.sh validators
	@pytest $(SIDE_BY_SIDE) -m "slow and not slurm" || [ $$? = 5 ]  # 5: there are none

test-all: kb  ## all tests that need no cluster
	envs/environment.sh validators
	pytest $(SIDE_BY_SIDE) -m "not slurm"

test-slurm: setup  ## the tests that need a cluster, on a real Slurm started here (root and apt; skips with a reason)
	pytest $(SIDE_BY_SIDE) -m slurm tests/slurm -rs

check: setup  ## formatting, lint, types, repository tests
	ruff check $(PYTHON_CODE)
	ruff format --check $(PYTHON_CODE)
	snakefmt --check workflow
	mypy --strict $(TYPED)
	pytest tests/repo

config: setup  ## write config/config.yaml, schema.json and the tables of config/README.md
	python -P -m isthmus.config.document config

profiles: setup  ## write profiles/*/config.yaml and the table of profiles/README.md from resources/sites/*.yaml
	python -P -m isthmus.sites.document

lock: setup  ## solve the dependencies anew: envs/requirements.txt, installer.txt, conda files
	$(LOCK) --custom-compile-command "make lock" --group dev pyproject.toml -o envs/requirements.txt
	for name in bench-blocks bench-sopa kb validators; do $(LOCK) --custom-compile-command "make lock" envs/$$name.in -o envs/$$name.txt; done
	echo setuptools | $(LOCK) --custom-compile-command "make lock" - -o envs/builder.txt
	python envs/conda.py

kb: setup  ## make .venv-kb from its hash lock: kb-python, which counts FASTQ files of dissociated cells
	envs/kb.sh

bench: setup  ## Isthmus and its peers side by side, docs/benchmarks.md; BENCH=--quick: small images, BENCH="--only memory": some rows
	envs/environment.sh bench-blocks bench-sopa
	PYTHONPATH=tests python -P -m bench $(BENCH)

bundle: setup  ## one file for a machine without internet: project, wheels, demo data, checksums; in dist/
	envs/bundle.sh dist

clean:  ## remove caches of tools and tests; environment, data and results stay
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find workflow tests envs -name __pycache__ -type d -prune -exec rm -rf {} +
