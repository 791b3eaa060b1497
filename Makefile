# `make quickstart` and `make test` do everything from a bare clone; they need Python 3.11, git and make.

PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: quickstart test lint benchmark torture clean

quickstart: .venv/product
	ls data/mvm_cmr/phantom_mini/*/dataset_info.json >/dev/null 2>&1 || \
	  $(BIN)/tfds build data_builders/mvm_cmr --config=phantom_mini --data_dir=data
	$(BIN)/python -m ear_jax.train --config configs/quickstart.py --workdir runs/quickstart
	$(BIN)/python -m ear_jax.evaluate --workdir runs/quickstart
	test -d data/phantom_study || $(BIN)/python -m ear_jax.make_phantom --output data/phantom_study --seed 2
	$(BIN)/python -m ear_jax.predict data/phantom_study --checkpoint runs/quickstart --output runs/quickstart/studies

test: .venv/development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest

lint: .venv/development
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Hours; `--only=WORDS` tries some of it. The table is in docs/reliability.md.
torture: .venv/development
	$(BIN)/python tests/torture --docs

# Wants a machine that does nothing else; docs/performance.md has a quicker look.
benchmark: .venv-benchmark/complete
	.venv-benchmark/bin/python -m benchmarks --sizes=16x128x128,50x128x128 --output runs/benchmark

# A marker file is as new as the last complete installation; changed requirements install again.
.venv/product: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

.venv/development: .venv/product requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

.venv-benchmark/complete: requirements.txt benchmarks/requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv-benchmark
	.venv-benchmark/bin/pip install --quiet --disable-pip-version-check -r requirements.txt -r benchmarks/requirements.txt
	touch $@

clean:
	rm -rf .venv .venv-benchmark data runs
