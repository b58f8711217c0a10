# The two commands: `make demo` runs the whole way on real images, `make test` passes the tests.
# Both set up what they need: .venv with all packages, and the compilers (root is asked for only if those are missing).

PYTHON := .venv/bin/python
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: help demo test test-slow fuzz lint docs links pictures format check setup clean

help:
	@echo "make demo       lenet on CIFAR-10: fine-tune with masks, export, verify, simulate (8 minutes)"
	@echo "make test       the tests"
	@echo "make test-slow  the tests that take longer"
	@echo "make fuzz       attacks and accidents, ten minutes from a new seed; ARGS=\"--seconds 3600 --seed 1\""
	@echo "make lint       formatter, linter, import rules and types"
	@echo "make docs       the documentation site, in build/site; fails at any warning"
	@echo "make links      asks for every address on the web that a page names; needs the network"
	@echo "make pictures   the pictures of the documentation; needs chromium"
	@echo "make format     format the code"

setup:
	@scripts/setup.sh test

demo:
	@scripts/setup.sh demo
	$(PYTHON) examples/demo.py $(ARGS)

test: setup
	$(PYTHON) -m pytest -n auto -m "not slow" $(ARGS)

test-slow: setup
	$(PYTHON) -m pytest -n auto -m slow $(ARGS)

fuzz: setup
	$(PYTHON) -m tests.fuzz $(ARGS)

lint: setup
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	.venv/bin/lint-imports
	$(PYTHON) -m mypy
	$(PYTHON) scripts/page_types.py

docs: setup
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict --quiet

links:
	python3 scripts/links.py

pictures: setup
	$(PYTHON) scripts/screenshots.py

format: setup
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

check: lint test

clean:
	rm -rf .venv build dist out runs .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
