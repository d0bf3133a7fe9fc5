# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import sys
from pathlib import Path

from fault_marks import pytest_configure, pytest_runtest_makereport, pytest_sessionfinish  # noqa: F401

SCENARIO = Path(__file__).resolve().parents[1]
sys.path += [str(SCENARIO), str(SCENARIO / "drivers")]
