# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Reports as they look in practice: hosts with containers, failures, attack paths, waivers and unknowns; and one as large as they get.

Made from a fixed seed, so that it is the same at every run.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import random
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture import (
    attack_paths,
    evaluate,
    model,
    score,
    severity,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import (
    COMPOSE_SERVICE,
    CONTAINER,
    DAEMON,
    FAIL,
    HOST,
    IMAGE,
    NOT_APPLICABLE,
    PASS,
    UNKNOWN,
    WORKLOADS,
    Evidence,
    Finding,
    Outcome,
    Rule,
    Subject,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.report import document

GENERATED = "2026-11-26T02:15:00Z"
VERSION = "0.1.0"


def _never(_subject: Subject) -> Outcome:
    raise AssertionError("samples are judged by hand")


def _rule(name: str, title: str, why: str, kinds: t.Sequence[str], attacker: str, reach: str, remedy: str, blast: str, *cis: str, **more: t.Any) -> Rule:
    return Rule(name, title, why, tuple(kinds), _never, attacker, reach, remedy, blast, cis_1_6=tuple(cis), cis_1_8=tuple(cis), **more)


C, H, N = severity.FROM_CONTAINER, severity.FROM_HOST, severity.FROM_NETWORK
# A rule, where its fact is read, what is found where it fails, and what should be there.
Sampled = tuple[Rule, str, str, str]
SAMPLED: tuple[Sampled, ...] = (
    (
        _rule(
            "container-not-privileged", "The container is not privileged",
            "A privileged container has every capability, every device and no filter: its root is root of the host.",
            WORKLOADS, C, severity.HOST_ROOT, "Drop `privileged` and give the single capabilities or devices that the program needs.",
            severity.RECREATE, "5.5", references=("ATT&CK T1611", "OWASP Docker rule 3"),
        ),
        "GET /containers/{id}/json#/HostConfig/Privileged", "yes", "no",
    ),
    (
        _rule(
            "engine-socket-not-mounted", "No socket of a container engine can be reached from the container",
            "Whoever talks to the engine starts a container with the host's root directory in it.",
            WORKLOADS, C, severity.HOST_ROOT, "Remove the mount, or put a proxy between that lets only the needed calls through.",
            severity.RECREATE, "5.32", references=("ATT&CK T1611", "OWASP Docker rule 1"),
        ),
        "GET /containers/{id}/json#/Mounts/0", "/var/run/docker.sock at /var/run/docker.sock", "no mount that holds a socket",
    ),
    (
        _rule(
            "container-runs-as-user", "The container does not run as root of the host",
            "Whatever escapes from a container has the ids that it had inside, unless they are mapped.",
            WORKLOADS, C, severity.CONTAINER_ROOT, "Set a user that is not 0 in the image or at the service, or map ids with `userns-remap`.",
            severity.RECREATE, "4.1", references=("OWASP Docker rule 2",), variable="docker_daemon_userns_remap", tempered_by=(severity.USERNS,),
        ),
        "/proc/{pid}/status, Uid", "0", "a uid other than 0, or ids that are mapped",
    ),
    (
        _rule(
            "memory-is-limited", "The container's memory has a limit",
            "One leak takes the memory of all neighbours and of the engine.",
            WORKLOADS, C, severity.AVAILABILITY, "Set `mem_limit` or `deploy.resources.limits.memory` to what the program needs under load.",
            severity.RECREATE, "5.11",
        ),
        "/sys/fs/cgroup/system.slice/docker-{id}.scope/memory.max", "max", "a number of bytes",
    ),
    (
        _rule(
            "port-on-one-address", "Published ports are bound to a chosen address",
            "A port on every address is open on networks that nobody thought of, and past the host's own firewall rules.",
            WORKLOADS, N, severity.DEFENCE, "Name the address, such as `127.0.0.1:8080:80`.",
            severity.RECREATE, "5.14",
        ),
        "GET /containers/{id}/json#/HostConfig/PortBindings", "0.0.0.0:8080 to 80/tcp", "an address of the host",
    ),
    (
        _rule(
            "root-filesystem-read-only", "The container's root filesystem is read-only",
            "A program that cannot write next to itself cannot be replaced by whoever takes it over.",
            WORKLOADS, C, severity.DEFENCE, "Set `read_only: true` and mount what is written: volumes for data, tmpfs for the rest.",
            severity.RECREATE, "5.13",
        ),
        "GET /containers/{id}/json#/HostConfig/ReadonlyRootfs", "no", "yes",
    ),
    (
        _rule(
            "no-new-privileges", "Processes of the container cannot gain privileges",
            "A setuid program in the image makes root of whoever runs it.",
            WORKLOADS, C, severity.CONTAINER_ROOT, "Set `no-new-privileges` for the daemon, and create the container again.",
            severity.RECREATE, "5.26", variable="docker_daemon_no_new_privileges",
        ),
        "/proc/{pid}/status, NoNewPrivs", "0", "1",
    ),
    (
        _rule(
            "kernel-modules-not-writable", "The host's kernel modules are not mounted writable",
            "A module in that directory runs in the kernel at the next boot.",
            WORKLOADS, C, severity.HOST_PART, "Mount `/lib/modules` read-only, or not at all.", severity.RECREATE, "5.6",
        ),
        "GET /containers/{id}/json#/Mounts/2", "/lib/modules at /lib/modules, writable", "read-only",
    ),
    (
        _rule(
            "engine-not-on-tcp", "The API listens on no TCP address without TLS",
            "Everybody who reaches the port is root of the host.",
            (DAEMON,), N, severity.HOST_ROOT, "Take the address out of `hosts`, or set certificates for both sides.",
            severity.RESTART, "2.7", variable="docker_daemon_hosts", references=("ATT&CK T1610",),
        ),
        "/proc/net/tcp of dockerd", "0.0.0.0:2375", "no address, or TLS with verified clients",
    ),
    (
        _rule(
            "live-restore-enabled", "Containers outlive a restart of the daemon",
            "Every update of the engine is otherwise an outage of everything on the host.",
            (DAEMON,), severity.FROM_ACCIDENT, severity.AVAILABILITY, "Set `live-restore`; a reload is enough.",
            severity.RELOAD, "2.15", variable="docker_daemon_live_restore",
        ),
        "/etc/docker/daemon.json#/live-restore", "not set", "true",
    ),
    (
        _rule(
            "separate-storage", "Docker's data lie on filesystems of their own",
            "Images, logs and volumes that grow otherwise fill the host's root filesystem.",
            (HOST,), severity.FROM_ACCIDENT, severity.AVAILABILITY, "Give Docker's directories filesystems of their own; data is copied before.",
            severity.MIGRATION, "1.1.1", variable="docker_storage_layout",
        ),
        "/proc/self/mountinfo", "/var/lib/docker lies on /", "a mount point for each directory",
    ),
    (
        _rule(
            "audit-watches-socket-unit", "The kernel's audit watches docker.socket",
            "Changes of the unit leave no trace otherwise.",
            (HOST,), H, severity.TRACES, "Load the audit rules of the role docker_auditd.",
            severity.NOTHING, "1.1.8", variable="docker_auditd_watches",
        ),
        "auditctl -l", "no rule for /usr/lib/systemd/system/docker.socket", "a rule with wa",
    ),
    (
        _rule(
            "image-declares-user", "The image declares a user that is not root",
            "Who starts the image without further options starts it as root.",
            (IMAGE,), severity.FROM_DEPLOYER, severity.CONTAINER_ROOT, "Add a `USER` instruction with a number to the Dockerfile.",
            severity.REBUILD, "4.1",
        ),
        "GET /images/{id}/json#/Config/User", "not set", "a number other than 0",
    ),
    (
        _rule(
            "no-secret-in-environment", "No secret stands in environment variables or labels",
            "Everybody who may inspect the container reads it, and so does every process of it.",
            (*WORKLOADS, IMAGE), H, severity.DATA, "Give the secret as a file: a secret of compose or swarm, or a mount.",
            severity.RECREATE, "4.10", references=("OWASP Docker rule 12",),
        ),
        "GET /containers/{id}/json#/Config/Env", "DB_PASSWORD (value not read)", "no variable with a secret",
    ),
)
_SERVICES = ("web", "api", "worker", "postgres", "redis", "traefik", "node-exporter", "cadvisor", "backup-agent", "mailer")
_REASONS = (
    "the audit ran without root, so /proc of the process could not be read",
    "auditctl is not installed",
    "GET /containers/{id}/json was denied by an authorization plugin",
)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _finding(sampled: Sampled, status: str, host: str, subject: str, kind: str, reason: str = "", file: str = "", line: int = 0) -> Finding:
    rule, source, bad, good = sampled
    source = source.replace("{id}", _digest(host, subject)[:12]).replace("{pid}", str(int(_digest(host, subject)[:4], 16) + 300))
    pieces = (Evidence(source, bad if status == FAIL else good, good, file, line),) if status in (PASS, FAIL) else ()
    return evaluate.finding(rule, Subject(kind, subject, {}, {}, file, line), Outcome(status, pieces, reason), host, ())


def _path(rule: Rule, host: str, subject: str, reason: str, steps: t.Sequence[tuple[str, str]], reach: str = "") -> dict[str, t.Any]:
    pieces = tuple(Evidence(source, observed) for source, observed in steps)
    made = evaluate.finding(rule, Subject(CONTAINER, subject, {}), Outcome(FAIL, pieces, reason, reach), host, ())
    return made._replace(kind=document.ATTACK_PATH).as_dict()


def _result(
    name: str, findings: t.Sequence[Finding], paths: t.Sequence[dict[str, t.Any]] = (), include: t.Container[str] = model.STATUSES, **more: t.Any
) -> dict[str, t.Any]:
    return {
        "name": name,
        "findings": [item.as_dict() for item in findings if item.status in include],
        "attack_paths": list(paths),
        "score": score.score(findings),
        "coverage": score.coverage(findings),
        "engine": {"product": "docker", "version": "29.7.2", "api_version": "1.52", "storage_driver": "overlay2"},
        "duration": 0.84,
        "api_calls": 21,
        **more,
    }


def host(name: str, badness: float, services: int = 8, seed: int = 1, include: t.Container[str] = model.STATUSES) -> dict[str, t.Any]:
    """Return the result of a host on which about this part of the rules fails."""
    chance = random.Random(f"{seed} {name}")
    findings: list[Finding] = []
    today = datetime.date.fromisoformat(GENERATED[:10])
    names = [f"shop-{service}-1" for service in _SERVICES[:services]]
    subjects = [*((CONTAINER, item) for item in names), (HOST, name), (DAEMON, "dockerd"), (IMAGE, "registry.example.com/shop/web:2026.11")]
    for kind, subject in subjects:
        for sampled in SAMPLED:
            rule = sampled[0]
            if kind not in rule.applies_to:
                continue
            # What gives root of the host is rarer than what is merely untidy.
            part = badness * (0.25 if rule.reach in (severity.HOST_ROOT, severity.HOST_PART) else 1)
            drawn = chance.random()
            if drawn < part:
                item = _finding(sampled, FAIL, name, subject, kind)
                if chance.random() < 0.12:
                    days = chance.choice((4, 19, 64, 200))
                    item = item._replace(
                        waiver={
                            "owner": chance.choice(("platform team", "Ada Okafor", "shop developers")),
                            "reason": chance.choice(("The vendor's image needs it until version 5.", "Replaced in January, see the project plan.")),
                            "expires": (today + datetime.timedelta(days=days)).isoformat(),
                            "compensation": chance.choice(("", "No port is published and the network is internal.")),
                        }
                    )
            elif drawn > 0.96:
                item = _finding(sampled, UNKNOWN, name, subject, kind, chance.choice(_REASONS))
            elif drawn > 0.9:
                item = _finding(sampled, NOT_APPLICABLE, name, subject, kind, "the container does not run")
            else:
                item = _finding(sampled, PASS, name, subject, kind)
            findings.append(item)
    paths = []
    if badness > 0.2:
        paths.append(
            _path(
                attack_paths.TOGETHER, name, "shop-cadvisor-1",
                "its root writes to the kernel's settings, and names the program that the kernel runs on the host when another one crashes",
                (
                    ("/proc/{pid}/mountinfo", "kernel-modules-not-writable: /proc/sys is writable"),
                    ("/proc/{pid}/attr/current", "no-new-privileges: AppArmor unconfined"),
                    ("/proc/{pid}/status, Uid", "container-runs-as-user: root, not mapped"),
                ),
            )
        )  # fmt: skip
    if badness > 0.35:
        paths.append(
            _path(
                attack_paths.SHARED, name, "shop-backup-agent-1", "shop-backup-agent-1 -> shop-postgres-1 -> root on the host",
                (
                    ("/containers/5b53f66ff64d/json#/Mounts/0", "shop-backup-agent-1 writes to the volume pgdata, which is also mounted in shop-postgres-1"),
                    ("GET /containers/de00c53bb21e/json#/HostConfig/Privileged", "shop-postgres-1: container-not-privileged: yes"),
                ),
                severity.HOST_PART,
            )
        )  # fmt: skip
    return _result(name, findings, paths, include)


def compose_project() -> dict[str, t.Any]:
    """Return the result of a project of compose files."""
    findings = [
        _finding(sampled, FAIL if number % 3 == 0 else PASS, "", service, COMPOSE_SERVICE, "", "deploy/compose.yml", 12 + 9 * number)
        for service in ("web", "worker")
        for number, sampled in enumerate(SAMPLED)
        if COMPOSE_SERVICE in sampled[0].applies_to
    ]
    made = _result("webshop", findings, kind=document.COMPOSE_REPORT)
    for key in ("engine", "api_calls"):
        del made[key]
    return made


def waiver_finding(name: str) -> dict[str, t.Any]:
    """Return the finding about a waiver that has expired."""
    return Finding(
        "waiver-not-expired", "No waiver has expired", severity.MEDIUM, FAIL, name, "waiver 3", "waiver", "", 0,
        (Evidence("the list of waivers", "memory-is-limited for shop-mailer-*, owner platform team, until 2026-10-31", "a date that has not passed"),), "",
        "What somebody once accepted until a day is open again after it.", "Mend what the waiver covered, or renew it with a new date and a reason.",
        severity.NOTHING, "docker_audit_waivers", (), (), (), "",
    ).as_dict()  # fmt: skip


def fleet() -> list[t.Any]:
    """Return the results of a small fleet: good and bad hosts, one that could not be reached, a project."""
    results = [
        host("shop-eu-1.example.com", 0.45, 10),
        host("shop-eu-2.example.com", 0.3),
        host("shop-us-1.example.com", 0.08),
        host("build-1.example.com", 0.25, 4, include=(FAIL, UNKNOWN)),
        compose_project(),
        {"name": "shop-us-2.example.com", "unreachable": True, "msg": "Failed to connect to the host via ssh: connection timed out"},
    ]
    for result in results[:2]:
        result["findings"].append(waiver_finding(result["name"]))
    return results


def made(results: t.Sequence[t.Any] | None = None) -> dict[str, t.Any]:
    """Return the document of results, by default of `fleet`."""
    return document.build(fleet() if results is None else results, GENERATED, VERSION)


def large(hosts: int = 200, rules: int = 200, failing: float = 0.35) -> dict[str, t.Any]:
    """Return the document of many hosts, each with one finding of each rule, in which nearly every piece of evidence is its own.

    Every container has an id of 64 digits in its sources, which is the most that a source can hold.
    """
    chance = random.Random("large")
    variants: list[Sampled] = []
    for number in range(rules):
        rule, source, bad, good = SAMPLED[number % len(SAMPLED)]
        variants.append((_numbered(rule, number), source.replace("{id}", "{long}"), bad, good))
    results = []
    for index in range(hosts):
        name = f"host-{index:03}.eu-west.example.com"
        findings = []
        for number, sampled in enumerate(variants):
            kind = CONTAINER if CONTAINER in sampled[0].applies_to else sampled[0].applies_to[0]
            subject = f"shop-{_SERVICES[number % 10]}-{number % 4}"
            drawn = chance.random()
            status = FAIL if drawn < failing else UNKNOWN if drawn < failing + 0.05 else NOT_APPLICABLE if drawn > 0.95 else PASS
            long = (sampled[0], sampled[1].replace("{long}", _digest(name, subject)), *sampled[2:])
            findings.append(_finding(long, status, name, subject, kind, _REASONS[number % 3] if status == UNKNOWN else ""))
        steps = (("a port", f"{name} listens"), ("a mount", "the socket"))
        paths = [_path(attack_paths.TOGETHER, name, f"shop-{_SERVICES[index % 10]}-1", "it reaches the host", steps)]
        results.append(_result(name, findings, paths))
    return document.build(results, GENERATED, VERSION)


def _numbered(rule: Rule, number: int) -> Rule:
    return dataclasses.replace(rule, id=f"{rule.id}-{number}", title=f"{rule.title}, part {number}", why=f"{rule.why} ({number})")
