# SPDX-License-Identifier: Apache-2.0
"""Every case was refused in a sentence that says what was found and what to do. That nothing was written is shown by the
comparison of fingerprints, which the scenario's sequence makes before these tests."""

from __future__ import annotations

import json
import os
import pathlib

import pytest
from lab_docker import refusal
from lab_runs import last, module_runs

EXPECTED = {
    "a disk with a filesystem": "holds ext4; name a blank disk",
    "a disk with a filesystem, asked of storage alone": "holds ext4; name a blank disk",
    "a mounted disk": "is mounted on /srv",
    "a mounted disk that may be wiped": "is mounted on /srv",
    "a disk with a partition": "holds a gpt table with 1 partition; name a blank disk",
    "a disk with swap space": "holds swap; name a blank disk",
    "a disk with unknown data": "holds data without a known signature",
    "a disk that is too small": "is too small: 198 MiB of its 200 MiB are free",
    "a disk with an empty table": "holds a gpt table with 0 partitions",
    "a missing disk": "/dev/does-not-exist: is missing",
    "a file that is no disk": "/dev/null: is missing",
    "a disk named twice": "is named twice, for overlay2 (existing) and for volumes (existing)",
    "a filesystem that is mounted elsewhere": "is mounted on /srv",
    "more than the disk holds": "is too small",
    "loop images larger than the room": "must stay free",
    "a filesystem that overlay2 does not work on": "is not a size",
    "docker data where the new filesystems would hide it": "holds 1 volume already",
    "several reasons at once": "Refused for 4 reasons",
}


def refusals():
    return json.loads(pathlib.Path(os.environ["LAB_RUNS"]).parent.joinpath("refusals.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", EXPECTED)
def test_the_refusal_says_what_was_found(case):
    message = refusals()[case]
    assert message.startswith("Refused")
    assert "nothing was written" in message
    assert EXPECTED[case] in message


def test_every_case_was_asked():
    assert set(refusals()) == set(EXPECTED)


def test_only_modules_that_read_were_run(host):
    ran = {run["module"].rpartition(".")[2] for run in module_runs(last("converge"), host.backend.get_hostname())}
    assert ran - {"copy", "file", "stat", "validate_argument_spec"} <= {"docker_preflight", "docker_storage_plan"}


def test_overlapping_ranges_are_refused_and_kept(host):
    kept = host.file("/etc/subuid").content_string
    host.check_output("cp /root/overlapping /etc/subuid && cp /root/overlapping /etc/subgid")
    try:
        assert "dockremap:100000:65536 overlaps ubuntu:100000:65536" in refusal(host, "bulkhead.docker.docker_subid", user="dockremap")
        assert host.file("/etc/subuid").content_string == host.file("/root/overlapping").content_string
    finally:
        host.check_output("printf %s > /etc/subuid; printf %s > /etc/subgid", kept, kept)
