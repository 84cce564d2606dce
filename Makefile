# Two commands on a fresh machine with Python 3.11 or newer: `make demo` and `make test`.
# Neither needs root, Db2 or a network beyond the package registry.
.POSIX:
.PHONY: generated help demo test check matrix bench bench-files bench-peers lab lab-test nights proofs soak packages aix-bundle venv clean

VENV = .venv
BIN = $(VENV)/bin
ARGS =
PYTEST_ARGS =
WORKERS = 2
SEEDS = $(BIN)/pytest -q tests/sim/test_seeds.py
NIGHTS = $(BIN)/pytest -q -n $(WORKERS) --dist load tests/lab/test_lab_matrix.py \
  tests/lab/test_lab_crashes.py tests/lab/test_lab_overrides.py tests/lab/test_lab_last_word.py \
  tests/lab/test_lab_takeover.py tests/lab/test_life_whole.py \
  tests/lab/test_lab_readme.py \
  'tests/lab/test_life_setup.py::test_a_setup_ends_with_the_guides_own_test[postgresql]'
HOUSES = $(BIN)/pytest -q -n $(WORKERS) --dist loadfile tests/lab/test_lab_guard.py \
  tests/lab/test_lab_systemd.py \
  tests/lab/test_lab_identity.py::test_a_wrong_gateway_brings_the_old_identity_back

help:
	@echo "make demo [ARGS=--auto]   a simulated pair of management nodes to break and to take over"
	@echo "make test                 format, lint, types, borders between rooms, tests"
	@echo "make check                the same without the tests"
	@echo "make matrix               every crash and every fault in every phase of a takeover; minutes"
	@echo "make soak                 other simulated nights, on and on until Ctrl-C"
	@echo "make proofs               every way two moves deep, a day of polls, fuzz, old journals; hours"
	@echo "make bench                measure against the budgets, print JSON"
	@echo "make bench-peers          hamnd beside four other tools: same hosts, database, faults (root on Linux)"
	@echo "make nights               between real hosts: those stories that make test plays (root on Linux)"
	@echo "make lab-test             every story between real hosts (root on Linux)"
	@echo "make lab                  real hosts to break by hand (root on Linux; .ci/install brings packages)"
	@echo "make generated            write anew what is made from the code: manuals, completion, dashboard"
	@echo "make packages             .deb, .rpm and a bundle for sites without internet, in dist/linux"
	@echo "make aix-bundle           what installs hamnd on AIX without a network, in dist/aix"
	@echo "make venv                 only make the virtual environment"
	@echo "make clean                remove it"

# The stamps make a second run fast; they are older than what they were made from when it changes.
$(VENV)/.run: pyproject.toml constraints.txt .ci/venv
	@sh .ci/venv $(VENV) .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt .ci/venv
	@sh .ci/venv $(VENV) '.[dev]'
	@touch $(VENV)/.run $@

venv: $(VENV)/.dev

demo: $(VENV)/.run
	@$(BIN)/hamnd demo $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# Whole stories between real hosts: one night for every row of faults, crashes, overrides, a takeover, a
# life, a setup with its test, the documents typed by a stranger, the return guard, the delivered unit
# and a wrong gateway in `make test`, all other stories in `make lab-test`, every one of such a row in
# `make matrix`. The seeds take all cores themselves; nights are shared out one by one, what stands in one
# pair of hosts file by file.
test: check
	$(BIN)/pytest -q -n $(WORKERS) --dist loadfile --ignore-glob='tests/lab/test_lab_*' \
	  --ignore-glob='tests/lab/test_life_*' --ignore=tests/sim/test_seeds.py $(PYTEST_ARGS)
	$(SEEDS) $(PYTEST_ARGS)
	$(NIGHTS) $(PYTEST_ARGS)
	$(HOUSES) $(PYTEST_ARGS)

nights: $(VENV)/.dev
	$(NIGHTS) $(PYTEST_ARGS)
	$(HOUSES) $(PYTEST_ARGS)

lab-test: $(VENV)/.dev
	$(BIN)/pytest -q -n $(WORKERS) --dist loadfile tests/lab/test_lab_*.py tests/lab/test_life_*.py $(PYTEST_ARGS)

matrix: $(VENV)/.dev
	HAMND_MATRIX=1 $(BIN)/pytest tests/lab/test_demo_kills.py $(PYTEST_ARGS)
	HAMND_MATRIX=1 $(BIN)/pytest -v -n $(WORKERS) --dist load tests/proof/test_planted.py \
	  tests/lab/test_lab_matrix.py tests/lab/test_lab_crashes.py tests/lab/test_lab_overrides.py \
	  tests/lab/test_lab_overrides_planned.py tests/lab/test_lab_window.py \
	  tests/lab/test_lab_last_word.py tests/lab/test_life_whole.py $(PYTEST_ARGS)

soak: $(VENV)/.dev
	@$(BIN)/python -m tests.sim soak $(ARGS)

proofs: $(VENV)/.dev
	HAMND_DEPTH=2 HAMND_HOURS=24 HAMND_FUZZ=50 HAMND_RECORDS=1000000 $(BIN)/pytest -v -s -n $(WORKERS) --dist load tests/proof $(PYTEST_ARGS)

bench: $(VENV)/.dev
	@$(BIN)/python -m tests.bench $(ARGS)

generated: $(VENV)/.dev
	PYTHONPATH=. $(BIN)/python man/build.py
	$(BIN)/python config/grafana/build.py
	HAMND_REWRITE=sample $(BIN)/pytest -q tests/unit/settings/test_sample.py

bench-files: $(VENV)/.dev
	@$(BIN)/python -m tests.bench.files

bench-peers: $(VENV)/.dev
	@$(BIN)/python -m tests.bench.peers $(ARGS)

lab: $(VENV)/.dev
	@$(BIN)/python -m tests.lab.site $(ARGS)

packages: $(VENV)/.run
	@rm -rf dist/linux
	@packaging/build $(BIN)/python dist/linux

aix-bundle: $(VENV)/.run
	@rm -rf dist/aix
	@aix-src/bundle $(BIN)/python dist/aix

clean:
	rm -rf $(VENV) build dist .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
