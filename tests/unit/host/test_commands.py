# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import time

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands
from ansible_collections.bulkhead.docker.plugins.module_utils.host.commands import CommandError


def sh(script, *arguments, **options):
    return commands.run(["sh", "-c", script, "sh", *arguments], **options)


def test_outputs_and_status():
    assert sh("echo out; echo err >&2; exit 3", check=False) == (3, "out\n", "err\n")


def test_arguments_arrive_unchanged():
    words = ["a b", "$HOME", "*", "; exit 1", ""]
    assert sh('printf "%s\\n" "$@"', *words).stdout.split("\n")[:-1] == words


@pytest.mark.parametrize(("given", "read"), [(None, ""), ("text", "text")])
def test_stdin(given, read):
    assert sh("cat", stdin=given).stdout == read


@pytest.mark.parametrize(
    ("script", "said"),
    [("echo out; echo first >&2; echo last >&2; exit 4", "failed with status 4: last"), ("echo out; false", "status 1: out"), ("exit 2", "it printed nothing")],
)
def test_a_failure_ends_with_the_last_words(script, said):
    with pytest.raises(CommandError) as raised:
        sh(script)
    assert str(raised.value).endswith(said)


def test_a_command_that_takes_too_long_is_killed():
    began = time.monotonic()
    with pytest.raises(CommandError, match="did not finish within 0.2 seconds"):
        commands.run(["sleep", "20"], timeout=0.2)
    assert time.monotonic() - began < 10


def test_a_missing_tool_is_named():
    with pytest.raises(CommandError, match="no-such-tool is not installed on this host"):
        commands.run(["no-such-tool"], check=False)


def test_what_cannot_be_run_is_named(tmp_path):
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\n", encoding="utf-8")
    with pytest.raises(CommandError, match="cannot be run: Permission denied"):
        commands.run([str(tool)])


def test_the_environment_is_the_same_for_everybody(tmp_path, monkeypatch):
    impostor = tmp_path / "true"
    impostor.write_text("#!/bin/sh\necho impostor\n", encoding="utf-8")
    impostor.chmod(0o755)
    for name, value in {"PATH": str(tmp_path), "LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de"}.items():
        monkeypatch.setenv(name, value)
    assert commands.run(["true"]).stdout == ""
    assert os.path.dirname(commands.find("true")) != str(tmp_path)
    assert sh('echo "$LC_ALL,$LANGUAGE"').stdout == "C.UTF-8,\n"


def test_bytes_that_are_no_text_do_no_harm():
    assert sh(r"printf 'a\377b'").stdout == "a\ufffdb"
