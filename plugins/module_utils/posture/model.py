# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What is judged, and what a judgement is: subjects with facts, rules, outcomes, findings.

PRIVATE to the collection: no stability is promised to other users.

A *subject* is one thing that is judged: the host, its daemon, an image, a container, a service of a compose file or of a
swarm. What is known about it are *facts*, each with the place where it was read. A fact that could not be read is
`Unknown` and says why; a rule that asks for it becomes unknown with that reason, never a pass. Which facts a kind of
subject has, and what they mean, stands in vocabulary.py; whether they come from a running container or from a compose
file makes no difference to a rule.
"""

from __future__ import annotations

import dataclasses
import typing as t

HOST = "host"
DAEMON = "daemon"
IMAGE = "image"
CONTAINER = "container"
COMPOSE_SERVICE = "compose service"
SWARM_SERVICE = "swarm service"
SWARM = "swarm"
NETWORK = "network"
VOLUME = "volume"
KINDS = (HOST, DAEMON, IMAGE, CONTAINER, COMPOSE_SERVICE, SWARM_SERVICE, SWARM, NETWORK, VOLUME)
# What a container is made from or is: the kinds with the facts of a container.
WORKLOADS = (CONTAINER, COMPOSE_SERVICE, SWARM_SERVICE)

PASS = "pass"
FAIL = "fail"
NOT_APPLICABLE = "not-applicable"
UNKNOWN = "unknown"
STATUSES = (FAIL, UNKNOWN, PASS, NOT_APPLICABLE)


class Fact(t.NamedTuple):
    """What is known, and where it was read.

    Attributes:
        value: plain values, or the tuples of vocabulary.py.
        source: an API path with a JSON pointer, a file with what stands in it, a kernel interface.
        file, line: where a person can change it, for facts of compose files; empty and 0 elsewhere.
    """

    value: t.Any
    source: str
    file: str = ""
    line: int = 0

    def having(self, value: t.Any) -> Fact:
        """Return the fact with another value: what _replace does, at a fraction of its price."""
        return Fact(value, self.source, self.file, self.line)


class Unknown(t.NamedTuple):
    """A fact that could not be read, with the reason in words that end a sentence without a full stop.

    Attributes:
        partly: for a list of which some items are known: a fact with those. A rule that fails on it fails; one that passes
            on it is unknown all the same (evaluate.outcome_of). Only for lists in which an item more cannot mend a failure.
    """

    reason: str
    source: str = ""
    partly: Fact | None = None


class NotKnown(Exception):
    """A rule asked for a fact that nobody knows; the engine of the rules turns it into UNKNOWN."""

    def __init__(self, reason: str, source: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.source = source


class Subject:
    """One thing that is judged.

    Args:
        kind: one of KINDS.
        name: the name that its owner gave it: of a container without the slash, of a compose service as in the file.
        facts: by their names in vocabulary.py. A name that is missing counts as unknown.
        identity: what waivers select by besides the name: ``id``, ``image``, ``digest``, ``project``, ``labels``.
        file, line: where it is defined, for what comes from a file.
    """

    __slots__ = ("kind", "name", "facts", "identity", "file", "line")

    def __init__(
        self,
        kind: str,
        name: str,
        facts: t.Mapping[str, Fact | Unknown],
        identity: t.Mapping[str, t.Any] | None = None,
        file: str = "",
        line: int = 0,
    ) -> None:
        self.kind = kind
        self.name = name
        self.facts = facts
        self.identity = identity or {}
        self.file = file
        self.line = line

    def fact(self, name: str) -> Fact:
        """Return a fact, or raise NotKnown with the reason why there is none."""
        found = self.facts.get(name)
        if found is None:
            raise NotKnown(f"{name} was not looked at", "")
        if isinstance(found, Unknown):
            raise NotKnown(found.reason, found.source)
        return found

    def value(self, name: str) -> t.Any:
        """Return the value of a fact, or raise NotKnown."""
        return self.fact(name).value

    def partly(self) -> Subject | None:
        """Return the subject with what is partly known taken for the whole, or None where nothing is."""
        parts = {name: found.partly for name, found in self.facts.items() if isinstance(found, Unknown) and found.partly is not None}
        return Subject(self.kind, self.name, {**self.facts, **parts}, self.identity, self.file, self.line) if parts else None

    def known(self, name: str, default: t.Any = None) -> t.Any:
        """Return the value of a fact, or the default where it is unknown. For context only: a check uses `value`."""
        found = self.facts.get(name)
        return found.value if isinstance(found, Fact) else default


class Evidence(t.NamedTuple):
    """What a judgement rests on: where it was read, what was found, what should be there; all as text for a person.

    Attributes:
        file, line: where it stands, when that is a file that a person writes.
    """

    source: str
    observed: str
    expected: str = ""
    file: str = ""
    line: int = 0


class Outcome(t.NamedTuple):
    """What a check says of a subject.

    Attributes:
        status: one of STATUSES.
        evidence: for PASS and FAIL at least one piece.
        reason: why it is unknown or does not apply; for a failure, when the title alone does not say enough.
        reach, attacker: what the failure gives, and to whom, where that depends on what was found; else the rule's own.
    """

    status: str
    evidence: tuple[Evidence, ...] = ()
    reason: str = ""
    reach: str = ""
    attacker: str = ""


@dataclasses.dataclass(frozen=True)
class Rule:
    """What is asked of a subject, and what to do when it is not so.

    Attributes:
        id: of the rule, for waivers, reports and references: lower case words with hyphens, never reused.
        title: what is asked, as a statement that is true where the rule passes.
        why: what happens otherwise, one or two sentences.
        applies_to: kinds of subjects.
        check: from a subject to an outcome; raises NotKnown (through Subject.value) where a fact is missing.
        attacker: where somebody must be to use the failure, one of severity.ATTACKERS.
        reach: what it gives them, one of severity.REACHES.
        remedy: what to do, in one or two sentences.
        blast: what mending it interrupts, one of severity.BLASTS.
        variable: the variable of this collection that mends it, where there is one.
        cis_1_6, cis_1_8: numbers of the CIS Docker Benchmark that ask for it.
        references: CVEs, OWASP rules, ATT&CK techniques, issues: short labels or addresses.
        tempered_by: contexts (severity.CONTEXTS) that take its severity down one step.
        vacuous: the release in force cannot fail it any more; it never counts in the score.
    """

    id: str
    title: str
    why: str
    applies_to: tuple[str, ...]
    check: t.Callable[[Subject], Outcome]
    attacker: str
    reach: str
    remedy: str
    blast: str
    variable: str = ""
    cis_1_6: tuple[str, ...] = ()
    cis_1_8: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    tempered_by: tuple[str, ...] = ()
    vacuous: bool = False


class Finding(t.NamedTuple):
    """The judgement of one rule on one subject, as every report has it.

    Attributes:
        rule, title, severity, status: of the judgement; severity is one of severity.SEVERITIES.
        host: the name of the host in the inventory; empty for files.
        subject, kind: name and kind of the subject.
        file, line: where to change it, for what comes from a file.
        evidence: what it rests on.
        reason: for UNKNOWN and NOT_APPLICABLE why; for FAIL what makes it so, where the title says too little.
        remediation: what to do; blast, variable: see Rule.
        cis_1_6, cis_1_8, references: see Rule.
        fingerprint: the same for the same rule and subject on every run, whatever was observed.
        waiver: owner, reason and expiry of the waiver that covers it, else None.
    """

    rule: str
    title: str
    severity: str
    status: str
    host: str
    subject: str
    kind: str
    file: str
    line: int
    evidence: tuple[Evidence, ...]
    reason: str
    why: str
    remediation: str
    blast: str
    variable: str
    cis_1_6: tuple[str, ...]
    cis_1_8: tuple[str, ...]
    references: tuple[str, ...]
    fingerprint: str
    waiver: t.Mapping[str, str] | None = None

    def as_dict(self) -> dict[str, t.Any]:
        """Return plain values, as modules return them and as report/ reads them."""
        plain = self._asdict()
        plain["evidence"] = [item._asdict() for item in self.evidence]
        for name in ("cis_1_6", "cis_1_8", "references"):
            plain[name] = list(plain[name])
        plain["waiver"] = dict(self.waiver) if self.waiver else None
        return plain
