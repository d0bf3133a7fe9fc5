# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The action in real plays: what the controller's Ansible makes of variables, hosts that are lost, second looks and check mode."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest
import yaml
from ansible_collections.bulkhead.docker.plugins.action import docker_drift_report as action
from ansible_collections.bulkhead.docker.plugins.doc_fragments.report_files import ModuleDocFragment
from ansible_collections.bulkhead.docker.plugins.module_utils.report import drift_formats
from ansible_collections.bulkhead.docker.plugins.modules.docker_drift_report import DOCUMENTATION
from ansible_collections.bulkhead.docker.plugins.plugin_utils import report_action
from ansible_collections.bulkhead.docker.tests.unit.report.drift_examples import EDITED, RANGES, look

ROOT = pathlib.Path(__file__).resolve().parents[3]
FORMATS = list(drift_formats.WRITERS)


@pytest.fixture
def play(tmp_path):
    """Return a function that runs the action in a play of some hosts, once for each options, and returns what it said and the directory."""
    collection = tmp_path / "collections" / "ansible_collections" / "bulkhead" / "docker"
    collection.parent.mkdir(parents=True)
    collection.symlink_to(ROOT)
    (tmp_path / "ansible.cfg").write_text("", encoding="utf-8")

    def run(*options, tasks=(), check=False, hosts="alpha,beta"):
        out = tmp_path / "out.json"
        out.unlink(missing_ok=True)
        reports = [
            {"bulkhead.docker.docker_drift_report": {"directory": str(tmp_path / "reports"), **one}, "register": f"said_{number}", "ignore_errors": True}
            for number, one in enumerate(options)
        ]
        told = "{{ [" + ", ".join(f"said_{number}" for number in range(len(options))) + "] | to_json }}"
        kept = {"ansible.builtin.copy": {"content": told, "dest": str(out)}, "delegate_to": "localhost", "run_once": True, "check_mode": False}
        plays = [{"hosts": "all", "gather_facts": False, "tasks": [*tasks, *reports, kept]}]
        (tmp_path / "play.yml").write_text(yaml.safe_dump(plays), encoding="utf-8")
        program = pathlib.Path(sys.executable).with_name("ansible-playbook")
        command = [str(program), "-i", f"{hosts},", "-c", "local", str(tmp_path / "play.yml"), *(["--check"] if check else [])]
        env = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections"),
            "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
            "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"),
            "ANSIBLE_REMOTE_TEMP": str(tmp_path / "tmp"),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        }
        env.pop("PYTHONPATH", None)
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env, check=False)
        assert out.is_file(), done.stdout + done.stderr
        return *json.loads(out.read_text(encoding="utf-8")), tmp_path / "reports"

    return run


def given(tmp_path, results, name="docker_drift_result"):
    """Return a task that gives each host its result; a host without one gets none."""
    path = tmp_path / f"{name}.json"
    path.write_text(json.dumps(results), encoding="utf-8")
    template = "{{ (lookup('file', '" + str(path) + "') | from_json)[inventory_hostname] }}"
    return {"ansible.builtin.set_fact": {name: template}, "when": f"inventory_hostname in {list(results)}"}


def hosts_of(directory, name="drift"):
    return {host["name"]: host for host in json.loads((directory / f"{name}.json").read_text(encoding="utf-8"))["hosts"]}


def test_a_fleet(play, tmp_path):
    tasks = [given(tmp_path, {"alpha": look(EDITED), "beta": look()})]
    said, directory = play({"formats": FORMATS, "each": True}, tasks=tasks)
    assert said["changed"]
    assert said["fleet"]["verdicts"] == {"drifted": 1, "lost": 0, "unsure": 0, "mended": 0, "clean": 1}
    assert said["summary"][0].startswith("Docker drift: 2 hosts, ")
    names = {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}
    assert names == {f"{stem}{writer.suffix}" for stem in ("drift", "hosts/alpha", "hosts/beta") for writer in drift_formats.WRITERS.values()}
    assert {file["path"] for file in said["files"]} == {str(directory / name) for name in names}
    assert {oct(path.stat().st_mode)[-3:] for path in directory.rglob("*") if path.is_file()} == {"600"}
    assert oct(directory.stat().st_mode)[-3:] == "700"

    # Only the time differs now; then one host does.
    again, _directory = play({"formats": FORMATS, "each": True}, tasks=tasks)
    assert (again["changed"], [file["changed"] for file in again["files"]]) == (False, [False] * 12)
    tasks = [given(tmp_path, {"alpha": look(EDITED), "beta": look(RANGES)})]
    before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    predicted, _directory = play({"formats": FORMATS, "each": True}, tasks=tasks, check=True)
    assert {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()} == before
    third, _directory = play({"formats": FORMATS, "each": True}, tasks=tasks)
    changed = [file["path"] for file in third["files"] if file["changed"]]
    assert changed == [file["path"] for file in predicted["files"] if file["changed"]]
    assert {pathlib.Path(path).name.split(".", maxsplit=1)[0] for path in changed} == {"drift", "beta"}


def test_check_mode_writes_nothing(play, tmp_path):
    said, directory = play({"formats": ["json"]}, tasks=[given(tmp_path, {"alpha": look(), "beta": look()})], check=True)
    assert said["changed"]
    assert not directory.exists()


def test_hosts_without_a_result_are_said(play, tmp_path):
    tasks = [
        given(tmp_path, {"alpha": look(), "epsilon": {"failed": True, "msg": "needs root"}, "zeta": {"unreachable": True, "msg": "no route"}}),
        {"ansible.builtin.set_fact": {"docker_drift_result": [1]}, "when": "inventory_hostname == 'gamma'"},
        {"ansible.builtin.fail": {"msg": "lost"}, "when": "inventory_hostname == 'delta'"},
    ]
    said, directory = play({"formats": ["json"]}, tasks=tasks, hosts="alpha,beta,gamma,delta,epsilon,zeta")
    found = {name: (host["state"], host["problem"]) for name, host in hosts_of(directory).items()}
    assert found["alpha"] == ("checked", "")
    assert found["beta"] == ("missing", "There is no result in the variable docker_drift_result.")
    assert found["gamma"][0] == "damaged"
    assert found["gamma"][1].startswith("The variable docker_drift_result holds ")
    assert found["delta"] == ("unreachable", "The host was not reachable, or failed before it was looked at.")
    assert found["epsilon"] == ("failed", "needs root")
    assert found["zeta"] == ("unreachable", "no route")
    assert said["fleet"]["verdicts"]["lost"] == 5


def test_second_looks(play, tmp_path):
    first = {"alpha": look(EDITED, RANGES), "beta": look(), "gamma": look(EDITED), "delta": look(EDITED)}
    after = {"alpha": look(RANGES), "beta": {"skipped": True, "changed": False}, "delta": look()}
    tasks = [
        given(tmp_path, first),
        given(tmp_path, after, "docker_drift_after"),
        {"ansible.builtin.fail": {"msg": "broken meanwhile"}, "when": "inventory_hostname == 'gamma'"},
    ]
    _said, directory = play({"formats": ["json"], "after": "docker_drift_after"}, tasks=tasks, hosts="alpha,beta,gamma,delta")
    found = {name: (host["verdict"], host["counts"]["mended"]) for name, host in hosts_of(directory).items()}
    assert found == {"alpha": ("drifted", 1), "beta": ("clean", 0), "gamma": ("lost", 0), "delta": ("mended", 1)}
    assert hosts_of(directory)["gamma"]["problem"] == "The host was lost after the first look."


def test_texts_of_hosts_are_not_templated(play, tmp_path):
    marker = tmp_path / "templated"
    evil = "{{ lookup('ansible.builtin.pipe', 'touch " + str(marker) + "') }}"
    results = {"alpha": look({**EDITED, "what": evil, "role": evil}, roles=[evil]), "beta": look()}
    _said, directory = play({"formats": ["json", "text"]}, tasks=[given(tmp_path, results)])
    assert "{{ lookup(" in (directory / "drift.json").read_text(encoding="utf-8")
    assert not marker.exists()


def test_a_variable_can_be_a_template(play, tmp_path):
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text("wanted: '{{ other }}'", encoding="utf-8")
    tasks = [given(tmp_path, {"alpha": look(), "beta": look(EDITED)}, "other")]
    _said, directory = play({"formats": ["json"], "variable": "wanted", "hosts": ["beta"], "name": "a/b"}, tasks=tasks)
    (written,) = directory.glob("*.json")
    assert written.name.startswith("a_b-")
    assert list(hosts_of(directory, written.stem)) == ["beta"]


def test_refusals(play, tmp_path):
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "drift.json").symlink_to(tmp_path / "elsewhere")
    cases = [
        ({"formats": ["sarif"]}, "sarif"),
        ({"mode": "640x"}, "docker_drift_report: mode is '640x'; write it as octal digits in quotes, such as '0640'."),
        ({"hosts": ["nobody"]}, "docker_drift_report: the host 'nobody' is not in the inventory; mend the option hosts."),
        ({"directory": str(linked), "formats": ["json"]}, f"docker_drift_report: {linked}/drift.json is a symbolic link; replace it"),
        ({"more": 1}, "more"),
    ]
    *said, _directory = play(*(options for options, _message in cases))
    for one, (_options, message) in zip(said, cases):
        assert one["failed"]
        assert message in one["msg"]
        assert "Traceback" not in one["msg"]
    assert not (tmp_path / "elsewhere").exists()


def test_the_documentation_has_the_options_of_the_action():
    options = {**yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"], **yaml.safe_load(DOCUMENTATION)["options"]}
    keys = ("type", "elements", "default", "required", "choices")
    spec = {**report_action.SPEC, **action.ActionModule.own_spec}
    assert {name: {key: option[key] for key in keys if key in option} for name, option in options.items()} == spec
