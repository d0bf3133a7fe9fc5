# SPDX-License-Identifier: Apache-2.0
"""What containers may do under the profile that converge chose, and what becomes of profiles that are wrong."""

from __future__ import annotations

import json

import pytest
from lab_docker import IMAGE, refusal
from lab_runs import changed_tasks, last, tasks

MODULE = "bulkhead.docker.docker_daemon_config"
OWN_FILE = "/etc/docker/seccomp-bulkhead.json"
CHOICE = {
    "base": "builtin",
    "allow": [
        {"name": "unshare", "args": [{"index": 0, "op": "eq", "value": 0x10000000}]},
        {"name": "keyctl", "capabilities": ["NET_ADMIN"]},
    ],
    "deny": [
        {"names": ["chmod", "fchmodat", "fchmodat2"]},
        {"name": "socket", "args": [{"index": 0, "op": "eq", "value": 16}], "errno": 97},
    ],
}
KEYCTL, SOCKET, CHMOD = 250, 41, 90
WRONG = [2**64 - 1] * 6
EPERM, EOPNOTSUPP, EFAULT, EAFNOSUPPORT = -1, -95, -14, -97
UPPER_HALF = 1 << 32
AF_UNIX, AF_NETLINK, AF_VSOCK = 1, 16, 40


def name_of(host):
    return host.ansible.get_variables()["inventory_hostname"]


def everything(host):
    """What a refusal or a rollback must leave as it was, and the probe must not add to."""
    return host.check_output(
        "sha256sum /etc/docker/daemon.json %s; docker ps --all --quiet --no-trunc | sort; docker images --all --quiet | sort", OWN_FILE
    )


def test_check_mode_predicted_and_the_second_run_changes_nothing(host):
    predicted = [task for task in tasks(last("check"), name_of(host)) if task["module"].endswith("docker_daemon_config")]
    assert any(task["changed"] for task in predicted)
    assert changed_tasks(last("idempotence"), name_of(host)) == []


def test_what_is_denied_is_refused_and_all_else_works(docker):
    tried = docker.attempt("run", "--rm", "--network=none", IMAGE, "chmod", "600", "/etc/passwd")
    assert (tried.rc, "Operation not permitted" in tried.stderr) == (1, True)
    assert docker.once("sh", "-c", "mkdir /tmp/a && touch /tmp/a/b && ls /tmp/a && id -u", options=("--network=none",)) == "b\n0"
    unfiltered = docker.attempt("run", "--rm", "--network=none", "--security-opt", "seccomp=unconfined", IMAGE, "chmod", "600", "/etc/passwd")
    assert unfiltered.rc == 0


def test_a_denied_call_gets_the_error_that_was_asked_for(docker):
    tried = docker.attempt("run", "--rm", "--network=none", IMAGE, "ip", "link")
    assert "Address family not supported" in tried.stderr


def test_what_is_allowed_for_one_argument_is_refused_for_others(docker):
    docker.once("unshare", "-U", "true", options=("--network=none",))
    assert docker.attempt("run", "--rm", "--network=none", IMAGE, "unshare", "-n", "true").rc == 1


def test_an_int_with_a_bit_in_its_upper_half_passes_the_engines_filter_and_not_ours(on_host):
    domains = [AF_UNIX, AF_NETLINK, AF_NETLINK | UPPER_HALF]
    filtered, free = on_host("returned", calls=[[SOCKET, [domain, 3 if domain != AF_UNIX else 1, 0, 0, 0, 0]] for domain in domains])
    assert min(free) > 0
    assert (filtered[0] > 0, filtered[1:]) == (True, [EAFNOSUPPORT, EAFNOSUPPORT])


def test_what_is_allowed_with_a_capability_stays_closed_without(on_host):
    filtered, free = on_host("returned", calls=[[KEYCTL, WRONG], [CHMOD, WRONG]])
    assert (filtered, free) == ([EPERM, EPERM], [EOPNOTSUPP, EFAULT])


def test_the_probe_proves_it_in_little_time_and_leaves_nothing_behind(host, on_host):
    before = everything(host)
    found = on_host("probe")
    assert everything(host) == before
    assert (found["disagreements"], found["status"]) == ([], "2")
    assert found["seconds"] < 5
    assert len(found["proved_open"]) > 200
    assert {"chmod", "fchmodat", "socket(16)", f"socket({AF_NETLINK | UPPER_HALF})", "keyctl", "mount", "bpf"} <= set(found["proved_closed"])
    assert len(found["undecided"]) < 30


def test_the_probe_sees_that_another_profile_is_in_force(on_host):
    lies = " / ".join(on_host("lie"))
    assert "the profile opens chmod, " in lies
    assert "but a container is refused" in lies


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ({"base": "builtin", "deny": ["execve"]}, "cannot even start"),
        ({"base": "builtin", "deny": ["write"]}, "under the seccomp profile"),
        (
            {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["execve", "write", "exit_group"], "action": "SCMP_ACT_ALLOW"}]},
            "under the seccomp profile",
        ),
    ],
    ids=["no execve", "no write", "almost nothing"],
)
def test_a_profile_that_breaks_every_container_is_rolled_back(host, docker, profile, words):
    kept = docker.start("kept", "--network=none")
    before, process = everything(host), docker.pid(kept)
    settings = json.loads(host.file("/etc/docker/daemon.json").content_string)
    del settings["seccomp-profile"]
    message = refusal(host, MODULE, settings=settings, seccomp_profile=profile)
    assert words in message
    assert "while one without it does" in message
    assert "restored" in message
    assert everything(host) == before
    assert (docker.pid(kept), host.file(f"/proc/{process}").exists) == (process, True)
    docker.once("true", options=("--network=none",))


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ({"base": "builtin", "deny": ["unsahre"]}, "did you mean 'unshare'"),
        ({"base": "builtin", "allow": ["keyctrl"]}, "did you mean 'keyctl'"),
        ({"base": "builtin", "alow": ["keyctl"]}, "did you mean 'allow'"),
        ({"base": "bultin"}, "write 'base: builtin'"),
        (
            {"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_AARCH64"], "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]},
            "this host is SCMP_ARCH_X86_64",
        ),
    ],
    ids=["typing error in deny", "typing error in allow", "wrong key", "wrong base", "other architecture"],
)
def test_a_wrong_profile_is_refused_before_anything_is_written(host, profile, words):
    before = everything(host)
    assert words in refusal(host, MODULE, settings={}, seccomp_profile=profile)
    assert everything(host) == before


def test_naive_a_typing_error_starts_without_a_word_and_does_nothing(host, docker):
    # Closing all but the calls of one list, minus 'unsahre' for unshare: the engine and runc accept it.
    profile = json.loads(host.file(OWN_FILE).content_string)
    profile["syscalls"].append({"names": ["unsahre"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38})
    host.check_output("printf %%s %s > /root/typo.json", json.dumps(profile))
    assert docker.once("unshare", "-U", "true", options=("--network=none", "--security-opt", "seccomp=/root/typo.json")) == ""


def test_naive_two_conditions_on_one_argument_open_more_than_they_say(host, docker, on_host):
    profile = json.loads(host.file(OWN_FILE).content_string)
    between = [{"index": 0, "op": "SCMP_CMP_GE", "value": 0x10000000}, {"index": 0, "op": "SCMP_CMP_LE", "value": 0x20000000}]
    profile["syscalls"].append({"names": ["unshare"], "action": "SCMP_ACT_ALLOW", "args": between})
    host.check_output("printf %%s %s > /root/two.json", json.dumps(profile))
    # 0x50000000, which lies outside.
    docker.once("unshare", "-U", "-n", "true", options=("--network=none", "--security-opt", "seccomp=/root/two.json"))
    warnings = on_host("converge", profile=profile, predicting=True)["warnings"]
    assert [warning for warning in warnings if "two conditions on one argument" in warning]


def test_another_release_of_the_engine_is_another_profile(on_host):
    assert on_host("converge", profile=CHOICE)["changed"] is False
    older = on_host("converge", profile=CHOICE, release="20.10.0")
    assert older["changed"] is True
    assert "close_range" in older["calls"]["closed"]
    newer = on_host("converge", profile=CHOICE)
    assert (newer["changed"], newer["action"]) == (True, "restart")
    assert "close_range" in newer["calls"]["opened"]
    coming = on_host("converge", profile=CHOICE, release="30.1.0", predicting=True)
    assert [warning for warning in coming["warnings"] if "30.1.0 is newer than the tables" in warning]


def test_the_table_is_the_engines_own_profile(host, docker, on_host):
    back = on_host("converge", profile="builtin")
    assert back["calls"]["opened"][:2] == ["chmod", "fchmodat"]
    assert not host.file(OWN_FILE).exists
    if docker.info()["ServerVersion"].startswith(("26", "28")):
        # What ours closes the engine's own leaves open: it is passed by with a bit in the upper half.
        filtered, _free = on_host("returned", calls=[[SOCKET, [domain, 1, 0, 0, 0, 0]] for domain in (AF_VSOCK, AF_VSOCK | UPPER_HALF)])
        assert (filtered[0], filtered[1] > 0) == (EPERM, True)
    compared = on_host("compare")
    differing = {case: found for case, found in compared.items() if not (found.get("same") or found.get("unsupported"))}
    assert differing == {}
    # Capabilities that this lab's kernel cannot give are the engine's to refuse.
    assert {case for case, found in compared.items() if "unsupported" in found} <= {"all", "CAP_BPF", "CAP_PERFMON"}
    assert compared["CAP_SYS_ADMIN"]["rules"] > compared["default"]["rules"] > compared["none"]["rules"]
    assert on_host("converge", profile=CHOICE)["changed"] is True
