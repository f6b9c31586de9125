# Two commands for a newcomer: `make demo` shows the tool at work, `make check` tests it.

PYTHON ?= python3
STACK := examples/support-bot
CTXPROV := .venv/bin/ctxprov

.PHONY: demo check check-walls check-tests cover check-all check-faults check-planner check-newcomer check-wheel check-sdk check-bench check-browser check-storage check-newest check-terraform check-ci simulate simulate-faults bench format clean

demo: .venv/ready
	rm -rf state/emulator
	$(CTXPROV) plan $(STACK) --emulator
	$(CTXPROV) apply $(STACK) --emulator --auto-approve
	$(CTXPROV) plan $(STACK) --emulator
	$(CTXPROV) output -C $(STACK) --emulator

check: .venv-check/ready
	.venv-check/bin/ruff format --check .
	.venv-check/bin/ruff check .
	$(MAKE) --jobs=2 --output-sync=target check-walls check-tests

check-walls: .venv-check/ready
	.venv-check/bin/mypy
	.venv-check/bin/lint-imports

# Many tests start the command: its modules are compiled once, also where Python is kept from it.
check-tests: .venv-check/ready
	.venv-check/bin/python -m compileall -q provisioner
	.venv-check/bin/pytest -q -n 2 --dist worksteal -m 'not heavy'

# Every test, the heavy ones too and with more examples of each property, under coverage.  The seeds of
# simulated worlds aside: `make check` has played them, and coverage makes them slow.
cover: .venv-check/ready
	.venv-check/bin/python -m compileall -q provisioner
	.venv-check/bin/pytest -q -n 2 --dist worksteal --hypothesis-profile=thorough --cov \
		--ignore=tests/simulate/test_simulation.py

# The heavier checks, beside `make check`: the SDK of the generation before, the benchmarks' peers,
# a plan's page in Chromium, the servers that state may live in, the newest version of every
# dependency, and the pieces for CI.
check-all: check-faults simulate check-planner check-newcomer check-wheel check-sdk check-bench check-browser check-storage check-newest check-terraform check-ci

# A sample of each campaign in docs/reliability.md: lost answers, killed runs, damaged documents; and
# every command with every poor descriptor.
check-faults: .venv-check/ready
	command -v cc >/dev/null || { apt-get update -qq \
		&& apt-get install -y -qq --no-install-recommends gcc libc6-dev; }
	.venv-check/bin/pytest -q -n 2 --dist worksteal tests/faults/check_*.py tests/cli/check_descriptors.py

# Whole runs in simulated worlds, from seeds: no rule is broken, and each fault meets each phase.
simulate: .venv-check/ready
	.venv-check/bin/python -m tests.simulate --seeds $(or $(SEEDS),2000)

# A second planner, written from the design's tables, agrees with the first over 100,000 cases.
check-planner: .venv-check/ready
	.venv-check/bin/pytest -q -n 2 tests/planner/check_naive.py

check-newcomer: .venv-check/ready
	.venv-check/bin/pytest -q tests/check_newcomer.py

# The examples in Python, from a wheel in an environment of its own.
check-wheel: .venv-check/ready
	.venv-check/bin/pytest -q tests/check_wheel.py

check-sdk: .venv-old-sdk/ready
	.venv-old-sdk/bin/pytest -q tests/emulator/test_sdk.py

check-bench: .venv-bench/ready
	.venv-bench/bin/python -m benchmarks --sizes 10 --runs 1
	.venv-bench/bin/python -m benchmarks.pace --cases 8:0 --takes 0.2

check-browser: .venv-check/browser
	command -v chromium >/dev/null || { apt-get update -qq \
		&& apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; }
	.venv-check/bin/pytest -q tests/render/html/check_browser.py

check-storage: .venv-check/storage
	command -v npm >/dev/null || { apt-get update -qq \
		&& apt-get install -y -qq --no-install-recommends nodejs npm; }
	npm install --silent --no-audit --no-fund --prefix .venv-check azurite@3 s3rver@3
	.venv-check/bin/pytest -q -n 2 --dist worksteal tests/storage/check_servers.py tests/storage/check_suspended.py

check-newest: .venv-newest/ready
	.venv-newest/bin/pip install --quiet --disable-pip-version-check --upgrade \
		--upgrade-strategy eager --editable '.[newest]'
	.venv-newest/bin/pytest -q tests/cli/test_warnings.py

check-terraform: .venv-bench/ready
	.venv-bench/bin/pytest -q tests/storage/check_terraform.py

WORKFLOWS := $(wildcard examples/ci/github/*.yml examples/scale/*.yml)

check-ci: .venv-ci/ready
	.venv-ci/bin/actionlint $(WORKFLOWS)
	.venv-ci/bin/zizmor --offline --quiet action.yml $(WORKFLOWS)
	.venv-ci/bin/check-jsonschema --builtin-schema vendor.github-workflows $(WORKFLOWS)
	.venv-ci/bin/check-jsonschema --builtin-schema vendor.github-actions action.yml
	.venv-ci/bin/check-jsonschema --builtin-schema vendor.gitlab-ci examples/ci/gitlab/.gitlab-ci.yml
	.venv-ci/bin/kubernetes-validate --strict --quiet examples/scale/job.yaml
	.venv-ci/bin/pre-commit validate-manifest .pre-commit-hooks.yaml
	mkdir -p .venv-ci/wheels
	.venv-ci/bin/pip wheel --quiet --disable-pip-version-check --wheel-dir .venv-ci/wheels '.[emulator]' hatchling
	PATH="$$PWD/.venv-ci/bin:$$PATH" .venv-ci/bin/pytest -q -n 2 tests/ci/check_act.py

# Plants faults in the code as it is imported, and plays worlds until the rule breaks that has to.
simulate-faults: .venv-check/ready
	.venv-check/bin/python -m tests.simulate.planted

bench: .venv-bench/ready
	.venv-bench/bin/python -m benchmarks $(BENCH)

format: .venv-check/ready
	.venv-check/bin/ruff format .
	.venv-check/bin/ruff check --fix .

clean:
	rm -rf .venv .venv-* build dist state/emulator

.venv/ready: EXTRA := emulator
.venv-check/ready: EXTRA := test
.venv-bench/ready: EXTRA := emulator,bench,terraform
.venv-ci/ready: EXTRA := ci
.venv-newest/ready: EXTRA := newest
.venv-old-sdk/ready: EXTRA := emulator,old-sdk
.venv/ready .venv-check/ready .venv-bench/ready .venv-ci/ready .venv-newest/ready .venv-old-sdk/ready: pyproject.toml
	$(PYTHON) -c 'import ensurepip' 2>/dev/null || apt-get install -y --no-install-recommends python3-venv \
		|| { echo "Python's venv module is missing: install the package python3-venv."; exit 1; }
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --editable '.[$(EXTRA)]'
	touch $@

# What a heavier check needs beside what the tests need.
.venv-check/browser .venv-check/storage: .venv-check/ready
	.venv-check/bin/pip install --quiet --disable-pip-version-check --editable '.[test,$(@F)]'
	touch $@
