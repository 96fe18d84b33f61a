# bloblo, on a Debian 12 with Swift. What else is needed is installed by the command that needs it.

SHELL := /bin/bash
PYTHON := $(CURDIR)/.build/venv/bin/python

.PHONY: help demo dev test build lint install

help:
	@echo 'make demo   an image is pushed through nginx and pulled cold and warm; ends by itself'
	@echo 'make dev    the same servers, to play with until Ctrl-C'
	@echo 'make test   unit tests, and integration tests on real servers'
	@echo 'make build  the release binary: .build/release/bloblo'
	@echo 'make lint   what the formatter would change'

demo dev: install build
	@$(PYTHON) Tests/Stack/demo.py $@

test: install
	swift build --build-tests
	$(PYTHON) Tests/Stack/test_nginx.py
	$(PYTHON) Tests/Stack/test_acceleration.py
	BLOBLO=.build/debug/bloblo $(PYTHON) Tests/Stack/test_fronts.py
	BLOBLO=.build/debug/bloblo $(PYTHON) Tests/Stack/test_doors.py
	BLOBLO=.build/debug/bloblo $(PYTHON) Tests/Stack/test_other_fronts.py
	$(PYTHON) Tests/Stack/test_fill.py
	$(PYTHON) Tests/Stack/test_warm.py
	BLOBLO_TEST_PYTHON=$(PYTHON) swift test --skip-build

build: install
	swift build -c release --product bloblo --explicit-target-dependency-import-check error

lint:
	swift format lint --strict --recursive Package.swift Sources Tests

install:
	@Tests/Stack/install
