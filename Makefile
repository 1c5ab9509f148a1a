# `make demo` and `make test` each set up all they need: a virtual environment in .venv, from the package registry.
UV := $(or $(shell command -v uv),.uv/bin/uv)
PY := .venv/bin/python
BIN := .venv/bin

.PHONY: demo test check unit train-test lock setup setup-dev clean

demo: setup  ## index the packaged sample, search it from any modality to any, write demo.html
	$(BIN)/octant demo --html demo.html

test: setup-dev check unit  ## all that CI runs

check: setup-dev  ## lint, types, imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/basedpyright

unit: setup-dev  ## tests, the README's examples among them
	$(BIN)/pytest

setup: .venv/.run
setup-dev: .venv/.dev

.venv/.run: pyproject.toml .constraints.txt | $(UV)
	test -x $(PY) || $(UV) venv --quiet --python 'python>=3.11' .venv
	$(UV) pip install --quiet --python $(PY) --constraints .constraints.txt --editable .
	@touch $@

.venv/.dev: .venv/.run
	$(UV) pip install --quiet --python $(PY) --constraints .constraints.txt --editable . --group dev
	@touch $@

lock: | $(UV)  ## renew the versions that tests run with
	$(UV) pip compile --quiet --universal --no-header --no-annotate --python-version 3.11 --group dev pyproject.toml --output-file .constraints.txt

.uv/bin/uv:
	python3 -m venv .uv
	.uv/bin/pip install --quiet uv

clean:
	rm -rf .venv .uv demo.html .demo dist .*_cache .import_linter_cache
