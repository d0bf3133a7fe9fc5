# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""A credential in an option is repeated nowhere: not in a module's answer, which -vvv prints with all options, and not in the host's journal."""

from __future__ import annotations

import ast
import contextlib
import json
import locale
import pathlib
import re

import pytest
from ansible.module_utils import basic
from ansible.module_utils.common.text.converters import to_bytes
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_changes
from ansible_collections.bulkhead.docker.plugins.modules import (
    docker_daemon_config,
    docker_package_move,
    docker_package_set,
    docker_preflight,
    docker_pull_timer,
)

ROOT = pathlib.Path(__file__).resolve().parents[3]
CANARY = "c4nary-5f3a"
SETTINGS = {
    "icc": False,
    "proxies": {"http-proxy": f"http://someone:{CANARY}@proxy.example:3128", "https-proxy": f"someone:{CANARY}@proxy.example:3128"},
    "log-driver": "splunk",
    "log-opts": {"splunk-token": CANARY, "splunk-url": f"https://x:{CANARY}@splunk.example"},
    "registry-mirrors": [f"https://me:{CANARY}@mirror.example"],
}
LAYOUT = {"layout": [], "userns_remap": ""}
CALLS = [
    (docker_daemon_config, {"settings": SETTINGS}),
    (docker_daemon_config, {"settings": {**SETTINGS, "no-such-key": True}}),
    (docker_preflight, {"settings": SETTINGS, **LAYOUT}),
    (docker_package_set, {"packages": [{"name": "docker.io"}], "settings": SETTINGS}),
    (docker_package_move, {"packages": [{"name": "docker.io"}], "settings": SETTINGS}),
    (
        docker_pull_timer,
        {
            "state": "present",
            "program": "x",
            "variables": json.dumps({"a": CANARY}),
            "environment_variables": json.dumps({"http_proxy": f"http://u:{CANARY}@p"}),
        },
    ),
]


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a module as Ansible does, in check mode, and return all that it says to anybody."""

    def invoke(module, params):
        logged = []
        given = {**params, "_ansible_check_mode": True, "_ansible_diff": True}
        # Before 2.21 a module always repeats its options.
        if "inject_invocation" in basic.PASS_VARS:
            given["_ansible_inject_invocation"] = True
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", to_bytes(json.dumps({"ANSIBLE_MODULE_ARGS": given})))
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        monkeypatch.setattr(basic, "has_journal", False)
        monkeypatch.setattr(basic.AnsibleModule, "_log_to_syslog", lambda _module, message: logged.append(str(message)))
        with contextlib.suppress(SystemExit):
            module.main()
        printed = capsys.readouterr()
        return printed.out, "\n".join([printed.err, *logged])

    # A module sets the locale of its process, and other tests give their children a language.
    before = locale.setlocale(locale.LC_ALL)
    yield invoke
    locale.setlocale(locale.LC_ALL, before)


@pytest.mark.parametrize(("module", "params"), CALLS, ids=lambda value: getattr(value, "__name__", "").rpartition(".")[2] or "options")
def test_no_module_repeats_a_credential(run, module, params):
    answer, elsewhere = run(module, params)
    assert json.loads(answer)["invocation"], "the options are what -vvv prints"
    assert CANARY not in answer
    assert CANARY not in elsewhere


def test_the_naive_way_writes_it_into_answer_and_journal(run, monkeypatch):
    naive = type(
        "naive", (), {"main": staticmethod(lambda: basic.AnsibleModule(argument_spec={"settings": {"type": "dict"}}, supports_check_mode=True).exit_json())}
    )
    answer, elsewhere = run(naive, {"settings": SETTINGS})
    assert CANARY in answer and CANARY in elsewhere


def test_only_credentials_are_hidden():
    assert daemon_changes.secrets(SETTINGS) == {
        *(CANARY, f"someone:{CANARY}", f"x:{CANARY}", f"me:{CANARY}"),
        SETTINGS["proxies"]["http-proxy"],
        SETTINGS["proxies"]["https-proxy"],
        SETTINGS["log-opts"]["splunk-url"],
        SETTINGS["registry-mirrors"][0],
    }
    assert daemon_changes.secrets({"log-driver": "local", "icc": False, "data-root": "/srv"}) == set()


SECRET_WORDS = re.compile(r"pass(word|wd|phrase)|secret|token|credential|private_key|variables|environment_variables|^settings$")
# Options whose names sound so and that hold no secret, or whose module sees to it.
HARMLESS = {("docker_daemon_config", "settings"), ("docker_preflight", "settings"), ("docker_package_set", "settings"), ("docker_package_move", "settings")}


def options(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values):
                if (
                    isinstance(key, ast.Constant)
                    and isinstance(value, ast.Dict)
                    and any(isinstance(inner, ast.Constant) and inner.value == "type" for inner in value.keys)
                ):
                    words = {inner.value: getattr(found, "value", None) for inner, found in zip(value.keys, value.values) if isinstance(inner, ast.Constant)}
                    yield str(key.value), words


@pytest.mark.parametrize("path", sorted((ROOT / "plugins" / "modules").glob("*.py")), ids=lambda path: path.stem)
def test_an_option_that_sounds_like_a_secret_is_none_or_is_hidden(path):
    open_ = [name for name, words in options(path) if SECRET_WORDS.search(name) and words.get("no_log") is not True]
    assert [name for name in open_ if (path.stem, name) not in HARMLESS] == []


@pytest.mark.parametrize("name", sorted({module for module, _option in HARMLESS}))
def test_a_module_with_settings_is_a_quiet_one(name):
    text = (ROOT / "plugins" / "modules" / f"{name}.py").read_text(encoding="utf-8")
    assert "quiet_module.hide(module, \"settings\")" in text and "no_log=True,\n    )" in text or "no_log=True)\n    quiet_module.hide(" in text
