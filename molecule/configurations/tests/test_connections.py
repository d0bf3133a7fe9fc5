# SPDX-License-Identifier: Apache-2.0
"""TCP connections through a published port, open and carrying numbers both ways while everything changes."""

from __future__ import annotations

import configuration_results as results
import pytest

each_engine = pytest.mark.parametrize("engine", results.ENGINES)


def records(engine, action):
    found = {name: record for name, record in results.of(engine)["good"].items() if record["answer"]["action"] == action}
    assert found
    return found


@each_engine
def test_no_reload_breaks_a_connection(engine):
    assert {name: record["broken"] for name, record in records(engine, "reload").items() if record["broken"]} == {}


@each_engine
def test_no_restart_breaks_a_connection_that_does_not_lead_through_a_program_of_the_daemon(engine):
    broken = {name: set(record["broken"]) for name, record in records(engine, "restart").items()}
    assert {name: paths for name, paths in broken.items() if paths - {"loopback"}} == {}


@each_engine
def test_the_connections_of_neighbours_lived_through_every_good_and_bad_configuration(engine):
    end = results.of(engine)["end"]
    assert (end["opened"]["neighbour"], end["opened"]["own address"]) == (1, 1)
    assert min(end["returned"]["neighbour"], end["returned"]["own address"]) > 500
    # A connection that is lost hangs for minutes; what it waits for while rules are written anew is much less.
    assert max(end["slowest"]["neighbour"], end["slowest"]["own address"]) < 30


@each_engine
def test_a_restart_ends_connections_through_docker_proxy(engine):
    """So the documentation says; where this no longer fails, it has to say something else."""
    broken = [record["broken"] for record in records(engine, "restart").values()]
    assert any("loopback" in paths for paths in broken)


@each_engine
def test_without_docker_proxy_no_restart_breaks_any_connection(engine):
    assert results.of(engine)["good"]["those programs again"]["broken"] == {}
