# Everything starts here; `make help` lists it. Needs Python 3.11 or newer with venv, git and make.

TEAM = flights
AS_OF = 2013-03-01
BIN = .venv/bin
NOTEBOOKS = $(wildcard notebooks/*.ipynb notebooks/solutions/*.ipynb)

# Modules are compiled once, not by each of the many processes, whatever the caller's habit is.
export PYTHONDONTWRITEBYTECODE =
# The shell reads them as values, whatever stands in them: a name with `;` in it runs nothing.
export TEAM AS_OF

.DEFAULT_GOAL := help
.PHONY: help report demo lab workshop notebooks sample test test-deep test-browser bench lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

# ---- the product

report: .venv  ## write reports/TEAM/AS_OF/index.html (TEAM=flights AS_OF=2013-03-01)
	$(BIN)/dataops report "$$TEAM" --as-of "$$AS_OF"

demo: .venv  ## build the two example warehouses
	$(BIN)/dataops demo

lab: demo  ## open JupyterLab on the first notebook, with sliders
	DATAOPS_INTERACTIVE=1 $(BIN)/jupyter lab notebooks/00_start_here.ipynb

workshop: .venv  ## serve the maturity form to a room (TEAM=flights HOST=0.0.0.0, rehearse: DEMO=8)
	$(BIN)/dataops workshop $(TEAM) $(if $(HOST),--host $(HOST)) $(if $(DEMO),--demo $(DEMO))

# ---- its development

notebooks: .venv/.developed  ## execute all notebooks again and save their outputs
	$(BIN)/dataops notebooks

sample: .venv/.developed  ## make docs/sample_report.html again
	$(BIN)/dataops report flights --page-one --out .sample
	mkdir -p docs && mv .sample/flights/2013-03-01/index.html docs/sample_report.html
	rm -r .sample

# A step's name, then its command. The first that fails ends the target and says which it was.
step = @printf '\n==== %s\n' '$(1)'; $(2) || { printf '\n==== FAILED: %s\n' '$(1)'; exit 1; }

test: .venv/.developed  ## format, lint, types, tests, notebooks: at most 8 minutes on 2 cores
	$(call step,format (mend: $(BIN)/ruff format .),$(BIN)/ruff format --check .)
	$(call step,lint,$(BIN)/ruff check .)
	$(call step,arrows between rooms,$(BIN)/lint-imports)
	$(call step,types,$(BIN)/mypy)
	$(call step,example warehouses,$(BIN)/dataops demo)
	$(call step,tests,$(BIN)/pytest -q -n 2 --dist loadgroup -m "not deep and not browser")
	$(call step,notebooks give what is stored in them,$(notebooks_strictly))
	@printf '\n==== all passed\n'

# Without names pytest would run the tests again and pass. loadscope keeps the cells of a notebook
# on one kernel. The outer addopts look for doctests, which notebooks have none of.
ifeq ($(NOTEBOOKS),)
notebooks_strictly = echo "notebooks/ holds no notebook yet: nothing was compared"
else
notebooks_strictly = $(BIN)/pytest -q -o addopts= --nbval --nbval-current-env \
	--nbval-cell-timeout=120 -n 2 --dist loadscope \
	--nbval-sanitize-with tests/nbval_sanitize.cfg $(NOTEBOOKS)
endif

test-deep: .venv/.developed  ## the long kills, races and fuzzing
	$(BIN)/pytest -m deep

test-browser: .venv/.developed  ## move the sliders in a real Chromium
	$(BIN)/pytest -m browser

bench: .venv/.developed  ## measure what it costs, side by side with others
	$(BIN)/python -m benchmarks

lock: .venv/.developed  ## compile requirements.lock again (newest versions: UPGRADE=--upgrade)
	$(BIN)/python .ci/install.py pip compile --quiet --universal --python-version 3.11 --extra dev \
		$(UPGRADE) pyproject.toml -o requirements.lock --no-header

clean:  ## remove the environment, the warehouses and the caches; reports stay
	rm -rf .venv .warehouse warehouse .pytest_cache .mypy_cache .ruff_cache .hypothesis

# ---- the environment: made again only when the lock or pyproject.toml change

.venv: .venv/.installed

.venv/.installed: requirements.lock pyproject.toml
	@for python in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python); do \
		if "$$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' \
			2> /dev/null; then exec "$$python" -m venv .venv; fi; \
	done; \
	echo "Python 3.11 or newer with its venv module is needed, and none of these is:" \
		"$(or $(PYTHON),python3, python3.14 to python3.11, python)." \
		"Install one (Debian: apt-get install python3 python3-venv) or name it: make PYTHON=..."; \
	exit 1
	$(BIN)/python .ci/install.py
	@touch $@

# What tests, benchmarks and engines need is not what a report waits for.
.venv/.developed: .venv/.installed
	$(BIN)/python .ci/install.py dev
	@touch $@
