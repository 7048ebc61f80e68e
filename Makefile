# Everything a reader or an author does, one line each: `make help`.
# Needs Python 3.11, 3.12 or 3.13 with its venv module (Debian: python3-venv) and make.

SHELL := bash
.DEFAULT_GOAL := help

VENV ?= .venv
BIN := $(VENV)/bin
# The first of these that is new enough, unless PYTHON names one.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
  $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
  2>/dev/null && echo $$p && break; done)
# uv installs the lock. It has an environment of its own, so that a broken .venv
# stops neither `make venv` nor `make lock`.
UV_VENV ?= .venv-uv
UV ?= $(UV_VENV)/bin/uv
# The certificates that the machine trusts, as behind the proxy of a university.
export UV_SYSTEM_CERTS ?= 1
WORKERS ?= 2
NB ?=
NAME ?=
CELL_TIMEOUT ?= 300
PORT ?= 8000
# Looks at the site; without one `make test` leaves that out and says so.
CHROMIUM ?= $(shell command -v chromium chromium-browser google-chrome | head -n 1)

export KERAS_BACKEND ?= tensorflow
export TF_CPP_MIN_LOG_LEVEL := 3
export TF_ENABLE_ONEDNN_OPTS := 0

# Workers run side by side: one thread each, or they fight for the same cores.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
  TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1
NOTEBOOKS := find book -name '*.ipynb' -not -path '*/.ipynb_checkpoints/*' | sort
# On Linux x86-64 the lock takes the small wheel, with the bound of pyproject.toml.
BOUND := $(shell sed -n 's/^  "tensorflow\(>=[0-9.]*\)",$$/\1/p' pyproject.toml)
SMALL_WHEEL := tensorflow-cpu$(BOUND) ; sys_platform == 'linux' and platform_machine == 'x86_64'

.PHONY: help
help:  ## Show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) \
	  | awk -F'|' '{ printf "make %-16s %s\n", $$1, $$2 }'

.PHONY: venv
venv: $(VENV)/.installed  ## Create, update or repair .venv from requirements.lock

# Neither step resolves anything: the lock names every package, its version and hashes.
$(VENV)/.installed: requirements.lock pyproject.toml | $(UV)
	@echo "Installing into $(VENV): the first time takes a minute or more."
	@$(BIN)/python -c '' 2>/dev/null || { rm -rf $(VENV); $(UV) venv --quiet \
	  --no-python-downloads --python "$$(command -v $(PYTHON))" $(VENV); }
	@# Compiled once here: where Python must not write it, every process would do it anew.
	@$(UV) pip sync --quiet --compile-bytecode --python $(BIN)/python \
	  --require-hashes requirements.lock
	@# Without dependencies: the small wheel does not satisfy "tensorflow".
	@$(UV) pip install --quiet --python $(BIN)/python \
	  --no-deps --no-build-isolation -e .
	@touch $@

# An environment that an earlier run left half done has no uv, and is made anew.
$(UV_VENV)/bin/uv:
	@[ -n "$(PYTHON)" ] || { echo "No Python 3.11, 3.12 or 3.13 found: install one," \
	  "or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(UV_VENV) || { rm -rf $(UV_VENV); echo "$(PYTHON) cannot" \
	  "make an environment. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(UV_VENV)/uv.lock
	@$(UV_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	  --no-deps --require-hashes -r $(UV_VENV)/uv.lock

.PHONY: book
book: venv  ## Build the site from stored outputs, warnings are errors
	@$(BIN)/jupyter-book build . -W --keep-going --quiet
	@$(BIN)/python scripts/check_site.py _build/html
	@echo "Open file://$(CURDIR)/_build/html/index.html or run: make serve"

.PHONY: links
links: venv  ## Check every external link (needs a network)
	@$(BIN)/jupyter-book build . --builder linkcheck --quiet

.PHONY: serve
serve: book  ## Build the site and serve it at http://localhost:8000
	@echo "http://localhost:$(PORT) (stop with Ctrl-C)"
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

.PHONY: test
test:  ## Run everything: lint, site, unit tests, every notebook
	@$(MAKE) --no-print-directory venv
	@# Side by side: neither of them keeps more than one core busy.
	@$(MAKE) --no-print-directory --jobs 2 lint book
	@if [ -n "$(CHROMIUM)" ]; then $(MAKE) --no-print-directory test-site; \
	  else echo "No Chromium here: nobody looked at the site (make test-site)."; fi
	@$(MAKE) --no-print-directory test-unit
	@$(MAKE) --no-print-directory test-notebooks

.PHONY: test-unit
test-unit: venv  ## Run unit tests and doctests, 95 % of branches covered
	@$(ONE_THREAD) $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile \
	  --ignore tests/site --durations 10 --cov --cov-report term --cov-fail-under 95

.PHONY: test-site
test-site: venv  ## Look at the built site in Chromium: widths, themes, keyboard, axe
	@[ -f _build/html/index.html ] || $(MAKE) --no-print-directory book
	@CHROMIUM="$(CHROMIUM)" $(BIN)/python -m pytest -q -n $(WORKERS) tests/site

.PHONY: test-notebooks
test-notebooks: venv  ## Re-execute every notebook (or NB=path), compare outputs
	@$(ONE_THREAD) $(BIN)/python -m pytest -q -o addopts= --durations 10 \
	  --nbval --nbval-current-env --nbval-cell-timeout $(CELL_TIMEOUT) \
	  -n $(WORKERS) --dist loadfile $(or $(NB),$$($(NOTEBOOKS)))

.PHONY: test-oldest
test-oldest: venv  ## Run the unit tests with the oldest versions we claim to support
	@rm -rf .venv-oldest
	@$(UV) venv --quiet --python 3.11 .venv-oldest
	@echo "$(SMALL_WHEEL)" | $(UV) pip compile --quiet pyproject.toml - --extra test \
	  --resolution lowest-direct --python .venv-oldest/bin/python \
	  --output-file .venv-oldest/requirements.txt
	@$(UV) pip install --quiet --python .venv-oldest/bin/python \
	  -r .venv-oldest/requirements.txt
	@$(UV) pip install --quiet --python .venv-oldest/bin/python --no-deps -e .
	@# Old versions may warn: the lock's versions are those that must not.
	@$(ONE_THREAD) .venv-oldest/bin/python -m pytest -q -W default -n $(WORKERS) \
	  --dist loadfile

# TensorFlow is left out, to prove that nothing needs it there.
BACKENDS ?= jax torch
BACKEND_TESTS := tests/equations tests/network/test_layers.py \
  tests/network/test_heads.py tests/tasks/test_models.py tests/tasks/test_clip_models.py \
  tests/tasks/test_every_task.py
REQUIREMENTS = import tomllib; \
  p = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
  e = p["optional-dependencies"]; \
  d = p["dependencies"] + e["book"] + e["test"] + e["$*"]; \
  print(*[line for line in d if not line.startswith("tensorflow")], sep="\n")

.PHONY: test-backends
test-backends: $(BACKENDS:%=test-on-%)  ## Run equations, layers, heads, models, CTC on JAX and torch

$(VENV)-%/.installed: requirements.lock pyproject.toml | $(VENV)/.installed
	@rm -rf $(VENV)-$* && $(UV) venv --quiet --python $(BIN)/python $(VENV)-$*
	@$(BIN)/python -c '$(REQUIREMENTS)' | $(UV) pip install --quiet \
	  --python $(VENV)-$*/bin/python --constraint requirements.lock -r -
	@$(UV) pip install --quiet --python $(VENV)-$*/bin/python --no-deps -e .
	@touch $@

test-on-%: $(VENV)-%/.installed
	@KERAS_BACKEND=$* $(ONE_THREAD) $(VENV)-$*/bin/python -m pytest -q -W default -n $(WORKERS) \
	  --dist loadfile $(BACKEND_TESTS)

.PHONY: full
full: venv  ## Run all chapters (or NB=path) with RUN = "full", into results/full.json
	@$(BIN)/python scripts/run_full.py $(NB)

.PHONY: full-on-jax
full-on-jax: $(VENV)-jax/.installed  ## The same on JAX, without TensorFlow
	@KERAS_BACKEND=jax $(VENV)-jax/bin/python scripts/run_full.py $(NB)

.PHONY: notebooks
notebooks: venv  ## Re-execute all chapters (or NB=path) and store their outputs
	@$(ONE_THREAD) $(BIN)/python scripts/execute_notebooks.py $(or $(NB),$$($(NOTEBOOKS)))
	@$(BIN)/python scripts/fill_numbers.py
	@$(BIN)/python scripts/claims.py --write

.PHONY: benchmarks
benchmarks: venv  ## List the benchmarks with their hours, or run one (NAME=reading)
	@$(ONE_THREAD) $(BIN)/python benchmarks $(NAME)

.PHONY: lab
lab: venv  ## Open the chapters in JupyterLab
	@$(BIN)/jupyter lab book/index.ipynb

.PHONY: lint
lint: venv  ## Check style, types and notebooks' code
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

.PHONY: format
format: venv  ## Put code into the common style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

.PHONY: lock
lock: | $(UV)  ## Write requirements.lock anew with the newest versions
	@echo "$(SMALL_WHEEL)" | $(UV) pip compile pyproject.toml - --extra dev \
	  --universal --python-version 3.11 --fork-strategy fewest --upgrade \
	  --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-emit-package crnn-tutorial --no-annotate --no-header \
	  --quiet --output-file requirements.lock
	@{ echo '# Written by "make lock": exact versions for Linux and macOS, Python 3.11-3.13.'; \
	  cat requirements.lock; } > requirements.new && mv requirements.new requirements.lock

.PHONY: dist
dist: venv  ## Build the source archive and the wheel into dist/
	@rm -rf dist
	@$(UV) build --quiet --no-build-isolation --python $(BIN)/python --out-dir dist

.PHONY: set-repository
set-repository: venv  ## Change the repository's address everywhere: URL=https://...
	@$(BIN)/python scripts/set_repository.py "$(URL)"

.PHONY: clean
clean:  ## Remove what was built (the environment stays)
	@rm -rf _build dist .coverage .coverage.* .pytest_cache .ruff_cache .mypy_cache \
	  .venv-oldest $(BACKENDS:%=.venv-%)
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
