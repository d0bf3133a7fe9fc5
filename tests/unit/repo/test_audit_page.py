# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What the pages of the audit's roles name is there; that fresh hosts fail just what the page says, the scenario audit shows."""

from __future__ import annotations

import pathlib
import re

import yaml
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import registry

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "roles" / "docker_audit.md").read_text(encoding="utf-8")


def test_rules_that_a_fresh_host_fails_are_rules():
    table = PAGE.partition("## A host that was just provisioned")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `([a-z0-9-]+)`", table, re.MULTILINE)
    assert len(named) >= 5
    assert [name for name in named if name not in registry.BY_ID] == []


def test_every_variable_that_mends_something_is_one():
    variables = {name for path in ROOT.glob("roles/*/defaults/main.yml") for name in yaml.safe_load(path.read_text(encoding="utf-8"))}
    assert sorted({rule.variable for rule in registry.RULES if rule.variable} - variables) == []
