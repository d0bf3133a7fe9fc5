# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The parts of the collection agree with each other."""

from __future__ import annotations

import ast
import pathlib
import re

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))


def load(path):
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("role", ROLES)
def test_argument_specs_equal_defaults(role):
    defaults = load(f"roles/{role}/defaults/main.yml")
    options = load(f"roles/{role}/meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    assert list(options) == list(defaults)
    for name, default in defaults.items():
        if not str(default).startswith("{{"):
            assert options[name].get("default") == default, name
            continue
        # Tools that read the specs take a template for a wrong value, so the text says which public variable is followed.
        assert "default" not in options[name], name
        assert [followed for followed in re.findall(r"\bdocker_\w+", str(default)) if f"C({followed})" not in str(options[name]["description"])] == [], name


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_of_a_role_carries_its_name(role):
    names = list(load(f"roles/{role}/defaults/main.yml"))
    assert names
    assert [name for name in names if not name.startswith(f"{role}_")] == []


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_a_page(role):
    text = (ROOT / "docs" / "roles" / f"{role}.md").read_text(encoding="utf-8")
    missing = [name for name in load(f"roles/{role}/defaults/main.yml") if f"`{name}`" not in text]
    assert missing == []


def test_the_action_group_holds_every_module():
    assert load("meta/runtime.yml")["action_groups"]["host"] == MODULES


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


ARROWS = {
    "engine": {"engine"},
    "storage": {"engine", "storage"},
    "posture": {"engine", "posture"},
    "drift": {"engine", "drift"},
    "report": {"engine", "posture", "drift", "report"},
    "host": {"engine", "storage", "posture", "drift", "host"},
}


@pytest.mark.parametrize("package, allowed", ARROWS.items())
def test_arrows_run_one_way(package, allowed):
    prefix = "ansible_collections.bulkhead.docker.plugins.module_utils."
    for path in sorted((ROOT / "plugins" / "module_utils" / package).rglob("*.py")):
        used = {name[len(prefix):].split(".")[0] for name in imports_of(path) if name.startswith(prefix)}
        assert used <= allowed, path


def test_every_package_has_its_arrows():
    assert {path.name for path in (ROOT / "plugins" / "module_utils").iterdir() if path.is_dir() and path.name != "__pycache__"} == set(ARROWS)


@pytest.mark.parametrize("package", ["engine", "storage", "posture", "drift", "report"])
def test_pure_code_touches_nothing(package):
    forbidden = {"os", "subprocess", "socket", "pathlib", "shutil", "docker", "ansible", "tempfile", "time"}
    for path in sorted((ROOT / "plugins" / "module_utils" / package).rglob("*.py")):
        tops = {name.split(".")[0] for name in imports_of(path)} - {"ansible_collections"}
        assert tops & forbidden == set(), path
        calls = [node.func for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        assert "open" not in [function.id for function in calls if isinstance(function, ast.Name)], path


TASK_FILES = [path for pattern in ("roles/*/tasks/*.yml", "roles/*/handlers/*.yml", "playbooks/*.yml") for path in sorted(ROOT.glob(pattern))]


@pytest.mark.parametrize("path", TASK_FILES, ids=lambda path: path.stem)
def test_nothing_is_merged_in_yaml(path):
    """ansible-core warns in every run of a key that is merged and given once more."""
    assert "<<:" not in path.read_text(encoding="utf-8")
