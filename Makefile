# make demo: from a drawn data set to a trained, judged bundle.  make test: everything that the gate checks.
# make demo TORCH_INDEX=URL takes PyTorch from another package index, for example one with builds for your CUDA.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
PYTHON ?= python3
VENV ?= .venv
TORCH_INDEX ?=
DEMO_DIR ?= demo
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test format bundles clean

$(INSTALLED): setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet torch==2.13.0 -c constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .[all]
	# An independent reader of RTSTRUCT for the tests; by its own wish it would bring OpenCV with a window system.
	$(BIN)/python -m pip install --quiet --no-deps -c constraints.txt rt-utils
	touch $@

demo: $(INSTALLED)
	PATH="$(abspath $(BIN)):$$PATH" ./demo.sh $(DEMO_DIR)

test: $(INSTALLED)
	PATH="$(abspath $(BIN)):$$PATH" .ci/check

format: $(INSTALLED)
	$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

bundles: $(INSTALLED)
	$(BIN)/monai-gi render-bundles

clean:
	rm -rf $(VENV) $(DEMO_DIR)
