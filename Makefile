# Two commands do everything: `make lab` opens the lab, `make test` proves it. Every target sets up what it needs, once.
.DEFAULT_GOAL := help
.PHONY: help env lab demo test test-slow test-all mutation fuzz evidence notebooks slides student book nbgrader bundle bench lint clean system lock
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
# OFFLINE=1 sets up from the wheels that `make bundle` has put beside the project, without a network.
WHEELHOUSE ?= $(firstword $(wildcard wheelhouse build/bundle/lepton_lab/wheelhouse) wheelhouse)
PIP_FROM := $(if $(OFFLINE),--no-index --find-links $(WHEELHOUSE),)

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

env: .venv/ready  ## set up .venv with everything, once
.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one with: make env PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "Setting up .venv; this takes a few minutes, once."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_FROM) --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

lab: env  ## open JupyterLab at the first notebook
	@$(BIN)/lepton-lab lab

demo: env  ## the article's whole flow on a real data set (FILE=… for your own)
	@$(BIN)/lepton-lab demo $(FILE)

test: env  ## every check that takes less than ten minutes together
	@$(BIN)/python -m tools.checks quick

test-slow: env  ## the slow tests alone, which `make test` leaves out
	@$(BIN)/python -m tools.checks slow

test-all: env  ## `make test` and the slow tests, thirty to forty minutes on two cores
	@$(BIN)/python -m tools.checks all

mutation: env  ## change the helpers one thing at a time and count what their tests notice; under an hour
	@$(BIN)/python -m tools.mutation

fuzz: env  ## fuzz every parser for SECONDS=60 each (Linux) and keep the inputs that break one
	@$(BIN)/python -m tests.fuzz.run --seconds $(or $(SECONDS),60)

evidence: env  ## count the vectors again and write tests/EVIDENCE.md
	@$(BIN)/python -m tools.evidence

lint: env  ## style, types, notebooks
	@$(BIN)/python -m tools.checks lint

notebooks: env  ## run every notebook again and write it back normalised
	@$(BIN)/python -m tools.notebooks run

slides: env  ## every deck as HTML and PDF, in build/slides
	@$(BIN)/python -m tools.slides

student: env  ## the notebooks without their solutions, in build/student
	@$(BIN)/python -m tools.notebooks student

book: env  ## the executed notebooks, the reference and the evidence as a site, in build/book
	@$(BIN)/python -m tools.book

nbgrader: env  ## the exercises as sources for nbgrader, in build/nbgrader
	@$(BIN)/python -m tools.nbgrader

bundle: env  ## the project with every wheel it needs, in build/bundle; there: make lab OFFLINE=1
	@$(BIN)/python -m tools.bundle

bench: env  ## measure, and write the reference figures that the notebooks show
	@$(BIN)/python -m bench

lock: env  ## resolve pyproject.toml again into requirements.lock
	@$(BIN)/python -m tools.lock

system:  ## Debian, Ubuntu: install what checks need (redis-server, openssl, Crypto++, a browser and its fonts)
	apt-get update -q
	DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends redis-server openssl python3-venv g++ libcrypto++-dev fonts-wqy-microhei
	command -v google-chrome || command -v chromium || DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends chromium

clean:  ## remove what the other targets made; your copies in my/ stay
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
