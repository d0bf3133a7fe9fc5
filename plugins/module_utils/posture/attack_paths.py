# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What single failures come to together: ways to the host's root within one container, and from container to container.

PRIVATE to the collection: no stability is promised to other users.

A way within a container is a set of facts that together open the host although none of them does so alone (`WAYS`). A way
from container to container follows what two of them share: processes, memory, a network namespace, a volume or directory
that the first can write to, all mounts, or an engine's API that one offers on a network of both. It ends at a container
that has the host's root by a failure or a way of its own. Only what is known counts: where a fact is unknown there is no
step. The search goes once over containers and what they share, so its time grows with their number and not with its square.

Waivers. A path is a finding of its own, which a waiver of its own accepts. Who accepts a failure that by itself is as bad as
the path has accepted the path with it: the failure at its end, when no other way leads to the host's root, or a step of a way
within one container. Lesser failures do not add up to that; of those that are accepted the path says so (`explained`).
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture import evaluate, severity
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.checks import place, shown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import (
    COMPOSE_SERVICE,
    CONTAINER,
    DAEMON,
    FAIL,
    WORKLOADS,
    Evidence,
    Fact,
    Finding,
    Outcome,
    Rule,
    Subject,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules import escapes, mounts
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules.isolation import UNCONFINED_TYPES

KIND = "attack path"
# A report shows the shortest way; more containers than these are counted, not listed.
_MOST_LISTED = 20
# Ports on which an engine's API listens without a certificate (and 2376, which images for nested engines use with one).
_API_PORTS = (2375,)
# What a privileged container fails for that reason alone: whoever accepts that it is privileged has accepted these.
_OF_PRIVILEGED = frozenset(
    "capability-sys-admin-not-held capability-dac-read-search-not-held capability-sys-module-not-held capability-sys-rawio-not-held "
    "capability-sys-ptrace-not-with-host-processes system-paths-masked system-paths-read-only cgroups-read-only cgroup-release-agent-out-of-reach".split()
)


def _never(subject: Subject) -> t.Any:
    raise AssertionError("attack paths are judged by find")


TOGETHER = Rule(
    id="attack-path-to-host-root",
    title="No failures of the container come to the host's root together",
    why="Each of them leaves one wall; together they leave none between somebody in the container and root on the host.",
    applies_to=(),
    check=_never,
    attacker=severity.FROM_CONTAINER,
    reach=severity.HOST_ROOT,
    remedy="Mend any one of the steps; the one that is mended fastest is enough for now.",
    blast=severity.RECREATE,
    references=("ATT&CK T1611",),
)
SHARED = Rule(
    id="attack-path-through-a-neighbour",
    title="The container shares nothing with one that has the host's root",
    why="Whoever gets into this container goes on to the other one through what both share, and from there to the host.",
    applies_to=(),
    check=_never,
    attacker=severity.FROM_CONTAINER,
    reach=severity.HOST_ROOT,
    remedy="Mend the last step, or take away what the two share: `pid`, `ipc`, `network_mode`, `volumes_from`, a volume that this one can "
    "mount with `:ro`, a network.",
    blast=severity.RECREATE,
    references=("ATT&CK T1611", "ATT&CK T1021"),
)
OPEN_API = Rule(
    id="attack-path-through-the-daemons-api",
    title="No container reaches the daemon's API over the network",
    why="The API asks for no certificate, so a container that reaches it starts a privileged one and owns the host.",
    applies_to=(),
    check=_never,
    attacker=severity.FROM_CONTAINER,
    reach=severity.HOST_ROOT,
    remedy="Remove the TCP address from `hosts`, or ask for certificates with tlsverify.",
    blast=severity.RESTART,
    cis_1_6=("2.7",),
    cis_1_8=("2.8",),
    references=("CVE-2025-9074", "ATT&CK T1610"),
)
RULES = (TOGETHER, SHARED, OPEN_API)


class Step(t.NamedTuple):
    """One failure on a way: the rule that it fails, and the fact that shows it."""

    rule: str
    evidence: Evidence


@dataclasses.dataclass(frozen=True)
class Way:
    """Facts that together are the host's root.

    Attributes:
        text: what somebody in the container does with them.
        steps: each gives the step where the subject has it; all are needed.
    """

    text: str
    steps: tuple[t.Callable[[Subject], Step | None], ...]


Accept = t.Callable[[t.Sequence[Finding]], t.Sequence[Finding]]


class _End(t.NamedTuple):
    """Where a path ends: a failure that is the host's root, and the waiver that accepts it."""

    step: Step
    waiver: t.Mapping[str, str] | None


def find(subjects: t.Sequence[Subject], findings: t.Iterable[Finding], host: str = "", accept: Accept = list) -> list[Finding]:
    """Return a finding for each container with a way to the host's root, those within one container first.

    Args:
        subjects: all that were judged, of one host or one set of files.
        findings: what the rules said of them, with the waivers on them.
        host: see evaluate.judge.
        accept: from paths to the same with the waivers of their own on them.
    """
    findings = list(findings)
    workloads = [subject for subject in subjects if subject.kind in WORKLOADS]
    daemon = next((subject for subject in subjects if subject.kind == DAEMON), None)
    # A daemon without root has none to give away.
    rootless = bool(daemon is not None and daemon.known("rootless"))
    accepted: dict[int, dict[str, Finding]] = collections.defaultdict(dict)
    ends = _ends(workloads, findings, accepted)
    found: list[Finding] = []
    if not rootless:
        for number, subject in enumerate(workloads):
            # Of a privileged one the single failure says everything.
            ways = [] if subject.known("privileged") else _ways(subject)
            if ways:
                [path] = accept([_together(subject, ways, host)])
                if path.waiver is None:
                    path = path._replace(waiver=_taken_over(path, accepted.get(number, {}), [step.rule for step in ways[0][1]]))
                found.append(path)
                if number not in ends or (ends[number].waiver and not path.waiver):
                    ends[number] = _End(_as_end(ways[0]), path.waiver)
        found += accept(_open_api(daemon, workloads, host))
    return [*found, *_shared(workloads, ends, host, accept)]


def explained(paths: t.Iterable[Finding], findings: t.Iterable[Finding]) -> list[Finding]:
    """Return paths in which each step that a waiver accepts is said to be so, where the path itself is not accepted.

    Args:
        paths: of one host.
        findings: all others of that host, with the waivers on them.
    """
    accepted: dict[tuple[str, str], t.Mapping[str, str]] = {}
    for finding in findings:
        if finding.waiver and finding.status == FAIL:
            accepted[finding.subject, finding.rule] = finding.waiver
    return [path if path.waiver or not accepted else path._replace(evidence=(*path.evidence, *_notes(path, accepted))) for path in paths]


def _notes(path: Finding, accepted: t.Mapping[tuple[str, str], t.Mapping[str, str]]) -> list[Evidence]:
    notes = []
    for piece in path.evidence:
        # Of its own steps a path says the rule, of the last one on another container that container too.
        words = piece.observed.split(": ")
        key = (path.subject, words[0]) if path.rule == TOGETHER.id else (words[0], words[1] if len(words) > 1 else "")
        waiver = accepted.get(key)
        if waiver is not None:
            text = f"{key[1]} of {key[0]} is accepted ({waiver.get('owner', '')}, until {waiver.get('expires', '')}), which does not cover this path"
            note = Evidence("the list of waivers", shown(text), f"its steps mended, or a waiver for {path.rule} too")
            notes += [note] if note not in path.evidence else []
    return notes


def _taken_over(path: Finding, accepted: t.Mapping[str, Finding], rules: t.Iterable[str]) -> dict[str, str] | None:
    """Return the waiver of a step that is as bad as the path by itself, as that of the path."""
    for rule in rules:
        finding = accepted.get(rule)
        if finding is not None and finding.waiver and severity.at_least(finding.severity, path.severity):
            return _with_reason(finding.waiver, rule, path.subject)
    return None


def _with_reason(waiver: t.Mapping[str, str], rule: str, name: str) -> dict[str, str]:
    return {**waiver, "reason": f"accepted with {rule} of {name}: {waiver.get('reason', '')}"}


# --- within one container ---------------------------------------------------------------------------------------------


def _holds(rule: str, name: str, wanted: t.Callable[[t.Any], t.Any], text: str = "") -> t.Callable[[Subject], Step | None]:
    """Return a step that is there when a fact is known and as wanted; what ``wanted`` returns is shown when it is a text."""

    def step(subject: Subject) -> Step | None:
        fact = subject.facts.get(name)
        if not isinstance(fact, Fact):
            return None
        verdict = wanted(fact.value)
        if not verdict:
            return None
        observed = verdict if isinstance(verdict, str) else text or shown(fact.value)
        return Step(rule, Evidence(fact.source, f"{rule}: {observed}", "", *place(fact, observed)))

    return step


def _no_lsm(subject: Subject) -> Step | None:
    if not escapes.without_lsm(subject):
        return None
    fact = t.cast(Fact, subject.facts["apparmor_mode"])
    observed = f"AppArmor {fact.value}" if fact.value else "neither AppArmor nor SELinux"
    return Step("apparmor-profile-set", Evidence(fact.source, f"apparmor-profile-set: {observed}", "", fact.file, fact.line))


def _root_of_the_host(subject: Subject) -> Step | None:
    uid, mapped = subject.facts.get("uid"), subject.facts.get("uid_mapped")
    if not isinstance(uid, Fact) or not isinstance(mapped, Fact) or uid.value != 0 or mapped.value:
        return None
    return Step("container-runs-as-user", Evidence(uid.source, "container-runs-as-user: root, not mapped", "", uid.file, uid.line))


def _writable_place(subject: Subject) -> Step | None:
    fact = subject.facts.get("mounts")
    # AppArmor's profile for containers lets mounts alone, SELinux does not unless they have been labelled for it.
    if not isinstance(fact, Fact) or subject.known("selinux") not in ("", *UNCONFINED_TYPES):
        return None
    for mount in fact.value:
        for path in mounts.places(mount):
            if not mount.read_only and mounts.sensitivity(path, False) == severity.HOST_PART and not path.startswith("/dev/"):
                observed = f"mounts-no-sensitive-directories: {path} at {mount.target}, writable"
                return Step("mounts-no-sensitive-directories", Evidence(fact.source, shown(observed), "", mount.file or fact.file, mount.line or fact.line))
    return None


_SYS_ADMIN = _holds("capability-sys-admin-not-held", "capabilities", lambda held: "SYS_ADMIN" in held, "SYS_ADMIN")
_NO_SECCOMP = _holds("seccomp-filter-on", "seccomp", lambda kind: kind == "unconfined", "no filter")

#: In the order in which one is shown when several are there.
WAYS = (
    Way(
        "its root mounts the kernel's settings writable, and names the program that the kernel runs on the host when another one crashes",
        (_SYS_ADMIN, _no_lsm, _root_of_the_host),
    ),
    Way(
        "its root writes to the kernel's settings, and names the program that the kernel runs on the host when another one crashes",
        (
            _holds("system-paths-read-only", "writable_paths", lambda paths: "/proc/sys" in paths, "/proc/sys is writable"),
            _no_lsm,
            _root_of_the_host,
        ),
    ),
    Way(
        "its root changes files by which the host's root logs in, starts programs or runs jobs",
        (_writable_place, _root_of_the_host),
    ),
    Way(
        "it reaches every process of the host, and runs code in one of them",
        (
            _holds("pid-namespace-own", "pid_mode", lambda mode: mode == "host", "the host's processes"),
            _holds("capability-sys-ptrace-not-with-host-processes", "capabilities", lambda held: "SYS_PTRACE" in held, "SYS_PTRACE"),
            _root_of_the_host,
        ),
    ),
    Way(
        "it enters namespaces of the host through the host's processes",
        (
            _holds("pid-namespace-own", "pid_mode", lambda mode: mode == "host", "the host's processes"),
            _SYS_ADMIN,
            _root_of_the_host,
        ),
    ),
    Way(
        "it makes the file of a disk and changes what is on it",
        (
            _holds("device-rules-none", "device_cgroup_rules", lambda rules: next((rule for rule in rules if not rule.startswith("c ")), "")),
            _holds("capabilities-restricted", "capabilities", lambda held: "MKNOD" in held, "MKNOD"),
            _root_of_the_host,
        ),
    ),
    Way(
        "a user who is not root talks to the engine, as the group that owns its socket",
        (
            _holds("api-socket-group-not-joined", "api_socket_groups", bool),
            _holds("api-socket-not-mounted", "mounts", lambda found: next((mount.target for mount in found if escapes.sockets_through(mount)), "")),
        ),
    ),
)


def _ways(subject: Subject) -> list[tuple[Way, list[Step]]]:
    """Return the ways that a subject has, the one with the fewest steps first."""
    found = []
    for way in WAYS:
        steps = []
        for step in way.steps:
            taken = step(subject)
            if taken is None:
                break
            steps.append(taken)
        else:
            found.append((way, steps))
    return sorted(found, key=lambda entry: len(entry[1]))


def _together(subject: Subject, ways: list[tuple[Way, list[Step]]], host: str) -> Finding:
    way, steps = ways[0]
    pieces = [step.evidence for step in steps]
    filterless = _NO_SECCOMP(subject)
    if filterless is not None:
        pieces.append(filterless.evidence)
    more = f"; {len(ways) - 1} more {'way' if len(ways) == 2 else 'ways'} lead there" if len(ways) > 1 else ""
    return _finding(TOGETHER, subject, pieces, f"{way.text}{more}", "", host)


def _as_end(entry: tuple[Way, list[Step]]) -> Step:
    way, steps = entry
    return Step(TOGETHER.id, steps[0].evidence._replace(observed=shown(f"{TOGETHER.id}: {way.text}")))


def _finding(rule: Rule, subject: Subject, pieces: t.Sequence[Evidence], reason: str, reach: str, host: str) -> Finding:
    found = evaluate.finding(rule, subject, Outcome(FAIL, tuple(pieces), reason, reach), host, frozenset())
    return found._replace(kind=KIND)


# --- from container to container ----------------------------------------------------------------------------------------

_Key = tuple[str, str, str]


class _Link(t.NamedTuple):
    """What leads from a container to another one.

    Attributes:
        text: words between the two names.
        strong: whether it hands over all rights, or only a place to attack the other one from.
        evidence: the fact that shows it.
    """

    text: str
    strong: bool
    evidence: Evidence


def _ends(workloads: t.Sequence[Subject], findings: t.Iterable[Finding], accepted: dict[int, dict[str, Finding]]) -> dict[int, _End]:
    """Return the containers that have the host's root by one failure, with the failure, one that nobody accepts before others.

    A failure with this attacker and this severity is nothing less, and what the host weakens is not as severe.

    Args:
        accepted: takes by container and rule the failures that a waiver accepts.
    """
    numbers: dict[tuple[str, str], list[int]] = {}
    for number, subject in enumerate(workloads):
        numbers.setdefault((subject.kind, subject.name), []).append(number)
    found: dict[int, _End] = {}
    for finding in findings:
        if finding.status != FAIL or (finding.severity != severity.CRITICAL and not finding.waiver):
            continue
        for number in numbers.get((finding.kind, finding.subject), ()):
            # Services of several files can have one name; the fingerprint tells them apart.
            if finding.rule in _OF_PRIVILEGED and workloads[number].known("privileged"):
                continue
            before = found.get(number)
            wanted = before is None or (before.waiver and not finding.waiver)
            if not (wanted or finding.waiver) or finding.fingerprint != evaluate.fingerprint(finding.rule, finding.host, workloads[number]):
                continue
            if finding.waiver:
                accepted[number][finding.rule] = finding
            if wanted and finding.severity == severity.CRITICAL:
                first = finding.evidence[0] if finding.evidence else Evidence("", "", "")
                step = Step(finding.rule, first._replace(observed=shown(f"{finding.rule}: {first.observed}"), expected=""))
                found[number] = _End(step, finding.waiver)
    return found


def _shared(workloads: t.Sequence[Subject], ends: t.Mapping[int, _End], host: str, accept: Accept) -> list[Finding]:
    if not ends:
        return []
    graph = _Graph(workloads)
    # An end that nobody accepts is the one to be told of, even when an accepted one is nearer.
    open_ends = {number for number, end in ends.items() if not end.waiver}
    leading = graph.towards(open_ends) if open_ends else {}
    others = graph.towards(ends) if len(open_ends) < len(ends) else {}
    rest, other_rest = _rest_of(leading, open_ends), _rest_of(others, ends)
    found = []
    for number, subject in enumerate(workloads):
        if number in ends or (number not in leading and number not in others):
            continue
        nearest, lead = (leading, rest) if number in leading else (others, other_rest)
        length, strong, end = lead[number]
        pieces: list[Evidence] = []
        names = [subject.name]
        here = number
        for _step in range(min(length, _MOST_LISTED)):
            link, following = nearest[here]
            text = f"{workloads[here].name} {link.text} {workloads[following].name}"
            pieces.append(link.evidence._replace(observed=shown(text)))
            here = following
            names.append(workloads[here].name)
        if here != end:
            pieces.append(Evidence("", f"and {length - _MOST_LISTED} more steps to {workloads[end].name}"))
            names += ["...", workloads[end].name]
        last = ends[end].step.evidence
        pieces.append(last._replace(observed=shown(f"{workloads[end].name}: {last.observed}")))
        # Through a volume or a network the other one must still be attacked.
        reach = severity.HOST_ROOT if strong else severity.HOST_PART
        [path] = accept([_finding(SHARED, subject, pieces, " -> ".join([*names, "root on the host"]), reach, host)])
        waiver = ends[end].waiver
        if path.waiver is None and waiver:
            path = path._replace(waiver=_with_reason(waiver, ends[end].step.rule, workloads[end].name))
        found.append(path)
    return found


def _rest_of(nearest: t.Mapping[int, tuple[_Link, int]], ends: t.Iterable[int]) -> dict[int, tuple[int, bool, int]]:
    """Return for each container on a way how many steps it is to the end, whether all of them are strong, and the end."""
    found = {end: (0, True, end) for end in ends}
    # Nearer ones come first, so what follows on a way is known before.
    for number, (link, following) in nearest.items():
        length, strong, end = found[following]
        found[number] = (length + 1, strong and link.strong, end)
    return found


class _Graph:
    """Containers and what they share, as links from each thing back to the containers that can use it."""

    def __init__(self, workloads: t.Sequence[Subject]) -> None:
        self._workloads = workloads
        self._by_name: dict[_Key, int] = {}
        for number, subject in enumerate(workloads):
            self._by_name.setdefault((subject.kind, self._scope(subject), subject.name), number)
        # A name of its own counts before one that somebody gave it besides.
        for number, subject in enumerate(workloads):
            for name in subject.identity.get("names", ()):
                self._by_name.setdefault((subject.kind, self._scope(subject), name), number)
        # By container, those that reach it directly.
        self._direct: dict[int, list[tuple[int, _Link]]] = collections.defaultdict(list)
        # By container, the places it reads; by place, the containers that write to it.
        self._reads: dict[int, list[tuple[str, str]]] = collections.defaultdict(list)
        self._writers: dict[tuple[str, str], list[tuple[int, _Link]]] = collections.defaultdict(list)
        self._below: dict[tuple[str, str], list[tuple[int, _Link]]] = collections.defaultdict(list)
        # By network, the containers on it; by container, the networks on which it offers an engine's API.
        self._members: dict[tuple[str, str], list[tuple[int, _Link]]] = collections.defaultdict(list)
        self._offers: dict[int, list[tuple[str, str]]] = collections.defaultdict(list)
        for number, subject in enumerate(workloads):
            self._namespaces(number, subject)
            self._mounts(number, subject)
            self._networks(number, subject)

    def towards(self, ends: t.Iterable[int]) -> dict[int, tuple[_Link, int]]:
        """Return for each container that leads to one of the ends its first link of a shortest way, and where it leads."""
        found: dict[int, tuple[_Link, int]] = {}
        seen = set(ends)
        queue = collections.deque(sorted(seen))
        spent: set[tuple[str, tuple[str, str]]] = set()
        while queue:
            here = queue.popleft()
            for number, link in self._towards(here, spent):
                if number not in seen:
                    seen.add(number)
                    found[number] = (link, here)
                    queue.append(number)
        return found

    def _towards(self, here: int, spent: set[tuple[str, tuple[str, str]]]) -> t.Iterator[tuple[int, _Link]]:
        """Yield the containers that reach one. What is shared by many is looked at for the first of them only."""
        yield from self._direct.get(here, ())
        for read in self._reads.get(here, ()):
            yield from self._once("at", read, self._writers, spent)
            if not (read[0] == "path" and mounts.sensitivity(read[1], False)):
                # Whoever has all of /var mounted shares nothing in particular with those who have a part of it.
                yield from self._once("below", read, self._below, spent)
            for parent in _parents(read):
                yield from self._once("at", parent, self._writers, spent)
        for network in self._offers.get(here, ()):
            yield from self._once("network", network, self._members, spent)

    @staticmethod
    def _once(
        kind: str, key: tuple[str, str], index: t.Mapping[tuple[str, str], list[tuple[int, _Link]]], spent: set[tuple[str, tuple[str, str]]]
    ) -> t.Iterable[tuple[int, _Link]]:
        if (kind, key) in spent:
            return ()
        spent.add((kind, key))
        return index.get(key, ())

    @staticmethod
    def _scope(subject: Subject) -> str:
        # Names of containers and their volumes hold for the host, those of a compose file within its project.
        return str(subject.identity.get("project") or subject.file) if subject.kind == COMPOSE_SERVICE else ""

    def _named(self, subject: Subject, name: str) -> int | None:
        """Return what a subject means by a name: what it calls so itself, or what everybody does."""
        called = subject.identity.get("links", {}).get(name, name)
        return self._by_name.get((subject.kind, self._scope(subject), called))

    def _joined(self, subject: Subject, fact_name: str, fact: Fact) -> int | None:
        """Return whose namespace a subject joins. Where the fact says what that comes to, the identity says whose it is."""
        joins = subject.identity.get("joins")
        if joins is not None:
            return self._named(subject, joins[fact_name]) if fact_name in joins else None
        if not isinstance(fact.value, str) or not fact.value.startswith(("container:", "service:")):
            return None
        return self._named(subject, fact.value.partition(":")[2])

    def _link(self, number: int, other: int, text: str, strong: bool, fact: Fact) -> None:
        self._direct[other].append((number, _Link(text, strong, Evidence(fact.source, "", "", fact.file, fact.line))))

    def _namespaces(self, number: int, subject: Subject) -> None:
        for name, text, strong in (
            ("pid_mode", "shares its processes with", True),
            ("ipc_mode", "shares its memory with", False),
            ("network_mode", "shares its network namespace with", False),
        ):
            fact = subject.facts.get(name)
            other = self._joined(subject, name, fact) if isinstance(fact, Fact) else None
            if isinstance(fact, Fact) and other is not None and other != number:
                self._link(number, other, text, strong, fact)
                self._link(number=other, other=number, text=text, strong=strong, fact=fact)
        fact = subject.facts.get("volumes_from")
        for name in fact.value if isinstance(fact, Fact) else ():
            other = self._named(subject, name.partition(":")[0])
            if isinstance(fact, Fact) and other is not None and other != number:
                # It has the other's mounts, and both write to them.
                self._link(number, other, "takes all mounts of", True, fact)
                self._link(other, number, "gives all its mounts to", False, fact)

    def _mounts(self, number: int, subject: Subject) -> None:
        fact = subject.facts.get("mounts")
        if not isinstance(fact, Fact):
            return
        scope = self._scope(subject)
        for mount in fact.value:
            keys: dict[tuple[str, str], str] = {}
            if mount.kind == "volume" and mount.source:
                # What has the engine's name is the same in every project.
                real = subject.identity.get("volumes", {}).get(mount.source)
                keys[("volume", f"\0{real}" if real else f"{scope}\0{mount.source}")] = f"writes to the volume {mount.source}, which is also mounted in"
            if mount.kind == "volume" and mount.host_path:
                keys[("path", mount.host_path)] = f"writes to the volume at {mount.target}, which is also mounted in"
            for path in mounts.places(mount):
                keys[("path", path)] = f"writes to {path}, which is also mounted in"
            for key, text in keys.items():
                self._reads[number].append(key)
                if mount.read_only:
                    continue
                link = _Link(text, False, Evidence(fact.source, "", "", mount.file or fact.file, mount.line or fact.line))
                self._writers[key].append((number, link))
                for parent in _parents(key):
                    self._below[parent].append((number, link))

    def _networks(self, number: int, subject: Subject) -> None:
        fact = subject.facts.get("networks")
        scope = self._scope(subject) if subject.kind == COMPOSE_SERVICE else subject.kind
        names = fact.value if isinstance(fact, Fact) else ()
        ports = subject.known("ports", ())
        offers = subject.identity.get("offers_api") or any(port.container_port in _API_PORTS for port in ports)
        for name in names:
            if name in ("none", "host"):
                continue
            key = (scope, name)
            text = f"is on the network {name} with the API that is offered by"
            known = t.cast(Fact, fact)
            self._members[key].append((number, _Link(text, True, Evidence(known.source, "", "", known.file, known.line))))
            if offers:
                self._offers[number].append(key)
        led = subject.facts.get("docker_host")
        if isinstance(led, Fact) and isinstance(led.value, str) and "://" in led.value:
            name = led.value.partition("://")[2].partition("/")[0].rpartition("@")[2].partition(":")[0]
            other = self._named(subject, name)
            if other is not None and other != number:
                self._link(number, other, "drives the engine through", True, led)


def _parents(key: tuple[str, str]) -> t.Iterator[tuple[str, str]]:
    kind, path = key
    if kind != "path":
        return
    # A path of absurd depth has the kernel's limit of 4096 bytes, and so at most that many parts.
    while path != "/" and len(path) <= 4096:
        path = path.rpartition("/")[0] or "/"
        yield kind, path


# --- the daemon's API ---------------------------------------------------------------------------------------------------


def _open_api(daemon: Subject | None, workloads: t.Sequence[Subject], host: str) -> list[Finding]:
    """Return a finding for the daemon whose API containers reach over the network."""
    if daemon is None or daemon.known("tls_verify") is not False:
        return []
    fact = next((found for found in map(daemon.facts.get, ("tcp_listening", "listeners")) if isinstance(found, Fact) and found.value), None)
    if fact is None:
        return []
    addresses = [str(address) for address in fact.value if not str(address).startswith(("unix:", "fd:", "npipe:", "/"))]
    everywhere = [address for address in addresses if not _on_loopback(address)]
    reached = []
    for subject in workloads:
        if subject.kind != CONTAINER:
            continue
        mode = subject.known("network_mode")
        # On the host's network the host's own address is theirs too.
        if addresses and mode == "host":
            reached.append(f"{subject.name}, on the host's network")
        elif everywhere and mode not in (None, "none") and subject.known("networks"):
            reached.append(f"{subject.name}, on {shown(subject.known('networks'))}")
    if not reached:
        return []
    pieces = [Evidence(fact.source, shown(addresses), "no address without certificates", fact.file, fact.line)]
    pieces += [Evidence("", shown(text), "") for text in reached[:_MOST_LISTED]]
    if len(reached) > _MOST_LISTED:
        pieces.append(Evidence("", f"and {len(reached) - _MOST_LISTED} more", ""))
    count = "1 container reaches" if len(reached) == 1 else f"{len(reached)} containers reach"
    return [_finding(OPEN_API, daemon, pieces, f"{count} it and can start a privileged one", "", host)]


def _on_loopback(address: str) -> bool:
    text = address.partition("://")[2] or address
    return text.startswith(("127.", "[::1]", "::1", "localhost"))
