# `make demo` and `make test` each set up all they need: a virtual environment in .venv, from the package registry.
UV := $(or $(shell command -v uv),.uv/bin/uv)
PY := .venv/bin/python
BIN := .venv/bin
INTEGRATIONS := $(patsubst %/pyproject.toml,%,$(wildcard integrations/*/pyproject.toml))
GROUPS := --group dev $(foreach one,$(INTEGRATIONS),--group $(one)/pyproject.toml:dev)

.PHONY: demo test check unit oldest train-test lock setup setup-dev clean

demo: setup  ## index the packaged sample, search it from any modality to any, write demo.html
	$(BIN)/octant demo --html demo.html

test: setup-dev check unit oldest  ## all that CI runs

check: setup-dev  ## lint, types, imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/basedpyright
	@for one in $(INTEGRATIONS); do echo "$$one"; (cd $$one && ../../$(BIN)/basedpyright) || exit 1; done

unit: setup-dev  ## tests, the README's examples among them
	$(BIN)/pytest
	@for one in $(INTEGRATIONS); do echo "$$one"; (cd $$one && ../../$(BIN)/pytest) || exit 1; done

oldest: .venv-oldest/.made  ## the LangChain integration once more, on the oldest versions that it allows
	cd integrations/langchain && ../../.venv-oldest/bin/pytest

.venv-oldest/.made: pyproject.toml integrations/langchain/pyproject.toml | $(UV)
	test -x .venv-oldest/bin/python || $(UV) venv --quiet --python 'python>=3.11' .venv-oldest
	$(UV) pip install --quiet --python .venv-oldest/bin/python --resolution lowest-direct \
	  --editable integrations/langchain --group integrations/langchain/pyproject.toml:dev
	@touch $@

setup: .venv/.run
setup-dev: .venv/.dev

.venv/.run: pyproject.toml .constraints.txt | $(UV)
	test -x $(PY) || $(UV) venv --quiet --python 'python>=3.11' .venv
	$(UV) pip install --quiet --python $(PY) --constraints .constraints.txt --editable .
	@touch $@

.venv/.dev: .venv/.run $(wildcard integrations/*/pyproject.toml)
	$(UV) pip install --quiet --python $(PY) --constraints .constraints.txt --editable . $(GROUPS) \
	  $(foreach one,$(INTEGRATIONS),--editable $(one))
	@touch $@

lock: | $(UV)  ## renew the versions that tests run with
	$(UV) pip compile --quiet --universal --no-header --no-annotate --no-emit-package octant-search \
	  --python-version 3.11 $(GROUPS) \
	  pyproject.toml $(foreach one,$(INTEGRATIONS),$(one)/pyproject.toml) --output-file .constraints.txt

.uv/bin/uv:
	python3 -m venv .uv
	.uv/bin/pip install --quiet uv

clean:
	rm -rf .venv .venv-oldest .uv demo.html .demo dist .*_cache .import_linter_cache
