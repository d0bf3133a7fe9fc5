# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What a container may use up, and how it is run: limits, restarts, health, logs, settings of the kernel, its image, secrets.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.checks import (
    failed,
    is_empty,
    is_not,
    is_set,
    is_value,
    not_applicable,
    passed,
    place,
    shown,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import (
    COMPOSE_SERVICE,
    CONTAINER,
    FAIL,
    SWARM_SERVICE,
    WORKLOADS,
    Evidence,
    Outcome,
    Rule,
    Subject,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.severity import (
    AVAILABILITY,
    CONTAINER_ROOT,
    DATA,
    DEFENCE,
    FROM_ACCIDENT,
    FROM_CONTAINER,
    FROM_DEPLOYER,
    FROM_HOST,
    HOST_PART,
    HYGIENE,
    RECREATE,
    TRACES,
)

_MOST_RETRIES = 5
# Settings of the kernel that a namespace has its own copy of (moby pkg/sysinfo, runc validate.go); the rest is the host's.
_NAMESPACED = ("net.", "fs.mqueue.", "kernel.shm", "kernel.msg", "kernel.sem", "kernel.hostname", "kernel.domainname", "user.")
# What weakens even a container's own network, with the values that do.
_WEAKENING = {
    "accept_redirects": "1",
    "accept_source_route": "1",
    "send_redirects": "1",
    "secure_redirects": "1",
    "route_localnet": "1",
    "proxy_arp": "1",
    "rp_filter": "0",
    "forwarding": "1",
    "tcp_syncookies": "0",
    "icmp_echo_ignore_broadcasts": "0",
    "ip_forward": "1",
}


def _restarts_end(subject: Subject) -> Outcome:
    policy = subject.fact("restart_policy")
    expected = f"no, or on-failure with at most {_MOST_RETRIES} attempts"
    if policy.value in ("no", ""):
        return passed(policy, expected, "no")
    if policy.value != "on-failure":
        return failed(policy, expected)
    retries = subject.fact("restart_retries")
    observed = f"on-failure with {retries.value or 'endless'} attempts"
    return (passed if 0 < retries.value <= _MOST_RETRIES else failed)(retries, expected, observed)


def _health_is_checked(subject: Subject) -> Outcome:
    fact = subject.fact("healthcheck")
    return (passed if fact.value in ("defined", "image") else failed)(fact, "a check of the image or of its own")


def _oom_order(subject: Subject) -> Outcome:
    disabled = subject.fact("oom_kill_disabled")
    score = subject.fact("oom_score_adj")
    if disabled.value and not subject.fact("memory").value:
        return failed(disabled, "no, or a limit of memory", "yes, without a limit of memory")
    if score.value < -500:
        # -500 is what dockerd itself has; nothing that it runs should outlive it.
        return failed(score, "-500 or more", score.value)
    if disabled.value:
        return failed(disabled, "no", reach=HYGIENE)
    return passed(score, "not protected", "not protected")


def _kernel_settings(subject: Subject) -> Outcome:
    fact = subject.fact("sysctls")
    expected = "settings of its own namespaces that weaken nothing"
    bad: list[tuple[str, str]] = []
    reach = HYGIENE
    for name, value in fact.value:
        if not name.startswith(_NAMESPACED):
            bad.append((name, f"{name}={value}, which is the host's"))
            reach = HOST_PART
        elif name.startswith("net.") and subject.known("network_mode") == "host":
            bad.append((name, f"{name}={value} on the host's network"))
            reach = HOST_PART
        elif _WEAKENING.get(name.rpartition(".")[2]) == str(value).strip():
            bad.append((name, f"{name}={value}"))
            reach = DEFENCE if reach == HYGIENE else reach
    if not bad:
        return passed(fact, expected)
    return Outcome(FAIL, tuple(Evidence(fact.source, shown(text), expected, *place(fact, name)) for name, text in bad), "", reach)


def _parent_group(subject: Subject) -> Outcome:
    fact = subject.fact("cgroup_parent")
    expected = "the daemon's"
    if not fact.value:
        return passed(fact, expected, "the daemon's")
    # Podman and older engines write their own default down.
    return passed(fact, expected) if fact.value in ("/docker", "docker", "system.slice", "machine.slice", "user.slice") else failed(fact, expected)


def image_tag(reference: str) -> str:
    """Return the tag of a reference, empty for none; a port of the registry is none."""
    return reference.partition("@")[0].rpartition("/")[2].partition(":")[2]


def _image_is_pinned(subject: Subject) -> Outcome:
    fact = subject.fact("image")
    reference = fact.value
    if not reference:
        return not_applicable("it names no image, so it runs the one that it builds")
    if "@sha256:" in reference or "@sha512:" in reference or _is_id(reference):
        return passed(fact, "a digest")
    tag = image_tag(reference)
    if not tag or tag == "latest":
        return failed(fact, "a version or a digest", f"{reference}, whatever that is at the time", reach=CONTAINER_ROOT)
    if subject.kind == CONTAINER:
        return passed(fact, "a version or a digest")
    return failed(fact, "a digest", f"{reference}, which its publisher can move", reach=HYGIENE)


def _is_id(reference: str) -> bool:
    name = reference.partition(":")[2] if reference.startswith("sha256:") else reference
    return len(name) >= 12 and all(letter in "0123456789abcdef" for letter in name) and (len(name) == 64 or reference.startswith("sha256:"))


def _logs_end(subject: Subject) -> Outcome:
    driver = subject.fact("log_driver")
    if driver.value == "none":
        return not_applicable("it keeps no logs, which another rule says")
    return is_value("log_bounded", True)(subject)


RULES = (
    Rule(
        id="memory-limited",
        title="The container's memory is limited",
        why="Without a limit one container takes the memory of all, and the kernel ends whatever it likes.",
        applies_to=WORKLOADS,
        check=is_set("memory", "a limit"),
        attacker=FROM_CONTAINER,
        reach=AVAILABILITY,
        remedy="Set `mem_limit` or `deploy.resources.limits.memory`.",
        blast=RECREATE,
        cis_1_6=("5.11",),
        cis_1_8=("5.11",),
        references=("OWASP Docker rule 7", "ATT&CK T1499"),
    ),
    Rule(
        id="cpu-limited",
        title="The container's use of processors is limited",
        why="Without shares, a quota or a set of processors one container slows all others down.",
        applies_to=WORKLOADS,
        check=is_value("cpu_limited", True),
        attacker=FROM_CONTAINER,
        reach=HYGIENE,
        remedy="Set `cpus`, `cpu_shares`, `cpuset` or `deploy.resources.limits.cpus`.",
        blast=RECREATE,
        cis_1_6=("5.12",),
        cis_1_8=("5.12",),
        references=("OWASP Docker rule 7",),
    ),
    Rule(
        id="pids-limited",
        title="The number of the container's processes is limited",
        why="A fork bomb in one container leaves the host no process to log in with.",
        applies_to=WORKLOADS,
        check=is_set("pids_limit", "a limit"),
        attacker=FROM_CONTAINER,
        reach=AVAILABILITY,
        remedy="Set `pids_limit` or `deploy.resources.limits.pids`.",
        blast=RECREATE,
        cis_1_6=("5.29",),
        cis_1_8=("5.29",),
        references=("OWASP Docker rule 7", "ATT&CK T1499"),
    ),
    Rule(
        id="root-filesystem-read-only",
        title="The container's root filesystem is read-only",
        why="Whoever gets in can change no program and leave nothing behind.",
        applies_to=WORKLOADS,
        check=is_value("read_only_rootfs", True),
        attacker=FROM_CONTAINER,
        reach=DEFENCE,
        remedy="Set `read_only: true`, with `tmpfs` or volumes for what the program writes.",
        blast=RECREATE,
        cis_1_6=("5.13",),
        cis_1_8=("5.13",),
        references=("OWASP Docker rule 8",),
    ),
    Rule(
        id="restarts-end",
        title="The container is not started again and again for ever",
        why="A container that fails at once and is started for ever hides its fault and uses up the host.",
        applies_to=WORKLOADS,
        check=_restarts_end,
        attacker=FROM_ACCIDENT,
        reach=HYGIENE,
        remedy=f"Set `restart: on-failure:{_MOST_RETRIES}`, or watch how often it starts and waive the rule.",
        blast=RECREATE,
        cis_1_6=("5.15",),
        cis_1_8=("5.15",),
    ),
    Rule(
        id="health-checked",
        title="The container's health is checked",
        why="Without a check a service that hangs counts as one that runs.",
        applies_to=WORKLOADS,
        check=_health_is_checked,
        attacker=FROM_ACCIDENT,
        reach=HYGIENE,
        remedy="Define `healthcheck` at the service or HEALTHCHECK in the image.",
        blast=RECREATE,
        cis_1_6=("5.27",),
        cis_1_8=("5.27",),
    ),
    Rule(
        id="ulimits-are-the-defaults",
        title="The container has the daemon's ulimits",
        why="Limits that a single definition raises are limits that nobody reviewed for the host.",
        applies_to=WORKLOADS,
        check=is_empty("ulimits", "the daemon's"),
        attacker=FROM_CONTAINER,
        reach=HYGIENE,
        remedy="Remove `ulimits`, or set the daemon's default for all.",
        blast=RECREATE,
        variable="docker_daemon_default_ulimits",
        cis_1_6=("5.19",),
        cis_1_8=("5.19",),
    ),
    Rule(
        id="cgroup-parent-is-the-default",
        title="The container is in the daemon's control group",
        why="In another group it escapes the limits that hold for all containers together.",
        applies_to=WORKLOADS,
        check=_parent_group,
        attacker=FROM_DEPLOYER,
        reach=DEFENCE,
        remedy="Remove `cgroup_parent`, or make it the daemon's with cgroup-parent.",
        blast=RECREATE,
        variable="docker_daemon_cgroup_parent",
        cis_1_6=("5.25",),
        cis_1_8=("5.25",),
    ),
    Rule(
        id="oom-killer-may-choose",
        title="The container is not protected from the kernel when memory runs out",
        why="What the kernel may not end makes it end something else: the engine, or a login.",
        applies_to=WORKLOADS,
        check=_oom_order,
        attacker=FROM_CONTAINER,
        reach=AVAILABILITY,
        remedy="Remove `oom_kill_disable`, and do not set `oom_score_adj` below -500.",
        blast=RECREATE,
        references=("OWASP Docker rule 7",),
    ),
    Rule(
        id="kernel-settings-harmless",
        title="The container's kernel settings touch only itself and weaken nothing",
        why="A setting that no namespace keeps apart is set for the whole host; some weaken the network that they are for.",
        applies_to=WORKLOADS,
        check=_kernel_settings,
        attacker=FROM_CONTAINER,
        reach=DEFENCE,
        remedy="Remove the setting from `sysctls`; what is the host's is set on the host.",
        blast=RECREATE,
    ),
    Rule(
        id="logs-kept",
        title="What the container writes is kept as a log",
        why="Without a log nobody sees afterwards what happened.",
        applies_to=WORKLOADS,
        check=is_not("log_driver", "none", "a driver that keeps or sends it"),
        attacker=FROM_CONTAINER,
        reach=TRACES,
        remedy="Remove `logging.driver: none`.",
        blast=RECREATE,
        variable="docker_daemon_log_driver",
    ),
    Rule(
        id="logs-bounded",
        title="The container's log has an end",
        why="A log without one fills the filesystem that all containers share.",
        applies_to=WORKLOADS,
        check=_logs_end,
        attacker=FROM_CONTAINER,
        reach=AVAILABILITY,
        remedy="Set `logging.options.max-size`, or `logging.driver: local`; existing containers must be created again.",
        blast=RECREATE,
        variable="docker_daemon_log_opts",
    ),
    Rule(
        id="secrets-not-in-plain-text",
        title="No secret stands in the container's variables, labels or arguments",
        why="They are read by everybody who may look at the engine, by every program inside, and end in logs and dumps.",
        applies_to=WORKLOADS,
        check=is_empty("secret_names"),
        attacker=FROM_HOST,
        reach=DATA,
        remedy="Hand it over with `secrets`, as a file that the program reads (NAME_FILE), and take it out of here. Change it, since it has been seen.",
        blast=RECREATE,
        references=("OWASP Docker rule 12", "ATT&CK T1552.007"),
    ),
    Rule(
        id="image-pinned",
        title="The image is named by a version or a digest",
        why="What `latest` is changes without anybody deciding it, and nobody can tell which fixes are in it.",
        applies_to=(CONTAINER, COMPOSE_SERVICE, SWARM_SERVICE),
        check=_image_is_pinned,
        attacker=FROM_DEPLOYER,
        reach=CONTAINER_ROOT,
        remedy="Write `image` with a version and, before a deploy, with its digest: name:version@sha256:...",
        blast=RECREATE,
        cis_1_6=("5.28",),
        cis_1_8=("5.28",),
        references=("ATT&CK T1525",),
    ),
    Rule(
        id="container-is-current",
        title="The container has what new containers get",
        why="Hardened defaults and mended images reach a container only when it is created again.",
        applies_to=(CONTAINER,),
        check=is_empty("stale", "nothing that a new one would have otherwise"),
        attacker=FROM_ACCIDENT,
        reach=DEFENCE,
        remedy="Create the container again, for example with `docker compose up --force-recreate`.",
        blast=RECREATE,
        cis_1_6=("5.28",),
        cis_1_8=("5.28",),
    ),
)
