# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Whatever is asked for, in whatever order: properties of the transaction, against a daemon that follows the model."""

from __future__ import annotations

import contextlib
import json
import random

import daemon_samples
import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_json, daemon_keys, versions
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_config import Context
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_keys import KEYS
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_state import Files
from ansible_collections.bulkhead.docker.plugins.module_utils.host import daemon_plan, daemon_transaction
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon_plan import DaemonError, Request
from ansible_collections.bulkhead.docker.tests.unit.host.test_daemon_transaction import FakeHost, Killed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

RELEASES = {"20.10.24+dfsg1": 20, "26.1.5+dfsg1": 26, "28.5.2+dfsg3": 28}
MANY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class ModelHost(FakeHost):
    """A daemon that takes each key on SIGHUP as the model says."""

    def __init__(self, version, config=None):
        super().__init__(config, version=version)
        self.release = versions.parse(version)

    def reload(self):
        self._step("reload")
        config = self._config()
        for name, key in KEYS.items():
            if key.apply != daemon_keys.RELOAD:
                continue
            if name in config:
                self.loaded[name] = config[name]
            elif key.absent == daemon_keys.RESETS:
                self.loaded.pop(name, None)
        self.events.append((self.now(), {"debug": str(self.loaded.get("debug", False)).lower()}))

    def context(self, root):
        return Context(cgroup_version=2)

    def effective(self):
        """What the daemon runs with; an absent key and its default are the same."""
        held = {}
        for name, value in self.loaded.items():
            default = daemon_keys.default_of(KEYS[name], self.release)
            if name == "default-cgroupns-mode":
                default = "private"
            if name == "features":
                # The daemon looks at most switches when it starts; the model does not follow each.
                continue
            if not (value in ({}, []) and not default) and not daemon_json.same(value, default):
                held[name] = value
        return held

    @property
    def lies(self):
        mirrors = [mirror.rstrip("/") + "/" for mirror in self.loaded.get("registry-mirrors", [])]
        return {
            "DefaultRuntime": self.loaded.get("default-runtime", "runc"),
            "RegistryConfig": {"Mirrors": mirrors},
        }

    @lies.setter
    def lies(self, _value):
        pass


def wanted_effective(host):
    copy = ModelHost(host.version, {})
    copy.loaded = host._config()
    return copy.effective()


def request(wanted, **options):
    return Request(settings=wanted, **options)


def predicted_and_done(host, asked):
    foreseen_plan = daemon_plan.make(host, Request(**{**asked.__dict__, "predicting": True}))
    foreseen = daemon_transaction.execute(host, Request(**{**asked.__dict__, "predicting": True}), foreseen_plan)
    plan, outcome = daemon_transaction.converge(host, asked)
    assert (foreseen.changed, foreseen.action, foreseen.pending) == (outcome.changed, outcome.action, outcome.pending)
    assert foreseen_plan.wanted == plan.wanted == host.files
    assert foreseen_plan.merged == plan.merged
    assert [one.as_dict() for one in foreseen.interrupts] == [one.as_dict() for one in outcome.interrupts]
    return plan, outcome


def assert_kept(before, config, plan, wanted, left):
    for key, value in wanted.items():
        held = config[key] if not KEYS[key].members else {name: config[key].get(name) for name in value}
        assert held == value
    for path in plan.merged.foreign:
        key, _dot, member = path.partition(".")
        assert daemon_json.same(config[key][member] if member else config[key], before[key][member] if member else before[key])
    assert set(config) <= set(before) | set(wanted) | set(left)


@st.composite
def stories(draw):
    """A version, and steps: what is asked for, how, and what somebody else does in between."""
    version = draw(st.sampled_from(sorted(RELEASES)))
    seed = draw(st.integers(0, 2**32))
    return version, seed, draw(st.integers(2, 7))


def somebody_else(host, source):
    """An administrator edits the file, reloads, restarts; returns what was put into the file."""
    deed = source.choice(["nothing", "nothing", "edit", "edit and reload", "edit and restart", "restart"])
    if "edit" in deed:
        config = host._config()
        for key in list(config):
            if source.random() < 0.2:
                del config[key]
        config.update(daemon_samples.draw(source, RELEASES[host.version], 2))
        host.files = Files(json.dumps(config, indent=source.choice([None, 1, 4, "\t"])), host.files.seccomp)
        host.age = host.now() / 1e9
    if "reload" in deed:
        host.reload()
    if "restart" in deed:
        host.restart(60)


@MANY
@given(stories())
def test_any_story_ends_as_asked_and_rests(story):
    version, seed, steps = story
    source = random.Random(seed)
    host = ModelHost(version, daemon_samples.draw(source, RELEASES[version], 3))
    for _step in range(steps):
        somebody_else(host, source)
        wanted = daemon_samples.draw(source, RELEASES[version], 6)
        before = host._config()
        left = host.state.reset
        asked = request(wanted, may_restart=source.random() < 0.6)
        try:
            plan, outcome = predicted_and_done(host, asked)
        except daemon_plan.Refused:
            # What somebody reloads behind our back and takes out again before we look cannot be known.
            host.restart(60)
            continue
        config = host._config()
        assert_kept(before, config, plan, wanted, {**left, **plan.merged.reset})
        assert host.state.managed == plan.merged.managed
        if not outcome.pending_restart:
            assert host.effective() == wanted_effective(host)
            assert host.state.pending == ""
        again_plan, again = predicted_and_done(host, asked)
        assert (again.changed, again.pending_restart) == (False, outcome.pending_restart)
        assert again_plan.changes == ()
    host.log = []
    daemon_transaction.converge(host, asked)
    asked_again = request(asked.settings)
    daemon_transaction.converge(host, asked_again)
    assert host.effective() == wanted_effective(host)
    assert daemon_transaction.converge(host, asked_again)[1].changed is False


@MANY
@given(st.sampled_from(sorted(RELEASES)), st.integers(0, 2**32))
def test_settings_that_go_back_before_the_restart_leave_nothing_pending(version, seed):
    source = random.Random(seed)
    host = ModelHost(version, {})
    first = daemon_samples.draw(source, RELEASES[version], 6)
    daemon_transaction.converge(host, request(first))
    starts = host.starts
    for _turn in range(source.randint(1, 3)):
        daemon_transaction.converge(host, request(daemon_samples.draw(source, RELEASES[version], 6), may_restart=False))
    _plan, outcome = predicted_and_done(host, request(first, may_restart=False))
    assert (outcome.pending_restart, host.state.pending, host.starts) == (False, "", starts)
    assert host.effective() == wanted_effective(host)
    assert daemon_transaction.converge(host, request(first))[1].changed is False


@MANY
@given(st.sampled_from(sorted(RELEASES)), st.integers(0, 2**32))
def test_removing_what_can_be_reloaded_never_restarts(version, seed):
    source = random.Random(seed)
    reloadable = {
        key: value
        for key, value in daemon_samples.draw(source, RELEASES[version], 20).items()
        if KEYS[key].apply == daemon_keys.RELOAD and key != "features"
    }
    host = ModelHost(version, {})
    daemon_transaction.converge(host, request(reloadable))
    kept = {key: value for key, value in reloadable.items() if source.random() < 0.4}
    plan, outcome = predicted_and_done(host, request(kept))
    assert outcome.action in ("reload", "none")
    assert host.starts == 1
    assert host.effective() == wanted_effective(host)
    assert set(host._config()) == {*kept, *plan.merged.reset}
    # A restart that happens anyway takes what was left there.
    _plan, outcome = predicted_and_done(host, request({**kept, "raw-logs": True}))
    assert (outcome.action, set(host._config())) == ("restart", {*kept, "raw-logs"})


@MANY
@given(st.sampled_from(sorted(RELEASES)), st.integers(0, 2**32))
def test_a_rollback_gives_the_bytes_back(version, seed):
    source = random.Random(seed)
    host = ModelHost(version, {})
    found = json.dumps(daemon_samples.draw(source, RELEASES[version], 5), indent=source.choice([None, 1, "\t"]))
    host.files = Files(found)
    host.loaded = json.loads(found)
    host.bad = lambda config: "no such pool" if "default-address-pools" in config else ""
    wanted = {**daemon_samples.draw(source, RELEASES[version], 5), "default-address-pools": [{"base": "172.22.0.0/16", "size": 24}]}
    if "default-address-pools" in json.loads(found):
        return
    try:
        daemon_plan.make(host, request(wanted, predicting=True))
    except daemon_plan.Refused:
        # What was found and what is wanted do not go together.
        return
    with pytest.raises(DaemonError, match="no such pool"):
        daemon_transaction.converge(host, request(wanted))
    assert host.files == Files(found)
    assert (host.state.pending, host.state.managed, host.state.reset) == ("", (), {})
    assert host.effective() == wanted_effective(host)


@MANY
@given(
    st.sampled_from(sorted(RELEASES)),
    st.integers(0, 2**32),
    st.sampled_from(["state", "before-write", "write", "reload", "restart"]),
)
def test_a_run_that_is_killed_is_finished_by_the_next(version, seed, point):
    source = random.Random(seed)
    host = ModelHost(version, daemon_samples.draw(source, RELEASES[version], 2))
    daemon_transaction.converge(host, request(daemon_samples.draw(source, RELEASES[version], 5)))
    old = host.files
    vars(host).pop("rescue", None)
    asked = request(daemon_samples.draw(source, RELEASES[version], 5))
    host.die_at = point
    new, starts = daemon_plan.make(host, asked).wanted, host.starts
    with contextlib.suppress(Killed):
        daemon_transaction.converge(host, asked)
    assert host.files in (old, new)
    killed, host.die_at = host.log[-1] == point, ""
    if killed and hasattr(host, "rescue") and source.random() < 0.5:
        # What it says when it goes back reaches nobody.
        with contextlib.suppress(DaemonError):
            host.rescue()
        assert host.up
        assert host.files == old or host.starts > starts
    if source.random() < 0.3:
        host.restart(60)
    if source.random() < 0.3:
        asked = request(daemon_samples.draw(source, RELEASES[version], 5))
    daemon_transaction.converge(host, asked)
    assert host.effective() == wanted_effective(host)
    assert host.state.pending == ""
    assert daemon_transaction.converge(host, asked)[1].changed is False
