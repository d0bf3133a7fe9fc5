# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "drivers"))
NOTED = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "drift"


@pytest.fixture(scope="session")
def story():
    """Return what the driver noted of a story."""
    return lambda name: json.loads((NOTED / f"{name}.json").read_text(encoding="utf-8"))["told"]


@pytest.fixture(scope="module")
def name(host):
    return host.backend.get_hostname()


@pytest.fixture(scope="session")
def now():
    """Return the names of the differences that a host still has at the last look."""
    return lambda report: sorted(found["name"] for found in report["differences"] if found["standing"] != "mended")
