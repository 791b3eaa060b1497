# `make quickstart` and `make test` do everything from a bare clone; they need Python 3.11, git and make.

PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: quickstart test lint benchmark torture lock audit clean

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
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist loadfile --durations=15

lint: .venv/development
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/mypy

# Hours; `--only=WORDS` tries some of it. The table is in docs/reliability.md.
torture: .venv/development
	$(BIN)/python tests/torture --docs

# Wants a machine that does nothing else; docs/performance.md has a quicker look.
benchmark: .venv-benchmark/complete
	.venv-benchmark/bin/python -m benchmarks --network=unet3d,ear3d --sizes=16x128x128,50x128x128 --batch=2 --rounds=3 \
	  --output runs/benchmark

# A marker file is as new as the last complete installation; changed requirements install again.
.venv/product: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

.venv/development: .venv/product requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

# After a change of requirements*.txt: every package with its version and hashes, and the list of their licences.
lock: .venv-supply/complete
	for name in requirements requirements-dev; do \
	  .venv-supply/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	    --no-emit-index-url $$name.txt --output-file $$name.lock || exit 1; done
	$(MAKE) .venv/development
	$(BIN)/python .ci/licences.py

# Known vulnerabilities of what is locked; says so where no service can be asked.
audit: .venv-supply/complete
	.venv-supply/bin/python .ci/audit.py

.venv-supply/complete: .ci/requirements.txt
	$(PYTHON) -m venv .venv-supply
	.venv-supply/bin/pip install --quiet --disable-pip-version-check -r .ci/requirements.txt
	touch $@

.venv-benchmark/complete: requirements.txt benchmarks/requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv-benchmark
	.venv-benchmark/bin/pip install --quiet --disable-pip-version-check -r requirements.txt -r benchmarks/requirements.txt
	touch $@

clean:
	rm -rf .venv .venv-benchmark .venv-supply data runs
