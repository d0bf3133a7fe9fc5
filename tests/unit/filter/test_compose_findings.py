# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.bulkhead.docker.plugins.filter.compose_findings import FilterModule, compose_findings


def of(findings, rule):
    (found,) = [item for item in findings if item["rule"] == rule]
    return found


def test_a_text():
    found = of(compose_findings("services:\n  web:\n    privileged: true\n", name="t.yml"), "container-not-privileged")
    assert (found["status"], found["file"], found["line"], found["subject"]) == ("fail", "t.yml", 3, "web")


def test_a_dictionary_has_no_lines():
    found = compose_findings({"services": {"web": {"privileged": True, "user": "1000"}}})
    assert of(found, "container-not-privileged")["status"] == "fail"
    assert {item["line"] for item in found} == {0}
    assert {piece["line"] for item in found for piece in item["evidence"]} == {0}


def test_odd_names_in_a_dictionary():
    assert compose_findings({"services": {"w\u00e9b \U0001f4a3 \x01 ${X} 'q\"": {"image": "a: b # c"}}})[0]["subject"] == "w\u00e9b \U0001f4a3 \x01 ${X} 'q\""


def test_options():
    text = "services:\n  web: {image: 'x/y:$TAG', volumes: ['./a:/a'], ports: ['80:80']}\n  db: {image: x, profiles: [p]}\n"
    found = compose_findings(
        text,
        deploy_directory="/etc/web",
        environment={"TAG": "latest"},
        profiles=[],
        daemon={"no-new-privileges": True},
        image_users={"x/*": "5"},
        include=["fail", "pass"],
    )
    assert {item["subject"] for item in found} == {"web"}
    assert of(found, "mounts-no-sensitive-directories")["evidence"][0]["observed"].startswith("/etc/web/a")
    assert of(found, "image-pinned")["evidence"][0]["observed"].startswith("x/y:latest")
    assert [of(found, rule)["status"] for rule in ("no-new-privileges", "container-runs-as-user")] == ["pass", "pass"]


def test_what_other_files_would_say_is_unknown():
    text = "services: {web: {env_file: a.env, security_opt: ['seccomp=p.json']}}\n"
    found = compose_findings(text)
    assert [of(found, rule)["status"] for rule in ("secrets-not-in-plain-text", "seccomp-profile-closes-dangerous-calls")] == ["unknown", "unknown"]


@pytest.mark.parametrize(
    "value, options, part",
    [
        (5, {}, "the input is int"),
        ({"a": object()}, {}, "cannot be written as YAML"),
        ("services: [", {}, "compose.yaml:2: is no YAML"),
        ("", {}, "compose.yaml: defines no services."),
        ("include: [a.yml]\n", {}, "compose.yaml:1: includes a.yml, which is another file"),
        ("services: {w: {extends: {file: a.yml, service: w}}}\n", {}, "extends a service of a.yml, which is another file"),
        ("services: {w: {}}\n", {"include": ["bad"]}, "include names 'bad'"),
        ("services: {w: {}}\n", {"policy": {"trusted": []}}, "policy.trusted: is no key of a policy"),
        ("services: {w: {}}\n", {"environment": {"A": {}}}, "the variable A is a dict"),
    ],
)
def test_wrong_input(value, options, part):
    with pytest.raises(AnsibleFilterError, match="compose_findings: ") as caught:
        compose_findings(value, **options)
    assert part.rstrip(".") in str(caught.value)


def test_no_line_of_the_file_is_in_the_error():
    with pytest.raises(AnsibleFilterError) as caught:
        compose_findings("services: {w: {environment: {PASSWORD: hunter2, [}}}\n")
    assert "hunter2" not in str(caught.value)


def test_a_dictionary_that_contains_itself():
    value = {}
    value["services"] = value
    with pytest.raises(AnsibleFilterError, match="cannot be written as YAML"):
        compose_findings(value)


def test_registered():
    assert FilterModule().filters() == {"compose_findings": compose_findings}


def test_the_policy_says_which_registries_are_trusted():
    found = compose_findings("services: {w: {image: 'quay.io/w:1'}}\n", policy={"trusted_registries": ["registry.example.com"]})
    assert [item["line"] for item in found if item["rule"] == "image-from-trusted-registry"] == [1]
