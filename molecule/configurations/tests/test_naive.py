# SPDX-License-Identifier: Apache-2.0
"""What the module refuses is worth refusing: the usual way, which writes the file and asks systemd, fails."""

from __future__ import annotations

import configuration_results as results
import pytest

each_engine = pytest.mark.parametrize("engine", results.ENGINES)


@each_engine
def test_a_reload_with_a_missing_plugin_succeeds_and_ends_the_daemon(engine):
    assert results.of(engine)["naive"]["plugin"] == {"status": 0, "daemon ended": True}


@each_engine
def test_a_default_spelt_out_spoils_a_reload_that_succeeds(engine):
    found = results.of(engine)["naive"]["proxy"]
    assert found["status"] == 0
    assert found["labels"] == (["tier=naive"] if engine == "bookworm" else [])


@each_engine
def test_another_namespace_takes_a_running_container_away_for_good(engine):
    # dockerd is back with the good file, and takes the process that still runs for dead.
    assert results.of(engine)["naive"]["namespace"] == {"status": 0, "known": False, "process": True}
