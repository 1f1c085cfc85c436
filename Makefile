# The first `make demo` or `make test` builds .venv; nothing but Python and make is needed.

PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt

export MPLBACKEND := Agg
export ONLINE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo studies test test-slow test-oldest fuzz lint docs bench quality weights photographs real harm clean

help:
	@echo "make demo             denoise a photograph, then digits with an autoencoder; compare filters"
	@echo "make demo DATA=mnist  the same on MNIST; SKDAE_DATA=folder says where the data are kept"
	@echo "make studies          run the five studies, and renew their numbers and pictures: half an hour"
	@echo "make test             run the tests and the doctests: five minutes; ARGS='-k median' picks some"
	@echo "make test-slow        run the tests that take long, and every example of the gallery"
	@echo "make test-oldest      run the tests with the oldest releases that pyproject.toml allows"
	@echo "make fuzz             try 24,000 random cases, and 1,000 fits for leaks; ARGS='--seed 1'"
	@echo "make lint             check style (ruff) and types (mypy)"
	@echo "make docs             build the site in docs/_build/html; ONLINE=1 links to other libraries"
	@echo "make bench            time the training engine"
	@echo "make quality          measure how well it denoises: hours; ARGS='--data mnist' picks some,"
	@echo "                      ARGS=--defaults what defaults give: ten minutes"
	@echo "make weights          train the nets that come with skdae one stage further: hours"
	@echo "make photographs      PSNR of those nets beside published figures"
	@echo "make real             PSNR and SSIM on real noise, of SKDAE_DATA: microscopes and cameras"
	@echo "make harm             what it does to clean pictures of many kinds, and to weak noise"
	@echo "make clean            remove .venv and all that was built"
	@echo "PYTHON=python3.12 chooses the Python that makes .venv (3.11 or newer)."

demo: $(VENV)/.installed
	$(RUN) examples/plot_12_pretrained.py --output denoised_photograph.png
	$(RUN) examples/plot_01_denoise_digits.py $(if $(DATA),--data $(DATA)) $(ARGS)

STUDIES := $(sort $(wildcard examples/studies/[a-e]_*.py))

studies: $(VENV)/.installed
	@set -e; cd docs/images/studies; for study in $(STUDIES); do \
	    echo "$$study"; $(CURDIR)/$(RUN) $(CURDIR)/$$study | tee $(CURDIR)/$${study%.py}.txt; done

# One thread a worker: two workers that each use every core slow one another down. SCIPY_ARRAY_API
# turns on those of scikit-learn's checks that are skipped without it. A worker that is done takes
# over what the other has before it.
PYTEST := OMP_NUM_THREADS=1 SCIPY_ARRAY_API=1 $(RUN) -m pytest -q -n $(WORKERS) --dist worksteal

test: $(VENV)/.installed-dev
	$(PYTEST) -m "not slow" $(ARGS)

test-slow: $(VENV)/.installed-dev
	$(PYTEST) -m slow $(ARGS)

fuzz: $(VENV)/.installed-dev
	PYTHONPATH=tests OMP_NUM_THREADS=1 $(RUN) -m fuzz $(ARGS)
	PYTHONPATH=tests OMP_NUM_THREADS=1 $(RUN) -m fuzz.leaks

lint: $(VENV)/.installed-dev
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

docs: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 WORKERS=$(WORKERS) $(RUN) -m sphinx -j $(WORKERS) -W --keep-going -b html docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

bench: $(VENV)/.installed-dev
	$(RUN) benchmarks/engine.py $(ARGS)

quality: $(VENV)/.installed-dev
	$(RUN) benchmarks/quality.py $(ARGS)
	$(RUN) docs/pages.py

# The oldest releases warn of one another, and have no documentation to build.
LOWEST := .venv-lowest

test-oldest: $(LOWEST)/.installed
	OMP_NUM_THREADS=1 $(LOWEST)/bin/python -m pytest -q -n $(WORKERS) -W ignore::DeprecationWarning \
	    --ignore tests/test_docs.py --ignore tests/test_supply_chain.py \
	    --ignore docs/guide/large_arrays.rst $(ARGS)

weights: $(VENV)/.installed-dev
	$(RUN) benchmarks/weights.py $(ARGS)
	$(RUN) docs/pages.py

photographs: $(VENV)/.installed-dev
	$(RUN) benchmarks/photographs.py $(ARGS)

real: $(VENV)/.installed-dev
	$(RUN) benchmarks/real.py $(ARGS)

harm: $(VENV)/.installed-dev
	$(RUN) benchmarks/harm.py $(ARGS)

clean:
	rm -rf $(VENV) $(LOWEST) build dist docs/_build docs/api docs/gallery docs/course docs/studies docs/sg_execution_times.rst
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "skdae needs Python 3.11 or newer, and '$(PYTHON)' is not one:" \
	         "name yours with make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(LOWEST)/.installed: pyproject.toml constraints-lowest.txt
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet -c constraints-lowest.txt -e .[baselines,images,onnx] \
	    hypothesis pandas pytest pytest-xdist
	@touch $@

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/pip
	@echo "Installing skdae into $(VENV): a few minutes, once"
	$(PIP) -e .[baselines,pandas]
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(VENV)/bin/pip
	@echo "Installing skdae and its developer tools into $(VENV): a few minutes, once"
	$(PIP) -e .[dev]
	@touch $(VENV)/.installed $@
