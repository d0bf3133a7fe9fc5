# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import json

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_config import Context
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_state import Files, State
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_model import Machine
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    container_logs,
    daemon_plan,
    daemon_transaction,
    files,
    seccomp_plan,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon import Unit
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon_plan import DaemonError, Request
from ansible_collections.bulkhead.docker.plugins.module_utils.host.docker_api import ApiError, SdkMissing
from ansible_collections.bulkhead.docker.plugins.module_utils.host.docker_data import DockerData

PROFILE = json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]})
RELOADABLE = ("debug", "labels", "live-restore")


class Killed(BaseException):
    """What a SIGKILL would do at this point."""


class FakeApi:
    def __init__(self, host):
        self.host = host

    def require_sdk(self):
        if self.host.sdk_missing:
            raise SdkMissing("Docker's SDK for Python is not installed; install the package python3-docker")

    def _alive(self):
        self.require_sdk()
        if not self.host.up or self.host.silent:
            raise ApiError("the Docker engine does not answer: refused")

    def info(self):
        self._alive()
        self.host.asked.append("info")
        config = self.host.loaded
        security = ["name=seccomp,profile=" + config.get("seccomp-profile", "builtin")]
        if config.get("no-new-privileges"):
            security.append("name=no-new-privileges")
        return {
            "LoggingDriver": config.get("log-driver", "json-file"),
            "LiveRestoreEnabled": config.get("live-restore", False),
            "Debug": config.get("debug", False),
            "Labels": config.get("labels", []),
            "DefaultRuntime": "runc",
            "SecurityOptions": security,
            "DockerRootDir": config.get("data-root", "/var/lib/docker"),
            "Driver": "overlay2",
            "ContainersRunning": len(self.host.containers),
            "Containers": len(self.host.containers),
            "Images": 0,
            **self.host.lies,
        }

    def running(self):
        self._alive()
        if self.host.inspect_fails:
            raise ApiError("the Docker engine does not answer: timed out")
        return dict(self.host.containers)

    def inspect(self, identifier):
        return {"State": {"Running": identifier in self.host.containers, "ExitCode": self.host.exit_code}}

    def inspect_all(self):
        self._alive()
        self.host.asked.append("inspect")
        running = [{"Name": f"/{name}", "State": {"Running": True}} for name in self.host.containers.values()]
        return self.host.inspected or running

    def reloads_since(self, moment):
        self._alive()
        return [attributes for when, attributes in self.host.events if when >= moment]


class FakeSeccomp:
    """A host that cannot say anything about system calls; test_seccomp_plan has one that can."""

    def machine(self):
        return Machine("x86_64", "6.1.0")

    def calls(self, names):
        return None, "libseccomp is not here"


class FakeHost:
    """A daemon in a few lines: it reads its file when it starts, and the reloadable keys on SIGHUP."""

    config_file = "/etc/docker/daemon.json"
    seccomp_file = "/etc/docker/seccomp-bulkhead.json"

    def __init__(self, config=None, up=True, version="28.5.2+dfsg3"):
        self.seccomp = FakeSeccomp()
        self.files = Files(None if config is None else json.dumps(config))
        self.state = State()
        self.version = version
        self.clock = 1_000_000_000_000
        self.age = 100.0
        self.started = 500.0 if up else 0.0
        self.up = up
        self.failing = False
        # A start that does not end, and which a restart may end.
        self.hangs = ""
        self.loaded = dict(config or {})
        self.bad = lambda config: ""
        self.arguments = ("-H", "fd://")
        self.containers = {}
        self.exit_code = 137
        self.inspected = []
        self.events = []
        self.deaf = False
        self.stubborn = False
        self.silent = False
        self.inspect_fails = False
        self.sdk_missing = False
        self.damage = ""
        self.data = {}
        self.lies = {}
        self.refusal = ""
        self.lacking = []
        self.cramped = []
        self.asked = []
        self.log = []
        self.reason = ""
        self.die_at = ""
        self.masked = False
        self.starts = 1
        self.old_reasons = {}

    def _step(self, name):
        self.log.append(name)
        if self.die_at == name:
            raise Killed

    def coming_version(self):
        return None

    def engine_version(self):
        return self.version

    def read_files(self):
        return self.files

    def write_files(self, wanted):
        self._step("before-write")
        self.files = wanted
        self.age = self.now() / 1e9
        self._step("write")

    def written(self):
        return self.age

    def read_state(self):
        return self.state, self.damage

    def write_state(self, state):
        self._step("state")
        self.state = state

    def unit(self):
        loaded = self.version is not None
        return Unit(
            loaded,
            self.up,
            self.failing,
            self.arguments if loaded else (),
            self.started if self.up else 0.0,
            masked=self.masked,
            invocation=f"run {self.starts}" if self.up else "",
            step="active (running)" if self.up else "activating (start)" if self.hangs else "failed (failed)" if self.failing else "inactive (dead)",
        )

    def outdated(self, unit):
        return list(self.old_reasons.get(unit.invocation, [])) if unit.active else []

    def last_reload(self, unit):
        told = [attributes for when, attributes in self.events if when >= unit.started * 1e9]
        return told[-1] if told and unit.active else {}

    def lock(self, seconds):
        return contextlib.nullcontext()

    def watch(self, rescue):
        self.rescue = rescue
        return contextlib.nullcontext()

    def disconnect(self):
        pass

    def context(self, root):
        return Context(swarm=self.inventory(root).swarm if root else False)

    def effective_root(self, config, unit):
        return config.get("data-root", "/var/lib/docker")

    def problems(self, config, root, predicting):
        return list(self.lacking)

    def start_problems(self, root):
        return list(self.cramped)

    def was_moved(self, _old, _new):
        return False

    def inventory(self, root):
        return self.data.get(root, DockerData(root))

    def logs(self, asked, before, after, unit, version, root, info):
        return container_logs.Report()

    def remember_logs(self, before, after):
        pass

    def validate(self, text, unit):
        self.log.append("validate")
        return self.refusal

    def _config(self):
        return json.loads(self.files.config or "{}")

    def reload(self):
        self._step("reload")
        if self.deaf:
            return
        for key in RELOADABLE:
            if key in self._config():
                self.loaded[key] = self._config()[key]
        shown = {
            "debug": str(self.loaded.get("debug", False)).lower(),
            "labels": json.dumps(self.loaded.get("labels", [])),
        }
        self.events.append((self.now(), shown))

    def _start(self, name, timeout):
        lived = self.loaded.get("live-restore") and self._config().get("live-restore")
        self._step(name)
        self.clock += 10**9
        if self.hangs and (name == "start" or self.hangs == "forever"):
            return False
        self.hangs = ""
        self.reason = self.bad(self._config())
        self.up = not self.reason
        self.failing = not self.up
        if not lived:
            self.containers = {}
        if self.up:
            self.starts += 1
            self.loaded = self._config()
            self.started = self.now() / 1e9
        return self.up

    def start(self, timeout):
        return self._start("start", timeout)

    def restart(self, timeout):
        return self._start("restart", timeout)

    def stop(self):
        self._step("stop")
        self.up = self.failing = self.stubborn
        return not self.stubborn

    def api(self):
        return FakeApi(self)

    def journal_cursor(self):
        return "mark"

    def journal_reason(self, cursor=""):
        return self.reason

    def now(self):
        self.clock += 10**6
        return self.clock

    def wait(self, seconds):
        self.clock += int(seconds * 10**9)


def run(host, settings, **options):
    request = Request(settings=settings, **options)
    plan = daemon_plan.make(host, request)
    return daemon_transaction.execute(host, request, plan)


def config_of(host):
    return json.loads(host.files.config or "{}")


def test_a_daemon_is_not_stopped_where_it_would_not_start_again():
    host = FakeHost({"debug": False})
    host.cramped = [Problem("/var/lib/docker/overlay2", "is full")]
    with pytest.raises(daemon_plan.Refused, match="is full"):
        run(host, {"icc": False})
    assert (host.log, config_of(host)) == ([], {"debug": False})
    # What needs no start goes on, and so does one that is deferred.
    assert run(host, {"debug": True}).action == "reload"
    assert run(host, {"debug": True, "icc": False}, may_restart=False).pending_restart
    down = FakeHost({}, up=False)
    down.cramped = host.cramped
    with pytest.raises(daemon_plan.Refused, match="is full"):
        run(down, {})


def test_a_reload_is_enough_and_proved():
    host = FakeHost({})
    outcome = run(host, {"debug": True, "labels": ["a=b"]})
    assert (outcome.changed, outcome.action, outcome.pending_restart) == (True, "reload", False)
    assert "restart" not in host.log
    assert host.loaded["debug"] is True
    assert host.state.managed == ("debug", "labels")
    assert host.state.pending == ""
    assert host.state.good == host.files


def test_a_second_run_changes_nothing_and_asks_little():
    host = FakeHost({})
    run(host, {"debug": True, "icc": False, "log-driver": "local"})
    host.log, host.asked = [], []
    outcome = run(host, {"debug": True, "icc": False, "log-driver": "local"})
    assert (outcome.changed, outcome.action) == (False, "none")
    assert host.log == []
    assert host.asked == ["info"]


def test_a_restart_where_it_is_needed():
    host = FakeHost({})
    outcome = run(host, {"icc": False})
    assert (outcome.changed, outcome.action) == (True, "restart")
    assert host.loaded == {"icc": False}


def test_what_is_pending_is_remembered_before_the_file_is_written():
    host = FakeHost({})
    run(host, {"userland-proxy": False})
    assert host.log == ["validate", "state", "before-write", "write", "restart", "state"]


def test_an_explicit_default_needs_nothing():
    host = FakeHost({})
    outcome = run(host, {"icc": True})
    assert (outcome.changed, outcome.action) == (True, "none")
    assert config_of(host) == {"icc": True}


def test_a_broken_start_is_rolled_back():
    host = FakeHost({"debug": True})
    host.bad = lambda config: "failed to start daemon: no such bridge" if "bip" in config else ""
    with pytest.raises(DaemonError) as error:
        run(host, {"bip": "172.28.0.1/24"})
    message = str(error.value)
    assert "failed to start daemon: no such bridge" in message
    assert "was restored to what it held before, and the daemon serves again with it" in message
    assert config_of(host) == {"debug": True}
    assert host.up
    assert host.state.pending == ""
    assert host.state.managed == ()


def test_the_profile_is_rolled_back_too():
    host = FakeHost({})
    host.bad = lambda config: "broken" if "seccomp-profile" in config else ""
    with pytest.raises(DaemonError):
        run(host, {}, seccomp_profile=PROFILE)
    assert host.files == Files("{}", None)


def test_a_daemon_that_serves_otherwise_than_configured_is_rolled_back():
    host = FakeHost({})
    host.lies = {"LoggingDriver": "json-file"}
    with pytest.raises(DaemonError, match="log-driver: the daemon says json-file, but the configuration says local"):
        run(host, {"log-driver": "local"})
    assert config_of(host) == {}


def test_a_daemon_that_never_answers_is_rolled_back():
    host = FakeHost({})
    start = host._start

    def silent(name, timeout):
        done = start(name, timeout)
        host.silent = "icc" in host.loaded
        return done

    host._start = silent
    with pytest.raises(DaemonError, match="did not serve within 90 seconds"):
        run(host, {"icc": False})
    assert config_of(host) == {}


def test_neither_the_new_nor_the_old_configuration_works():
    host = FakeHost({})
    host.bad = lambda config: "disk is full"
    with pytest.raises(DaemonError, match="but the daemon does not serve with it either: disk is full"):
        run(host, {"icc": False})
    assert host.state.pending == "restart"


@pytest.mark.parametrize("config", [None, {"debug": True}, {"icc": False}])
def test_a_daemon_that_rested_before_rests_afterwards(config):
    host = FakeHost(config, up=False)
    host.bad = lambda config: "no bridge" if "icc" in config else ""
    before = host.files
    with pytest.raises(DaemonError, match="no bridge.*what it held before; the daemon is stopped, as it was before"):
        run(host, {"icc": False})
    assert host.files == before
    assert not (host.up or host.failing)
    assert "restart" not in host.log
    assert (host.state.pending, host.state.managed) == ("", ())
    after = host.log[host.log.index("start") :]
    assert after[:3] == ["start", "stop", "before-write"]


@pytest.mark.parametrize("failing", [False, True])
@pytest.mark.parametrize("wanted", [{}, {"icc": False}])
def test_a_start_that_hung_before_the_run_is_replaced_by_one_of_the_files_that_there_are(wanted, failing):
    host = FakeHost({}, up=False)
    host.hangs, host.failing = "once", failing
    assert run(host, wanted).action == "start"
    assert (host.up, config_of(host)) == (True, wanted)
    assert [step for step in host.log if step in ("start", "restart", "stop")] == ["start", "restart"]


@pytest.mark.parametrize("wanted", [{}, {"icc": False}])
def test_a_start_that_hangs_on_is_told_and_not_given_up_for_who_asked_for_it(wanted):
    host = FakeHost({}, up=False)
    host.hangs = "forever"
    with pytest.raises(DaemonError, match=r"systemd is still waiting for it: activating \(start\)"):
        run(host, wanted)
    assert config_of(host) == {}
    assert "stop" not in host.log


def test_a_daemon_that_rested_before_and_does_not_stop_is_told():
    host = FakeHost({}, up=False)
    host.stubborn = True
    host.lies = {"LoggingDriver": "json-file"}
    with pytest.raises(DaemonError, match="does not stop; stop docker.socket and docker.service by hand"):
        run(host, {"log-driver": "local"})
    assert config_of(host) == {}


def test_it_was_broken_before():
    host = FakeHost({"exec-root": "/proc/x"}, up=False)
    host.failing = True
    host.reason = "mkdir /proc/x: no such file"
    host.bad = lambda config: "mkdir /proc/x: no such file"
    with pytest.raises(DaemonError, match="was already failing before this run, and still is: mkdir /proc/x"):
        run(host, {"icc": False})
    assert config_of(host) == {"exec-root": "/proc/x"}


def test_a_broken_daemon_is_mended():
    host = FakeHost({"exec-root": "/proc/x"}, up=False)
    host.failing = True
    host.bad = lambda config: "mkdir" if config.get("exec-root") == "/proc/x" else ""
    outcome = run(host, {"exec-root": "/run/docker"})
    assert (outcome.changed, outcome.action) == (True, "start")


def test_a_broken_daemon_without_any_change():
    host = FakeHost({"icc": False}, up=False)
    host.failing = True
    host.reason = "no space left"
    host.bad = lambda config: "no space left"
    with pytest.raises(DaemonError, match="already failing before this run: no space left.*nothing to restore"):
        run(host, {"icc": False})


def test_a_reload_without_an_event_becomes_a_restart():
    host = FakeHost({})
    host.deaf = True
    outcome = run(host, {"debug": True})
    assert outcome.action == "restart"
    assert "The daemon did not report a reload after SIGHUP." in outcome.warnings


def test_a_reload_that_becomes_a_restart_expects_no_container_to_live_without_live_restore():
    host = FakeHost({})
    host.deaf = True
    host.containers = {"1": "web"}
    assert run(host, {"debug": True}).action == "restart"


def test_a_daemon_that_dies_of_the_reload_is_brought_back():
    host = FakeHost({"live-restore": True})
    host.containers = {"1": "web"}
    host.bad = lambda config: "failed to validate authorization plugin" if "authorization-plugins" in config else ""

    def die():
        host.log.append("reload")
        host.up = False

    host.reload = die
    with pytest.raises(DaemonError) as error:
        run(host, {"live-restore": True, "authorization-plugins": ["silent"]})
    assert "failed to validate authorization plugin" in str(error.value)
    assert "the daemon serves again with it" in str(error.value)
    assert config_of(host) == {"live-restore": True}
    assert host.containers == {"1": "web"}


def test_an_answer_that_fails_after_the_write_leads_back():
    host = FakeHost({"live-restore": True})
    host.containers = {"1": "web"}
    start = host._start

    def mute(name, timeout):
        done = start(name, timeout)
        host.inspect_fails = "icc" in host.loaded
        return done

    host._start = mute
    with pytest.raises(DaemonError, match="fell silent.*the daemon serves again with it"):
        run(host, {"live-restore": True, "icc": False})
    assert config_of(host) == {"live-restore": True}


def test_a_reload_without_an_event_is_left_pending_when_restarts_are_deferred():
    host = FakeHost({})
    host.deaf = True
    outcome = run(host, {"debug": True}, may_restart=False)
    assert (outcome.action, outcome.pending_restart) == ("deferred", True)
    assert host.state.pending == "restart"


def test_defer_then_auto():
    host = FakeHost({})
    first = run(host, {"icc": False, "debug": True}, may_restart=False)
    assert (first.changed, first.action, first.pending_restart) == (True, "deferred", True)
    assert host.loaded == {"debug": True}
    again = run(host, {"icc": False, "debug": True}, may_restart=False)
    assert (again.changed, again.action, again.pending_restart) == (False, "deferred", True)
    auto = run(host, {"icc": False, "debug": True})
    assert (auto.changed, auto.action, auto.pending_restart) == (True, "restart", False)
    assert host.loaded == {"icc": False, "debug": True}
    assert run(host, {"icc": False, "debug": True}).changed is False


def test_a_deferred_change_that_fails_later_goes_back_to_what_was_proved():
    host = FakeHost({})
    host.bad = lambda config: "no bridge" if "bip" in config else ""
    run(host, {"bip": "172.28.0.1/24"}, may_restart=False)
    with pytest.raises(
        DaemonError, match="restored to the last configuration that worked, and the daemon serves again"
    ):
        run(host, {"bip": "172.28.0.1/24"})
    assert config_of(host) == {}


def test_somebody_else_restarted_after_a_deferred_change():
    host = FakeHost({})
    run(host, {"icc": False}, may_restart=False)
    host.restart(60)
    outcome = run(host, {"icc": False}, may_restart=False)
    assert (outcome.changed, outcome.action, outcome.pending_restart) == (False, "none", False)
    assert host.state.pending == ""


@pytest.mark.parametrize("moment", ["state", "before-write", "write", "restart"])
def test_killed_anywhere(moment):
    host = FakeHost({"mtu": 1400})
    run(host, {"debug": True})
    host.die_at = moment
    with pytest.raises(Killed):
        run(host, {"icc": False})
    assert config_of(host) in ({"mtu": 1400, "debug": True}, {"mtu": 1400, "icc": False})
    host.die_at = ""
    outcome = run(host, {"icc": False})
    assert outcome.action == "restart"
    assert host.loaded == {"mtu": 1400, "icc": False}
    assert host.state.managed == ("icc",)
    assert run(host, {"icc": False}).changed is False


def test_check_mode_predicts_and_touches_nothing():
    host = FakeHost({"mtu": 1400})
    outcome = run(host, {"icc": False}, predicting=True)
    assert (outcome.changed, outcome.action) == (True, "restart")
    assert host.log == ["validate"]
    assert config_of(host) == {"mtu": 1400}
    assert host.state == State()


def test_check_mode_on_a_virgin_host():
    host = FakeHost(None, up=False, version=None)
    host.sdk_missing = True
    outcome = run(host, {"icc": False}, predicting=True)
    assert (outcome.changed, outcome.action) == (True, "start")
    assert "not installed yet" in outcome.warnings[0]
    assert host.log == []


def test_without_docker_nothing_can_be_done():
    host = FakeHost(None, up=False, version=None)
    with pytest.raises(DaemonError, match="dockerd is not installed"):
        run(host, {"icc": False})


def test_without_the_sdk_nothing_is_written():
    host = FakeHost({})
    host.sdk_missing = True
    with pytest.raises(DaemonError, match="python3-docker"):
        run(host, {"icc": False})
    assert host.log == []


def test_a_stopped_daemon_is_started():
    host = FakeHost({}, up=False)
    outcome = run(host, {"icc": False})
    assert (outcome.changed, outcome.action) == (True, "start")


def test_a_stopped_daemon_is_left_alone():
    host = FakeHost({}, up=False)
    outcome = run(host, {"icc": False}, may_start=False)
    assert (outcome.changed, outcome.action, outcome.pending_restart) == (True, "none", False)
    assert "start" not in host.log
    assert config_of(host) == {"icc": False}


def test_everything_wrong_is_told_at_once():
    host = FakeHost({})
    host.lacking = [Problem("group", "is 'ops', but this host has no such group; make the group or remove the key")]
    with pytest.raises(DaemonError) as error:
        run(host, {"hosts": ["fd://"], "log-opts": {"max-sise": "1m"}}, seccomp_profile="{}")
    message = str(error.value)
    for words in ("switch seccomp off", "did you mean max-size", "--host=fd://", "no such group"):
        assert words in message
    assert host.log == []


@pytest.mark.parametrize(
    ("arguments", "hosts", "refused"),
    [
        ((), ["tcp://192.0.2.1:2376"], True),
        ((), ["tcp://192.0.2.1:2376", "fd://"], False),
        ((), ["tcp://192.0.2.1:2376", "unix:///run/docker.sock"], False),
        ((), [], False),
    ],
)
def test_a_daemon_that_only_the_network_could_ask_is_refused(arguments, hosts, refused):
    host = FakeHost({})
    host.arguments = arguments
    keys = {"tlsverify": True, "tlscacert": "/ca.pem", "tlscert": "/cert.pem", "tlskey": "/key.pem"}
    try:
        daemon_plan.make(host, Request(settings={"hosts": hosts, **keys}))
        said = ""
    except daemon_plan.Refused as error:
        said = str(error)
    assert ("names no socket of this host" in said) is refused, said


def test_dockerds_own_check_is_heard():
    host = FakeHost({})
    host.refusal = "invalid something"
    with pytest.raises(DaemonError, match="nothing was written: dockerd's own check says: invalid something"):
        run(host, {"icc": False})
    assert "write" not in host.log


def test_20_10_has_no_check_of_its_own():
    host = FakeHost({}, version="20.10.24+dfsg1")
    run(host, {"icc": False})
    assert "validate" not in host.log


def test_a_daemon_that_dies_of_the_reload_is_brought_back_even_when_restarts_are_deferred():
    host = FakeHost({})

    def die():
        host.up = False

    host.reload = die
    with pytest.raises(DaemonError, match="The daemon ended at the reload.*the daemon serves again with it"):
        run(host, {"authorization-plugins": ["silent"]}, may_restart=False)
    assert host.up


@pytest.mark.parametrize("settings", [{"data-root": "/srv/docker"}])
def test_data_is_not_hidden(settings):
    host = FakeHost({})
    host.data = {"/var/lib/docker": DockerData("/var/lib/docker", containers=2, volumes=1)}
    with pytest.raises(DaemonError, match="hide 2 containers and 1 volume in the old place"):
        run(host, settings)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "docker_storage_existing_data"),
        ({"moves_data": True, "may_restart": False}, "set docker_daemon_restart to auto"),
        ({"moves_data": True, "may_restart": False, "predicting": True}, "set docker_daemon_restart to auto"),
    ],
)
def test_a_copy_is_not_the_data_unless_the_daemon_was_stopped_for_it_just_now(options, words):
    """An earlier run may have compared everything, and the daemon may have run for months since."""
    host = FakeHost({})
    host.was_moved = lambda old, new: True
    host.data = {"/var/lib/docker": DockerData("/var/lib/docker", volumes=1)}
    with pytest.raises(DaemonError, match=words):
        run(host, {"data-root": "/srv/docker"}, **options)
    assert run(host, {"data-root": "/srv/docker"}, moves_data=True).action == "restart"


def test_data_is_not_hidden_by_other_data():
    host = FakeHost({})
    host.data = {root: DockerData(root, images=1) for root in ("/var/lib/docker", "/srv/docker")}
    with pytest.raises(DaemonError, match="data-root: would move.*hide 1 image in the old place"):
        run(host, {"data-root": "/srv/docker"})


@pytest.mark.parametrize("up", [True, False])
def test_data_in_a_root_that_stays_is_no_reason(up):
    host = FakeHost({}, up=up)
    host.data = {"/var/lib/docker": DockerData("/var/lib/docker", images=1)}
    assert run(host, {"data-root": "/var/lib/docker", "icc": False}).action in ("restart", "start")


def test_reasons_are_told_one_by_one():
    host = FakeHost({})
    with pytest.raises(daemon_plan.Refused) as error:
        run(host, {"log-opts": {"max-sise": "1m"}, "hosts": ["fd://"]}, seccomp_profile="{}")
    assert {"hosts", "seccomp_profile"} <= {problem.where for problem in error.value.problems}


def test_an_empty_root_may_be_left():
    host = FakeHost({})
    assert run(host, {"data-root": "/srv/docker"}).action == "restart"


def test_another_image_store_does_not_hide_containers():
    host = FakeHost({})
    host.containers = {"1": "web"}
    with pytest.raises(DaemonError, match="would not show them"):
        run(host, {"features": {"containerd-snapshotter": True}})


def test_a_damaged_file_is_refused_with_its_line():
    host = FakeHost({})
    host.files = Files('{\n "icc": true,\n "icc": false\n}')
    with pytest.raises(DaemonError, match="line 3 holds the key 'icc' a second time"):
        run(host, {})


def test_what_the_file_holds_is_refused_with_its_line_and_what_the_play_sets_without():
    host = FakeHost({})
    host.files = Files('{\n "log-opts": {\n  "max-sise": "1m"\n },\n "mtu": 0\n}')
    with pytest.raises(DaemonError) as error:
        run(host, {"mtu": -1, "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 2, "Hard": 1}}})
    message = str(error.value)
    assert "daemon.json line 3, log-opts.max-sise: " in message
    assert "line 5" not in message
    for where in (". mtu: is", ". default-ulimits.nofile.Soft: limit"):
        assert where in message
    assert host.log == []


def test_an_empty_file_is_made_an_object_for_an_engine_that_cannot_read_it():
    host = FakeHost({})
    host.files = Files("")
    host.version = "20.10.24"
    run(host, {})
    assert host.files.config == "{}\n"


def test_a_damaged_state_is_a_warning():
    host = FakeHost({"icc": False})
    host.damage = "the state is damaged"
    outcome = run(host, {})
    assert outcome.warnings == ["the state is damaged"]
    assert config_of(host) == {"icc": False}


def test_keys_that_are_no_longer_ours_go_and_others_stay():
    host = FakeHost({"mtu": 1400})
    run(host, {"icc": False})
    run(host, {})
    assert config_of(host) == {"mtu": 1400}


def test_live_restore_is_learnt_before_the_restart():
    host = FakeHost({})
    host.containers = {"1": "web"}
    outcome = run(host, {"live-restore": True, "icc": False})
    assert host.log.index("reload") < host.log.index("restart")
    assert outcome.action == "restart"
    assert host.containers == {"1": "web"}


def test_a_daemon_that_does_not_learn_live_restore_is_not_restarted():
    host = FakeHost({})
    host.containers = {"1": "web"}
    host.deaf = True
    found, state = host.files, host.state
    with pytest.raises(DaemonError, match="the restart would stop web, which were to go on.*nothing was restarted"):
        run(host, {"live-restore": True, "icc": False})
    assert (host.files, host.state, host.containers) == (found, state, {"1": "web"})
    assert "restart" not in host.log


def test_containers_that_do_not_live_through_it_are_told():
    host = FakeHost({"live-restore": True})
    host.containers = {"1": "web"}
    start = host._start

    def lossy(name, timeout):
        done = start(name, timeout)
        host.containers = {}
        return done

    host._start = lossy
    with pytest.raises(DaemonError, match="the containers web did not live through it"):
        run(host, {"live-restore": True, "icc": False})


def test_a_container_that_ended_well_is_not_lost():
    host = FakeHost({"live-restore": True})
    host.containers, host.exit_code = {"1": "job"}, 0
    start = host._start

    def ended(name, timeout):
        done = start(name, timeout)
        host.containers = {}
        return done

    host._start = ended
    assert run(host, {"live-restore": True, "icc": False}).action == "restart"


def test_without_live_restore_the_stopped_containers_are_told():
    host = FakeHost({})
    host.containers = {"1": "web", "2": "db"}
    outcome = run(host, {"icc": False})
    assert outcome.warnings[0].startswith("The restart stops 2 running containers, as live-restore is off: db stays down")
    assert [entry.name for entry in outcome.interrupts] == ["(engine)", "db", "web"]


def test_switching_live_restore_off_does_not_expect_containers_to_live():
    host = FakeHost({})
    run(host, {"live-restore": True})
    host.containers = {"1": "web"}
    outcome = run(host, {"icc": False})
    assert outcome.action == "restart"
    assert "The restart stops 1 running container," in outcome.warnings[0]


def test_a_file_that_was_changed_by_hand_is_applied():
    host = FakeHost({})
    run(host, {"debug": True})
    host.files = Files(json.dumps({"debug": True, "mtu": 1400}))
    host.age = host.now() / 1e9
    assert run(host, {"debug": True}, may_restart=False).pending_restart is True
    outcome = run(host, {"debug": True})
    assert (outcome.changed, outcome.action) == (True, "restart")
    assert host.loaded["mtu"] == 1400


def test_a_daemon_with_other_settings_than_its_file_is_brought_back():
    host = FakeHost({})
    run(host, {"debug": True})
    host.loaded["debug"] = False
    outcome = run(host, {"debug": True})
    assert (outcome.changed, outcome.action) == (True, "reload")
    host.loaded["log-driver"] = "local"
    assert run(host, {"debug": True}).action == "restart"


def test_a_daemon_that_is_up_and_silent_is_restarted():
    host = FakeHost({})
    host.silent = True
    start = host._start

    def speaks(name, timeout):
        host.silent = False
        return start(name, timeout)

    host._start = speaks
    assert run(host, {}).action == "restart"


def test_containers_older_than_a_setting_are_told_until_they_are_gone():
    host = FakeHost({})
    old = {"Name": "/web", "Created": "1970-01-01T00:01:40Z", "HostConfig": {"LogConfig": {"Type": "json-file"}}}
    host.inspected = [old]
    outcome = run(host, {"log-driver": "local"})
    assert outcome.recreate == [{"name": "web", "why": ["it logs through json-file, the default is local"]}]
    host.asked = []
    assert run(host, {"log-driver": "local"}).recreate == outcome.recreate
    host.inspected = []
    assert run(host, {"log-driver": "local"}).recreate == []
    host.asked = []
    assert run(host, {"log-driver": "local"}).recreate == []
    assert host.asked == ["info"]


def test_a_deferred_setting_makes_no_container_old_yet():
    host = FakeHost({})
    host.inspected = [
        {"Name": "/web", "Created": "1970-01-01T00:01:40Z", "HostConfig": {"LogConfig": {"Type": "json-file"}}}
    ]
    assert run(host, {"log-driver": "local"}, may_restart=False).recreate == []
    run(host, {"log-driver": "local"})
    assert run(host, {"log-driver": "local"}).changed is False
    assert host.state.since["log-driver"] > 0


def test_what_the_default_bridge_lacks_is_told_until_it_has_it():
    host = FakeHost({"live-restore": True})
    host.containers = {"1": "web"}
    host.inspected = [{"Name": "/web", "State": {"Running": True, "StartedAt": "1970-01-01T00:01:40Z"}}]
    settings = {"live-restore": True, "icc": False}
    outcome = run(host, settings)
    assert (outcome.action, outcome.unapplied) == ("restart", ["icc"])
    assert "does not have the new icc yet" in outcome.warnings[0]
    again = run(host, settings)
    assert (again.changed, again.unapplied) == (False, ["icc"])
    host.inspected = []
    assert run(host, settings).unapplied == []
    host.asked = []
    assert run(host, settings).unapplied == []
    assert host.asked == ["info"]


def test_a_profile_is_written_named_and_taken_away():
    host = FakeHost({})
    run(host, {}, seccomp_profile=PROFILE)
    assert config_of(host) == {"seccomp-profile": host.seccomp_file}
    assert host.files.seccomp == PROFILE + "\n"
    assert run(host, {}, seccomp_profile=PROFILE).changed is False
    run(host, {})
    assert host.files == Files("{}\n", None)


def test_new_content_of_the_profile_needs_a_restart():
    host = FakeHost({})
    run(host, {}, seccomp_profile=PROFILE)
    other = PROFILE.replace('"read"', '"write"')
    request = Request(settings={}, seccomp_profile=other)
    plan = daemon_plan.make(host, request)
    assert [(change.path, change.apply) for change in plan.changes] == [("seccomp-profile", "restart")]
    assert daemon_transaction.execute(host, request, plan).action == "restart"


def test_the_profile_and_the_setting_exclude_each_other():
    host = FakeHost({})
    with pytest.raises(DaemonError, match="keep one of the two"):
        run(host, {"seccomp-profile": "/etc/x.json"}, seccomp_profile=PROFILE)


def test_the_diff_shows_costs_and_hides_secrets():
    host = FakeHost({"proxies": {"http-proxy": "http://u:secret@old:1"}})
    request = Request(
        settings={"proxies": {"http-proxy": "http://u:secret@new:1"}, "log-driver": "local", "debug": True},
        predicting=True,
    )
    diff = daemon_transaction.differences(daemon_plan.make(host, request), host.config_file)
    assert "secret" not in str(diff)
    assert 'log-driver: (absent) -> "local" [restart] [recreate containers]' in diff["prepared"]
    assert "debug: (absent) -> true [reload]" in diff["prepared"]
    assert json.loads(diff["after"])["log-driver"] == "local"


def test_swarm_and_live_restore():
    host = FakeHost({})
    host.data = {"/var/lib/docker": DockerData("/var/lib/docker", swarm=True)}
    with pytest.raises(DaemonError, match="live-restore: is true on a node of a swarm"):
        run(host, {"live-restore": True})


def test_a_daemon_that_ends_soon_after_it_was_proved_is_taken_back(monkeypatch):
    host = FakeHost({"log-level": "info"})
    wait = host.wait

    def waiting(seconds):
        wait(seconds)
        if host.loaded.get("log-level") == "warn":
            host.starts += 1  # It ended, and systemd has started another one.

    monkeypatch.setattr(host, "wait", waiting)
    with pytest.raises(DaemonError, match="ended soon after it had started.*restored"):
        run(host, {"log-level": "warn"})
    assert json.loads(host.files.config) == {"log-level": "info"}


def test_a_write_that_fails_leaves_nothing_to_remember(monkeypatch):
    host = FakeHost({"log-level": "info"})
    run(host, {"log-level": "info"})
    remembered = host.state

    def busy(_wanted):
        raise files.FileError("/etc/docker/daemon.json cannot be written: Device or resource busy")

    monkeypatch.setattr(host, "write_files", busy)
    with pytest.raises(DaemonError, match="Nothing was changed: .* busy"):
        run(host, {"log-level": "warn"})
    assert host.state == remembered


def test_a_write_that_fails_half_way_takes_the_other_file_back(monkeypatch):
    host = FakeHost({"debug": True})
    found, state = host.files, host.state
    wrote = FakeHost.write_files

    def half(self, wanted):
        if wanted == found:
            return wrote(self, wanted)
        self.files = Files(found.config, wanted.seccomp)
        raise files.FileError("/etc/docker/daemon.json cannot be written: No space left on device")

    monkeypatch.setattr(FakeHost, "write_files", half)
    with pytest.raises(DaemonError, match="Nothing was changed: .*No space left"):
        run(host, {"debug": True}, seccomp_profile=PROFILE)
    assert (host.files, host.state) == (found, state)


def test_a_profile_that_the_probe_finds_wrong_is_rolled_back(monkeypatch):
    host = FakeHost({"live-restore": True})
    host.containers = {"id": "web"}
    monkeypatch.setattr(seccomp_plan, "prove", lambda host, plan, warnings: ["no container starts"])
    with pytest.raises(DaemonError, match=r"(?s)not as configured: no container starts.*restored.*serves again"):
        run(host, {"live-restore": True}, seccomp_profile=PROFILE)
    assert (config_of(host), host.files.seccomp, host.containers) == ({"live-restore": True}, None, {"id": "web"})


def test_what_could_not_be_proved_is_said():
    outcome = run(FakeHost({}), {}, seccomp_profile=PROFILE)
    assert [warning for warning in outcome.warnings if "could not be tried out: libseccomp is not here" in warning]


def test_a_daemon_that_is_not_what_its_unit_says_is_restarted():
    host = FakeHost({})
    host.old_reasons = {"run 1": [Problem("docker.service", "dockerd runs with '--debug', but its unit says '-H fd://'")]}
    outcome = run(host, {})
    assert (outcome.changed, outcome.action) == (True, "restart")
    assert "before-write" not in host.log
    assert run(host, {}).action == "none"


def test_such_a_restart_can_be_deferred_and_is_told():
    host = FakeHost({})
    host.old_reasons = {"run 1": [Problem("docker.service", "dockerd runs with '--debug'")]}
    outcome = run(host, {}, may_restart=False)
    assert (outcome.changed, outcome.action, outcome.pending_restart) == (False, "deferred", True)
    assert any("dockerd runs with '--debug'" in warning for warning in outcome.warnings)
    assert "restart" not in host.log
    assert run(host, {}).action == "restart"


def test_check_mode_predicts_such_a_restart():
    host = FakeHost({})
    host.old_reasons = {"run 1": [Problem("docker.service", "dockerd runs with '--debug'")]}
    outcome = run(host, {}, predicting=True)
    assert (outcome.changed, outcome.action) == (True, "restart")
    assert host.log == []


def test_a_key_that_the_daemon_was_given_by_sighup_only_is_taken_back_by_sighup():
    host = FakeHost({})
    run(host, {"labels": ["a=b"]})
    host.events.append((host.now(), {"debug": "true", "labels": '["x=y"]'}))
    host.loaded.update({"debug": True, "labels": ["x=y"]})
    host.log = []
    outcome = run(host, {"labels": ["a=b"]})
    assert outcome.action == "reload"
    assert "restart" not in host.log
    assert (host.loaded["debug"], host.loaded["labels"]) == (False, ["a=b"])
    assert run(host, {"labels": ["a=b"]}).action == "none"
