# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Which settings pin the place where an engine keeps images and layers.

PRIVATE to the collection: no stability is promised to other users.

Engine 29 chooses by what it finds on the disk; even a ``lost+found`` in overlay2 decides (moby:
daemon/image_store_choice.go). A host whose layers have a filesystem of their own cannot leave that to chance.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import Version, within

STORES = ("overlay2", "containerd", "")
_FEATURE = "containerd-snapshotter"
_FEATURE_SINCE = "24.0"


def settings(store: str, version: Version) -> dict[str, t.Any]:
    """Return the keys of daemon.json that pin a store for a release.

    Args:
        store: ``overlay2`` for the graph driver, ``containerd`` for containerd's snapshotter, empty for the engine's choice.
        version: of the engine.

    Raises:
        ValueError: the release cannot have that store; the message is a sentence.
    """
    if store == "containerd":
        if not within(version, _FEATURE_SINCE):
            raise ValueError(f"Docker {version} has no containerd image store, which came with {_FEATURE_SINCE}; use overlay2")
        return {"features": {_FEATURE: True}}
    if store == "overlay2":
        feature = {"features": {_FEATURE: False}} if within(version, _FEATURE_SINCE) else {}
        return {"storage-driver": "overlay2", **feature}
    return {}


def pinned(wanted: t.Mapping[str, t.Any], store: str, version: Version) -> dict[str, t.Any]:
    """Return settings together with the keys that pin a store; what the settings say themselves goes before.

    Raises:
        ValueError: the release cannot have that store; the message is a sentence.
    """
    pins = settings(store, version)
    both = {**pins, **wanted}
    if isinstance(wanted.get("features"), t.Mapping) and "features" in pins:
        both["features"] = {**pins["features"], **wanted["features"]}
    return both
