# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import compose_files
from ansible_collections.bulkhead.docker.plugins.module_utils.host.compose_files import ComposeFiles
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.tree import ComposeError


@pytest.fixture
def files(tmp_path):
    return ComposeFiles(str(tmp_path))


def refusal(files, path):
    with pytest.raises(ComposeError) as caught:
        files.text(path)
    return str(caught.value)


def test_reading(files, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "compose.yml").write_text("x: \u20ac\n", encoding="utf-8")
    assert files.text("a/compose.yml") == "x: \u20ac\n"
    assert files.text("./a/../a/compose.yml") == "x: \u20ac\n"
    assert files.text(str(tmp_path / "a" / "compose.yml")) == "x: \u20ac\n"
    assert files.text("gone.yml") is None
    assert files.text("a/compose.yml/below") is None


def test_each_file_is_read_once(files, tmp_path):
    (tmp_path / "a.yml").write_text("1")
    assert files.text("a.yml") == "1"
    (tmp_path / "a.yml").write_text("2")
    assert files.text("a.yml") == "1"


def test_links_are_followed(files, tmp_path):
    (tmp_path / "a.yml").write_text("1")
    (tmp_path / "b.yml").symlink_to("a.yml")
    (tmp_path / "loop.yml").symlink_to("loop.yml")
    (tmp_path / "nowhere.yml").symlink_to("nothing")
    assert files.text("b.yml") == "1"
    assert files.text("nowhere.yml") is None
    assert refusal(files, "loop.yml") == "loop.yml: cannot be read: its links go in a circle."


def test_only_regular_files(files, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "tty").symlink_to("/dev/tty")
    for name in ("pipe", "zero", "tty", "."):
        assert refusal(files, name) == f"{name}: is no regular file; name the file itself."


def test_size_is_bounded(files, tmp_path):
    (tmp_path / "fits").write_bytes(b"x" * compose_files.LARGEST)
    (tmp_path / "large").write_bytes(b"x" * (compose_files.LARGEST + 1))
    assert len(files.text("fits")) == compose_files.LARGEST
    assert "is larger than 1048576 bytes" in refusal(files, "large")


def test_all_files_together_are_bounded(files, tmp_path, monkeypatch):
    monkeypatch.setattr(compose_files, "MOST_BYTES", 10)
    for number in range(3):
        (tmp_path / str(number)).write_bytes(b"xxxx")
    assert files.text("0") == files.text("1") == "xxxx"
    assert "larger than 10 bytes together" in refusal(files, "2")


def test_their_number_is_bounded(files, monkeypatch):
    monkeypatch.setattr(compose_files, "MOST_FILES", 3)
    for number in range(3):
        assert files.text(str(number)) is None
    assert "one file more than the 3" in refusal(files, "4")
    assert files.text("2") is None


def test_not_utf8(files, tmp_path):
    (tmp_path / "a.yml").write_bytes(b"a: 1\nb: \xff\n")
    assert refusal(files, "a.yml") == "a.yml:2: is not UTF-8 text; save it as UTF-8."
    (tmp_path / "utf16").write_bytes("a: 1".encode("utf-16"))
    assert refusal(files, "utf16") == "utf16:1: is not UTF-8 text; save it as UTF-8."


@pytest.mark.parametrize("path", ["a\0b", "\ud800", "x" * 5000])
def test_paths_that_cannot_be(files, path):
    message = refusal(files, path)
    assert message.endswith(".") and message.isprintable()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_not_allowed(files, tmp_path):
    (tmp_path / "a.yml").write_text("1")
    (tmp_path / "a.yml").chmod(0)
    assert "cannot be read" in refusal(files, "a.yml")
