# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from kept_host import Pull  # noqa: E402


@pytest.fixture
def pull(host):
    return Pull(host)
