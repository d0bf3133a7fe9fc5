# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What Docker has to be stopped for."""

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import files
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.backends import Step
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.plan import StoragePlan, Target
from ansible_collections.bulkhead.docker.plugins.modules import docker_storage_plan

LAYERS, VOLUMES = "/d/overlay2", "/d/volumes"


def units(monkeypatch, actions, mounted, guarded=(LAYERS, VOLUMES), name="overlay2"):
    text = f"[Unit]\nRequiresMountsFor={' '.join(guarded)}\n" if guarded else None
    monkeypatch.setattr(files, "read_text", lambda path: text)
    targets = [
        Target(name, "/dev/a", LAYERS, "xfs", (), None, 0, mounted=LAYERS in mounted),
        Target("volumes", "/dev/b", VOLUMES, "xfs", (), None, 0, mounted=VOLUMES in mounted),
    ]
    return docker_storage_plan._units_in_the_way(StoragePlan("/d", tuple(targets), tuple(Step(action, action) for action in actions)))


@pytest.mark.parametrize(
    "actions, mounted, guarded, stopped",
    [
        ([], [LAYERS, VOLUMES], (LAYERS, VOLUMES), False),
        (["fstab"], [LAYERS, VOLUMES], (LAYERS, VOLUMES), False),
        (["fstab", "resize", "enlarge", "grow"], [LAYERS, VOLUMES], (LAYERS, VOLUMES), False),
        (["volume", "format", "mount", "enlarge"], [LAYERS], (LAYERS, VOLUMES), True),
        # It was Docker's and got lost.
        (["mount"], [LAYERS], (LAYERS, VOLUMES), False),
        (["fstab", "mount"], [], (LAYERS, VOLUMES), False),
        # It becomes Docker's.
        (["mount"], [LAYERS], (LAYERS,), True),
        (["fstab", "mount"], [], (), True),
        (["format", "mount"], [LAYERS], (LAYERS, VOLUMES), True),
    ],
)
def test_docker_is_stopped_for_what_is_new_to_it_only(monkeypatch, actions, mounted, guarded, stopped):
    assert units(monkeypatch, actions, mounted, guarded) == (["docker.socket", "docker.service"] if stopped else [])


def test_containerd_is_stopped_too_where_its_own_filesystem_comes_about(monkeypatch):
    assert units(monkeypatch, ["format", "mount"], [VOLUMES], name="containerd") == ["docker.socket", "docker.service", "containerd.service"]
