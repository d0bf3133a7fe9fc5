# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import re

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import apparmor

PARSER = (4, 1, 0)


def text(kind="service", parser=PARSER, **options):
    (profile,), problems = apparmor.parse({"bulkhead-x": {"class": kind, **options}})
    assert problems == []
    return apparmor.render(profile, parser)


def rules(rendered):
    return [line.strip() for line in rendered.splitlines() if line.startswith("  ") and not line.strip().startswith("#")]


def denies_writing(rendered, path):
    """Judge by the globs of the deny rules, as far as these tests need them: braces, classes, * and **."""
    for rule in rules(rendered):
        match = re.fullmatch(r"deny (/\S*) (\w+),", rule)
        if match and "w" in match[2]:
            for glob in braces(match[1]):
                pattern = re.escape(glob).replace(r"\*\*", ".+").replace(r"\*", "[^/]*")
                pattern = re.sub(r"\\\[(.*?)\\\]", lambda inner: f"[{inner[1]}]".replace("\\", ""), pattern)
                if re.fullmatch(pattern, path):
                    return True
    return False


def braces(glob):
    match = re.search(r"\{([^{}]*)\}", glob)
    if not match:
        return [glob]
    return [whole for part in match[1].split(",") for whole in braces(glob[: match.start()] + part + glob[match.end() :])]


@pytest.mark.parametrize("kind", apparmor.CLASSES)
@pytest.mark.parametrize(
    "path",
    [
        "/proc/sysrq-trigger",
        "/proc/kcore",
        "/proc/irq/0/smp_affinity",
        "/proc/scsi/scsi",
        "/proc/timer_list",
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/modprobe",
        "/proc/sys/kernel/sysrq",
        "/proc/sys/vm/panic_on_oom",
        "/proc/sys/fs/binfmt_misc/register",
        "/sys/kernel/uevent_helper",
        "/sys/kernel/security/apparmor/.remove",
        "/sys/fs/bpf/x",
        "/sys/firmware/efi/efivars/x",
        "/sys/devices/system/cpu/cpu1/online",
        "/sys/fs/cgroup/release_agent",
        "/sys/fs/cgroup/memory/docker/release_agent",
    ],
)
def test_what_leads_out_of_a_container_is_not_written(kind, path):
    assert denies_writing(text(kind), path)


@pytest.mark.parametrize("kind", apparmor.CLASSES)
@pytest.mark.parametrize("path", ["/proc/1/oom_score_adj", "/proc/42/task/43/comm", "/etc/passwd", "/srv/sys/x", "/dev/shm/x", "/run/app.sock"])
def test_what_programs_need_is_written(kind, path):
    assert not denies_writing(text(kind), path)


@pytest.mark.parametrize(
    ("path", "denied"),
    [
        ("/proc/sys/net/ipv4/ip_unprivileged_port_start", {"service", "job"}),
        ("/proc/sys/kernel/shmmax", {"service", "job"}),
        ("/proc/1/uid_map", {"service", "job"}),
        ("/proc/1/mem", {"service", "job"}),
        ("/sys/fs/cgroup/x/memory.max", {"service", "job"}),
        ("/var/run/docker.sock", {"service", "job"}),
        ("/run/containerd/containerd.sock", {"service", "job"}),
    ],
)
def test_classes_differ_as_they_say(path, denied):
    assert {kind for kind in apparmor.CLASSES if denies_writing(text(kind), path)} == denied


def networks(kind):
    return {rule.rstrip(",") for rule in rules(text(kind)) if rule.startswith("network")}


def test_a_service_sends_no_raw_packets_and_a_job_has_no_network():
    assert networks("everyday") == {"network"}
    assert networks("service") == {f"network {family} {kind}" for family in ("inet", "inet6") for kind in ("stream", "dgram")} | {
        "network unix",
        "network netlink raw",
    }
    assert networks("job") == {"network unix"}


@pytest.mark.parametrize("kind", apparmor.CLASSES)
def test_no_class_mounts_and_all_deny_af_alg(kind):
    assert {"deny mount,", "deny pivot_root,", "deny network alg,"} <= set(rules(text(kind)))


def test_only_the_everyday_class_traces():
    tracing = [kind for kind in apparmor.CLASSES if any(rule.startswith("ptrace (read, trace") for rule in rules(text(kind)))]
    assert tracing == ["everyday"]


def test_no_class_allows_what_containers_escape_by():
    for kind in ("service", "job"):
        (allowed,) = [rule for rule in rules(text(kind)) if rule.startswith("capability ")]
        assert not {"sys_admin", "sys_ptrace", "sys_module", "net_raw", "net_admin", "mknod", "dac_read_search"} & set(allowed.strip(",").split())


@pytest.mark.parametrize(("parser", "abi"), [((2, 13, 6), []), ((3, 0, 8), ["abi <abi/3.0>,"]), ((4, 1, 8), ["abi <abi/3.0>,"])])
def test_the_abi_follows_the_parser(parser, abi):
    assert [line for line in text(parser=parser).splitlines() if line.startswith("abi")] == abi


def test_options_are_added_and_capabilities_replaced():
    rendered = text("everyday", capabilities=["NET_BIND_SERVICE", "chown"], read_only=["/etc/**"], hidden=["/run/secrets/**"], no_exec=["/{,var/}tmp/**"])
    assert {
        "capability chown net_bind_service,",
        "deny /etc/** wkl,",
        "deny /run/secrets/** rwklmx,",
        "deny /{,var/}tmp/** mx,",
    } <= set(rules(rendered))
    assert "capability," not in rules(rendered)
    assert "deny capability," in rules(text(capabilities=[]))


def test_a_profile_names_itself():
    rendered = text()
    assert "@NAME@" not in rendered
    assert 'profile "bulkhead-x" flags=' in rendered
    assert rendered.startswith(apparmor.MARK)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("docker-default", {"class": "job"}, "is no name for a profile of ours"),
        ("bulkhead-x y", {"class": "job"}, "is no name for a profile of ours"),
        ("bulkhead-../x", {"class": "job"}, "is no name for a profile of ours"),
        ("bulkhead-", {"class": "job"}, "is no name for a profile of ours"),
        ("bulkhead-x", "job", "is no dictionary"),
        ("bulkhead-x", {}, "has the class 'None'"),
        ("bulkhead-x", {"class": "web"}, "choose one of everyday, service, job"),
        ("bulkhead-x", {"class": "job", "clas": 1}, "unknown key clas"),
        ("bulkhead-x", {"class": "job", "capabilities": ["cap_chown"]}, "'cap_chown', which is no capability"),
        ("bulkhead-x", {"class": "job", "capabilities": "chown"}, "is no list of strings"),
        ("bulkhead-x", {"class": "job", "hidden": ["run"]}, "'run', which is no path"),
        ("bulkhead-x", {"class": "job", "hidden": ["/a,\n  capability"]}, "which is no path"),
        ("bulkhead-x", {"class": "job", "no_exec": ["/a b"]}, "which is no path"),
        ("bulkhead-x", {"class": "job", "read_only": ['/a"']}, "which is no path"),
    ],
)
def test_what_is_no_profile_is_refused(name, options, words):
    profiles, problems = apparmor.parse({name: options})
    assert profiles == []
    assert words in str(problems[0])


def test_what_the_kernel_lacks_is_loaded_and_what_nobody_wants_goes():
    loaded = {"bulkhead-a": "enforce", "bulkhead-b": "complain", "bulkhead-c": "enforce", "bulkhead-old": "enforce", "docker-default": "enforce"}
    drift = apparmor.drift(["bulkhead-a", "bulkhead-b", "bulkhead-c", "bulkhead-d"], ["bulkhead-c"], loaded)
    assert drift.load == {"bulkhead-b": "is in complain mode", "bulkhead-c": "has another text", "bulkhead-d": "is not loaded"}
    assert drift.unload == ("bulkhead-old",)


def test_the_tests_own_matching_matches():
    assert denies_writing("  deny /a/{b,c}/[d-f]** wkl,", "/a/c/ex/y")
    assert not denies_writing("  deny /a/{b,c}/[d-f]** wkl,", "/a/c/g")
