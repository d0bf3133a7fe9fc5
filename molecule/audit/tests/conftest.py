# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import collections
import json
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
EPHEMERAL = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])


class Result(dict):
    """What a module returned on a host."""

    def rules(self, status, kind="container"):
        """Return by subject the rules with a status."""
        found = collections.defaultdict(set)
        for finding in self["findings"]:
            if finding["status"] == status and finding["kind"] == kind:
                found[finding["subject"]].add(finding["rule"])
        return found

    def failing(self):
        return {finding["rule"] for finding in self["findings"] if finding["status"] == "fail"}


@pytest.fixture(scope="module")
def name(host):
    return host.backend.get_hostname()


@pytest.fixture(scope="module")
def kept(name):
    """Return what a step of the scenario kept for this host."""

    return lambda step: _read(EPHEMERAL / f"result-{name}-{step}.json")


@pytest.fixture(scope="session")
def everywhere():
    """Return what a step kept for all hosts."""
    return lambda step: [_read(path) for path in sorted(EPHEMERAL.glob(f"result-*-{step}.json"))]


def _read(path):
    return Result(json.loads(path.read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def reports():
    """Return the directory of the reports of a step, as a suffix."""
    return lambda suffix="": EPHEMERAL / f"reports{suffix}"
