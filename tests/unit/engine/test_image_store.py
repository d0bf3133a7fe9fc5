# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import image_store
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import parse

OVERLAY2 = {"storage-driver": "overlay2", "features": {"containerd-snapshotter": False}}
CONTAINERD = {"features": {"containerd-snapshotter": True}}


@pytest.mark.parametrize(
    ("store", "version", "keys"),
    [
        ("overlay2", "20.10.24", {"storage-driver": "overlay2"}),
        ("overlay2", "24.0.0", OVERLAY2),
        ("overlay2", "29.1", OVERLAY2),
        ("containerd", "24.0.0", CONTAINERD),
        ("", "29.1", {}),
    ],
)
def test_settings(store, version, keys):
    assert image_store.settings(store, parse(version)) == keys


def test_an_old_release_has_no_containerd_store():
    with pytest.raises(ValueError, match="came with 24.0; use overlay2"):
        image_store.settings("containerd", parse("23.0.6"))


@pytest.mark.parametrize(
    ("wanted", "both"),
    [
        ({"icc": False}, {**OVERLAY2, "icc": False}),
        ({"storage-driver": "btrfs"}, {**OVERLAY2, "storage-driver": "btrfs"}),
        ({"features": {"cdi": True}}, {**OVERLAY2, "features": {"containerd-snapshotter": False, "cdi": True}}),
        ({"features": {"containerd-snapshotter": True}}, {**OVERLAY2, **CONTAINERD}),
        ({"features": "cdi"}, {**OVERLAY2, "features": "cdi"}),
    ],
)
def test_what_the_settings_say_goes_before_the_pins(wanted, both):
    assert image_store.pinned(wanted, "overlay2", parse("28.5.2")) == both
