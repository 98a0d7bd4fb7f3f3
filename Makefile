# make demo | demo-full | test | lint | validation | grids | bench     (README.md has the route without make)

VENV ?= .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest

# Nothing that happens to be installed or set on this machine may leak into the environment.
unexport PYTHONPATH PYTHONHOME PIP_USER PIP_TARGET PIP_PREFIX
export PYTHONNOUSERSITE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo demo-full test lint validation grids bench
.DELETE_ON_ERROR:

demo: $(VENV)/.ready
	$(BIN)/relcap run studies/municipality --engine fast

demo-full: $(VENV)/.ready
	$(BIN)/relcap run studies/municipality

# Two processes of tests with several threads of linear algebra each would wait for each other.
test: $(VENV)/.ready
	OPENBLAS_NUM_THREADS=1 $(PYTEST) -n 2 --dist loadscope --no-loadscope-reorder -m "not recovery and not validation and not grid and not notebook and not bench"

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

validation: $(VENV)/.ready
	$(PYTEST) -m validation

grids: $(VENV)/.ready
	$(PYTEST) -m grid

bench: $(VENV)/.ready
	$(PYTEST) -m bench

# The environment is made anew whenever the lock file changes: never mended, so that it cannot drift.
$(VENV)/.locked: requirements.lock
	@suits='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))'; \
	for python in python3 python3.13 python3.14 python3.12 python; do \
	    if $$python -I -c "$$suits" >/dev/null 2>&1; then found=$$python; break; fi; \
	done; \
	if [ -n "$$found" ]; then echo "Making $(VENV) with $$($$found --version)"; $$found -m venv --clear $(VENV); \
	elif uv --version >/dev/null 2>&1; then uv venv --quiet --clear --seed --python 3.13 $(VENV); \
	else echo "Python 3.12 or newer is needed: install it from python.org (or uv, which brings its own), then run make again." >&2; exit 1; fi
	@echo "Installing the locked packages (about 500 MB, a few minutes, once)"
	@$(BIN)/python -m pip install -qq --require-hashes --no-deps -r requirements.lock
	@touch $@

$(VENV)/.ready: $(VENV)/.locked pyproject.toml
	@$(BIN)/python -m pip install -qq --no-deps --no-build-isolation --editable .
	@touch $@
