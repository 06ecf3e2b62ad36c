# make lab: open the first lesson. make test: run every check. Both install what they need first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LESSON := $(firstword $(sort $(wildcard notebooks/0*.ipynb)))
ARGS   ?=

.PHONY: setup lab pytorch test book solved bench baseline pins clean

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "Installing the workbook into $(VENV): about 3 GB, some minutes, once."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e .
	@touch $@

# Adds PyTorch, torchao, ONNX and ONNX Runtime, which lesson 06b needs.
pytorch: setup
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[pytorch]'

$(VENV)/.installed-test: $(VENV)/.installed
	@echo "Adding what the tests and the benchmark need."
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[test,pytorch]'
	@touch $@

lab: setup
	$(BIN)/python -m jupyter lab --config=.jupyter/jupyter_lab_config.json --LabApp.default_url=/lab/tree/$(LESSON) $(ARGS)

test: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check qlib tests data book
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

$(VENV)/.installed-book: $(VENV)/.installed
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[book]'
	@touch $@

# Builds the reading edition, web pages of the lessons as stored, in the folder `book/_build`.
book: $(VENV)/.installed-book
	$(BIN)/python book/build.py $(ARGS)

# Writes copies of the lessons with the solutions filled in, for the teacher, to the folder `solved`.
solved: setup
	$(BIN)/python tests/solved.py $(ARGS)

# Measures qlib against plain NumPy, PyTorch and ONNX Runtime: one table of ratios (ARGS=--quick for a first look).
bench: $(VENV)/.installed-test
	$(BIN)/python tests/bench.py $(ARGS)

# Runs the notebooks anew and stores their outputs, which `make test` compares from then on.
baseline: $(VENV)/.installed-test
	$(BIN)/python tests/baseline.py $(ARGS)

# Renews constraints.txt: the newest versions that pyproject.toml allows, for every system at once.
pins: $(VENV)/.installed
	$(BIN)/python -m pip install --disable-pip-version-check --quiet uv
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.10 \
		--no-header --no-annotate --upgrade --output-file constraints.txt

clean:
	rm -rf $(VENV) solved book/_build *.egg-info .pytest_cache .ruff_cache .hypothesis
