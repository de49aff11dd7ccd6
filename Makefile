# class4: `make demo` and `make test` set everything up by themselves. PYTHON and TORCH_INDEX may be set:
#   make demo PYTHON=python3.12 TORCH_INDEX=https://download.pytorch.org/whl/cpu
PYTHON ?= python3
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2
export OMP_NUM_THREADS ?= 1
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo test bands lab release bench lint audit clean

demo: $(STAMP)  ## release, grade a made-up class, write feedback
	@$(BIN)/class4 demo

test: $(STAMP)  ## every test, the notebooks among them
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --cov --cov-report=term:skip-covered -m 'not bands' tests
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -p no:cacheprovider --nbval --nbval-sanitize-with tests/nbval_sanitize.cfg solutions

bands: $(STAMP)  ## every solution on three BLAS kernels: do measured figures stay inside their bands?
	@$(BIN)/python -m pytest -n $(WORKERS) -m bands tests/test_notebooks.py

lab: $(STAMP)  ## JupyterLab on a copy of the student notebooks in work/
	@mkdir -p work && cp -Rn notebooks/. work/ 2>/dev/null || true
	@cd work && ../$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root)

release: $(STAMP)  ## build solutions and student notebooks
	@$(BIN)/class4 release

bench: $(STAMP)  ## ratios: functions against PyTorch, check, judge, import
	@$(BIN)/python -m tests.bench

audit: $(STAMP)  ## check the checkers of the whole course
	@$(BIN)/class4 audit

lint: $(STAMP)
	@$(BIN)/ruff check . && $(BIN)/mypy

# Debian's bare python3 has no ensurepip: there the system's pip fills the new environment. It needs python3-pip or a pip of its own.
$(STAMP): pyproject.toml constraints.txt
	@echo "class4: setting up $(VENV) (about a minute, once)"
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "class4 needs Python 3.11 to 3.13, this is " + sys.version.split()[0])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { rm -rf $(VENV); $(PYTHON) -m venv --without-pip $(VENV); }
	@if $(BIN)/python -m pip --version >/dev/null 2>&1; then pip="$(BIN)/python -m pip"; else pip="$(PYTHON) -m pip --python $(BIN)/python"; fi; \
	  $$pip install --quiet --disable-pip-version-check -c constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX) torch==$$(sed -n 's/^torch==//p' constraints.txt),torch==$$(sed -n 's/^torch==//p' constraints.txt)) && \
	  $$pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	@rm -rf $(VENV) var work .pytest_cache .ruff_cache .mypy_cache .coverage
