.DEFAULT_GOAL := help
PY := .venv/bin/python

.PHONY: help setup demo test check format lock clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: ## Virtual environment, packages and the viewer's bundle
	@deploy/setup run

demo: setup ## Everything on this computer, with sample radiographs; Ctrl-C stops it
	@exec .venv/bin/worklist demo

test: ## The whole test suite, with real Redis, PostgreSQL, DCMTK and Chromium
	@deploy/setup test
	$(PY) -m pytest --numprocesses 2 --dist loadfile --max-worker-restart 0

check: ## Format, lint, types, import contracts, migrations
	@deploy/setup test
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PY) -m pytest tests/test_architecture.py tests/test_documents.py tests/worklist/test_schema.py

format: ## Put the code into its one form
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

lock: ## Resolve the dependencies of pyproject.toml anew
	.venv/bin/uv pip compile pyproject.toml --extra web --extra workers --extra single-host \
		--generate-hashes --no-header --quiet --upgrade -o requirements.txt
	.venv/bin/uv pip compile pyproject.toml --extra web --extra workers --extra single-host --group dev \
		-c requirements.txt --generate-hashes --no-header --quiet --upgrade -o requirements-dev.txt

clean: ## Remove what was built and the demo's data
	rm -rf .venv var web/static/viewer web/viewer/node_modules
