# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The program that the timer starts: what it runs, the lock, metrics and the line in the journal, however a run ends."""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import stat
import subprocess
import sys
import time

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift import pull
from ansible_collections.bulkhead.docker.plugins.module_utils.report import drift_json
from ansible_collections.bulkhead.docker.tests.unit.report import drift_examples, schemas
from ansible_collections.bulkhead.docker.tests.unit.report.drift_examples import EDITED, RANGES, look
from ansible_collections.bulkhead.docker.tests.unit.report.examples import HOSTILE, OBEYED
from hypothesis import given, settings
from hypothesis import strategies as st

PATH = pathlib.Path(__file__).resolve().parents[3] / "roles" / "docker_pull" / "files" / "docker_pull.py"


def load():
    specification = importlib.util.spec_from_file_location("docker_pull_program", PATH)
    made = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = made
    specification.loader.exec_module(made)
    return made


program = load()

# Stands for ansible-playbook: tells what it is, keeps how it was called, and does what the test wants.
STAND_IN = """\
#!/bin/sh
here=$(dirname "$0")
if [ "$1" = --version ]; then echo "ansible-playbook [core $(cat "$here/version")]"; exit 0; fi
printf '%s\\n' "$@" > "$here/arguments"
env > "$here/environment"
pwd > "$here/directory"
[ ! -f "$here/action" ] || . "$here/action"
"""


class Host:
    """A host in a directory."""

    def __init__(self, top):
        self.top = top
        for name in ("bin", "etc", "state", "run", "metrics"):
            (top / name).mkdir()
        for name in ("ansible-playbook", "ansible-pull"):
            (top / "bin" / name).write_text(STAND_IN, encoding="utf-8")
            (top / "bin" / name).chmod(0o755)
        self.version("2.19.11")
        self.places = program.Places(str(top / "etc/config"), str(top / "etc/inventory"), str(top / "state"), str(top / "run"))
        self.configure()

    def configure(self, **more):
        wanted = pull.Pull(**{"programs": str(self.top / "bin"), "metrics": str(self.top / "metrics"), **more})
        (self.top / "etc/config").write_text(pull.config(wanted), encoding="utf-8")

    def version(self, text):
        (self.top / "bin/version").write_text(text, encoding="utf-8")

    def does(self, script):
        (self.top / "bin/action").write_text(script, encoding="utf-8")

    def looks(self, *looks):
        """Let the run find this."""
        whole = drift_examples.made([{"name": "localhost", "looks": list(looks)}])
        (self.top / "found.json").write_text(drift_json.render(whole), encoding="utf-8")
        self.does(f'cp "{self.top}/found.json" "$BULKHEAD_DRIFT_JSON"\n')

    def unit(self, end="success", status="0", invocation="one"):
        """Do what the service does, and return the exit status of the run."""
        variables = {"INVOCATION_ID": invocation}
        done = program.main(["run"], variables, self.places)
        program.main(["finish"], {**variables, "SERVICE_RESULT": end, "EXIT_STATUS": status}, self.places)
        return done

    def told(self, name):
        return (self.top / "bin" / name).read_text(encoding="utf-8")

    def metrics(self):
        path = self.top / "metrics" / pull.METRICS
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
        assert list(path.parent.iterdir()) == [path]
        return schemas.read_metrics(path.read_text(encoding="utf-8"))

    def value(self, metric, **labels):
        found = [number for has, number in self.metrics().get(f"bulkhead_pull_{metric}", []) if labels.items() <= has.items()]
        assert len(found) <= 1
        return found[0] if found else None


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


# What is run.


def test_the_playbook_of_the_collection(host):
    assert host.unit() == 0
    assert host.told("arguments").split() == ["--inventory", host.places.inventory, "bulkhead.docker.drift"]
    assert host.told("directory").strip() == host.places.state


def test_a_repository(host):
    host.configure(url="https://example.org/fleet.git", checkout="v1", playbook="drift.yml", verify_commit=True, key_file="/root/.ssh/fleet")
    assert host.unit() == 0
    assert host.told("arguments").split() == [
        *("--url", "https://example.org/fleet.git", "--directory", f"{host.places.state}/checkout", "--inventory", host.places.inventory),
        *("--limit", "localhost", "--checkout", "v1", "--verify-commit", "--private-key", "/root/.ssh/fleet", "drift.yml"),
    ]


def test_nothing_of_whoever_started_it_is_passed_on(host, monkeypatch):
    monkeypatch.setenv("ANSIBLE_CONFIG", "/tmp/evil.cfg")
    monkeypatch.setenv("PYTHONPATH", "/tmp")
    host.configure(environment={"https_proxy": "http://proxy:3128"}, collections="/opt/collections")
    host.unit()
    found = dict(line.split("=", 1) for line in host.told("environment").splitlines() if "=" in line)
    assert set(found) - {"PWD", "SHLVL", "_", "OLDPWD"} == {
        *("PATH", "HOME", "LANG", "LC_ALL", "ANSIBLE_NOCOLOR", "ANSIBLE_CALLBACKS_ENABLED", "BULKHEAD_DRIFT_JSON", "GIT_TERMINAL_PROMPT"),
        *("ANSIBLE_COLLECTIONS_PATH", "https_proxy", "ANSIBLE_DISPLAY_SKIPPED_HOSTS", "ANSIBLE_NO_TARGET_SYSLOG", "BULKHEAD_PULL_RUN"),
    }
    assert found["ANSIBLE_COLLECTIONS_PATH"] == "/opt/collections"
    assert found["https_proxy"] == "http://proxy:3128"


def test_the_names_of_files_are_those_of_the_role():
    assert (program.CONFIG, program.INVENTORY, program.STATE, program.METRICS) == (pull.CONFIG, pull.INVENTORY, pull.STATE, pull.METRICS)
    config = json.loads(pull.config(pull.Pull()))
    assert set(config) == {"url", "checkout", "playbook", "verify_commit", "key_file", "programs", "collections", "metrics", "environment"}


# The lock.


def test_the_second_run_does_nothing_and_says_so(host, capfd):
    with program.locked(host.places) as first:
        assert first is not None
        assert host.unit() == 0
    assert not (host.top / "bin/arguments").exists()
    assert f"Another run (process {os.getpid()}) is at work on this host, so this one does nothing." in capfd.readouterr().out
    assert not (host.top / "metrics" / pull.METRICS).exists()
    assert host.unit() == 0
    assert host.value("success") == 1


def test_the_lock_is_held_as_long_as_the_run_lives(host):
    host.does('echo $$ > "$here/pid"; exec sleep 30\n')
    code = (
        f"import importlib.util, sys; s = importlib.util.spec_from_file_location('p', {str(PATH)!r}); m = importlib.util.module_from_spec(s);"
        f" sys.modules['p'] = m; s.loader.exec_module(m);"
        f" m.main(['run'], {{'INVOCATION_ID': 'x'}}, m.Places(*{[host.places.config, host.places.inventory, host.places.state, host.places.run]!r}))"
    )
    started = subprocess.Popen([sys.executable, "-c", code])
    pid = 0
    try:
        for _attempt in range(200):
            if (host.top / "bin/pid").exists() and host.told("pid").strip():
                break
            time.sleep(0.05)
        pid = int(host.told("pid"))
        started.kill()
        started.wait()
        with program.locked(host.places) as lock:
            assert lock is None
    finally:
        if pid:
            os.kill(pid, 9)
    for _attempt in range(100):
        with program.locked(host.places) as lock:
            if lock is not None:
                break
        time.sleep(0.05)
    assert lock is not None


def test_a_link_in_the_place_of_the_lock_is_not_followed(host, capsys):
    pathlib.Path(host.places.lock).symlink_to(host.top / "elsewhere")
    assert host.unit() == 1
    assert not (host.top / "elsewhere").exists()
    assert "docker-pull: " in capsys.readouterr().err


# How runs end.


def test_a_clean_host(host, capfd):
    host.looks(look())
    assert host.unit() == 0
    out = capfd.readouterr().out
    assert out.startswith("The host checked itself after 0 s: nothing differs.")
    assert host.value("success") == host.value("looked") == host.value("checked") == 1
    assert host.value("result", result="success") == 1
    assert host.value("result", result="timeout") == 0
    assert host.value("drifted") == host.value("unknown") == 0
    assert host.value("differences") is None
    assert host.value("look_timestamp_seconds") == 1795690800
    assert abs(host.value("last_run_timestamp_seconds") - time.time()) < 60
    assert host.value("last_success_timestamp_seconds") == host.value("last_run_timestamp_seconds")
    assert 0 <= host.value("duration_seconds") < 60


def test_drift_that_was_mended_in_part(host, capfd):
    host.looks(look(EDITED, RANGES), look(RANGES, unknown=[drift_examples.UNKNOWN]))
    host.unit()
    out = capfd.readouterr().out
    assert out == "The host checked itself after 0 s: 1 difference left, 1 mended, 1 not looked at (file-edited mended, uid-ranges-changed).\n"
    assert host.value("drifted") == 1
    assert host.value("differences", name="uid-ranges-changed", role="docker_userns", blast="nothing") == 1
    assert host.value("mended", name="file-edited", role="docker_daemon") == 1
    assert host.value("unknown") == 1


@pytest.mark.parametrize(
    ("end", "status", "result", "said"),
    [
        ("exit-code", "2", "failed", "The run FAILED (exit status 2) after"),
        ("timeout", "TERM", "timeout", "The run took TOO LONG and was stopped after"),
        ("signal", "KILL", "killed", "The run was KILLED (KILL) after"),
        ("oom-kill", "KILL", "killed", "The run was KILLED (KILL) after"),
        ("resources", "", "failed", "The run FAILED (exit status unknown) after"),
    ],
)
def test_a_run_that_ended_badly_is_told_of(host, capfd, end, status, result, said):
    host.looks(look())
    host.unit(invocation="before")
    succeeded = host.value("last_success_timestamp_seconds")
    # The clock of files may lag, and what was found before must be older than this run.
    os.utime(host.places.drift, (1, 1))
    host.does("exit 2\n")
    capfd.readouterr()
    host.unit(end, status)
    out = capfd.readouterr().out
    assert out.startswith(said)
    assert out.endswith("it had not looked at the host yet.\n")
    assert host.value("success") == host.value("looked") == 0
    assert [row[0]["result"] for row in host.metrics()["bulkhead_pull_result"] if row[1]] == [result]
    assert host.value("last_success_timestamp_seconds") == succeeded
    # What is known of the host is still there, with its own time.
    assert host.value("drifted") == 0
    assert host.value("look_timestamp_seconds") == 1795690800


def test_what_was_found_before_the_end_is_told(host, capfd):
    host.looks(look(EDITED))
    host.unit("timeout", "TERM")
    assert capfd.readouterr().out == "The run took TOO LONG and was stopped after 0 s: 1 difference left (file-edited).\n"
    assert (host.value("success"), host.value("looked"), host.value("drifted")) == (0, 1, 1)


def test_a_host_that_could_not_be_looked_at(host, capfd):
    host.looks({"failed": True, "msg": "The module needs root."})
    host.unit("exit-code", "2")
    assert "the host could not be looked at (The module needs root.)" in capfd.readouterr().out
    assert host.value("checked") == 0
    assert host.value("drifted") is None


def test_before_the_first_success_there_is_no_time_of_one(host):
    host.does("exit 2\n")
    host.unit("exit-code", "2")
    assert host.value("last_success_timestamp_seconds") is None
    assert host.value("checked") is None


def test_without_a_configuration(host, capfd):
    os.unlink(host.places.config)
    assert host.unit("exit-code", "1") == 1
    assert "is missing or damaged; run the role bulkhead.docker.docker_pull." in capfd.readouterr().err


def test_a_directory_of_metrics_that_is_gone_is_said(host, capfd):
    host.looks(look())
    (host.top / "metrics").rmdir()
    host.unit()
    assert "The metrics cannot be written to" in capfd.readouterr().out


def test_an_old_file_of_metrics_is_replaced_and_never_a_link_followed(host):
    (host.top / "metrics" / pull.METRICS).symlink_to(host.top / "elsewhere")
    host.unit()
    assert not (host.top / "elsewhere").exists()
    assert host.value("success") == 1


def test_by_hand(host, capfd):
    host.looks(look(EDITED))
    assert program.main([], {}, host.places) == 0
    assert "1 difference left (file-edited)." in capfd.readouterr().out
    assert host.value("success") == 1
    host.does("exit 4\n")
    assert program.main([], {}, host.places) == 4
    assert host.value("success") == 0
    assert program.main(["dance"], {}, host.places) == 1


# Whatever the file holds.


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts(host, capfd, text):
    host.looks(look({**EDITED, "role": text, "what": text, "item": text}, unknown=[{"item": text, "reason": text}]))
    host.unit()
    out = capfd.readouterr().out
    assert OBEYED.search(out.replace("\n", "")) is None
    assert out.count("\n") == 1
    assert host.value("differences", name="file-edited") == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
KEYS = ("state", "problem", "counts", "differences", "unknown", "unknown_left_out", "verdict")
SPOILED = st.fixed_dictionaries({}, optional={**dict.fromkeys(KEYS, JSON), "state": st.just("checked"), "differences": st.lists(
    st.fixed_dictionaries({}, optional=dict.fromkeys(("name", "role", "blast", "standing"), JSON)) | JSON, max_size=5
)})


@settings(deadline=None)
@given(st.fixed_dictionaries({"generated": JSON, "hosts": JSON | st.lists(SPOILED, max_size=2)}) | st.dictionaries(st.text(), JSON), JSON)
def test_whatever_a_report_holds_makes_metrics_and_a_sentence(report, last):
    text = program.metrics("failed", 1.0, 2.0, last, True, report)
    assert OBEYED.search(text) is None
    schemas.read_metrics(text)
    said = program.sentence("success", "0", 1.0, program._host(report))
    assert OBEYED.search(said) is None
    assert "\n" not in said


def test_no_more_series_than_there_can_be():
    whole = drift_examples.made([{"name": "localhost", "looks": [look(*({**EDITED, "name": f"name-{number}"} for number in range(300)))]}])
    samples = schemas.read_metrics(program.metrics("success", 1.0, 1.0, 1.0, True, whole))["bulkhead_pull_differences"]
    assert (len(samples), sum(number for _labels, number in samples)) == (101, 300)


# Whether it can be run.


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("2.19.11", ""),
        ("2.18.0", ""),
        ("2.22.0b2", ""),
        ("3.0.0", ""),
        ("2.14.18", "is of ansible-core 2.14, and the collection needs 2.18 or newer"),
        ("x", "does not tell which ansible-core it is"),
    ],
)
def test_the_version_is_checked(host, capfd, version, said):
    host.version(version)
    assert program.main(["check"], {}, host.places) == int(bool(said))
    err = capfd.readouterr().err
    assert said in err
    assert bool(err) == bool(said)


def test_the_playbook_is_read_before(host, capfd):
    host.does('[ "$4" = --syntax-check ] && { echo "the playbook could not be found" >&2; exit 4; }\n')
    assert program.main(["check"], {}, host.places) == 1
    err = capfd.readouterr().err
    assert err.startswith("docker-pull: this host cannot run the playbook bulkhead.docker.drift; install the collection that holds it")
    assert "the playbook could not be found" in err


def test_programs_that_are_missing(host, capfd):
    host.configure(programs="/nonexistent")
    assert program.main(["check"], {}, host.places) == 1
    assert "cannot be run (No such file or directory); install ansible-core 2.18 or newer" in capfd.readouterr().err


def test_a_run_that_looks_at_nothing_is_no_look(host, capfd):
    host.unit()
    assert capfd.readouterr().out == "The run ended well after 0 s: it did not look at the host.\n"
    assert (host.value("success"), host.value("looked"), host.value("checked")) == (1, 0, None)
