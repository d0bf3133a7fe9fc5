# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pathlib
import sys

import pytest

# The cases lie beside the tests, for the playbook needs them too.
sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from reality import HOSTS, reality  # noqa: E402


@pytest.fixture(params=HOSTS)
def engine(request):
    """What one engine did with every case."""
    return reality(request.param)
