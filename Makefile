# SPDX-License-Identifier: Apache-2.0
# Each target sets up what it needs by itself; see docs/lab.md.
# SCENARIO and COMMAND reach the tools through the environment, never through a command line.
export SCENARIO COMMAND BENCH
export PYTHONDONTWRITEBYTECODE = 1

TARGETS := demo test lint unit sanity browser molecule vm bench docs build clean
.PHONY: help $(TARGETS)

help:
	@echo "make demo       a throwaway host, provisioned and shown (stays until make clean)"
	@echo "make test       lint, unit, sanity, browser and molecule"
	@echo "make browser    the report in a real browser"
	@echo "make molecule   the scenarios of make test; SCENARIO=name for one, COMMAND=converge to keep its hosts"
	@echo "make vm         the scenario that runs in a virtual machine"
	@echo "make bench      measurements; BENCH=name for one"
	@echo "make docs       pages of docs/ that are written from the collection's data"
	@echo "make build      the collection's archive, in build/"
	@echo "make clean      removes everything that the other targets made"

$(TARGETS):
	@command -v python3 >/dev/null || { apt-get update --quiet && apt-get install --quiet --yes python3; }
	@python3 tests/tools/dev.py $@
