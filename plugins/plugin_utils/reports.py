# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What the filter and the action that write reports know of the controller: the time and this collection's version.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import datetime
import functools
import json
import pathlib

import yaml

_ROOT = pathlib.Path(__file__).resolve().parents[2]


def now() -> str:
    """Return the time in UTC as reports have it."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


@functools.cache
def collection_version() -> str:
    """Return the version of this collection: of the archive that was installed, else of the checkout; "unknown" without either."""
    try:
        return str(json.loads((_ROOT / "MANIFEST.json").read_text(encoding="utf-8"))["collection_info"]["version"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    try:
        return str(yaml.safe_load((_ROOT / "galaxy.yml").read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return "unknown"
