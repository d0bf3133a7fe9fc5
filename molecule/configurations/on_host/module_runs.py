# SPDX-License-Identifier: Apache-2.0
"""Runs a module of the collection on this host as Ansible does, its arguments as JSON in and its answer as JSON out."""

from __future__ import annotations

import importlib
import json
import os
import pathlib
import sys
import traceback
import typing as t

from ansible.module_utils import basic

CONFIG_MODULE = importlib.import_module("ansible_collections.bulkhead.docker.plugins.modules.docker_daemon_config")
_BASE = pathlib.Path("/run/configurations-base.json")


def configure(check: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
    """Run docker_daemon_config in a process of its own and return what it answers; a crash is a failure that says so."""
    text = json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_check_mode": check, "_ansible_diff": True}})
    inlet, outlet = os.pipe()
    child = os.fork()
    if child == 0:
        _answer(text, inlet, outlet)
    os.close(outlet)
    with os.fdopen(inlet, encoding="utf-8") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    lines = [line for line in said.splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else {"failed": True, "msg": f"CRASHED: {said}"}


def _answer(text: str, inlet: int, outlet: int) -> t.NoReturn:
    os.close(inlet)
    os.dup2(outlet, 1)
    os.dup2(outlet, 2)
    basic._ANSIBLE_ARGS = text.encode()
    basic._ANSIBLE_PROFILE = "legacy"
    try:
        CONFIG_MODULE.main()
    except SystemExit:
        pass
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def base_settings() -> dict[str, t.Any]:
    """Return the settings that the role gave this host, as it remembers them; the cases differ from these."""
    if not _BASE.exists():
        _BASE.write_text(pathlib.Path("/etc/docker/daemon.json").read_text(encoding="utf-8"), encoding="utf-8")
    return json.loads(_BASE.read_text(encoding="utf-8"))
