# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Where containerd keeps its data, from its file and its arguments."""

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import containerd_config, files
from ansible_collections.bulkhead.docker.plugins.module_utils.host.containerd_config import (
    DEFAULT_ADDRESS,
    DEFAULT_ROOT,
    Containerd,
)

FILE = "/etc/containerd/config.toml"


def read(tree, text=None, arguments=()):
    if text is not None:
        tree.write(FILE, text)
    return containerd_config.read(arguments, str(tree.top))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, Containerd()),
        ("", Containerd()),
        ('root = "/data"\n', Containerd("/data")),
        ("version = 3\nroot='/data' # here\n[grpc]\n  address = \"/run/c.sock\"\n", Containerd("/data", "/run/c.sock")),
        ('[plugins."io.containerd.x"]\nroot = "/other"\n', Containerd()),
        ('[grpc]\nroot = "/other"\n[ttrpc]\naddress = "/t.sock"\n', Containerd()),
        ('[[list]]\nroot = "/other"\n', Containerd()),
        ('# root = "/other"\n#[grpc]\nroot = "/data"\n', Containerd("/data")),
        ('root = "/a\\"b"\n', Containerd()),
        ("root = 5\nroot\n= = =\n\x00\x1b", Containerd()),
    ],
)
def test_what_the_file_says(tree, text, expected):
    assert read(tree, text) == expected


def test_imports_count_more(tree):
    tree.write("/etc/containerd/conf.d/10.toml", 'root = "/imported"\nimports = ["/etc/containerd/conf.d/*.toml"]\n')
    tree.write("/etc/containerd/conf.d/20.toml", '[grpc]\naddress = "/i.sock"\n')
    tree.write("/etc/containerd/near.toml", 'root = "/near"\n')
    assert read(tree, 'imports = ["/etc/containerd/conf.d/*.toml"]\nroot = "/data"\n') == Containerd("/imported", "/i.sock")
    assert read(tree, 'imports = [\n  "near.toml",\n]\nroot = "/data"\n') == Containerd("/near")
    assert read(tree, 'imports = ["/none/*.toml"]\n') == Containerd()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--root", "/flag"], Containerd("/flag")),
        (["--root=/flag", "--address=/f.sock"], Containerd("/flag", "/f.sock")),
        (["-a", "/f.sock"], Containerd("/data", "/f.sock")),
        (["--config", "/srv/c.toml"], Containerd("/other")),
        (["-c", "/srv/c.toml"], Containerd("/other")),
        (["--root"], Containerd("/data")),
        (["--rooted", "/x", "root"], Containerd("/data")),
    ],
)
def test_what_the_arguments_say(tree, arguments, expected):
    tree.write("/srv/c.toml", 'root = "/other"\n')
    assert read(tree, 'root = "/data"\n', arguments) == expected


def test_a_file_that_cannot_be_read(tree):
    (tree.top / "etc" / "containerd" / "config.toml").mkdir(parents=True)
    with pytest.raises(files.FileError):
        read(tree)


def test_defaults():
    assert (DEFAULT_ROOT, DEFAULT_ADDRESS) == ("/var/lib/containerd", "/run/containerd/containerd.sock")
