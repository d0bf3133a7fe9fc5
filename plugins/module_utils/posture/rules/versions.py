# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Releases of the engine, containerd and runc that have known ways out of a container, and releases that do not go together.

PRIVATE to the collection: no stability is promised to other users.

A distribution mends holes without changing the release: what its changelog or the policy says is mended counts as mended.
A hole that needs something that this host provably does not have is not exposed, and is said so in the finding; where nobody
knows, it is exposed. How bad a failure is follows from the worst hole that is exposed: where its advisory says that an
attacker must be, and what it gives on a host that is set up like this one.

Holes that only Kubernetes reaches (the CRI of containerd) are left out, and those that give an account that may use the API
no more than it has. Sources: CHANGELOG.md of runc, the security advisories of moby, moby/buildkit, moby/go-archive and
containerd, the release notes of Docker Engine up to 29.9.0, and the tags that hold the commits.

A new hole is one row.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture import severity
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.checks import (
    evidence,
    failed,
    not_applicable,
    passed,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import (
    FAIL,
    HOST,
    Evidence,
    Fact,
    NotKnown,
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
    FROM_NETWORK,
    HOST_PART,
    HOST_ROOT,
    HYGIENE,
    REBOOT,
    RESTART,
    ROOTLESS,
)

_RELEASE = re.compile(r"(?:\S+ version )?v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:[-~.]?(alpha|beta|rc)[.-]?(\d+))?")
_FINAL = 9

Release = tuple[int, int, int, int, int]


class Hole(t.NamedTuple):
    """A known hole.

    Attributes:
        name: its CVE.
        fixes: the oldest release of each series that has the fix; a series that is not named has it from the newest one on.
        reach: what it gives, one of severity.REACHES.
        what: in a few words.
        since: the first release that has the hole; empty for all.
        attacker: where somebody must be, one of severity.ATTACKERS; empty for the place that the rule says. Whoever waits
            for somebody of the host to start an image, to build or to copy is no better placed than who supplies images.
        needs: what the host must have for it, one of NEEDS; empty for nothing that could be looked for.
        mapped: what it gives where root of every container is nobody on the host; empty for the same.
    """

    name: str
    fixes: tuple[str, ...]
    reach: str
    what: str
    since: str = ""
    attacker: str = ""
    needs: str = ""
    mapped: str = ""


INTERNAL_NETWORK = "internal_networks"
ENCRYPTED_NETWORK = "encrypted_networks"
FIREWALLD = "firewalld"
CONTAINERD_STORE = "containerd_images"
OPEN_DATA = "open_data"
# By the fact that says whether the host has it, what to say where it does not. Each is empty or false where it is not there.
NEEDS = {
    INTERNAL_NETWORK: "no network of this host is internal",
    ENCRYPTED_NETWORK: "this host is on no encrypted overlay network",
    FIREWALLD: "there is no firewalld on this host",
    CONTAINERD_STORE: "containerd does not keep the images of this engine",
    OPEN_DATA: "only root and its group enter the engine's data",
}

# A race that takes two containers with a mount in common, or an image made for it (GHSA-9493-h29p-rfm2, GHSA-qw9x-cqr3-wc7r and
# GHSA-cgrx-mc8f-2prm, each 7.3); ids that are mapped leave the labels that get lost, as the files of /proc belong to the host's root.
_RACE = {"attacker": FROM_DEPLOYER, "mapped": DEFENCE}

RUNC = (
    Hole("CVE-2019-5736", ("1.0.0-rc7",), HOST_ROOT, "a container overwrites runc itself", mapped=DEFENCE),
    Hole("CVE-2021-30465", ("1.0.0-rc95",), HOST_ROOT, "exchanged links lead mounts out of the container", attacker=FROM_DEPLOYER),
    Hole("CVE-2022-29162", ("1.1.2",), HYGIENE, "exec gives inheritable capabilities"),
    Hole("CVE-2023-27561", ("1.1.5",), DEFENCE, "links in /proc switch AppArmor and masked paths off"),
    Hole("CVE-2023-28642", ("1.1.5",), DEFENCE, "links in /proc switch AppArmor and masked paths off"),
    Hole("CVE-2024-21626", ("1.1.12",), HOST_ROOT, "a working directory below /proc/self/fd is one of the host", "1.0.0-rc93"),
    Hole("CVE-2024-45310", ("1.1.14", "1.2.0-rc.3"), HYGIENE, "empty files are made anywhere on the host"),
    Hole("CVE-2025-31133", ("1.2.8", "1.3.3", "1.4.0-rc.3"), HOST_ROOT, "masked paths are replaced while they are mounted", **_RACE),
    Hole("CVE-2025-52565", ("1.2.8", "1.3.3", "1.4.0-rc.3"), HOST_ROOT, "the mount of /dev/console is led elsewhere", **_RACE),
    Hole("CVE-2025-52881", ("1.2.8", "1.3.3", "1.4.0-rc.3"), HOST_ROOT, "writes to /proc are led elsewhere", **_RACE),
    Hole("CVE-2026-41579", ("1.3.6", "1.4.3", "1.5.0-rc.3"), HYGIENE, "an image with a link as /dev leads files of it elsewhere"),
)
CONTAINERD = (
    Hole("CVE-2020-15257", ("1.3.9", "1.4.3"), HOST_ROOT, "containers on the host's network control the shims"),
    Hole("CVE-2021-41103", ("1.4.11", "1.5.7"), HOST_PART, "all users of the host enter filesystems of containers", attacker=FROM_HOST),
    Hole(
        "CVE-2024-25621",
        ("1.7.29", "2.0.7", "2.1.5", "2.2.0"),
        HOST_PART,
        "all users of the host enter filesystems of containers",
        attacker=FROM_HOST,
    ),
    Hole(
        "CVE-2025-47290",
        ("2.1.1",),
        HOST_ROOT,
        "an image changes files of the host while it is unpacked",
        "2.1.0",
        attacker=FROM_DEPLOYER,
        needs=CONTAINERD_STORE,
    ),
    Hole(
        "CVE-2026-53493",
        ("1.7.36", "2.0.13", "2.2.9", "2.3.6", "2.4.1"),
        AVAILABILITY,
        "an image with nested indexes takes all memory while it is pulled",
        attacker=FROM_DEPLOYER,
        needs=CONTAINERD_STORE,
    ),
)
# Copying takes somebody of the host who calls docker cp, or the archive part of the API, while the container waits for it. The
# first of them came with the view into a container's filesystem of 24.0: before, archives were unpacked outside of it.
ENGINE = (
    Hole("CVE-2021-21284", ("20.10.3",), HOST_PART, "mapped root gets real root of the host by way of the data root"),
    Hole("CVE-2021-41091", ("20.10.9",), HOST_PART, "all users of the host enter filesystems of containers", attacker=FROM_HOST, needs=OPEN_DATA),
    Hole("CVE-2022-36109", ("20.10.18",), CONTAINER_ROOT, "supplementary groups pass by restrictions"),
    Hole("CVE-2024-29018", ("23.0.11", "25.0.5", "26.0.0"), DATA, "containers of internal networks send data out by DNS", needs=INTERNAL_NETWORK),
    Hole("CVE-2025-54410", ("25.0.13", "28.0.0"), DEFENCE, "a reload of firewalld ends the separation of networks", needs=FIREWALLD),
    Hole("CVE-2026-41567", ("25.0.17", "29.5.1"), HOST_ROOT, "an archive that is copied in runs programs of the container", "24.0.0", FROM_DEPLOYER),
    Hole("CVE-2026-41568", ("25.0.17", "29.5.1"), HOST_PART, "docker cp makes files anywhere on the host", attacker=FROM_DEPLOYER),
    Hole("CVE-2026-42306", ("25.0.17", "29.5.1"), HOST_PART, "mounts made for docker cp are led elsewhere", attacker=FROM_DEPLOYER),
    Hole("CVE-2026-17106", ("29.7.0",), HOST_ROOT, "what docker cp copies out overwrites other files of the host", attacker=FROM_DEPLOYER),
    Hole(
        "CVE-2026-92543", ("29.8.2",), CONTAINER_ROOT, "an answer of DNS switches TLS off, and others say what an image holds", attacker=FROM_NETWORK
    ),
)
NETWORK = (
    Hole("CVE-2023-28840", ("20.10.24", "23.0.3"), DATA, "encrypted overlay networks take packets that are not encrypted", needs=ENCRYPTED_NETWORK),
    Hole("CVE-2023-28841", ("20.10.24", "23.0.3"), DATA, "encrypted overlay networks send packets that are not encrypted", needs=ENCRYPTED_NETWORK),
    Hole("CVE-2023-28842", ("20.10.24", "23.0.3"), DATA, "encrypted overlay networks of one member take any packets", needs=ENCRYPTED_NETWORK),
    Hole("CVE-2025-54388", ("28.3.3",), DEFENCE, "a reload of firewalld opens ports that are published for the host alone", "28.2.0", needs=FIREWALLD),
    Hole("CVE-2026-92542", ("29.8.2",), DATA, "strangers put packets into encrypted overlay networks", needs=ENCRYPTED_NETWORK),
)
# 24.0.9 mended the classic builder only. BuildKit maps ids as the daemon does (builder-next, newExecutor), also for steps without limits.
BUILDER = (
    Hole("CVE-2024-23651", ("25.0.2",), HOST_PART, "two steps with a cache in common read files of the host"),
    Hole("CVE-2024-23652", ("25.0.2",), HOST_PART, "a build removes files of the host"),
    Hole("CVE-2024-23653", ("25.0.2",), HOST_ROOT, "a build runs containers with all privileges", mapped=DEFENCE),
    Hole("CVE-2024-24557", ("24.0.9", "25.0.2"), CONTAINER_ROOT, "the cache of the classic builder takes layers of others"),
    Hole("CVE-2026-33747", ("29.3.1",), HOST_PART, "a frontend writes files outside of its directory"),
    Hole("CVE-2026-33748", ("29.3.1",), DATA, "a git source reads files outside of its tree"),
    Hole("CVE-2026-61711", ("29.6.1",), DEFENCE, "a frontend switches seccomp and AppArmor off"),
    Hole("CVE-2026-15791", ("29.6.2",), AVAILABILITY, "a build empties /tmp"),
    Hole("CVE-2026-15792", ("29.6.2",), AVAILABILITY, "a request to the builder ends the daemon"),
    Hole("CVE-2026-15793", ("29.6.2",), HOST_ROOT, "a git source runs programs on the host", "29.5.0"),
    Hole("CVE-2026-93318", ("29.8.2",), CONTAINER_ROOT, "the cache takes layers of others for those of an image"),
    Hole("CVE-2026-93320", ("29.8.2",), HOST_PART, "special files of a build lead to devices of the host"),
    Hole("CVE-2026-93321", ("29.8.2",), AVAILABILITY, "a request to the builder ends the daemon"),
)
AUTHORIZATION = (
    Hole("CVE-2024-41110", ("23.0.15", "25.0.6", "26.1.5", "27.1.1"), HOST_ROOT, "requests without a body pass by the plugins"),
    Hole("CVE-2026-34040", ("25.0.16", "29.3.1"), HOST_ROOT, "large requests pass by the plugins"),
)


def release(text: str) -> Release | None:
    """Return a release in a form that compares, pre-releases before the release, or None where the text is none.

    A distribution's suffix does not count.
    """
    match = _RELEASE.match(text.strip()[:80])
    if match is None:
        return None
    stage = ("alpha", "beta", "rc").index(match[4]) if match[4] else _FINAL
    return (int(match[1]), int(match[2] or 0), int(match[3] or 0), stage, int(match[5] or 0))


def open_holes(found: Release, holes: t.Iterable[Hole], mended: t.Container[str] = ()) -> list[Hole]:
    """Return the holes that a release has, without those that are mended in it."""
    return [hole for hole in holes if hole.name not in mended and _lacks(found, hole)]


def _lacks(found: Release, hole: Hole) -> bool:
    if hole.since and found < _known(hole.since):
        return False
    fixes = [_known(fix) for fix in hole.fixes]
    for fix in fixes:
        if found[:2] == fix[:2]:
            return found < fix
    return found < max(fixes)


def _known(text: str) -> Release:
    found = release(text)
    if found is None:
        raise AssertionError(f"{text} in the tables is no release")
    return found


class _Known(t.NamedTuple):
    """What of a host decides about holes.

    Attributes:
        mended: names of the holes that its packages have mended.
        absent: by the name of NEEDS, where it was read that the host does not have it.
        mapped: where it was read that root of every container is nobody on the host; empty where it is not so, or not known.
    """

    mended: tuple[str, ...]
    absent: t.Mapping[str, str]
    mapped: str


def _known_of(subject: Subject, component: str) -> _Known:
    backports = subject.known("package_backports") or {}
    needs = {name: found for name, found in subject.facts.items() if name in NEEDS and isinstance(found, Fact)}
    mapped = subject.facts.get("all_ids_mapped")
    return _Known(
        tuple(backports.get(component) or ()),
        {name: found.source for name, found in needs.items() if not found.value},
        mapped.source if isinstance(mapped, Fact) and mapped.value else "",
    )


class _Exposed(t.NamedTuple):
    """A hole that is open on a host: whom it gives what there, and how it is shown."""

    attacker: str
    reach: str
    piece: Evidence


def _judge(subject: Subject, component: str, holes: tuple[Hole, ...], found: t.Mapping[str, str], fact: Fact, attacker: str) -> Outcome:
    """Return what is to say of the releases of one component.

    Args:
        component: as the policy calls it.
        found: by the name that the evidence has for it, releases as text.
        fact: where they come from.
        attacker: of the rule.
    """
    unknown, exposed, absent = [], [], {}
    host = _known_of(subject, component)
    for name, text in sorted(found.items()):
        number = release(text)
        if number is None:
            unknown.append(f"{name} does not tell its release" if not text else f"'{text[:60]}' of {name} is no release")
            continue
        for hole in open_holes(number, holes, host.mended):
            if hole.needs in host.absent:
                absent[hole.name] = f"{NEEDS[hole.needs]} ({host.absent[hole.needs]})"
            else:
                exposed.append(_exposed(hole, f"{name} {text[:60]}", fact.source, host, attacker))
    spared = _spared(absent)
    if exposed:
        # The release alone does not tell, where a distribution may have mended it.
        subject.fact("package_backports")
        worst = min(exposed, key=lambda one: severity.SEVERITIES.index(severity.derive(one.attacker, one.reach)))
        return Outcome(FAIL, tuple(one.piece for one in exposed), spared, worst.reach, worst.attacker)
    if unknown:
        raise NotKnown("; ".join(unknown), fact.source)
    newest = ", ".join(max(holes, key=lambda hole: _known(hole.fixes[-1])).fixes)
    outcome = passed(fact, f"{component} {newest} or newer, or a package that has the fixes", tuple(f"{name} {text}" for name, text in sorted(found.items())))
    return outcome._replace(reason=spared)


def _exposed(hole: Hole, name: str, source: str, host: _Known, attacker: str) -> _Exposed:
    weaker = f"; less here, as ids are mapped ({host.mapped})" if host.mapped and hole.mapped else ""
    piece = Evidence(source, f"{name}: {hole.name}, {hole.what}{weaker}", f"{' or '.join(hole.fixes)}, or a package that has the fix")
    return _Exposed(hole.attacker or attacker, hole.mapped if weaker else hole.reach, piece)


def _spared(absent: t.Mapping[str, str]) -> str:
    """Return which holes the release has that nobody reaches on this host, by the reason."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in absent.items():
        by_reason.setdefault(reason, []).append(name)
    texts = (f"{', '.join(names)}: {reason}" for reason, names in by_reason.items())
    return f"not exposed are {'; '.join(texts)}" if by_reason else ""


def _engine(holes: tuple[Hole, ...], attacker: str) -> t.Callable[[Subject], Outcome]:
    def check(subject: Subject) -> Outcome:
        fact = subject.fact("engine_version")
        return _judge(subject, "engine", holes, {"Docker": str(fact.value)}, fact, attacker)

    return check


def _containerd(subject: Subject) -> Outcome:
    fact = subject.fact("containerd_version")
    return _judge(subject, "containerd", CONTAINERD, {"containerd": str(fact.value)}, fact, FROM_CONTAINER)


def _runc_paths(fact: Fact) -> dict[str, str]:
    """Return those runtimes that are runc: others count otherwise."""
    return {path: str(text) for path, text in fact.value.items() if path.rpartition("/")[2] in ("runc", "docker-runc", "runc.real")}


def _runc(subject: Subject) -> Outcome:
    fact = subject.fact("runc_versions")
    found = _runc_paths(fact)
    return _judge(subject, "runc", RUNC, found, fact, FROM_CONTAINER) if found else not_applicable("no runtime of this host is runc")


def _authorization(subject: Subject) -> Outcome:
    plugins = subject.fact("authorization_plugins")
    if not plugins.value:
        return not_applicable("no authorization plugin is used")
    return _engine(AUTHORIZATION, FROM_HOST)(subject)


def _wanted(subject: Subject) -> Outcome:
    wanted, fact = subject.fact("minimum_version"), subject.fact("engine_version")
    if not wanted.value:
        return not_applicable("nobody decided which release is old; known holes are judged on their own")
    least, found = release(str(wanted.value)), release(str(fact.value))
    if least is None:
        raise NotKnown(f"'{str(wanted.value)[:60]}' of the policy is no release", wanted.source)
    if found is None:
        raise NotKnown(f"'{str(fact.value)[:60]}' is no release", fact.source)
    return (passed if found >= least else failed)(fact, f"{wanted.value} or newer")


def _goes_together(subject: Subject) -> Outcome:
    engine, fact = subject.fact("engine_version"), subject.fact("runc_versions")
    found = release(str(engine.value))
    if found is None:
        raise NotKnown(f"'{str(engine.value)[:60]}' is no release", engine.source)
    if found < (29, 5, 0, _FINAL, 0):
        return not_applicable("this release asks for nothing that an old runc lacks")
    old = {path: text for path, text in _runc_paths(fact).items() if (release(text) or (9,)) < (1, 2)}
    expected = "runc 1.2 or newer, which knows time namespaces"
    if not old:
        if any(release(text) is None for text in _runc_paths(fact).values()):
            raise NotKnown("runc does not tell its release", fact.source)
        return passed(fact, expected, tuple(f"{path} {text}" for path, text in sorted(fact.value.items())))
    return Outcome(FAIL, (evidence(fact, expected, tuple(f"{path} {text}" for path, text in sorted(old.items()))),))


def _cgroup(subject: Subject) -> Outcome:
    fact = subject.fact("cgroup_version")
    return (passed if fact.value == 2 else failed)(fact, "2")


_UPGRADE = "Upgrade; where the distribution has mended it, name the CVE in the policy, with the package that has the fix."

RULES = (
    Rule(
        id="engine-version-wanted",
        title="The engine is as new as the policy asks for",
        why="Releases that are behind lack fixes, and nobody tests what is deployed on them.",
        applies_to=(HOST,),
        check=_wanted,
        attacker=FROM_CONTAINER,
        reach=DEFENCE,
        remedy="Upgrade the engine.",
        blast=RESTART,
        variable="docker_engine_version",
        cis_1_6=("1.2.2",),
        cis_1_8=("1.2.2",),
        references=("OWASP Docker rule 0",),
    ),
    Rule(
        id="engine-without-known-holes",
        title="The engine has no known hole that is open on this host",
        why="Each of these is published, with a way to use it.",
        applies_to=(HOST,),
        check=_engine(ENGINE, FROM_CONTAINER),
        attacker=FROM_CONTAINER,
        reach=HOST_ROOT,
        remedy=_UPGRADE,
        blast=RESTART,
        variable="docker_engine_version",
        references=tuple(hole.name for hole in ENGINE),
    ),
    Rule(
        id="engine-networks-without-known-holes",
        title="The engine has no known hole in what keeps networks apart",
        why="Ports and traffic that seem to be closed are open to neighbours on the network.",
        applies_to=(HOST,),
        check=_engine(NETWORK, FROM_NETWORK),
        attacker=FROM_NETWORK,
        reach=DATA,
        remedy=_UPGRADE,
        blast=RESTART,
        variable="docker_engine_version",
        references=tuple(hole.name for hole in NETWORK),
    ),
    Rule(
        id="engine-builder-without-known-holes",
        title="The engine's builder has no known hole",
        why="A build of somebody else's files then changes the host that builds.",
        applies_to=(HOST,),
        check=_engine(BUILDER, FROM_DEPLOYER),
        attacker=FROM_DEPLOYER,
        reach=HOST_ROOT,
        remedy=_UPGRADE + " Until then do not build on this host.",
        blast=RESTART,
        variable="docker_engine_version",
        references=tuple(hole.name for hole in BUILDER),
    ),
    Rule(
        id="engine-authorization-without-known-holes",
        title="Authorization plugins cannot be passed by",
        why="A plugin that a crafted request passes by permits everything.",
        applies_to=(HOST,),
        check=_authorization,
        attacker=FROM_HOST,
        reach=HOST_ROOT,
        remedy=_UPGRADE,
        blast=RESTART,
        variable="docker_engine_version",
        references=tuple(hole.name for hole in AUTHORIZATION),
    ),
    Rule(
        id="containerd-without-known-holes",
        title="The release of containerd has no known hole that is open on this host",
        why="Each of these is published, with a way to use it.",
        applies_to=(HOST,),
        check=_containerd,
        attacker=FROM_CONTAINER,
        reach=HOST_ROOT,
        remedy=_UPGRADE,
        blast=RESTART,
        references=tuple(hole.name for hole in CONTAINERD),
    ),
    Rule(
        id="runc-without-known-holes",
        title="The release of runc has no known hole that is open on this host",
        why="Each of these is published, with a way to use it, and most of them end as root on the host.",
        applies_to=(HOST,),
        check=_runc,
        attacker=FROM_CONTAINER,
        reach=HOST_ROOT,
        remedy=_UPGRADE + " Running containers keep their old runc until they are started again.",
        blast=RESTART,
        references=tuple(hole.name for hole in RUNC),
        tempered_by=(ROOTLESS,),
    ),
    Rule(
        id="runc-fits-engine",
        title="The runtime knows what the engine asks of it",
        why="Docker from 29.5 on gives each container a time namespace; with a runc before 1.2 no container starts.",
        applies_to=(HOST,),
        check=_goes_together,
        attacker=FROM_ACCIDENT,
        reach=AVAILABILITY,
        remedy="Upgrade runc, or set features.time-namespaces to false.",
        blast=RESTART,
    ),
    Rule(
        id="host-cgroup-v2",
        title="The host has cgroups of version 2",
        why="With version 1, whoever may mount it in a container runs a program on the host by way of release_agent; engines stop to support it in 2029.",
        applies_to=(HOST,),
        check=_cgroup,
        attacker=FROM_CONTAINER,
        reach=DEFENCE,
        remedy="Boot with systemd.unified_cgroup_hierarchy=1.",
        blast=REBOOT,
        references=("CVE-2022-0492", "moby#51111"),
    ),
)
