# What a developer does every day. `make` alone lists it.

VENV   := .venv
BIN    := $(VENV)/bin
# The first Python that is new enough; looked for only when the environment is made.
PYTHON ?= $(shell for name in python3.11 python3 python3.12 python3.13 python; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
PIP    := $(BIN)/python -m pip --disable-pip-version-check
SET_UP := pyproject.toml constraints.txt
TORCH  := extensions/layerwise-torch
# The real weights and photos, where they are: the benchmark and some tests use them.
DATA   := $(or $(LAYERWISE_DATA),$(wildcard ../shared/data))
BENCH  := $(if $(DATA),--weights $(DATA)/googlenet/bvlc_googlenet.caffemodel --stimuli $(DATA)/imagenet500)

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow browser-test extensions-test lint format docs pictures surface bench clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/runtime.stamp  ## Train a small network, analyse its checkpoints, write demo/report.html
	$(BIN)/layerwise demo --out demo

test: $(VENV)/develop.stamp  ## Run the tests, except the slow ones
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not browser"

test-slow: $(VENV)/develop.stamp  ## Run the slow tests
	$(BIN)/python -m pytest -m slow

browser-test: $(VENV)/browser.stamp  ## Try the report's pages in headless Chromium, installed with apt-get where there is none
	.ci/chromium
	$(BIN)/python -m pytest -m browser tests/browser

extensions-test: .venv-torch/installed.stamp  ## Test layerwise-torch, installed into an environment of its own
	cd $(TORCH) && ../../.venv-torch/bin/pytest -m "not slow"

lint: $(VENV)/develop.stamp  ## Check style, types and who imports whom
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	cd $(TORCH) && MYPYPATH=../.. ../../$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/develop.stamp  ## Put the code into the project's style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(VENV)/develop.stamp  ## Write the command line's help into docs/commands.md
	$(BIN)/python tools/reference.py docs/commands.md

pictures: $(VENV)/develop.stamp  ## Draw the pictures and reports of the docs again, from the real weights and photos
	@test -n "$(DATA)" || { echo "make pictures needs the weights and photos: set LAYERWISE_DATA" >&2; exit 1; }
	rm -rf build/pictures && mkdir -p build/pictures
	cd build/pictures && ln -s $(abspath $(DATA))/imagenet500 photos \
	  && ln -s $(abspath $(DATA))/googlenet/bvlc_googlenet.caffemodel $(abspath $(DATA))/googlenet/synset_words.txt . \
	  && $(abspath $(BIN))/layerwise run googlenet --weights bvlc_googlenet.caffemodel --stimuli photos/ \
	    --layers main --layers branches --db googlenet.db \
	  && $(abspath $(BIN))/layerwise demo --out demo --no-open
	$(BIN)/python docs/pictures.py --googlenet build/pictures/googlenet.db --demo build/pictures/demo/layerwise.db

surface: $(VENV)/develop.stamp  ## Write down what plugins may import: docs/plugins, and the types that editors know
	$(BIN)/python tools/surface.py docs/plugins

bench: $(VENV)/runtime.stamp  ## Measure an analysis beside the forward pass, promises, one layer, Dask; compare with last time
	$(BIN)/python benchmarks/forward_passes.py $(BENCH)
	$(BIN)/python benchmarks/promises.py
	$(BIN)/python -c "import rsatoolbox" 2>/dev/null && $(BIN)/python benchmarks/one_layer.py || echo "benchmarks/one_layer.py needs rsatoolbox"
	$(BIN)/python -c "import distributed" 2>/dev/null && $(BIN)/python benchmarks/dask_overhead.py || echo "benchmarks/dask_overhead.py needs dask"

clean:  ## Remove the environment and all caches
	rm -rf $(VENV) .venv-torch build *.egg-info $(TORCH)/build $(TORCH)/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@test -n "$(PYTHON)" && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "Layerwise needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/runtime.stamp: $(SET_UP) | $(BIN)/python
	$(PIP) install --quiet -c constraints.txt -e '.[all]'
	@touch $@

$(VENV)/develop.stamp: $(SET_UP) | $(BIN)/python
	$(PIP) install --quiet -c constraints.txt -e '.[test,lint]'
	@touch $@ $(VENV)/runtime.stamp

$(VENV)/browser.stamp: $(SET_UP) | $(BIN)/python
	$(PIP) install --quiet -c constraints.txt -e '.[test,browser]'
	@touch $@ $(VENV)/runtime.stamp

# An environment without anything of ours but what a user would install: Layerwise, then the extension as a wheel.
# One after the other: asked for both at once, pip looks for the extension's layerwise on the index.
.venv-torch/dependencies.stamp: $(SET_UP) $(TORCH)/pyproject.toml $(TORCH)/constraints.txt
	test -n "$(PYTHON)" && $(PYTHON) -m venv --clear .venv-torch
	.venv-torch/bin/python -m pip --disable-pip-version-check install --quiet \
	  -c constraints.txt -c $(TORCH)/constraints.txt -e '.[all]'
	.venv-torch/bin/python -m pip --disable-pip-version-check install --quiet \
	  -c constraints.txt -c $(TORCH)/constraints.txt './$(TORCH)[test]'
	@touch $@

.venv-torch/installed.stamp: .venv-torch/dependencies.stamp $(wildcard $(TORCH)/layerwise_torch/*)
	rm -rf $(TORCH)/build
	.venv-torch/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --force-reinstall ./$(TORCH)
	@touch $@
