# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The role docker_pull takes the variables of every role along."""

from __future__ import annotations

import pathlib

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]


def test_no_role_is_forgotten():
    known = yaml.safe_load((ROOT / "roles" / "docker_pull" / "vars" / "main.yml").read_text(encoding="utf-8"))["__docker_pull_roles"]
    assert known == sorted(path.name for path in (ROOT / "roles").iterdir())
