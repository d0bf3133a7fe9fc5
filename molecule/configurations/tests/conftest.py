# SPDX-License-Identifier: Apache-2.0
"""Lets the tests of this scenario import what lies beside them."""

from __future__ import annotations

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
