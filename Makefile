# `make quickstart` and `make test` do everything from a bare clone; they need git, make and a Python from 3.11 to 3.13.

# The first that runs: a version manager may have names of versions that are not installed.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13; do $$name -c '' 2>/dev/null && echo $$name && break; done)
BIN := .venv/bin
OTHER = .venv-$(notdir $(PYTHON))
# What newer or older libraries can break, without whole runs and what takes long to compile.
FAST := tests/test_*.py tests/ablations tests/analysis tests/data tests/devices tests/formats tests/models tests/networks \
  tests/phantom tests/scoring tests/system $(wildcard tests/training/test_losses.py tests/training/test_optim.py)

.PHONY: quickstart test test-fast test-oldest lint docs benchmark benchmark-gpu torture slurm lock audit clean

quickstart: .venv/product
	ls data/mvm_cmr/phantom_mini/*/dataset_info.json >/dev/null 2>&1 || \
	  $(BIN)/tfds build data_builders/mvm_cmr --config=phantom_mini --data_dir=data
	$(BIN)/python -m ear_jax.train --config configs/quickstart.py --workdir runs/quickstart
	$(BIN)/python -m ear_jax.evaluate --workdir runs/quickstart
	test -d data/phantom_study || $(BIN)/python -m ear_jax.make_phantom --output data/phantom_study --seed 2 --subject 3
	$(BIN)/python -m ear_jax.predict data/phantom_study --checkpoint runs/quickstart --output runs/quickstart/studies

test: .venv/development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=15

# `make test-fast PYTHON=python3.13`: in an environment of its own, by hash too; `.venv` stays as it is.
test-fast: $(OTHER)/complete
	$(OTHER)/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m 'not slow and not multiprocess' $(FAST)

# The lower bounds of pyproject.toml: the oldest version that it admits of each package.
test-oldest: .venv-oldest/complete
	.venv-oldest/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m 'not slow and not multiprocess' $(FAST)

lint: .venv/development
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/mypy

# The pages of docs/ as a site in site/, an environment of its own beside it; a link that leads nowhere ends it.
docs: .venv-docs/complete
	.venv-docs/bin/mkdocs build

# Hours; `--only=WORDS` tries some of it. The table is in docs/reliability.md.
torture: .venv/development
	$(BIN)/python tests/torture --docs

# What docs/cluster.md promises, on a SLURM of two nodes on this machine; as root, with Debian's slurm-wlm and munge.
slurm: .venv/development
	$(BIN)/python tests/torture/slurm.py

# Wants a machine that does nothing else; docs/performance.md has a quicker look.
benchmark: .venv-benchmark/complete
	.venv-benchmark/bin/python -m benchmarks --network=unet3d,ear3d --sizes=16x128x128,50x128x128 --batch=2 --rounds=3 \
	  --output runs/benchmark

# Eight minutes on a GPU, with any Python that has jax, flax and optax (`PYTHON=python3`); PyTorch too, if it is there.
benchmark-gpu:
	mkdir -p runs
	$(PYTHON) -m benchmarks.gpu --output runs/gpu.jsonl

# A marker file is as new as the last complete installation; changed requirements install again.
.venv/product: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

.venv/development: .venv/product requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

# After a change of pyproject.toml or requirements*.txt: for each Python the newest versions of everything, their hashes,
# and the list of licences. KEEP=1 leaves alone what need not change.
lock: .venv-supply/complete
	for name in requirements requirements-dev; do \
	  .venv-supply/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	    --no-emit-index-url --no-emit-package ear-jax $(if $(KEEP),,--upgrade) \
	    $$(test $$name = requirements || echo --constraint requirements.lock) \
	    $$name.txt --output-file $$name.lock || exit 1; done
	$(MAKE) .venv/development
	$(BIN)/python .ci/licences.py

# Known vulnerabilities of what is locked; says so where no service can be asked.
audit: .venv-supply/complete
	.venv-supply/bin/python .ci/audit.py

.venv-supply/complete: .ci/requirements.txt
	$(PYTHON) -m venv .venv-supply
	.venv-supply/bin/pip install --quiet --disable-pip-version-check -r .ci/requirements.txt
	touch $@

.venv-docs/complete: .ci/requirements-docs.txt
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/pip install --quiet --disable-pip-version-check -r .ci/requirements-docs.txt
	touch $@

.venv-benchmark/complete: requirements.lock benchmarks/requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv-benchmark
	.venv-benchmark/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	.venv-benchmark/bin/pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	touch $@

$(OTHER)/complete: requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv $(OTHER)
	$(OTHER)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(OTHER)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

.venv-oldest/complete: .venv-supply/complete requirements-dev.txt pyproject.toml
	$(PYTHON) -m venv .venv-oldest
	.venv-supply/bin/uv pip install --quiet --python .venv-oldest --resolution lowest-direct -r requirements-dev.txt
	touch $@

clean:
	rm -rf .venv .venv-* data runs site
