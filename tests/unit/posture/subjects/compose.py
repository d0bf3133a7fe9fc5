# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Services that fail and pass the rules that are asked of compose files only."""

from __future__ import annotations

from ansible_collections.bulkhead.docker.plugins.module_utils.posture import model

CASES = {
    "compose-keys-known": {
        "kind": model.COMPOSE_SERVICE,
        "fails": [{"unknown_keys": ("read_onyl",)}, {"unknown_keys": ("deploy.resources.limit",)}],
        "passes": [{"unknown_keys": ()}],
    },
}
