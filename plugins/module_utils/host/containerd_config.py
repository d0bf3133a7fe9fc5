# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Where containerd keeps its data and listens, from its configuration and its command line.

PRIVATE to the collection: no stability is promised to other users.

Of its file only a few keys are read, those that stand before the first table and the address of [grpc]; Python reads TOML
by itself only since 3.11.
"""

from __future__ import annotations

import glob
import os
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.host import files

CONFIG_FILE = "/etc/containerd/config.toml"
DEFAULT_ROOT = "/var/lib/containerd"
DEFAULT_ADDRESS = "/run/containerd/containerd.sock"
_KEY = re.compile(r"\s*(?P<key>[A-Za-z_]+)\s*=\s*(?P<quote>[\"'])(?P<value>[^\"'\\]*)(?P=quote)\s*(?:#.*)?")
_IMPORTS = re.compile(r"^\s*imports\s*=\s*\[(?P<list>[^\]]*)\]", re.MULTILINE)
_QUOTED = re.compile(r"[\"']([^\"'\\]*)[\"']")
_TABLE = re.compile(r"\s*\[+\s*(?P<name>[^\]]*?)\s*\]+\s*(?:#.*)?")
_MOST_IMPORTS = 50


class Containerd(t.NamedTuple):
    """What containerd uses: the directory of its data, and its socket."""

    root: str = DEFAULT_ROOT
    address: str = DEFAULT_ADDRESS


def read(arguments: t.Sequence[str] = (), root: str = "", default_file: str = CONFIG_FILE) -> Containerd:
    """Return what containerd uses.

    Args:
        arguments: of its process, without its own name.
        root: a directory that stands for the root of the host; empty for the host itself.

    Raises:
        files.FileError: its configuration cannot be read.
    """
    path = _flag(arguments, "config", "c") or default_file
    values = _values(root, path, imports=True)
    return Containerd(
        _flag(arguments, "root", "") or values.get("root") or DEFAULT_ROOT,
        _flag(arguments, "address", "a") or values.get("grpc.address") or DEFAULT_ADDRESS,
    )


def _values(root: str, path: str, imports: bool) -> dict[str, str]:
    text = files.read_text(os.path.realpath(root + path)) or ""
    found: dict[str, str] = {}
    table = ""
    for line in text.splitlines():
        named = _TABLE.fullmatch(line)
        if named:
            table = named["name"]
            continue
        match = _KEY.fullmatch(line)
        if match and (not table or table == "grpc"):
            found[f"{table}.{match['key']}" if table else match["key"]] = match["value"]
    listed = _IMPORTS.search(text) if imports else None
    patterns = _QUOTED.findall(listed["list"]) if listed else []
    for pattern in patterns[:_MOST_IMPORTS]:
        whole = pattern if pattern.startswith("/") else f"{os.path.dirname(path)}/{pattern}"
        for name in sorted(glob.glob(root + whole))[:_MOST_IMPORTS]:
            # What is imported counts more, and imports nothing itself that matters here.
            found.update(_values("", name, imports=False))
    return found


def _flag(arguments: t.Sequence[str], name: str, short: str) -> str:
    for number, word in enumerate(arguments):
        option, equals, value = word.partition("=")
        if option in (f"--{name}", f"-{name}", *([f"-{short}"] if short else [])):
            return value if equals else arguments[number + 1] if number + 1 < len(arguments) else ""
    return ""
