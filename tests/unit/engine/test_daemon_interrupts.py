# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_interrupts
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_interrupts import ENGINE, interrupts


def container(name="web", running=True, policy="", **more):
    host_config = {"RestartPolicy": {"Name": policy}, "LogConfig": {"Type": more.pop("log", "local")}, **more.pop("host", {})}
    return {"Name": f"/{name}", "State": {"Running": running}, "HostConfig": host_config, **more}


def told(*containers, lives_on, proxied=True):
    return {entry.name: " | ".join(entry.why) for entry in interrupts(containers, lives_on, proxied)}


def test_an_engine_without_containers_is_away_for_a_moment():
    assert set(told(lives_on=False)) == {ENGINE}
    assert "health check" not in told(lives_on=True)[ENGINE]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("always", "comes back by itself (restart policy always)"),
        ("unless-stopped", "comes back by itself (restart policy unless-stopped)"),
        ("on-failure", "comes back only if it ends with an error"),
        ("no", "stays down until somebody starts it"),
        ("", "stays down until somebody starts it"),
    ],
)
def test_containers_stop_and_come_back_by_their_policy(policy, expected):
    why = told(container(policy=policy), lives_on=False)["web"]
    assert why.startswith("stops, as live-restore is off | ")
    assert expected in why


def test_a_container_with_rm_is_gone_whatever_its_policy():
    assert "is removed" in told(container(policy="always", host={"AutoRemove": True}), lives_on=False)["web"]


def test_what_does_not_run_is_not_interrupted():
    assert set(told(container(running=False), lives_on=False)) == {ENGINE}


def test_with_live_restore_containers_go_on_and_lose_what_hangs_on_the_daemon():
    busy = container(
        ExecIDs=["1", "2"],
        Config={"Healthcheck": {"Test": ["CMD", "true"]}},
        NetworkSettings={"Ports": {"80/tcp": [{"HostPort": "8080"}, {"HostPort": "8080"}], "9/udp": None, "1/tcp": [{"HostPort": "99"}]}},
    )
    why = told(busy, lives_on=True)["web"]
    for words in ("goes on", "2 sessions of docker exec end", "64 KiB", "ports 99, 8080", "health is not checked"):
        assert words in why
    assert "userland proxy" not in told(busy, lives_on=True, proxied=False)["web"]
    quiet = told(container(log="none", ExecIDs=None), lives_on=True)["web"]
    assert "docker exec" not in quiet
    assert "64 KiB" not in quiet


def test_the_warning_names_what_stops_and_is_silent_otherwise():
    stopping = interrupts([container("b", policy="always"), container("a")], False, True)
    assert daemon_interrupts.warning(stopping) == (
        "The restart stops 2 running containers, as live-restore is off: a stays down until somebody starts it (no "
        "restart policy), b comes back by itself (restart policy always)."
    )
    assert "would stop 2" in daemon_interrupts.warning(stopping, deferred=True)
    assert daemon_interrupts.warning(interrupts([container()], True, True)) == ""
    many = interrupts([container(f"c{number}") for number in range(13)], False, True)
    assert daemon_interrupts.warning(many).endswith(", and 3 more.")
