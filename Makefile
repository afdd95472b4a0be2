# make setup     a virtual environment in .venv with everything in it
# make demo      the whole path on the built-in data, then the dashboard
# make test      all tests but those marked slow, which make test-slow runs
# make test-precisions   what trains, as on a processor with bfloat16 and on one without
# make check     lint, formatting and types
# make audit     known vulnerabilities of what is installed; asks a service of the network

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: setup demo test test-slow test-precisions check lint types audit format clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; give one with: make PYTHON=…" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@# torch first and pinned: asked for by name, pip takes the build that is at hand.
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(READY)
	@scripts/demo

test: $(READY)
	@# Two processes of one thread each: more would wait for each other on two cores.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m 'not slow' -n 2 --dist loadfile

test-slow: $(READY)
	$(BIN)/python -m pytest -m slow

# What trains or predicts, on a machine whose processor has bfloat16 and on one without.
TRAINING := tests/trainer/network tests/trainer/training tests/trainer/evaluation tests/trainer/classification tests/trainer/prediction \
	tests/trainer/test_cli.py tests/test_old_store.py tests/sweeps tests/dashboard/predict
test-precisions: $(READY)
	SEGSCOPE_AUTO_PRECISION=bfloat16 OMP_NUM_THREADS=2 $(BIN)/python -m pytest $(TRAINING)
	SEGSCOPE_AUTO_PRECISION=float32 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile $(TRAINING)

check: lint types

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

# Apart from what it looks at: its own dependencies are no part of the product.
audit: $(READY)
	@$(PYTHON) -m venv .audit
	@.audit/bin/pip install --quiet pip-audit
	.audit/bin/pip-audit --path "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .audit build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
