PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-slow lint format clean

demo: .venv/installed  ## train, predict, tune and submit on drawn scenes, in a few minutes
	$(BIN)/roofstack demo

test: .venv/installed lint  ## everything that CI checks
	$(BIN)/pytest -m "not slow" -n auto --dist loadfile --no-loadscope-reorder

test-slow: .venv/installed  ## minutes of work on real data and large networks
	$(BIN)/pytest -m slow

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv *.egg-info

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-compile --editable '.[cpu,lite,dev]'
	touch $@
