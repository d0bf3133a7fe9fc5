# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem, summary

DISK = Problem("/dev/sdb", "is missing; attach it")
KEY = Problem("icc", "is 5; write true or false")


def test_a_problem_is_a_sentence():
    assert str(DISK) == "/dev/sdb: is missing; attach it."


def test_one_reason_is_one_line():
    assert summary([DISK]) == "Refused, nothing was written: /dev/sdb: is missing; attach it."


def test_several_reasons_are_numbered():
    assert summary([DISK, KEY]).splitlines() == [
        "Refused for 2 reasons, nothing was written:",
        "  1. /dev/sdb: is missing; attach it.",
        "  2. icc: is 5; write true or false.",
    ]
