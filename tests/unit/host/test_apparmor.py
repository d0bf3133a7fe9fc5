# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Profiles on a host that does not exist: a parser and a kernel's list of profiles that do what they are told, or not."""

from __future__ import annotations

import pathlib
import re

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import apparmor as profiles
from ansible_collections.bulkhead.docker.plugins.module_utils.host import apparmor, commands, security_modules

WANTED, _PROBLEMS = profiles.parse({"bulkhead-a": {"class": "service"}, "bulkhead-b": {"class": "job"}})


class Kernel:
    """What is loaded, and a parser that changes it."""

    def __init__(self, directory):
        self.directory = directory
        self.modes = {"docker-default": "enforce"}
        self.labels = []
        self.ran = []
        self.syntax_error = ""
        self.deaf = False
        self.loads_as = "enforce"

    def run(self, arguments, timeout=60, check=True, stdin=None):
        self.ran.append(" ".join(arguments[1:2]))
        if arguments[1] == "--version":
            return commands.CommandResult(0, "AppArmor parser version 3.0.8\n", "")
        if arguments[1] == "--skip-kernel-load":
            return commands.CommandResult(bool(self.syntax_error), "", self.syntax_error)
        if not self.deaf:
            if arguments[1] == "--replace":
                text = pathlib.Path(arguments[-1]).read_text(encoding="utf-8")
                self.modes[re.search(r'profile "(.*?)"', text)[1]] = self.loads_as
            else:
                del self.modes[re.search(r'profile "(.*?)"', stdin)[1]]
        return commands.CommandResult(0, "", "")


@pytest.fixture
def kernel(tmp_path, monkeypatch, own_files):
    kernel = Kernel(tmp_path)
    monkeypatch.setattr(apparmor, "DIRECTORY", str(tmp_path))
    monkeypatch.setattr(commands, "run", kernel.run)
    monkeypatch.setattr(commands, "find", lambda name: f"/sbin/{name}")
    monkeypatch.setattr(security_modules, "apparmor_enforced", lambda: True)
    monkeypatch.setattr(security_modules, "loaded_profiles", lambda: dict(kernel.modes))
    monkeypatch.setattr(security_modules, "labels_of_processes", lambda: kernel.labels)
    return kernel


def converge(wanted=None):
    plan = apparmor.make(WANTED if wanted is None else wanted)
    apparmor.carry_out(plan)
    return plan


def test_profiles_are_compiled_written_loaded_and_a_second_run_changes_nothing(kernel):
    plan = converge()
    assert plan.drift.load == {"bulkhead-a": "is not loaded", "bulkhead-b": "is not loaded"}
    assert kernel.ran.index("--skip-kernel-load") < kernel.ran.index("--replace")
    assert kernel.modes == {"docker-default": "enforce", "bulkhead-a": "enforce", "bulkhead-b": "enforce"}
    assert sorted(path.name for path in kernel.directory.iterdir()) == ["bulkhead-a", "bulkhead-b"]
    kernel.ran.clear()
    assert not apparmor.make(WANTED).changes
    assert kernel.ran == ["--version"], "a host in order costs no compilation"


def test_a_plan_changes_nothing(kernel):
    assert apparmor.make(WANTED).changes
    assert list(kernel.directory.iterdir()) == []
    assert "--replace" not in kernel.ran


def test_complain_mode_is_drift(kernel):
    converge()
    kernel.modes["bulkhead-a"] = "complain"
    assert converge().drift.load == {"bulkhead-a": "is in complain mode"}
    assert kernel.modes["bulkhead-a"] == "enforce"


def test_a_changed_file_is_drift(kernel):
    converge()
    (kernel.directory / "bulkhead-a").write_text('profile "bulkhead-a" flags=(complain) { file, }\n')
    assert converge().drift.load == {"bulkhead-a": "has another text"}
    assert "complain" not in (kernel.directory / "bulkhead-a").read_text()


@pytest.mark.parametrize("directory", ["disable", "force-complain"])
def test_a_link_that_softens_the_next_boot_is_drift(kernel, directory):
    converge()
    (kernel.directory / directory).mkdir()
    (kernel.directory / directory / "bulkhead-a").symlink_to(kernel.directory / "bulkhead-a")
    plan = converge()
    assert plan.overrides == (f"{kernel.directory}/{directory}/bulkhead-a",)
    assert list((kernel.directory / directory).iterdir()) == []
    assert not apparmor.make(WANTED).changes


def test_what_is_no_longer_wanted_is_unloaded_and_its_file_goes(kernel):
    converge()
    assert converge(WANTED[:1]).drift.unload == ("bulkhead-b",)
    assert set(kernel.modes) == {"docker-default", "bulkhead-a"}
    assert [path.name for path in kernel.directory.iterdir()] == ["bulkhead-a"]


def test_files_and_profiles_of_others_stay(kernel):
    (kernel.directory / "bulkhead-theirs").write_text("# somebody else's\n")
    (kernel.directory / "docker-nginx").write_text(profiles.MARK)
    converge([])
    assert sorted(path.name for path in kernel.directory.iterdir()) == ["bulkhead-theirs", "docker-nginx"]
    assert kernel.modes == {"docker-default": "enforce"}


def test_a_profile_in_use_is_not_taken_away(kernel):
    converge()
    kernel.labels = ["unconfined", "bulkhead-b", "bulkhead-b"]
    with pytest.raises(apparmor.ApparmorError, match="2 processes run under it and would go on unconfined"):
        apparmor.make(WANTED[:1])
    assert "bulkhead-b" in kernel.modes


def test_what_the_parser_refuses_is_not_written(kernel):
    kernel.syntax_error = "AppArmor parser error at line 7:\n syntax error"
    with pytest.raises(apparmor.ApparmorError, match="refused by apparmor_parser: AppArmor parser error at line 7: syntax error"):
        apparmor.make(WANTED)
    assert list(kernel.directory.iterdir()) == []


def test_a_parser_that_succeeds_proves_nothing(kernel):
    kernel.deaf = True
    with pytest.raises(apparmor.ApparmorError, match="does not enforce what it was given: bulkhead-a is not loaded"):
        converge()


def test_a_profile_that_loads_in_another_mode_is_no_success(kernel):
    kernel.loads_as = "complain"
    with pytest.raises(apparmor.ApparmorError, match="bulkhead-a is in complain mode"):
        converge()


def test_a_host_without_apparmor_is_left_alone(kernel, monkeypatch):
    monkeypatch.setattr(security_modules, "apparmor_enforced", lambda: False)
    plan = apparmor.make(WANTED)
    assert "does not run AppArmor" in plan.unavailable
    assert (plan.changes, kernel.ran) == (False, [])


def test_a_missing_parser_is_said(kernel, monkeypatch):
    monkeypatch.setattr(commands, "find", lambda _name: None)
    assert apparmor.make(WANTED).parser_missing


def test_a_kernel_that_hides_its_profiles_is_no_host_in_order(kernel, monkeypatch):
    monkeypatch.setattr(security_modules, "loaded_profiles", lambda: None)
    with pytest.raises(apparmor.ApparmorError, match="does not show its profiles"):
        apparmor.make(WANTED)


def test_modes_are_read_from_the_kernels_list(tree, monkeypatch):
    tree.write("/sys/kernel/security/apparmor/profiles", "docker-default (enforce)\nbulkhead-a (complain)\na name with (parens) (kill)\n")
    monkeypatch.setattr(security_modules, "open", tree.open, raising=False)
    assert security_modules.loaded_profiles() == {"docker-default": "enforce", "bulkhead-a": "complain", "a name with (parens)": "kill"}


@pytest.mark.parametrize(
    ("choice", "mode", "policy", "settings"),
    [
        ("auto", "enforcing", True, {"selinux-enabled": True}),
        ("auto", "enforcing", False, {}),
        ("auto", "permissive", True, {}),
        ("auto", "off", False, {}),
        ("true", "off", False, {"selinux-enabled": True}),
        ("false", "enforcing", True, {"selinux-enabled": False}),
        ("", "enforcing", True, {}),
    ],
)
def test_labels_of_selinux_follow_the_host(monkeypatch, choice, mode, policy, settings):
    monkeypatch.setattr(security_modules, "selinux_mode", lambda: mode)
    monkeypatch.setattr(security_modules, "selinux_policy_for_containers", lambda: policy)
    assert security_modules.daemon_settings(choice) == settings
