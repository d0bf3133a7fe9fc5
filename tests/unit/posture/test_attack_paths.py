# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What failures come to together, in one container and from one to the next."""

from __future__ import annotations

import time
import typing as t

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import attack_paths, evaluate, model, severity
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Subject, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules import (
    escapes,
    isolation,
    limits,
    mounts,
    workload_network,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import Mount, Port
from ansible_collections.bulkhead.docker.tests.unit.posture import base
from hypothesis import given, settings
from hypothesis import strategies as st

RULES = [rule for module in (isolation, escapes, mounts, workload_network, limits) for rule in module.RULES]
ROOT = {"uid": 0, "uid_mapped": False}


def workload(name: str, kind: str = model.CONTAINER, file: str = "", project: str = "", **different: t.Any) -> Subject:
    made = base.subject(kind, **different)
    return Subject(kind, name, made.facts, {"project": project}, file, 1 if file else 0)


def daemon(**facts: t.Any) -> Subject:
    return Subject(model.DAEMON, "dockerd", {name: Fact(value, f"test {name}") for name, value in facts.items()})


def paths(*subjects: Subject, context: t.Collection[str] = ()) -> list[model.Finding]:
    judged = evaluate.judge(subjects, RULES, "h1", context)
    return attack_paths.find(subjects, judged, "h1")


def texts(finding: model.Finding) -> list[str]:
    return [piece.observed for piece in finding.evidence]


def volume(name: str, read_only: bool = False) -> Mount:
    return Mount("volume", name, f"/{name}", read_only)


def bind(path: str, read_only: bool = False) -> Mount:
    return Mount("bind", path, "/x", read_only, host_path=path)


# Within one container.


def test_good_containers_have_no_path():
    assert paths(workload("web"), workload("db", mounts=(volume("data"),)), workload("job", mounts=(volume("data"),))) == []


def test_sys_admin_without_apparmor_as_root_is_the_host():
    capable = {"capabilities": frozenset({"SYS_ADMIN"}), "apparmor": "unconfined", "apparmor_mode": "unconfined", "seccomp": "unconfined"}
    [path] = paths(workload("web", **ROOT, **capable))
    assert (path.rule, path.kind, path.subject, path.status, path.severity) == (
        "attack-path-to-host-root",
        attack_paths.KIND,
        "web",
        model.FAIL,
        severity.CRITICAL,
    )
    assert [text.partition(":")[0] for text in texts(path)] == [
        "capability-sys-admin-not-held",
        "apparmor-profile-set",
        "container-runs-as-user",
        "seccomp-filter-on",
    ]
    assert "kernel" in path.reason and path.fingerprint and path.remediation


SINGLE = {
    "sys_admin": {"capabilities": frozenset({"SYS_ADMIN"}), "apparmor": "unconfined", "apparmor_mode": "unconfined"},
    "systempaths": {"writable_paths": ("/proc/sys",), "apparmor": "", "apparmor_mode": ""},
    "etc": {"mounts": (bind("/etc"),)},
    "cron": {"mounts": (bind("/var/spool/cron"),)},
    "trace": {"pid_mode": "host", "capabilities": frozenset({"SYS_PTRACE"})},
    "enter": {"pid_mode": "host", "capabilities": frozenset({"SYS_ADMIN"})},
    "disk": {"device_cgroup_rules": ("b 8:* rwm",), "capabilities": frozenset({"MKNOD"})},
}


@pytest.mark.parametrize("name", SINGLE)
def test_each_way_needs_root_of_the_host(name):
    assert [path.rule for path in paths(workload("web", **ROOT, **SINGLE[name]))] == ["attack-path-to-host-root"]
    assert not [path for path in paths(workload("web", uid=1000, uid_mapped=False, **SINGLE[name])) if path.rule == "attack-path-to-host-root"]
    assert not [path for path in paths(workload("web", uid=0, uid_mapped=True, **SINGLE[name])) if path.rule == "attack-path-to-host-root"]


def test_a_socket_and_its_group_are_the_host_for_any_user():
    [path] = paths(workload("web", mounts=(bind("/run/docker.sock"),), group_add=("998",), api_socket_groups=("998",)))
    assert [text.partition(":")[0] for text in texts(path)] == ["api-socket-group-not-joined", "api-socket-not-mounted"]


@pytest.mark.parametrize(
    "different",
    [
        {"capabilities": frozenset({"SYS_ADMIN"})},
        {"writable_paths": ("/proc/sys",)},
        {"writable_paths": ("/proc/bus",), "apparmor_mode": "unconfined"},
        {"mounts": (bind("/etc", read_only=True),)},
        {"mounts": (bind("/srv/shop"),)},
        {"mounts": (bind("/etc"),), "selinux": "container_t"},
        {"capabilities": frozenset({"MKNOD"})},
        {"device_cgroup_rules": ("c 189:* rmw",), "capabilities": frozenset({"MKNOD"})},
        {"pid_mode": "host"},
    ],
)
def test_a_part_of_a_way_is_none(different):
    assert paths(workload("web", **ROOT, **different)) == []


@pytest.mark.parametrize("fact", ["uid", "uid_mapped", "apparmor_mode", "selinux", "capabilities"])
def test_what_is_unknown_is_no_step(fact):
    whole = {**ROOT, **SINGLE["sys_admin"]}
    assert paths(workload("web", **whole))
    assert paths(workload("web", **{**whole, fact: Unknown("nobody looked")})) == []


def test_a_privileged_container_is_told_by_its_one_failure():
    assert paths(workload("web", **ROOT, **SINGLE["sys_admin"], privileged=True)) == []


def test_a_daemon_without_root_has_none_to_give():
    subject = workload("web", **ROOT, **SINGLE["etc"])
    assert paths(subject)
    assert paths(subject, daemon(rootless=True), context=(severity.ROOTLESS,)) == []


def test_more_ways_are_counted():
    [path] = paths(workload("web", **ROOT, mounts=(bind("/etc"),), pid_mode="host", capabilities=frozenset({"SYS_PTRACE"})))
    assert path.reason.endswith("1 more way lead there")
    assert len(path.evidence) == 2


# From container to container.


def test_a_volume_leads_on():
    web, backup = workload("web", mounts=(volume("data"),)), workload("backup", mounts=(volume("data", read_only=True),), privileged=True)
    [path] = paths(web, backup)
    assert (path.rule, path.subject, path.severity) == ("attack-path-through-a-neighbour", "web", severity.HIGH)
    assert path.reason == "web -> backup -> root on the host"
    assert texts(path) == [
        "web writes to the volume data, which is also mounted in backup",
        "backup: container-not-privileged: yes",
    ]


def test_a_volume_that_is_only_read_leads_nowhere():
    assert paths(workload("web", mounts=(volume("data", read_only=True),)), workload("backup", mounts=(volume("data"),), privileged=True)) == []


@pytest.mark.parametrize(
    ("ours", "theirs", "leads"),
    [
        ("/srv/a", "/srv/a", True),
        ("/srv/a/b", "/srv/a", True),
        ("/srv/a", "/srv/a/b", True),
        ("/srv/a", "/srv/ab", False),
        ("/srv/a", "/srv/b", False),
        ("/srv/a/../b", "/srv/b/", True),
        ("/srv/a", "/", False),
        ("/srv/a", "/var", False),
    ],
)
def test_directories_lead_on_where_they_overlap(ours, theirs, leads):
    found = paths(workload("web", mounts=(bind(ours),)), workload("agent", mounts=(bind(theirs, read_only=True),), privileged=True))
    assert [path.subject for path in found] == (["web"] if leads else [])


def test_a_directory_that_is_a_volume_leads_on():
    data = "/var/lib/docker/volumes/data/_data"
    web = workload("web", mounts=(Mount("volume", "data", "/d", host_path=data),))
    assert [path.subject for path in paths(web, workload("agent", mounts=(bind(data, read_only=True),), privileged=True))] == ["web"]


@pytest.mark.parametrize(("fact", "severe"), [("pid_mode", severity.CRITICAL), ("ipc_mode", severity.HIGH), ("network_mode", severity.HIGH)])
def test_shared_namespaces_lead_on_in_both_directions(fact, severe):
    for joined, other in ((workload("web", **{fact: "container:agent"}), workload("agent", privileged=True)),):
        [path] = paths(joined, other)
        assert (path.subject, path.severity) == ("web", severe)
    [path] = paths(workload("web"), workload("agent", privileged=True, **{fact: "container:web"}))
    assert (path.subject, path.severity) == ("web", severe)


def test_all_mounts_of_another_one_lead_on():
    [path] = paths(workload("web", volumes_from=("agent:ro",)), workload("agent", privileged=True))
    assert (path.subject, path.severity) == ("web", severity.CRITICAL)
    assert texts(path)[0] == "web takes all mounts of agent"


def test_an_api_on_a_shared_network_leads_on():
    nested = workload("nested", privileged=True, networks=("ci",), ports=(Port("127.0.0.1", 2375, 2375),))
    [path] = paths(workload("job", networks=("ci",)), nested, workload("other", networks=("shop",)))
    assert (path.subject, path.severity) == ("job", severity.CRITICAL)
    assert texts(path)[0] == "job is on the network ci with the API that is offered by nested"


def test_an_address_of_an_api_leads_on():
    proxy = workload("proxy", mounts=(bind("/run/docker.sock", read_only=True),))
    [path] = paths(workload("panel", docker_host="tcp://proxy:2375"), proxy)
    assert (path.subject, texts(path)[0]) == ("panel", "panel drives the engine through proxy")


def test_the_shortest_way_of_several_steps_is_shown():
    subjects = (
        workload("a", mounts=(volume("ab"),)),
        workload("b", mounts=(volume("ab"), volume("bc"), volume("bx"))),
        workload("c", mounts=(volume("bc"), volume("cd"))),
        workload("d", mounts=(volume("cd", read_only=True),), privileged=True),
        workload("x", mounts=(volume("bx", read_only=True),), privileged=True),
    )
    found = {path.subject: path.reason for path in paths(*subjects)}
    assert found == {
        "a": "a -> b -> x -> root on the host",
        "b": "b -> x -> root on the host",
        "c": "c -> d -> root on the host",
    }


def test_a_way_within_a_container_is_an_end_too():
    found = paths(workload("web", mounts=(volume("data"),)), workload("agent", **ROOT, mounts=(volume("data"), bind("/etc"))))
    assert [(path.rule, path.subject) for path in found] == [("attack-path-to-host-root", "agent"), ("attack-path-through-a-neighbour", "web")]
    assert texts(found[1])[-1].startswith("agent: attack-path-to-host-root: ")


def test_cycles_end():
    assert paths(workload("a", pid_mode="container:b"), workload("b", pid_mode="container:a")) == []
    found = paths(workload("a", pid_mode="container:b"), workload("b", pid_mode="container:a"), workload("c", privileged=True, ipc_mode="container:b"))
    assert [path.subject for path in found] == ["a", "b"]


def test_names_that_nobody_has_lead_nowhere():
    assert paths(workload("a", pid_mode="container:gone", volumes_from=("gone",), docker_host="tcp://gone:1"), workload("b", privileged=True)) == []


def test_a_container_that_is_joined_to_itself_leads_nowhere():
    assert paths(workload("a", pid_mode="container:a", volumes_from=("a",)), workload("b", privileged=True)) == []


def test_services_of_two_projects_share_no_names():
    kind = model.COMPOSE_SERVICE
    web = workload("web", kind, "one.yml", "one", mounts=(volume("data"),), pid_mode="service:agent")
    agent = workload("agent", kind, "two.yml", "two", mounts=(volume("data"),), privileged=True)
    assert paths(web, agent) == []
    near = workload("agent", kind, "one.yml", "one", mounts=(volume("data"),), privileged=True)
    assert [(path.subject, path.file) for path in paths(web, near, agent)] == [("web", "one.yml")]


def test_two_projects_share_directories_of_the_host():
    kind = model.COMPOSE_SERVICE
    web = workload("web", kind, "one.yml", "one", mounts=(bind("/srv/x"),))
    agent = workload("web", kind, "two.yml", "two", mounts=(bind("/srv/x"),), privileged=True)
    [path] = paths(web, agent)
    assert (path.subject, path.file) == ("web", "one.yml")


# The daemon's API.


def test_an_api_without_certificates_is_reached_from_every_network():
    api = daemon(rootless=False, tls_verify=False, tcp_listening=("0.0.0.0:2375",))
    [path] = paths(workload("web"), workload("host", network_mode="host", networks=()), workload("off", network_mode="none", networks=()), api)
    assert (path.rule, path.subject, path.severity) == ("attack-path-through-the-daemons-api", "dockerd", severity.CRITICAL)
    assert texts(path)[1:] == ["web, on shop", "host, on the host's network"]


def test_an_api_on_loopback_is_reached_from_the_hosts_network_only():
    api = daemon(tls_verify=False, listeners=("tcp://127.0.0.1:2375",))
    assert paths(workload("web"), api) == []
    [path] = paths(workload("web"), workload("net", network_mode="host", networks=()), api)
    assert texts(path)[1:] == ["net, on the host's network"]


@pytest.mark.parametrize(
    "facts", [{"tls_verify": True, "tcp_listening": ("0.0.0.0:2376",)}, {"tls_verify": False, "tcp_listening": ()}, {"tcp_listening": ("0.0.0.0:2375",)}, {}]
)
def test_an_api_with_certificates_or_none_is_no_path(facts):
    assert paths(workload("web"), daemon(**facts)) == []


def test_many_containers_on_an_open_api_are_counted():
    api = daemon(tls_verify=False, tcp_listening=("[::]:2375",))
    [path] = paths(*(workload(f"web{number}") for number in range(50)), api)
    assert "50 containers reach it" in path.reason
    assert texts(path)[-1] == "and 30 more"


# Size and order.


def test_a_thousand_containers_on_one_volume_take_no_time():
    subjects = [workload(f"web{number}", mounts=(volume("data"), bind(f"/srv/all/{number}"))) for number in range(1000)]
    subjects.append(workload("agent", mounts=(volume("data"), bind("/srv/all")), privileged=True))
    judged = evaluate.judge(subjects, RULES, "h1")
    before = time.process_time()
    found = attack_paths.find(subjects, judged, "h1")
    assert time.process_time() - before < 15
    assert len(found) == 1000


def test_a_long_chain_takes_no_time():
    subjects = [workload(f"c{number}", mounts=(volume(f"v{number}"), volume(f"v{number + 1}"))) for number in range(300)]
    subjects.append(workload("agent", mounts=(volume("v300"),), privileged=True))
    before = time.process_time()
    found = attack_paths.find(subjects, evaluate.judge(subjects, RULES, "h1"), "h1")
    assert time.process_time() - before < 15
    assert len(found) == 300
    # Of a long way the beginning and the end are shown.
    assert [piece.observed for piece in found[0].evidence[-2:]] == ["and 280 more steps to agent", "agent: container-not-privileged: yes"]
    assert len(found[0].evidence) == 22 and found[0].reason.endswith("c20 -> ... -> agent -> root on the host")
    assert len(found[280].evidence) == 21


def test_a_path_of_absurd_depth_takes_no_time():
    deep = "/srv" + "/a" * 500_000
    before = time.process_time()
    paths(workload("web", mounts=(bind(deep),)), workload("agent", mounts=(bind(deep), bind("/srv/a")), privileged=True))
    assert time.process_time() - before < 15


NAMES = st.sampled_from(["a", "b", "c", "d", "\x1b[31mred", "<b>", "\ud800"])
MODES = st.one_of(st.just(""), st.just("host"), NAMES.map(lambda name: f"container:{name}"))
MOUNTS = st.lists(
    st.builds(
        Mount,
        st.sampled_from(["bind", "volume", "tmpfs"]),
        st.sampled_from(["/", "/etc", "/srv/a", "data", ""]),
        st.just("/x"),
        st.booleans(),
        st.just(""),
        st.just("/srv/a"),
    ),
    max_size=3,
).map(tuple)
FACTS = st.fixed_dictionaries(
    {},
    optional={
        "privileged": st.booleans(),
        "pid_mode": MODES,
        "ipc_mode": MODES,
        "network_mode": MODES,
        "networks": st.lists(NAMES, max_size=2).map(tuple),
        "volumes_from": st.lists(NAMES, max_size=2).map(tuple),
        "mounts": MOUNTS | st.just(Unknown("nobody looked")),
        "uid": st.sampled_from([0, 1000, Unknown("nobody looked")]),
        "uid_mapped": st.booleans(),
        "capabilities": st.sampled_from([frozenset(), frozenset({"SYS_ADMIN", "MKNOD"}), Unknown("nobody looked")]),
        "ports": st.sampled_from([(), (Port("", 2375, 2375),)]),
        "docker_host": NAMES.map(lambda name: f"tcp://{name}:1"),
    },
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(NAMES, FACTS), max_size=8))
def test_paths_are_the_same_in_every_run_and_end_at_a_container_with_root(made):
    subjects = [workload(name, **facts) for name, facts in made]
    found = paths(*subjects)
    assert found == paths(*subjects)
    ends = {subject.name for subject in subjects if subject.known("privileged")} | {path.subject for path in found if path.rule == attack_paths.TOGETHER.id}
    judged = evaluate.judge(subjects, RULES, "h1")
    ends |= {finding.subject for finding in judged if finding.status == model.FAIL and finding.severity == severity.CRITICAL}
    for path in found:
        assert path.kind == attack_paths.KIND and path.evidence and path.status == model.FAIL
        if path.rule == attack_paths.SHARED.id:
            chain = path.reason.split(" -> ")
            assert chain[0] == path.subject and chain[-2] in ends
            assert len(path.evidence) == len(chain) - 1
