# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""No value ever becomes a part of a shell's text: in Python, in the roles, and in the units and programs that are written."""

from __future__ import annotations

import ast
import pathlib
import re
import subprocess

import pytest
import yaml
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, storage_options
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import guard, layout
from ansible_collections.bulkhead.docker.plugins.modules import docker_systemd_units

ROOT = pathlib.Path(__file__).resolve().parents[3]
PYTHON = sorted([*(ROOT / "plugins").rglob("*.py"), *(ROOT / "roles").rglob("*.py")])
YAML = sorted([*(ROOT / "roles").rglob("*.yml"), *(ROOT / "playbooks").rglob("*.yml")])
SHELLS = ("sh", "bash", "dash", "ksh", "zsh", "/bin/sh", "/bin/bash", "/usr/bin/sh")
# The only places that may start processes, always with vectors.
STARTERS = {"plugins/module_utils/host/commands.py", "roles/docker_pull/files/docker_pull.py"}
HOSTILE = [
    "/x;reboot",
    "/x $(reboot)",
    "/x`reboot`",
    "/x\nExecStart=/bin/evil",
    "/x%n",
    "/x'y",
    '/x"y',
    "/x\\y",
    "/x y",
    "/x$HOME",
    "/x\t",
    "/x|y",
    "/../etc",
    "x",
    "/é\u2028",
]


def calls(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def constants(tree):
    """Names that are bound to one text without a value in it, and never again."""
    bound = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    bound.setdefault(target.id, []).append(isinstance(node.value, ast.Constant) and isinstance(node.value.value, str))
    return {name for name, values in bound.items() if all(values)}


def offences(text):
    """What in a Python text hands a shell anything but a text that stands in the source."""
    tree = ast.parse(text)
    fixed = constants(tree)
    found = []
    for node in calls(tree):
        name = ast.unparse(node.func)
        if name in ("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "pty.spawn") or name.startswith("os.spawn"):
            found.append(name)
        found += [
            f"{name}({keyword.arg})"
            for keyword in node.keywords
            if keyword.arg in ("shell", "use_unsafe_shell") and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
        ]
    for node in ast.walk(tree):
        if isinstance(node, (ast.List, ast.Tuple)):
            words = [element.value if isinstance(element, ast.Constant) else None for element in node.elts]
            for place, word in enumerate(words[:-1]):
                if (
                    word in SHELLS
                    and isinstance(words[place + 1], str)
                    and words[place + 1].startswith("-")
                    and "c" in words[place + 1]
                    and place + 2 < len(words)
                ):
                    script = node.elts[place + 2]
                    if not (isinstance(script, ast.Constant) or (isinstance(script, ast.Name) and script.id in fixed)):
                        found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_shell_gets_a_value(path):
    text = path.read_text(encoding="utf-8")
    assert offences(text) == []
    if path.relative_to(ROOT).as_posix() not in STARTERS:
        started = {ast.unparse(node.func) for node in calls(ast.parse(text))}
        assert not {name for name in started if name.startswith(("subprocess.", "os.exec", "os.posix_spawn", "asyncio.create_subprocess"))}


@pytest.mark.parametrize(
    "bad",
    [
        "subprocess.run(x, shell=True)",
        "os.system(x)",
        'commands.run(["sh", "-c", f"rm {x}"])',
        'commands.run(["a", "sh", "-ec", script + x])',
        's = "a"\ns = s + x\ncommands.run(["sh", "-c", s])',
        "module.run_command(x, use_unsafe_shell=True)",
        'commands.run(["bash", "-c", "rm %s" % x])',
    ],
)
def test_the_test_sees_a_value_in_a_shell(bad):
    assert offences(bad)


def tasks(node):
    if isinstance(node, list):
        for entry in node:
            yield from tasks(entry)
    elif isinstance(node, dict):
        yield node
        for key in ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always"):
            yield from tasks(node.get(key))


@pytest.mark.parametrize("path", YAML, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_role_uses_a_shell_or_a_line_of_words(path):
    for task in tasks(yaml.safe_load(path.read_text(encoding="utf-8"))):
        for name in task:
            short = str(name).rpartition(".")[2]
            assert short not in ("shell", "raw", "script", "expect"), task
            if short == "command":
                # argv is a vector; a line would be divided where a value has a blank.
                assert isinstance(task[name], dict) and "argv" in task[name] and not {"cmd", "_raw_params"} & set(task[name]), task
                argv = task[name]["argv"]
                assert not (isinstance(argv, list) and argv[0] in SHELLS), task


@pytest.mark.parametrize("path", HOSTILE)
def test_no_hostile_path_comes_into_a_unit(path):
    assert not layout.PLAIN_PATH.fullmatch(path) or path == "/../etc"
    request = storage_options.read(
        {
            "layout": [],
            "disk": "",
            "fstype": "xfs",
            "loop_directory": "/var/lib/bulkhead/loop",
            "data_root": path,
            "userns_remap": "",
            "userns_start": None,
            "userns_count": 65536,
            "wipe": [],
            "existing_data": "refuse",
        }
    )
    if path not in ("x",):
        assert any("data_root" in str(problem) for problem in request.problems) or ".." in path
    request = storage_options.read(
        {
            "layout": [],
            "disk": "",
            "fstype": "xfs",
            "loop_directory": path,
            "data_root": "/var/lib/docker",
            "userns_remap": "",
            "userns_start": None,
            "userns_count": 65536,
            "wipe": [],
            "existing_data": "refuse",
        }
    )
    if path not in ("/../etc",):
        assert any("loop_directory" in str(problem) for problem in request.problems)


@pytest.mark.parametrize(
    "name", ["a.service\nx", "../a.service", "a.service.d/../../x.conf", "a b.service", "a.service.d/x.conf/y", "a.conf", "/a.service", "a.service.d/.conf\n"]
)
def test_no_hostile_name_of_a_unit_is_taken(name):
    assert not docker_systemd_units._PATH.fullmatch(name)


def test_the_guard_takes_its_paths_as_words_and_runs_none(tmp_path):
    # The program as it lies on hosts, with the tools that it calls replaced by one that notes how it was called.
    program = tmp_path / "mount-guard"
    program.write_text(guard.PROGRAM_TEXT, encoding="utf-8")
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "mountpoint").write_text('#!/bin/sh\nprintf "%s\\n" "$@" >>"$NOTES"\n', encoding="utf-8")
    (tools / "mountpoint").chmod(0o755)
    marker = tmp_path / "marker"
    hostile = f"/x $(touch {marker}) `touch {marker}` ; touch {marker} \n'\""
    said = subprocess.run(
        ["sh", str(program), hostile, "uuid"],
        env={"PATH": f"{tools}:/usr/bin:/bin:/sbin", "NOTES": str(tmp_path / "notes")},
        capture_output=True,
        check=False,
    )
    assert said.returncode == 1 and not marker.exists()
    assert hostile in (tmp_path / "notes").read_text(encoding="utf-8")


def test_arguments_reach_a_program_as_they_are(tmp_path):
    marker = tmp_path / "marker"
    hostile = f"$(touch {marker}); `touch {marker}` | x\r\n"
    assert commands.run(["printf", "%s", hostile]).stdout == hostile
    assert not marker.exists()


def test_no_program_is_taken_from_the_callers_path(tmp_path, monkeypatch):
    evil = tmp_path / "id"
    evil.write_text("#!/bin/sh\necho evil\n", encoding="utf-8")
    evil.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin")
    assert "evil" not in commands.run(["sh", "-c", "id"]).stdout
    assert commands.find("id") != str(evil)


def test_roles_write_files_with_modes_that_others_cannot_write():
    loose = []
    for path in YAML:
        for task in tasks(yaml.safe_load(path.read_text(encoding="utf-8"))):
            for name, given in task.items():
                if (
                    str(name).rpartition(".")[2] in ("copy", "template", "file", "get_url", "unarchive")
                    and isinstance(given, dict)
                    and given.get("state") not in ("absent", "link")
                ):
                    mode = str(given.get("mode", ""))
                    if not re.fullmatch(r"0[0-7]{3}", mode) or int(mode, 8) & 0o022:
                        loose.append((path.name, task.get("name"), mode))
    assert loose == []
