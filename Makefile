# bloblo, on a Debian 12 with Swift. What else is needed is installed by the command that needs it.

SHELL := /bin/bash
PYTHON := $(CURDIR)/.build/venv/bin/python
export BLOBLO_TEST_PYTHON := $(PYTHON)

.PHONY: help settings demo dev check test test-world build bench lint deb image test-deb fuzz soak sanitize

help:
	@echo 'make demo   an image is pushed through nginx and pulled cold and warm; ends by itself'
	@echo 'make dev    the same servers, to play with until Ctrl-C'
	@echo 'make check  before each commit: style, unit tests, a pull through nginx and one through Apache'
	@echo 'make test   unit tests, and integration tests on real servers'
	@echo 'make test-world  other clients and registries, the package here and on other Debians, a soak of 10 minutes'
	@echo 'make build  the release binary, which runs where Swift is not installed: .build/release/bloblo'
	@echo 'make bench  what a decision, a pull, a fill and a start cost, beside what they are compared with'
	@echo 'make deb    a Debian package in .build/deb, checked by lintian'
	@echo 'make image  the container image in .build/image, with its bill of materials'
	@echo 'make test-deb  the package is installed, used and purged on this machine; needs root'
	@echo 'make fuzz   every reader of foreign bytes, fed by libFuzzer; FUZZ_SECONDS for each (default 60)'
	@echo 'make soak   pulls, faults and restarts for SOAK_SECONDS (default 1800), then a look at what bloblo holds'
	@echo 'make sanitize  unit tests and some integration tests under the thread and the address sanitizer'
	@echo 'make lint   what the formatter would change'
	@echo 'make settings  the tables of settings in docs, manual and env file, from their declarations'

demo dev: install-demo build
	@$(PYTHON) Tests/Stack/demo.py $@

# Most of a test's time is waiting, so there are more workers than cores.
WORKERS ?= 6

check: lint install-check
	swift build --build-tests
	@Tests/run 'swift test --skip-build --skip IntegrationTests' '$(PYTHON) -m pytest -m check -n 2'

test: export BLOBLO_WRITTEN := $(CURDIR)/.build/written
test: install-test
	@rm -rf $(BLOBLO_WRITTEN) && mkdir -p $(BLOBLO_WRITTEN)
	swift build --build-tests
	@Tests/run "Tests/run --beside 'swift test --skip-build' '$(PYTHON) -m pytest -n $(WORKERS) --durations 20'" \
	  '$(PYTHON) Tests/Stack/written.py $(BLOBLO_WRITTEN)'

# The release binary everywhere: the package and the image are made of it.
test-world: export BLOBLO := $(CURDIR)/.build/release/bloblo
test-world: deb image install-world
	@Tests/run --beside '$(PYTHON) Tests/Stack/soak.py --seconds 600' \
	  '$(PYTHON) -m pytest -m world -n 3 --durations 10' '$(PYTHON) -m pytest -m package'

build: install-build
	swift build -c release --static-swift-stdlib --explicit-target-dependency-import-check error

bench: install-test build
	@Benchmarks/install
	$(PYTHON) Benchmarks/bench

settings:
	BLOBLO_WRITE_SETTINGS=1 swift test --filter DocumentedSettingsTests

lint:
	swift format lint --strict --recursive Package.swift Sources Tests

deb: install-build
	packaging/deb

image: install-build
	packaging/image

test-deb: deb install-test
	$(PYTHON) -m pytest -m package

FUZZ_SECONDS ?= 60

fuzz: install-build
	Tests/Fuzz/run $(FUZZ_SECONDS)

SOAK_SECONDS ?= 1800

soak: install-demo build
	$(PYTHON) Tests/Stack/soak.py --seconds $(SOAK_SECONDS)

sanitize: install-test
	Tests/Sanitizers/run

# install-build, install-demo, install-check, install-test, install-world: what the commands above need.
install-%:
	@Tests/Stack/install $*
