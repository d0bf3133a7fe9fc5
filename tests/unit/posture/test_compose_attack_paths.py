# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Ways from service to service of a compose project, and what waivers make of them."""

from __future__ import annotations

import datetime
import re
import time

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import compose_audit, result, waivers
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose import project

TODAY = datetime.date(2026, 12, 1)
NEIGHBOUR = "attack-path-through-a-neighbour"
TOGETHER = "attack-path-to-host-root"


class Files:
    def __init__(self, text):
        self.found = {"compose.yml": text}

    def text(self, path):
        return self.found.get(path)


def audit(text, *accepted, fail_on="never", today=TODAY):
    parsed, problems = waivers.parse(accepted, result.RULE_IDS)
    assert not problems
    options = project.Options(current="/srv/shop")
    request = compose_audit.Request((project.Source("compose.yml"),), options, waivers=tuple(parsed), today=today, fail_on=fail_on)
    return compose_audit.audit(request, Files(text))


def paths(found):
    return {item["subject"]: item for item in found["findings"] if item["kind"] == "attack path"}


def waiver(rule, **more):
    return {"rule": rule, "owner": "platform", "reason": "agreed", "expires": "2027-01-31", **more}


def pair(ours, theirs="privileged: true", rest=""):
    """Return a project in which web shares something with agent, which has the host's root."""
    return f"services:\n  web:\n    image: shop/web:1\n    {ours}\n  agent:\n    image: shop/agent:1\n    {theirs}\n{rest}"


@pytest.mark.parametrize("key", ["pid", "ipc", "network_mode"])
@pytest.mark.parametrize(("name", "more"), [("service:agent", ""), ("container:boss", "\n    container_name: boss")])
def test_a_namespace_of_another_service_leads_to_it(key, name, more):
    found = paths(audit(pair(f"{key}: {name}", "privileged: true" + more)))
    assert list(found) == ["web"]
    path = found["web"]
    assert (path["rule"], path["status"], path["file"], path["line"]) == (NEIGHBOUR, "fail", "compose.yml", 4)
    assert path["severity"] == ("critical" if key == "pid" else "high")
    assert path["reason"] == "web -> agent -> root on the host"


@pytest.mark.parametrize("key", ["pid", "ipc", "network_mode"])
def test_a_service_whose_namespace_is_joined_leads_on_too(key):
    assert list(paths(audit(pair("read_only: true", f"privileged: true\n    {key}: service:web")))) == ["web"]


@pytest.mark.parametrize("key", ["pid", "ipc", "network_mode"])
def test_the_hosts_namespace_of_another_service_is_told_and_leads_on(key):
    found = audit(pair(f"{key}: service:agent", f"privileged: true\n    {key}: host"))
    assert list(paths(found)) == ["web"]
    rule = {"pid": "pid-namespace-own", "ipc": "ipc-namespace-own", "network_mode": "network-not-the-host"}[key]
    [finding] = [item for item in found["findings"] if (item["rule"], item["subject"]) == (rule, "web")]
    assert (finding["severity"], finding["line"], finding["evidence"][0]["observed"]) == ("high", 4, "host")
    assert "services.agent" in finding["evidence"][0]["source"]


def test_a_container_of_no_service_leads_nowhere():
    # A service that names no container gets another name than its own.
    assert paths(audit(pair("pid: container:agent"))) == {}
    assert paths(audit(pair("pid: service:gone"))) == {}


@pytest.mark.parametrize("entry", ["agent", "agent:ro", "container:boss", "container:boss:ro"])
def test_volumes_of_another_service_lead_to_it(entry):
    found = paths(audit(pair(f"volumes_from: ['{entry}']", "container_name: boss\n    privileged: true")))
    assert (found["web"]["severity"], found["web"]["line"]) == ("critical", 4)


SHARED = {
    "named": ("volumes: [data:/d]", "volumes: ['data:/d:ro']", "volumes: {data: {}}\n"),
    "directory": ("volumes: ['./data:/d']", "volumes: ['/srv/shop/data/in:/d:ro']", ""),
    "device": ("volumes: [data:/d]", "volumes: ['/srv/x:/d']", "volumes: {data: {driver_opts: {type: none, o: bind, device: /srv/x}}}\n"),
    "one name": ("volumes: [ours:/d]", "volumes: [theirs:/d]", "volumes: {ours: {external: true, name: big}, theirs: {external: true, name: big}}\n"),
}


@pytest.mark.parametrize("name", SHARED)
def test_a_volume_leads_on(name):
    ours, theirs, rest = SHARED[name]
    assert [path["severity"] for path in paths(audit(pair(ours, f"privileged: true\n    {theirs}", rest))).values()] == ["high"]
    read_only = re.sub(r":/d(?=['\]])", ":/d:ro", ours)
    assert paths(audit(pair(read_only, f"privileged: true\n    {theirs}", rest))) == {}


API = {
    "its name": ("environment: [DOCKER_HOST=tcp://agent:2375]", "image: x"),
    "a link": ("environment: [DOCKER_HOST=tcp://docker:2375]\n    links: ['agent:docker']", "image: x"),
    "an alias": ("environment: [DOCKER_HOST=tcp://docker:2375]", "networks: {default: {aliases: [docker]}}"),
    "a host name": ("environment: [DOCKER_HOST=tcp://docker:2375]", "hostname: docker"),
    "a container's name": ("environment: [DOCKER_HOST=tcp://docker:2375]", "container_name: docker"),
    "an exposed port": ("read_only: true", "expose: ['2375/tcp']"),
    "a command": ("read_only: true", "command: dockerd --host=tcp://0.0.0.0:2375"),
    "no certificates": ("read_only: true", "image: docker:29-dind\n    environment: {DOCKER_TLS_CERTDIR: ''}"),
}


@pytest.mark.parametrize("name", API)
def test_an_api_of_another_service_leads_on(name):
    ours, theirs = API[name]
    text = pair(ours, f"privileged: true\n    {theirs}")
    text = text.replace("    image: shop/agent:1\n", "") if "image:" in theirs else text
    assert [(path["subject"], path["severity"]) for path in paths(audit(text)).values()] == [("web", "critical")]


@pytest.mark.parametrize(
    "theirs",
    ["image: docker:29-dind", "expose: ['2376']", "command: serve --to=tcp://0.0.0.0:23750", "networks: [other]\n    expose: ['2375']"],
)
def test_an_api_with_certificates_or_elsewhere_leads_nowhere(theirs):
    text = pair("read_only: true", f"privileged: true\n    {theirs}", "networks: {other: {}}\n")
    assert paths(audit(text.replace("    image: shop/agent:1\n", "") if "image:" in theirs else text)) == {}


# Waivers.

PID = pair("pid: service:agent\n    labels: {team: shop}")


@pytest.mark.parametrize(
    "selector",
    [{}, {"subject": "web"}, {"image": "shop/web:*"}, {"label": "team=shop"}, {"label": "team"}, {"kind": "attack path"}, {"kind": "compose service"}],
)
def test_a_waiver_of_its_own_covers_a_path_by_whatever_selects_its_service(selector):
    path = paths(audit(PID, waiver(NEIGHBOUR, **selector)))["web"]
    assert path["waiver"]["owner"] == "platform"


@pytest.mark.parametrize("selector", [{"subject": "agent"}, {"image": "shop/agent:*"}, {"label": "team=other"}, {"kind": "container"}])
def test_a_waiver_for_something_else_covers_no_path(selector):
    found = audit(PID, waiver(NEIGHBOUR, **selector))
    assert paths(found)["web"]["waiver"] is None
    assert [item["rule"] for item in found["findings"] if item["kind"] == "waiver"] == ["waiver-covers-something"]


def test_who_accepts_the_end_of_a_path_has_accepted_the_path():
    found = audit(PID, waiver("container-not-privileged", subject="agent"), fail_on="critical")
    path = paths(found)["web"]
    assert path["waiver"] == {
        "owner": "platform",
        "reason": "accepted with container-not-privileged of agent: agreed",
        "expires": "2027-01-31",
        "compensation": "",
    }
    assert not [text for text in found["stopped"] if "attack-path" in text]
    assert [item for item in found["findings"] if item["kind"] == "waiver"] == []


def test_a_waiver_that_has_expired_closes_no_path():
    found = audit(PID, waiver("container-not-privileged", expires="2026-11-30"), fail_on="critical")
    assert paths(found)["web"]["waiver"] is None
    assert len([text for text in found["stopped"] if "attack-path" in text]) == 1


def test_another_end_that_nobody_accepts_is_told_even_when_it_is_further():
    text = PID + "    ipc: service:deep\n  deep:\n    image: shop/deep:1\n    privileged: true\n"
    path = paths(audit(text, waiver("container-not-privileged", subject="agent")))["web"]
    assert (path["waiver"], path["reason"]) == (None, "web -> agent -> deep -> root on the host")
    both = audit(text, waiver("container-not-privileged"))
    assert paths(both)["web"]["waiver"]["reason"].startswith("accepted with container-not-privileged of agent")


def test_two_failures_at_one_end_need_two_waivers():
    text = pair("pid: service:agent", "privileged: true\n    volumes: ['/run/docker.sock:/s']")
    assert paths(audit(text, waiver("container-not-privileged")))["web"]["waiver"] is None


WAY = """services:
  web:
    image: shop/web:1
    user: root
    cap_add: [SYS_ADMIN]
    security_opt: ['apparmor=unconfined', 'no-new-privileges']
"""


def test_lesser_steps_do_not_add_up_to_the_path_and_are_told():
    steps = [waiver("container-runs-as-user"), waiver("apparmor-profile-set", owner="shop")]
    found = audit(WAY, *steps, fail_on="critical")
    path = paths(found)["web"]
    assert (path["rule"], path["severity"], path["waiver"]) == (TOGETHER, "critical", None)
    notes = [piece for piece in path["evidence"] if piece["source"] == "the list of waivers"]
    assert [note["observed"] for note in notes] == [
        "apparmor-profile-set of web is accepted (shop, until 2027-01-31), which does not cover this path",
        "container-runs-as-user of web is accepted (platform, until 2027-01-31), which does not cover this path",
    ]
    assert notes[0]["expected"] == "its steps mended, or a waiver for attack-path-to-host-root too"
    [sentence] = [text for text in found["stopped"] if TOGETHER in text]
    assert "container-runs-as-user of web is accepted" in sentence


def test_a_step_that_is_as_bad_as_the_path_covers_it():
    # Without AppArmor SYS_ADMIN is the host's root by itself.
    path = paths(audit(WAY, waiver("capability-sys-admin-not-held")))["web"]
    assert path["waiver"]["reason"] == "accepted with capability-sys-admin-not-held of web: agreed"


def test_a_waived_way_within_a_service_closes_the_paths_to_it():
    text = WAY + "  side:\n    image: shop/side:1\n    pid: service:web\n"
    accepted = [waiver("capability-sys-admin-not-held"), waiver(TOGETHER)]
    found = paths(audit(text, *accepted))
    assert found["side"]["waiver"] and found["web"]["waiver"]["reason"] == "agreed"
    assert paths(audit(text, accepted[1]))["side"]["waiver"] is None


def test_waived_paths_leave_the_score_as_it_is():
    assert audit(PID, waiver(NEIGHBOUR))["score"] == audit(PID)["score"]


def test_services_that_take_from_one_another_in_chains_and_circles_take_no_time():
    chain = "".join(f"  s{number}:\n    image: x\n    volumes: ['/srv/{number}:/d{number}']\n    volumes_from: [s{number + 1}]\n" for number in range(600))
    circle = "  s600:\n    image: x\n    volumes_from: [s0, s600, gone]\n    pid: service:s0\n"
    before = time.process_time()
    found = audit(f"services:\n{chain}{circle}")
    assert time.process_time() - before < 15
    reasons = {item["reason"] for item in found["findings"] if (item["rule"], item["status"]) == ("api-socket-not-mounted", "unknown")}
    assert any("services" in reason for reason in reasons)


def test_modes_in_a_circle_end():
    found = audit("services:\n  a:\n    pid: service:b\n    network_mode: service:b\n  b:\n    pid: service:a\n    network_mode: service:a\n")
    assert paths(found) == {}
