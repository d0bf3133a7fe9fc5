# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The callback in real plays, with a stand-in for the module that says what the test wants; and by itself."""

from __future__ import annotations

import json
import os
import pathlib
import stat
import subprocess
import sys
import types

import pytest
import yaml
from ansible_collections.bulkhead.docker.plugins.callback import docker_drift as callback
from ansible_collections.bulkhead.docker.tests.unit.report.drift_examples import EDITED, RANGES, look
from ansible_collections.bulkhead.docker.tests.unit.report.examples import HOSTILE

ROOT = pathlib.Path(__file__).resolve().parents[3]
# Says what a file holds for its host; the next time, what comes after that.
STAND_IN = """\
#!/usr/bin/python
import json, os, sys
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule(argument_spec={"host": {"required": True}, "directory": {"required": True}})
path = os.path.join(module.params["directory"], module.params["host"] + ".json")
with open(path) as handle:
    said = json.load(handle)
with open(path, "w") as handle:
    json.dump(said[1:] or said, handle)
(module.fail_json if said[0].get("failed") else module.exit_json)(**said[0])
"""
LOOK = {
    "name": "Look",
    "docker_host_drift": {"host": "{{ inventory_hostname }}", "directory": "{{ playbook_dir }}/said"},
    "register": "docker_drift_result",
}


@pytest.fixture
def play(tmp_path):
    """Return a function that runs tasks on hosts with what the module says to each, one after the other, and returns what was printed."""
    collection = tmp_path / "collections" / "ansible_collections" / "bulkhead" / "docker"
    collection.parent.mkdir(parents=True)
    collection.symlink_to(ROOT)
    (tmp_path / "ansible.cfg").write_text("[defaults]\nlibrary = library\n", encoding="utf-8")
    for name in ("library", "said"):
        (tmp_path / name).mkdir()
    (tmp_path / "library" / "docker_host_drift.py").write_text(STAND_IN, encoding="utf-8")

    def run(said, *tasks, enabled=True, **variables):
        for host, results in said.items():
            (tmp_path / "said" / f"{host}.json").write_text(json.dumps(results), encoding="utf-8")
        (tmp_path / "play.yml").write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": list(tasks)}]), encoding="utf-8")
        program = pathlib.Path(sys.executable).with_name("ansible-playbook")
        env = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections"),
            "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
            "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"),
            "ANSIBLE_REMOTE_TEMP": str(tmp_path / "tmp"),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "COLUMNS": "140",
            **({"ANSIBLE_CALLBACKS_ENABLED": "bulkhead.docker.docker_drift"} if enabled else {}),
            **variables,
        }
        env.pop("PYTHONPATH", None)
        command = [str(program), "-i", ",".join(said) + ",", "-c", "local", str(tmp_path / "play.yml")]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout

    return run


def rows(printed):
    """Return by host the cells of the table, without those of the last converge."""
    lines = printed[printed.index("Docker drift: "):].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("HOST"))
    head = lines[start]
    cuts = [head.index(name) for name in ("HOST", "STATE", "MENDED", "BLAST", "LAST CONVERGE", "DIFFERENCES")] + [None]
    found, last = {}, ""
    for line in lines[start + 1:]:
        cells = [line[begin:end].strip() for begin, end in zip(cuts, cuts[1:])]
        if cells[0]:
            last = cells[0]
            found[last] = (cells[1], cells[2], cells[3], [cells[5]])
        elif last and cells[5]:
            found[last][3].append(cells[5])
    return found


def test_one_table_for_the_fleet(play, tmp_path):
    said = {
        "alpha": [look(EDITED, RANGES), look(RANGES)],
        "beta": [look(), look()],
        "gamma": [look(EDITED), look()],
        "delta": [{"failed": True, "msg": "The module needs root."}],
    }
    printed = play(said, LOOK, {**LOOK, "name": "Look again"})
    assert printed.count("Docker drift: ") == 1
    assert printed.index("PLAY RECAP") < printed.index("Docker drift: 4 hosts")
    assert rows(printed) == {
        "alpha": ("drifted", "1 of 2", "nothing", ["docker_userns: uid-ranges-changed", "docker_daemon: file-edited (mended)"]),
        "delta": ("failed", "-", "-", ["The module needs root."]),
        "gamma": ("mended", "yes", "-", ["docker_daemon: file-edited"]),
        "beta": ("clean", "-", "-", [""]),
    }


def test_hosts_that_are_lost_are_said(play):
    said = {"alpha": [look(EDITED)], "beta": [look()]}
    lost = {"name": "Lose one", "ansible.builtin.ping": None, "vars": {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}}
    found = rows(play(said, LOOK, {**lost, "when": "inventory_hostname == 'alpha'"}))
    assert (found["alpha"][0], found["beta"][0]) == ("unreachable", "clean")
    found = rows(play(said, {**lost, "when": "inventory_hostname == 'alpha'"}, LOOK))
    assert (found["alpha"][0], found["beta"][0]) == ("unreachable", "clean")


def test_without_a_look_it_is_silent(play):
    assert "Docker drift" not in play({"alpha": [look()]}, {"ansible.builtin.debug": {"msg": "nothing"}})


def test_it_has_to_be_enabled(play):
    assert "Docker drift" not in play({"alpha": [look(EDITED)]}, LOOK, enabled=False)


def test_the_file(play, tmp_path):
    path = tmp_path / "drift.json"
    play({"alpha": [look(EDITED), look()]}, LOOK, LOOK, BULKHEAD_DRIFT_JSON=str(path))
    whole = json.loads(path.read_text(encoding="utf-8"))
    assert [(host["name"], host["verdict"]) for host in whole["hosts"]] == [("alpha", "mended")]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_file_is_there_before_the_run_ends(play, tmp_path):
    path = tmp_path / "drift.json"
    kept = {"ansible.builtin.command": {"argv": ["cp", str(path), str(tmp_path / "kept.json")]}}
    play({"alpha": [look(EDITED)]}, LOOK, kept, BULKHEAD_DRIFT_JSON=str(path))
    assert json.loads((tmp_path / "kept.json").read_text(encoding="utf-8"))["hosts"][0]["verdict"] == "drifted"


def test_a_file_that_cannot_be_written_is_a_warning(play, tmp_path):
    (tmp_path / "drift.json").symlink_to(tmp_path / "elsewhere")
    printed = play({"alpha": [look(EDITED)]}, LOOK, BULKHEAD_DRIFT_JSON=str(tmp_path / "drift.json"))
    assert not (tmp_path / "elsewhere").exists()
    assert "unreachable=0    failed=0" in printed


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts(monkeypatch, text):
    shown = []
    made = callback.CallbackModule(display=types.SimpleNamespace(display=shown.append, warning=shown.append, verbosity=0))
    monkeypatch.setattr(made, "get_option", lambda name: "")
    task = types.SimpleNamespace(action="docker_host_drift", resolved_action=None)
    host = types.SimpleNamespace(get_name=lambda: text)
    odd = look({**EDITED, "role": text, "what": text}, unknown=[{"item": text, "reason": text}], last_converge=text)
    made.v2_runner_on_ok(types.SimpleNamespace(_task=task, _host=host, _result=odd))
    made.v2_runner_on_failed(types.SimpleNamespace(_task=task, _host=host, _result={"msg": text}))
    made.v2_playbook_on_stats(None)
    (table,) = shown
    assert table.startswith("\nDocker drift: ")
    assert not any(character in table for character in "\x00\x07\x1b\x7f\x9b\u202e\u2028")
    table.encode("utf-8")
