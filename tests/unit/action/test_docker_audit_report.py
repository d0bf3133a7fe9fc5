# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The action in real plays: what the controller's Ansible makes of variables, hosts that are lost and check mode."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest
import yaml
from ansible_collections.bulkhead.docker.plugins.action import docker_audit_report as action
from ansible_collections.bulkhead.docker.plugins.doc_fragments.report_files import ModuleDocFragment
from ansible_collections.bulkhead.docker.plugins.module_utils.report import formats
from ansible_collections.bulkhead.docker.plugins.modules.docker_audit_report import DOCUMENTATION
from ansible_collections.bulkhead.docker.plugins.plugin_utils import report_action, report_files
from ansible_collections.bulkhead.docker.tests.unit.report.examples import project, result

ROOT = pathlib.Path(__file__).resolve().parents[3]
FORMATS = ["json", "text", "prometheus", "sarif", "junit", "ocsf"]


@pytest.fixture
def play(tmp_path):
    """Return a function that runs the action in a play of some hosts, once for each options, and returns what it said and the directory."""
    collection = tmp_path / "collections" / "ansible_collections" / "bulkhead" / "docker"
    collection.parent.mkdir(parents=True)
    collection.symlink_to(ROOT)
    (tmp_path / "ansible.cfg").write_text("", encoding="utf-8")
    (tmp_path / "results.json").write_text(json.dumps({name: result(name) for name in ("alpha", "beta")}), encoding="utf-8")

    def run(*options, tasks=(), check=False, hosts="alpha,beta"):
        out = tmp_path / "out.json"
        out.unlink(missing_ok=True)
        play_of = [
            {
                "hosts": "all",
                "gather_facts": False,
                "tasks": [
                    *tasks,
                    *(
                        {
                            "bulkhead.docker.docker_audit_report": {"directory": str(tmp_path / "reports"), **one},
                            "register": f"said_{number}",
                            "ignore_errors": True,
                        }
                        for number, one in enumerate(options)
                    ),
                    {
                        "ansible.builtin.copy": {
                            "content": "{{ [" + ", ".join(f"said_{number}" for number in range(len(options))) + "] | to_json }}",
                            "dest": str(out),
                        },
                        "delegate_to": "localhost",
                        "run_once": True,
                        "check_mode": False,
                    },
                ],
            }
        ]
        (tmp_path / "play.yml").write_text(yaml.safe_dump(play_of), encoding="utf-8")
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


def given(tmp_path, name="docker_audit_result"):
    template = "{{ (lookup('file', '" + str(tmp_path / "results.json") + "') | from_json)[inventory_hostname] }}"
    return {"ansible.builtin.set_fact": {name: template}}


def test_a_fleet(play, tmp_path):
    said, directory = play({"formats": FORMATS}, tasks=[given(tmp_path)])
    assert said["changed"]
    assert said["fleet"]["reports"] == said["fleet"]["judged"] == 2
    assert said["summary"][0].startswith("Docker audit: 2 hosts, ")
    names = {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}
    suffixes = [formats.WRITERS[name].suffix for name in FORMATS]
    assert names == {f"{stem}{suffix}" for stem in ("audit", "hosts/alpha", "hosts/beta") for suffix in suffixes}
    assert {file["path"] for file in said["files"]} == {str(directory / name) for name in names}
    assert all(pathlib.Path(file["path"]).stat().st_size == file["size"] for file in said["files"])
    assert {oct(path.stat().st_mode)[-3:] for path in directory.rglob("*") if path.is_file()} == {"600"}
    assert {oct(path.stat().st_mode)[-3:] for path in (directory, directory / "hosts")} == {"700"}
    whole = json.loads((directory / "audit.json").read_text(encoding="utf-8"))
    assert [report["name"] for report in whole["reports"]] == ["alpha", "beta"]
    assert json.loads((directory / "hosts/beta.json").read_text(encoding="utf-8"))["reports"] == whole["reports"][1:]

    # Only the time differs now; then a mode and a finding do.
    again, _directory = play({"formats": FORMATS}, tasks=[given(tmp_path)])
    assert (again["changed"], [file["changed"] for file in again["files"]]) == (False, [False] * 18)
    (directory / "audit.txt").chmod(0o644)
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    results["beta"]["findings"].pop()
    results["alpha"].update(duration=7.5, api_calls=99)
    (tmp_path / "results.json").write_text(json.dumps(results), encoding="utf-8")
    before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    predicted, _directory = play({"formats": FORMATS}, tasks=[given(tmp_path)], check=True)
    assert {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()} == before
    third, _directory = play({"formats": FORMATS}, tasks=[given(tmp_path)])
    changed = [file["path"] for file in third["files"] if file["changed"]]
    assert changed == [file["path"] for file in predicted["files"] if file["changed"]]
    assert {pathlib.Path(path).name.split(".")[0] for path in changed} == {"audit", "beta"}
    assert oct((directory / "audit.txt").stat().st_mode)[-3:] == "600"


def test_check_mode_writes_nothing(play, tmp_path):
    said, directory = play({"formats": ["json"]}, tasks=[given(tmp_path)], check=True)
    assert said["changed"]
    assert [file["changed"] for file in said["files"]] == [True] * 3
    assert not directory.exists()


def test_hosts_without_a_result_are_said(play, tmp_path):
    tasks = [
        {**given(tmp_path), "when": "inventory_hostname == 'alpha'"},
        {"ansible.builtin.set_fact": {"docker_audit_result": [1]}, "when": "inventory_hostname == 'gamma'"},
        {"ansible.builtin.fail": {"msg": "lost"}, "when": "inventory_hostname == 'delta'"},
        {"ansible.builtin.set_fact": {"docker_audit_result": {"failed": True, "msg": "needs root"}}, "when": "inventory_hostname == 'epsilon'"},
    ]
    said, _directory = play({"formats": ["json"], "each": False}, tasks=tasks, hosts="alpha,beta,gamma,delta,epsilon")
    found = {row["name"]: (row["state"], row["problem"]) for row in said["fleet"]["not_judged"]}
    assert found["beta"] == ("missing", "There is no result in the variable docker_audit_result.")
    assert found["gamma"][0] == "damaged"
    assert found["gamma"][1].startswith("The variable docker_audit_result holds ")
    assert found["delta"] == ("unreachable", "The host was not reachable, or failed before the audit.")
    assert found["epsilon"] == ("failed", "needs root")
    assert said["fleet"]["judged"] == 1


def test_texts_of_hosts_are_not_templated(play, tmp_path):
    results = {name: result(name) for name in ("alpha", "beta")}
    marker = tmp_path / "templated"
    results["alpha"]["findings"][0]["title"] = "{{ lookup('ansible.builtin.pipe', 'touch " + str(marker) + "') }}"
    (tmp_path / "results.json").write_text(json.dumps(results), encoding="utf-8")
    _said, directory = play({"formats": ["json"]}, tasks=[given(tmp_path)])
    assert "{{ lookup(" in (directory / "audit.json").read_text(encoding="utf-8")
    assert not marker.exists()


def test_results_alone_leave_hosts_out(play):
    said, directory = play({"results": [project()], "formats": ["json"], "base": "/srv/shop", "name": "com/pose"})
    assert [file["name"] for file in said["files"]] == ["", "shop"]
    assert said["files"][1]["path"] == str(directory / "projects" / "shop.json")
    assert pathlib.Path(said["files"][0]["path"]).name.startswith("com_pose-")
    report = json.loads((directory / "projects" / "shop.json").read_text(encoding="utf-8"))["reports"][0]
    assert report["findings"][0]["file"] == "compose files/compose.yml"


def test_a_variable_can_be_a_template(play, tmp_path):
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text("wanted: '{{ other }}'", encoding="utf-8")
    said, _directory = play({"formats": ["json"], "variable": "wanted", "hosts": ["beta"]}, tasks=[given(tmp_path, "other")])
    assert [(row["name"], row["percent"]) for row in said["fleet"]["worst"]] == [("beta", 27.2)]


def test_refusals(play, tmp_path):
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "audit.json").symlink_to(tmp_path / "elsewhere")
    cases = [
        ({"formats": ["yaml"]}, "yaml"),
        ({"mode": "640x"}, "docker_audit_report: mode is '640x'; write it as octal digits in quotes, such as '0640'."),
        ({"hosts": ["nobody"]}, "docker_audit_report: the host 'nobody' is not in the inventory; mend the option hosts."),
        ({"directory": "/dev/null/reports"}, "docker_audit_report: /dev/null/reports/audit.json cannot be read: Not a directory."),
        ({"directory": str(linked), "formats": ["json"]}, f"docker_audit_report: {linked}/audit.json is a symbolic link; replace it"),
        ({"more": 1}, "more"),
    ]
    *said, _directory = play(*(options for options, _message in cases))
    for one, (_options, message) in zip(said, cases):
        assert one["failed"]
        assert message in one["msg"]
        assert "Traceback" not in one["msg"]
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("name", ["a/b", "../x", ".hidden", "", "a b", "ä", "x" * 300, "..", "con\x00"])
def test_names_of_files(name):
    made = report_files.file_name(name)
    assert made not in (".", "..", name)
    assert report_files.UNSAFE.search(made) is None
    assert len(made) < 120
    assert not made.startswith(".")
    assert report_files.file_name("host-1.example.org") == "host-1.example.org"


def test_two_names_are_two_files():
    assert report_files.file_name("a/b") != report_files.file_name("a b")


def test_the_documentation_has_the_options_of_the_action():
    options = {**yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"], **yaml.safe_load(DOCUMENTATION)["options"]}
    keys = ("type", "elements", "default", "required", "choices")
    spec = {**report_action.SPEC, **action.ActionModule.own_spec}
    assert {name: {key: option[key] for key in keys if key in option} for name, option in options.items()} == spec
