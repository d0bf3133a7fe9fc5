# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
import yaml
from ansible.module_utils import basic
from ansible.module_utils.common.text.converters import to_bytes
from ansible_collections.bulkhead.docker.plugins.modules import docker_compose_audit

BAD = "services:\n  web:\n    image: nginx:1\n    privileged: true\n  db:\n    image: postgres:17\n    profiles: [data]\n"


class Exited(Exception):
    pass


@pytest.fixture
def call(monkeypatch, tmp_path):
    """Run the module in a directory with the given files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TAG", "of the controller")

    def invoke(files=None, check=False, **params):
        for name, text in (files or {}).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        ended = []

        def end(_module, **values):
            ended.append(values)
            raise Exited

        warned = []
        monkeypatch.setattr(basic.AnsibleModule, "exit_json", end)
        monkeypatch.setattr(basic.AnsibleModule, "fail_json", lambda module, **values: end(module, failed=True, **values))
        monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _module, text: warned.append(text))
        arguments = {"path": "compose.yml", **params, "_ansible_check_mode": check}
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", to_bytes(json.dumps({"ANSIBLE_MODULE_ARGS": arguments})))
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        with pytest.raises(Exited):
            docker_compose_audit.main()
        return {**ended[0], "warned": warned}

    return invoke


def of(found, rule, subject="web"):
    return [item for item in found["findings"] if (item["rule"], item["subject"]) == (rule, subject)]


@pytest.mark.parametrize("check", [False, True])
def test_a_file(call, check):
    found = call({"compose.yml": BAD}, check=check)
    assert "failed" not in found
    assert found["changed"] is False
    assert (found["services"], found["files"], found["subjects"]) == (["web", "db"], ["compose.yml"], {"compose service": 2})
    (finding,) = of(found, "container-not-privileged")
    assert (finding["status"], finding["severity"], finding["file"], finding["line"]) == ("fail", "critical", "compose.yml", 4)
    assert finding["evidence"][0]["observed"] == "yes"
    assert finding["remediation"]
    assert {item["status"] for item in found["findings"]} <= {"fail", "unknown"}
    assert 0 < found["score"]["percent"] < 100
    assert found["score"]["counts"]["pass"] > 10
    assert found["coverage"]["judged"] > 0
    assert found["waived"] == 0
    assert found["stopped"] == []


def test_several_files_are_one_project(call):
    found = call({"a/base.yml": BAD, "o.yml": "services:\n  web: {privileged: false, pid: host}\n"}, path=["a/base.yml", "o.yml"])
    assert of(found, "container-not-privileged") == []
    (finding,) = of(found, "pid-namespace-own")
    assert (finding["file"], finding["line"]) == ("o.yml", 2)
    assert found["project"] == "a"


def test_all_statuses(call):
    found = call({"compose.yml": BAD + "    user: postgres\n"}, include=["pass", "fail", "unknown", "not-applicable"])
    counts = found["score"]["counts"]
    assert len([item for item in found["findings"] if item["kind"] == "compose service"]) == sum(counts.values())
    assert {item["status"] for item in found["findings"]} == {"pass", "fail", "unknown", "not-applicable"}


def test_profiles(call):
    assert call({"compose.yml": BAD}, profiles=[])["services"] == ["web"]
    assert call({"compose.yml": BAD}, profiles=["data"])["services"] == ["web", "db"]


def test_variables_come_from_options_only(call):
    text = "services: {web: {image: 'x:$TAG', user: '$UID_OF_WEB'}}\n"
    found = call({"compose.yml": text})
    assert [item["reason"] for item in of(found, "image-pinned")] == ["depends on ${TAG}, which is not set"]
    assert found["warned"] == found["odd"] != []
    found = call({"compose.yml": text, ".env": "TAG=1\n", "more.env": "UID_OF_WEB=5\n"}, env_files=[".env", "more.env"])
    assert of(found, "image-pinned")[0]["evidence"][0]["observed"].startswith("x:1")
    assert of(found, "container-runs-as-user") == []
    found = call({"compose.yml": text}, environment={"TAG": 2, "UID_OF_WEB": 0})
    assert of(found, "image-pinned")[0]["evidence"][0]["observed"].startswith("x:2")
    assert of(found, "container-runs-as-user")[0]["status"] == "fail"


def test_the_env_file_beside_the_file(call):
    files = {"p/compose.yml": "services: {web: {image: 'x:$TAG'}}\n", "p/.env": "TAG=7\n", "q/.env": "TAG=8\n"}
    assert "x:7" in repr(call(files, path="p/compose.yml")["findings"])
    assert "x:8" in repr(call(files, path="p/compose.yml", project_directory="q")["findings"])
    assert "x:7" not in repr(call(files, path="p/compose.yml", env_files=[])["findings"])


def test_what_is_known_of_the_host(call):
    text = "services: {web: {image: 'shop/web:1', volumes: ['../x:/x']}}\n"
    plain = {item["rule"] for item in call({"compose.yml": text})["findings"]}
    known = call(
        {"compose.yml": text},
        daemon={"no-new-privileges": True, "log-driver": "local"},
        image_users={"shop/*": 10001},
        deploy_directory="/etc/shop",
    )
    rules = {item["rule"] for item in known["findings"]}
    assert plain - rules >= {"no-new-privileges", "logs-bounded", "container-runs-as-user"}
    assert rules - plain == {"mounts-no-sensitive-directories"}


WAIVER = {"rule": "container-not-privileged", "subject": "w*", "owner": "ops", "reason": "so", "expires": "2999-01-01"}


def test_waivers(call):
    found = call({"compose.yml": BAD}, waivers=[WAIVER], fail_on="critical")
    assert found["waived"] == 1
    assert not any("container-not-privileged" in sentence for sentence in found["stopped"])
    assert of(found, "container-not-privileged")[0]["waiver"]["owner"] == "ops"
    expired = call({"compose.yml": BAD}, waivers=[{**WAIVER, "expires": "2020-01-01"}], fail_on="critical")
    assert any("container-not-privileged" in sentence for sentence in expired["stopped"])
    assert of(expired, "waiver-not-expired", "waiver 1")[0]["status"] == "fail"
    unmatched = call({"compose.yml": BAD}, waivers=[{**WAIVER, "subject": "nobody"}])
    assert of(unmatched, "waiver-covers-something", "waiver 1")[0]["status"] == "fail"


def test_waivers_of_attack_paths(call):
    found = call({"compose.yml": BAD}, waivers=[{**WAIVER, "rule": "attack-path-to-host-root"}])
    assert "failed" not in found


def test_the_gate(call):
    found = call({"compose.yml": BAD}, fail_on="critical")
    assert found["failed"] is True
    assert found["msg"].splitlines()[0] == f"{len(found['stopped'])} failures are at least as bad as fail_on allows, the worst first:"
    assert found["stopped"][0].startswith("compose.yml:4: [critical] ")
    assert any("container-not-privileged, compose service web: found yes, expected no." in line for line in found["msg"].splitlines())
    assert found["findings"] and found["score"] and found["coverage"]
    assert "failed" not in call({"compose.yml": BAD.replace("privileged: true", "privileged: false")}, fail_on="critical")


def test_attack_paths_across_services(call):
    text = (
        "services:\n  proxy:\n    image: x\n    volumes: ['/run/docker.sock:/s']\n"
        "  web:\n    image: x\n    pid: 'service:proxy'\n    cap_add: [SYS_PTRACE]\n"
    )
    found = call({"compose.yml": text})
    assert any(item["kind"] == "attack path" for item in found["findings"])


def test_the_policy_says_which_registries_are_trusted(call):
    text = "services:\n  web:\n    image: quay.io/shop/web:1\n  own:\n    image: registry.example.com/shop:1\n  made:\n    build: .\n"
    asked = {"policy": {"trusted_registries": ["registry.example.com"]}, "include": ["fail", "pass", "not-applicable"]}
    found = {item["subject"]: item for item in call({"compose.yml": text}, **asked)["findings"] if item["rule"] == "image-from-trusted-registry"}
    assert {name: item["status"] for name, item in found.items()} == {"web": "fail", "own": "pass", "made": "not-applicable"}
    assert (found["web"]["file"], found["web"]["line"]) == ("compose.yml", 3)
    assert found["web"]["evidence"][0]["expected"] == "from registry.example.com"
    undecided = call({"compose.yml": text}, include=["not-applicable"])["findings"]
    assert len([item for item in undecided if item["rule"] == "image-from-trusted-registry"]) == 3


@pytest.mark.parametrize(
    "files, params, message",
    [
        ({}, {}, "compose.yml: does not exist."),
        ({"compose.yml": "services:\n\tweb: {}\n"}, {}, "compose.yml:2: is indented with a tab, which YAML does not allow; indent with spaces."),
        ({"compose.yml": "services: {w: {extends: w}}\n"}, {}, "compose.yml:1: services.w extends itself"),
        ({"compose.yml": "services: {w: {privileged: perhaps}}\n"}, {}, "compose.yml:1: is 'perhaps' where compose wants true or false."),
        ({"compose.yml": BAD}, {"path": []}, "path is empty; name at least one compose file."),
        ({"compose.yml": BAD}, {"path": "."}, ".: is no regular file; name the file itself."),
        ({"compose.yml": BAD}, {"env_files": ["x.env"]}, "x.env: is an env file that does not exist."),
        ({"compose.yml": BAD}, {"environment": {"A": [1]}}, "environment: the variable A is a list; give a text or a number."),
        ({"compose.yml": BAD}, {"waivers": [{"rule": "nothing"}]}, "waiver 1: lacks owner"),
        ({"compose.yml": BAD}, {"policy": {"trusted": []}}, "policy.trusted: is no key of a policy"),
    ],
)
def test_what_is_refused(call, files, params, message):
    found = call(files, **params)
    assert found["failed"] is True
    assert found["msg"].startswith(message)


def test_nothing_secret_is_returned(call):
    files = {
        "compose.yml": "services: {web: {image: x, environment: {DB_PASSWORD: correct-horse-9}, env_file: a.env, labels: {token: t0p-secret-value}}}\n",
        "a.env": "API_TOKEN=battery-staple-7\n",
        ".env": "OTHER_TOKEN=from-dot-env-5\n",
    }
    found = repr(call(files, include=["pass", "fail", "unknown", "not-applicable"], waivers=[{**WAIVER, "label": "token=t0p"}]))
    for secret in ("correct-horse-9", "battery-staple-7", "from-dot-env-5", "t0p-secret-value"):
        assert secret not in found


def test_the_documentation_names_what_is_returned(call):
    returned = yaml.safe_load(docker_compose_audit.RETURN)
    found = call({"compose.yml": BAD})
    assert set(found) - {"changed", "warned"} == set(returned)
    options = yaml.safe_load(docker_compose_audit.DOCUMENTATION)["options"]
    assert "deploy_directory" in options
