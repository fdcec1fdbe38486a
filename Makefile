PYTHON ?= python3
BIN := .venv/bin
EXTRAS := cpu,lite,dev

.PHONY: help demo test test-slow campaign lint format notebook docs constraints clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/installed  ## train, predict, tune and submit on drawn scenes, in a few minutes
	$(BIN)/roofstack demo

test: .venv/installed lint  ## linters, types and tests: everything that CI checks
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder

test-slow: .venv/installed  ## minutes of work on real data and large networks
	$(BIN)/pytest -m slow

campaign: .venv/installed  ## kills, bad input, broken disks and leaks by the hundred, in half an hour
	$(BIN)/pytest -m campaign -n 2 --dist load tests/campaign

lint: .venv/installed  ## style, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/installed  ## mend style and formatting
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

notebook: .venv/installed  ## run examples/quickstart.ipynb anew, and keep what it shows
	rm -rf build/quickstart && mkdir -p build/quickstart
	PATH="$(CURDIR)/$(BIN):$$PATH" PYTHONPATH="$(CURDIR)" $(BIN)/python -c "$$RUN_NOTEBOOK"

define RUN_NOTEBOOK
import nbclient, nbformat
path = "examples/quickstart.ipynb"
notebook = nbformat.read(path, 4)
where = {"metadata": {"path": "build/quickstart"}}
nbclient.NotebookClient(notebook, timeout=None, startup_timeout=600, coalesce_streams=True, resources=where).execute()
nbformat.write(notebook, path)
endef
export RUN_NOTEBOOK

docs: .venv/installed  ## the documentation as a site, in build/site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

constraints: .venv/installed  ## the newest versions that fit together, for Linux and macOS, into constraints.txt
	uv=$$(command -v uv || echo $(BIN)/uv); $$uv pip compile pyproject.toml --universal --python-version 3.11.7 --upgrade --quiet --no-header --no-annotate \
	  --no-emit-index-url $(foreach extra,cpu lite dev,--extra $(extra)) --output-file constraints.txt

clean:  ## remove the environment and everything built
	rm -rf .venv *.egg-info build

# uv installs in a minute what takes pip three; where it is missing it is fetched into the environment first. Bytecode is
# compiled here, once: where PYTHONDONTWRITEBYTECODE is set, every start would compile it again.
.venv/installed: pyproject.toml constraints.txt
	if command -v uv >/dev/null; then \
	  uv venv --quiet --allow-existing --python $(PYTHON) .venv; \
	else \
	  $(PYTHON) -m venv .venv && $(BIN)/pip install --quiet --disable-pip-version-check uv || true; \
	fi
	uv=$$(command -v uv || echo $(BIN)/uv); \
	$$uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt \
	    --editable '.[$(EXTRAS)]' \
	  || $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]'
	$(BIN)/python -m compileall -q roofstack.py members ensemble postproc
	touch $@
