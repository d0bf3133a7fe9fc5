# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for the machine, so that no test touches the real one and none needs root."""

from __future__ import annotations

import os

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, files


@pytest.fixture
def own_files(monkeypatch):
    """Files of root are files of whoever runs the tests; yields the owners that were asked for."""
    asked = []
    differ = files.attributes_differ
    monkeypatch.setattr(os, "fchown", lambda descriptor, uid, gid: asked.append((uid, gid)))
    monkeypatch.setattr(os, "chown", lambda path, uid, gid: asked.append((uid, gid)))
    monkeypatch.setattr(files, "attributes_differ", lambda path, mode, uid=0, gid=0: differ(path, mode, os.getuid(), os.lstat(path).st_gid))
    return asked


class Tools:
    """Answers commands: from their first words to an exit status and an output."""

    def __init__(self):
        self.answers = {}
        self.ran = []
        self.installed = set()

    def answer(self, words, stdout="", rc=0):
        self.installed.add(words.split()[0])
        self.answers[words] = commands.CommandResult(rc, stdout, "")

    def run(self, arguments, timeout=60, check=True, stdin=None):
        line = " ".join(arguments)
        self.ran.append(line)
        for words, result in self.answers.items():
            if line.startswith(words):
                if check and result.rc:
                    raise commands.CommandError(f"{line} failed")
                return result
        raise commands.CommandError(f"{arguments[0]} is not installed on this host")

    def find(self, name):
        return f"/usr/bin/{name}" if name in self.installed else None


@pytest.fixture
def tools(monkeypatch):
    tools = Tools()
    monkeypatch.setattr(commands, "run", tools.run)
    monkeypatch.setattr(commands, "find", tools.find)
    return tools


class Tree:
    """A directory that stands for the root of a host."""

    def __init__(self, top):
        self.top = top

    def path(self, path):
        return str(self.top / path.lstrip("/"))

    def write(self, path, text):
        target = self.top / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", errors="surrogateescape")

    def open(self, path, *arguments, **options):
        return open(self.path(path), *arguments, **options)


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)
