# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import sys
from pathlib import Path

import fault_marks

SCENARIO = Path(__file__).resolve().parents[1]
sys.path += [str(SCENARIO), str(SCENARIO / "drivers")]


def pytest_configure(config):
    config.pluginmanager.register(fault_marks)
