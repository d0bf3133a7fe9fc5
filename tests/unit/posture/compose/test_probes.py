# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Each probe through the whole judge: the bad service fails the rule at its line, its good twin does not."""

from __future__ import annotations

import pathlib
import re

import pytest
import yaml
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import compose_audit, model, registry
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose import project, schema
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.compose_reading import Assumptions

PROBES = yaml.safe_load((pathlib.Path(__file__).parent / "probes.yml").read_text(encoding="utf-8"))
# What fails or is unknown for reasons that no compose file can change, or that other tests show.
ELSEWHERE = {
    "apparmor-profile-enforced",  # the mode of a profile is known on a host only
    "cgroup-release-agent-out-of-reach",  # cgroup v2 is assumed
}


class Files:
    def __init__(self, texts):
        self.texts = texts

    def text(self, path):
        return self.texts.get(path)


def judge(probe):
    files = Files({"compose.yml": probe["text"], **probe.get("files", {})})
    options = project.Options(current="/srv/shop", environment=probe.get("environment", {}))
    assumptions = Assumptions(trusted_registries=tuple(probe.get("trusted_registries", ())))
    request = compose_audit.Request((project.Source("compose.yml"),), options, assumptions, include=model.STATUSES)
    return compose_audit.audit(request, files)


def of(found, rule, subject):
    (finding,) = [item for item in found["findings"] if (item["rule"], item["subject"]) == (rule, subject)]
    return finding


@pytest.mark.parametrize("probe", PROBES, ids=[probe["name"] for probe in PROBES])
def test_the_bad_fails_and_its_twin_does_not(probe):
    found = judge(probe)
    bad, good = (of(found, probe["rule"], name) for name in ("bad", "good"))
    assert (bad["status"], bad["kind"]) == ("fail", probe.get("kind", "compose service")), bad
    marked = [number for number, line in enumerate(probe["text"].splitlines(), start=1) if line.endswith("# here")]
    assert len(marked) == 1
    assert (bad["file"], bad["line"]) == ("compose.yml", marked[0]), bad
    assert bad["evidence"] and bad["evidence"][0]["observed"] and bad["evidence"][0]["source"]
    assert good["status"] in ("pass", "not-applicable") if probe.get("clean", "pass") == "pass" else good["status"] != "fail", good


def test_there_are_enough_and_none_twice():
    assert len(PROBES) >= 80
    assert len({probe["name"] for probe in PROBES}) == len(PROBES)


def test_every_rule_for_services_has_a_probe():
    rules = {rule.id for rule in registry.RULES if model.COMPOSE_SERVICE in rule.applies_to}
    assert rules - {probe["rule"] for probe in PROBES} == ELSEWHERE


@pytest.mark.parametrize("probe", [probe for probe in PROBES if probe["rule"] == "secrets-not-in-plain-text"], ids=lambda probe: probe["name"])
def test_no_value_of_a_secret_is_returned(probe):
    found = repr(judge(probe))
    for secret in ("correct-horse-9", "12345678abc", "s3cr3t", "npm-abcdef"):
        assert secret not in found


OF_FILES = [rule for rule in registry.RULES if {model.COMPOSE_SERVICE, model.NETWORK, model.VOLUME}.intersection(rule.applies_to)]


@pytest.mark.parametrize("rule", OF_FILES, ids=lambda rule: rule.id)
def test_what_mends_a_service_names_the_key(rule):
    if rule.id in ("volume-data-no-link", "compose-keys-known"):
        return  # no key decides it, or any key does
    keys = {key for known in (*schema._KNOWN.values(), *schema.TOP_ELEMENTS.values()) for key in known}
    named = {word for code in re.findall(r"`([^`]*)`", rule.remedy) for word in re.findall(r"[a-z_]+", code)}
    assert named & keys, rule.remedy
