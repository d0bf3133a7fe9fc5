# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from fault_cells import CELLS


def test_every_cell_has_a_test(request):
    shown = {mark.args[0] for item in request.session.items for mark in item.iter_markers("cell")}
    assert shown == set(CELLS)
