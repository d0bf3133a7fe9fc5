# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import disks

MIB = 1024**2


@pytest.mark.parametrize("block", [512, 4096])
@pytest.mark.parametrize("grown, expected", [(0, True), (MIB, False)])
def test_where_the_copy_of_a_partition_table_lies(tree, monkeypatch, block, grown, expected):
    monkeypatch.setattr(disks, "_SYSFS", tree.path("/sys/class/block"))
    tree.write("/sys/class/block/sdb/queue/logical_block_size", f"{block}\n")
    header = bytearray(2 * block)
    header[block + 32:block + 40] = (8 * MIB // block - 1).to_bytes(8, "little")
    (tree.top / "disk").write_bytes(bytes(header))
    assert disks._copy_of_table_at_end(tree.path("disk"), "sdb", 8 * MIB + grown) is expected
