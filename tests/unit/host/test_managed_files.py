# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import files, managed_files

pytestmark = pytest.mark.usefixtures("own_files")


@pytest.fixture
def unit(tmp_path):
    path = tmp_path / "docker.service.d" / "10-bulkhead.conf"
    path.parent.mkdir()
    path.write_text("[Unit]\n", encoding="utf-8")
    path.chmod(0o644)
    return path


def test_what_is_as_it_is_to_be_is_no_difference(unit, tmp_path):
    assert managed_files.differences({str(unit): ("[Unit]\n", 0o644), str(tmp_path / "missing"): (None, 0o644)}) == []


@pytest.mark.parametrize(
    ("text", "mode", "after"),
    [("[Service]\n", 0o644, "[Service]\n"), ("[Unit]\n", 0o600, "[Unit]\n"), (None, 0o644, "")],
)
def test_differences_are_found_shown_and_mended(unit, text, mode, after):
    wanted = {str(unit): (text, mode)}
    (found,) = managed_files.differences(wanted)
    assert found.as_diff() == {"before_header": str(unit), "after_header": str(unit), "before": "[Unit]\n", "after": after}
    managed_files.apply([found])
    assert managed_files.differences(wanted) == []
    assert unit.exists() is (text is not None)


def test_a_missing_file_is_made_with_its_directory(tmp_path):
    path = tmp_path / "system" / "containers.slice"
    wanted = {str(path): ("[Slice]\n", 0o644)}
    found = managed_files.differences(wanted)
    assert [(difference.before, difference.as_diff()["before"]) for difference in found] == [(None, "")]
    managed_files.apply(found)
    assert managed_files.differences(wanted) == []


def test_a_link_is_refused(unit, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(unit)
    with pytest.raises(files.FileError, match="symbolic link"):
        managed_files.differences({str(link): ("text", 0o644)})


def test_differences_come_in_the_order_of_their_paths(tmp_path):
    wanted = {str(tmp_path / name): ("", 0o644) for name in "cab"}
    assert [difference.path[-1] for difference in managed_files.differences(wanted)] == ["a", "b", "c"]
