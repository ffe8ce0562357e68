# `make` lists the targets. Needs bash and Python 3.11 or newer with venv. Everything else is downloaded.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
# Most tests wait for other processes more than they compute.
WORKERS := $(shell echo $$(( $$(nproc) * 2 )))
LOCKED := requirements.txt requirements-dev.txt
MUTATE := .cache/mutate/.installed
DOCS := .cache/docs/packages/.installed

.PHONY: help demo run test e2e faults simulate lint docs bench mutate reaction settings metrics doctor kind plugin release lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(STAMP) ## show a simulated vCenter's events on a page (DEMO_PORT=8080 sets the port)
	@exec $(BIN)/python -m demo $(ARGS)

run: $(STAMP) ## show your vCenter's events: VC_URL, VC_USERNAME, VC_PASSWORD, VC_INSECURE
	@exec $(BIN)/python -m demo --vcenter $(ARGS)

test: $(STAMP) ## run the tests that need no cluster (ARGS="-k checkpoint" selects some)
	@$(BIN)/python -m demo.vcsim
	@$(BIN)/python -m demo.golang tests/vcsim
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

e2e: $(STAMP) ## run the tests on a cluster with Knative: KUBECONFIG, IMAGE, VCSIM_IMAGE
	@for name in KUBECONFIG IMAGE; do \
	    [ -n "$${!name:-}" ] || { echo "make e2e needs $$name: see docs/how-to/testing.md" >&2; exit 2; }; \
	done
	@$(BIN)/python -m tests.e2e.programs || true
	$(BIN)/python -m pytest -m cluster --ignore tests/e2e -n $(WORKERS) --dist loadfile --timeout 300 $(ARGS)
	$(BIN)/python -m pytest -m cluster tests/e2e -n 2 --timeout 900 --durations 0 --durations-min 1 $(ARGS)

faults: $(STAMP) ## run the tests that inject faults for minutes (not in .ci/run)
	@$(BIN)/python -m demo.vcsim
	$(BIN)/python -m pytest -m faults -n $(WORKERS) --durations 5 $(ARGS)

simulate: $(STAMP) ## run the poller between models, on a virtual clock: SEED=0 RUNS=10000, or one seed: SEED=7
	@$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED)) $(if $(RUNS),--runs $(RUNS))

lint: $(STAMP) ## check format, types, imports, words and workflows
	$(BIN)/ruff check
	$(BIN)/mypy
	PYTHONPATH=.:plugin $(BIN)/lint-imports --no-logo
	$(BIN)/python -m tools.javascript
	$(BIN)/python -m tools.words
	$(BIN)/python -m tools.workflows

docs: $(STAMP) $(DOCS) ## build the documentation's site and check it (ARGS=--serve shows it)
	@$(BIN)/python -m tools.docs $(ARGS)

bench: $(STAMP) ## measure, compare with baselines, write bench/results.md (NAMES="trickle backlog" selects some)
	@$(BIN)/python -m bench $(NAMES)

mutate: $(STAMP) $(MUTATE) ## change the pure modules and see that tests fail (NAMES="cursor retry" selects some)
	@$(BIN)/python -m tools.mutation $(NAMES)

reaction: $(STAMP) ## create the files of a reaction: NAME=greet
	@$(BIN)/python -m tools.reaction $(NAME)

settings: $(STAMP) ## write docs/reference/settings.md
	@$(BIN)/python -m tools.settings

metrics: $(STAMP) ## write docs/reference/metrics.md
	@$(BIN)/python -m tools.metrics

doctor: $(STAMP) ## check this machine, the cluster and the account in vCenter (VC_URL, …), and say what to do
	@$(BIN)/python -m tools.doctor

kind: ## show the demo on a kind cluster with Knative (needs Docker, kind, kubectl, Go)
	@tools/kind/up.sh

release: $(STAMP) ## write the files of a release into dist/: IMAGE, and TAG, IMAGE_ARCHIVE if there are
	@$(BIN)/python -m tools.release --image "$(IMAGE)" $(if $(TAG),--tag "$(TAG)") \
	    $(if $(IMAGE_ARCHIVE),--image-archive "$(IMAGE_ARCHIVE)")

plugin: $(STAMP) ## build kn vsphere into dist/: a wheel, and a program of one file
	@rm -f dist/kn_vsphere-*.whl dist/kn-vsphere
	@$(BIN)/python -m pip wheel --disable-pip-version-check --quiet --no-deps --wheel-dir dist ./plugin
	@$(BIN)/python -m tools.plugin dist/kn_vsphere-*.whl dist/kn-vsphere
	@ls -l dist/kn_vsphere-*.whl dist/kn-vsphere

lock: ## pin the packages of pyproject.toml and requirements*.in in requirements*.txt, with hashes
	$(PYTHON) -m venv .cache/lock
	.cache/lock/bin/pip install --quiet --upgrade uv
	pin() { \
	    .cache/lock/bin/uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --python-version 3.11 \
	        --custom-compile-command "make lock" "$$@"; \
	}; \
	pin pyproject.toml requirements.in -o requirements.txt; \
	pin requirements-dev.in -o requirements-dev.txt; \
	pin tools/javascript/requirements.in -o tools/javascript/requirements.txt; \
	pin tools/mutation/requirements.in -o tools/mutation/requirements.txt; \
	pin tools/docs/requirements.in -o tools/docs/requirements.txt

clean: ## remove .venv, .cache and the caches of tools
	rm -rf .venv .cache dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

# With an empty cache this takes a minute or two, so it prints its progress.
$(STAMP): $(LOCKED)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "vcenter-events needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another: make PYTHON=python3.12" >&2; \
	    exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { \
	    echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: sudo apt install python3-venv" >&2; \
	    exit 2; }
	@echo "Making .venv"; \
	$(PYTHON) -m venv .venv; \
	echo "Installing $$(cat $(LOCKED) | grep -oE '^[A-Za-z0-9_.-]+==' | sort -u | wc -l) packages into .venv"; \
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --require-hashes \
	    $(addprefix -r ,$(LOCKED)) \
	    | awk '/^Collecting/ && ++n % 10 == 0 {print "  " n " fetched"; fflush()} /^Installing/ {print "  unpacking"; fflush()}'; \
	touch $@; \
	echo "Installed in $$SECONDS s"

# Apart from .venv: only `make mutate` and `make docs` need them.
$(MUTATE): tools/mutation/requirements.txt | $(STAMP)
$(DOCS): tools/docs/requirements.txt | $(STAMP)
$(MUTATE) $(DOCS):
	@rm -rf $(@D)
	@echo "Installing $$(grep -v '^#' $(<:.txt=.in) | head -n 1) into $(@D)"
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes --target $(@D) --requirement $<
	@touch $@
