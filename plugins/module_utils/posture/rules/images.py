# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What images are made of, where they come from, how old they are, and how many nobody uses.

PRIVATE to the collection: no stability is promised to other users.

An image remembers the instructions that made it as text that builders write in different ways; what is read out of it is
what they say, never what a file in it contains.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.checks import (
    failed,
    is_empty,
    not_applicable,
    passed,
    shown,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import (
    COMPOSE_SERVICE,
    DAEMON,
    FAIL,
    IMAGE,
    Evidence,
    NotKnown,
    Outcome,
    Rule,
    Subject,
    Unknown,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules.escapes import leads_to_descriptors
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.severity import (
    CONTAINER_ROOT,
    DATA,
    DEFENCE,
    FROM_ACCIDENT,
    FROM_DEPLOYER,
    FROM_HOST,
    FROM_NETWORK,
    HOST_ROOT,
    HYGIENE,
    NOTHING,
    REBUILD,
)

MOST_UNUSED_IMAGES = 20
MOST_STOPPED_CONTAINERS = 10

# No instruction is longer in good faith.
_LONGEST = 16384
_NO_OPERATION = re.compile(r"\S{1,40} -c #\(nop\)\s{0,4}")
_INSTRUCTION = re.compile(r"(ADD|ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|RUN|SHELL|STOPSIGNAL|USER|VOLUME|WORKDIR)\s")
_SHELL = re.compile(r"(?:\|\d{1,4} .{0,8000}?)?(?:/usr)?/bin/(?:ba|da|a)?sh -[a-z]{0,8}c\s", re.DOTALL)
_COMMANDS = re.compile(r"&&|\|\||[;|\n]")
_MANAGERS = frozenset("apt-get apt aptitude apk yum dnf microdnf tdnf zypper pacman".split())
_LISTS = frozenset("update refresh ref makecache check-update -Sy -Syy".split())
_PACKAGES = frozenset("install reinstall add upgrade dist-upgrade full-upgrade groupinstall distro-sync dup patch build-dep satisfy".split())
_REMOTE = ("http://", "https://", "ftp://", "git://", "git@", "ssh://")
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tar.lz", ".tar.lzma")
_BUILT_BY_LEGACY = ("file:", "dir:", "multi:")


def instruction(text: str) -> tuple[str, str]:
    """Return the instruction in a line of an image's history, and what follows it; RUN for a bare command of a shell."""
    text = text[:_LONGEST].strip()
    said = _NO_OPERATION.sub("", text, count=1) if text.startswith("/") else text
    found = _INSTRUCTION.match(said)
    if found:
        rest = said[found.end() :].strip()
        return found[1], rest[: -len("# buildkit")].rstrip() if rest.endswith("# buildkit") else rest
    return ("RUN", text) if _SHELL.match(text) else ("", text)


def updates_alone(text: str) -> str:
    """Return the command of a line of history that only brings lists of packages up to date, or an empty string."""
    word, rest = instruction(text)
    if word != "RUN" or not any(name in rest for name in ("update", "ref", "makecache", "-Sy")):
        return ""
    alone = ""
    for command in _COMMANDS.split(_SHELL.sub(" ", rest, count=1)):
        words = command.split()
        place = next((number for number, item in enumerate(words) if item.rpartition("/")[2] in _MANAGERS), -1)
        if place < 0:
            continue
        asked = words[place + 1 :]
        if not _PACKAGES.isdisjoint(asked) or _installs_by_pacman(words[place], asked):
            return ""
        if not _LISTS.isdisjoint(asked):
            alone = alone or command.strip()
    return alone


def _installs_by_pacman(manager: str, asked: list[str]) -> bool:
    return manager.endswith("pacman") and any(item.startswith("-S") for item in asked) and (
        any(item.startswith("-S") and "u" in item for item in asked) or any(not item.startswith("-") for item in asked)
    )


def added(text: str, oldest: bool = False) -> str:
    """Return why an ADD in a line of history should not be one, or an empty string where there is none or it is right.

    Args:
        oldest: whether the line is the first of its image: a root filesystem is unpacked there.
    """
    word, rest = instruction(text)
    if word != "ADD":
        return ""
    words = rest.split()
    options = [item for item in words if item.startswith("--")]
    sources = [item for item in words if not item.startswith("--")]
    target = sources.pop() if sources else ""
    sources = [item for item in sources if item != "in"]
    remote = [item for item in sources if item.startswith(_REMOTE) or item.endswith(".git")]
    if remote:
        return "" if any(option.startswith("--checksum") for option in options) else f"{remote[0]} is fetched without a checksum"
    if sources and all(item.lower().endswith(_ARCHIVES) for item in sources):
        return ""
    if target == "/" and oldest and all(item.startswith(_BUILT_BY_LEGACY) for item in sources):
        return ""
    return f"{' '.join(sources)[:100] or 'what it adds'} could be copied"


def registry_of(reference: str) -> str:
    """Return the registry that a reference of an image names, docker.io where it names none."""
    first, slash, _rest = reference.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return "docker.io" if first == "index.docker.io" else first
    return "docker.io"


def _trusted(reference: str, trusted: t.Iterable[str]) -> bool:
    registry = registry_of(reference)
    name = reference if reference.startswith(registry + "/") else f"{registry}/{reference if '/' in reference else 'library/' + reference}"
    name = name.partition("@")[0]
    return any(name == entry or name.startswith(entry.rstrip("/") + "/") or (entry.count("/") and name.startswith(entry + ":")) for entry in trusted)


def _looked_at(name: str, check: t.Callable[[Subject], Outcome]) -> t.Callable[[Subject], Outcome]:
    """Return a check that leaves out images that no container uses and that nobody asked the engine about."""

    def guarded(subject: Subject) -> Outcome:
        found = subject.facts.get(name)
        if isinstance(found, Unknown) and found.partly is None and subject.known("used") is False:
            return not_applicable("no container uses the image, and the engine was not asked about it")
        return check(subject)

    return guarded


def _registry(subject: Subject) -> Outcome:
    trusted = subject.fact("trusted_registries")
    if not trusted.value:
        return not_applicable("nobody decided which registries are trusted; say it in the policy")
    expected = f"from {shown(trusted.value)}"
    if subject.kind == COMPOSE_SERVICE:
        image = subject.fact("image")
        if not image.value:
            return not_applicable("it names no image, so it runs the one that it builds")
        return (passed if _trusted(image.value, trusted.value) else failed)(image, expected)
    fact = subject.fact("references")
    names = fact.value or subject.value("digests")
    if not names:
        return failed(fact, expected, "no name and no digest", "nothing tells where it comes from")
    foreign = tuple(name for name in names if not _trusted(name, trusted.value))
    return failed(fact, expected, foreign) if foreign else passed(fact, expected)


def _digest(subject: Subject) -> Outcome:
    fact = subject.fact("digests")
    return (passed if fact.value else failed)(fact, "a digest of a registry")


def _healthcheck(subject: Subject) -> Outcome:
    fact = subject.fact("healthcheck")
    if fact.value:
        return passed(fact, "yes")
    return failed(fact, "yes") if subject.value("used") else not_applicable("no container uses the image")


def _updates(subject: Subject) -> Outcome:
    fact = subject.fact("history")
    expected = "lists of packages are brought up to date where packages are installed"
    found = tuple(command for command in map(updates_alone, fact.value) if command)
    return Outcome(FAIL, tuple(Evidence(fact.source, shown(command), expected) for command in found)) if found else passed(fact, expected, "none alone")


def _adds(subject: Subject) -> Outcome:
    fact = subject.fact("history")
    expected = "COPY, and ADD for archives and with --checksum for what is fetched"
    last = len(fact.value) - 1
    found = [why for place, text in enumerate(fact.value) for why in (added(text, place == last),) if why]
    if not found:
        return passed(fact, expected, "nothing else")
    fetched = any("without a checksum" in why for why in found)
    return Outcome(FAIL, tuple(Evidence(fact.source, shown(why), expected) for why in found), reach=CONTAINER_ROOT if fetched else HYGIENE)


def _working_dir(subject: Subject) -> Outcome:
    fact = subject.fact("working_dir")
    return (failed if leads_to_descriptors(fact.value) else passed)(fact, "a directory of the image")


def _age(subject: Subject) -> Outcome:
    limit = subject.fact("maximum_age_days")
    if not limit.value:
        return not_applicable("nobody decided how old an image may be; say it in the policy")
    if not subject.value("used"):
        return not_applicable("no container uses the image")
    fact = subject.fact("age_days")
    return (passed if fact.value <= limit.value else failed)(fact, f"at most {limit.value} days", f"{fact.value} days")


def _image_sprawl(subject: Subject) -> Outcome:
    fact = subject.fact("images")
    every, unused = fact.value
    expected = f"at most {MOST_UNUSED_IMAGES} that no container uses"
    return (failed if unused > MOST_UNUSED_IMAGES else passed)(fact, expected, f"{unused} of {every} unused")


def _container_sprawl(subject: Subject) -> Outcome:
    fact = subject.fact("containers")
    running, stopped = fact.value
    most = max(MOST_STOPPED_CONTAINERS, running)
    if running < 0 or stopped < 0:
        raise NotKnown("the engine counts less than no containers", fact.source)
    return (failed if stopped > most else passed)(fact, f"at most {most} that do not run", f"{stopped} stopped, {running} running")


RULES = (
    Rule(
        id="image-from-trusted-registry",
        title="The image comes from a registry that is trusted",
        why="Whoever publishes an image decides what runs in its containers, with their data.",
        applies_to=(IMAGE, COMPOSE_SERVICE),
        check=_registry,
        attacker=FROM_DEPLOYER,
        reach=DATA,
        remedy="Name an `image` of a trusted registry, or mirror this one there after it was looked at.",
        blast=REBUILD,
        variable="docker_audit_policy",
        cis_1_6=("4.2",),
        cis_1_8=("4.2",),
        references=("OWASP Docker rule 13",),
    ),
    Rule(
        id="image-has-digest",
        title="A digest of a registry names the content of the image",
        why="Content trust left Docker's client with 29.0. What is left of it without other tools is the digest, by which an image can be compared.",
        applies_to=(IMAGE,),
        check=_digest,
        attacker=FROM_DEPLOYER,
        reach=HYGIENE,
        remedy="Pull images by digest, and check signatures where they are built and deployed.",
        blast=NOTHING,
        cis_1_6=("4.5",),
        cis_1_8=("4.5",),
        vacuous=True,
    ),
    Rule(
        id="image-has-healthcheck",
        title="The image says how to tell whether its container works",
        why="Without it a program that hangs counts as running, and nothing replaces it.",
        applies_to=(IMAGE,),
        check=_looked_at("healthcheck", _healthcheck),
        attacker=FROM_ACCIDENT,
        reach=HYGIENE,
        remedy="Add HEALTHCHECK to the Dockerfile, or a healthcheck to each service.",
        blast=REBUILD,
        cis_1_6=("4.6",),
        cis_1_8=("4.6",),
    ),
    Rule(
        id="image-updates-with-installation",
        title="Lists of packages are not brought up to date in an instruction of their own",
        why="The builder keeps such an instruction for ever, and later ones install from old lists: fixes are missing in a new image.",
        applies_to=(IMAGE,),
        check=_looked_at("history", _updates),
        attacker=FROM_DEPLOYER,
        reach=DEFENCE,
        remedy="Update and install in one RUN.",
        blast=REBUILD,
        cis_1_6=("4.7",),
        cis_1_8=("4.7",),
    ),
    Rule(
        id="image-copies-files",
        title="Files get into the image by COPY",
        why="ADD fetches from the network without looking at what comes, and unpacks archives that somebody else wrote.",
        applies_to=(IMAGE,),
        check=_looked_at("history", _adds),
        attacker=FROM_DEPLOYER,
        reach=CONTAINER_ROOT,
        remedy="Use COPY; what must be fetched, fetch with --checksum.",
        blast=REBUILD,
        cis_1_6=("4.9",),
        cis_1_8=("4.9",),
    ),
    Rule(
        id="image-without-secrets",
        title="Variables and build arguments of the image hold no secret",
        why="Whoever can pull an image, or use the API, reads them, and they stay in every layer that is built on it.",
        applies_to=(IMAGE,),
        check=_looked_at("secret_names", is_empty("secret_names")),
        attacker=FROM_HOST,
        reach=DATA,
        remedy="Give secrets at run time as files, at build time with RUN --mount=type=secret; change those that were in an image.",
        blast=REBUILD,
        cis_1_6=("4.10",),
        cis_1_8=("4.10",),
        references=("OWASP Docker rule 12", "ATT&CK T1552"),
    ),
    Rule(
        id="image-working-dir-inside",
        title="The working directory of the image lies in the image",
        why="Below /proc/self/fd runc before 1.1.12 had directories of the host open: a container that begins there is outside.",
        applies_to=(IMAGE,),
        check=_looked_at("working_dir", _working_dir),
        attacker=FROM_DEPLOYER,
        reach=HOST_ROOT,
        remedy="Remove the image: nobody writes this by accident. See what has run from it.",
        blast=NOTHING,
        references=("CVE-2024-21626", "ATT&CK T1611"),
    ),
    Rule(
        id="image-not-old",
        title="The image is no older than the policy allows",
        why="An image that nobody builds again lacks every fix since.",
        applies_to=(IMAGE,),
        check=_age,
        attacker=FROM_NETWORK,
        reach=DEFENCE,
        remedy="Build or pull it again, and create its containers again.",
        blast=REBUILD,
        variable="docker_audit_policy",
        cis_1_6=("5.28",),
        cis_1_8=("5.28",),
    ),
    Rule(
        id="images-are-used",
        title="The host keeps few images that no container uses",
        why="They fill the disk, and old releases with holes can be started from them.",
        applies_to=(DAEMON,),
        check=_image_sprawl,
        attacker=FROM_ACCIDENT,
        reach=HYGIENE,
        remedy="Remove images that nobody uses, with `docker image prune --all` and a filter by age.",
        blast=NOTHING,
        cis_1_6=("6.1",),
        cis_1_8=("6.1",),
    ),
    Rule(
        id="containers-are-used",
        title="The host keeps few containers that do not run",
        why="They keep data and settings that nobody looks after, and any of them can be started again.",
        applies_to=(DAEMON,),
        check=_container_sprawl,
        attacker=FROM_ACCIDENT,
        reach=HYGIENE,
        remedy="Remove containers that are not needed, with `docker container prune` and a filter by age.",
        blast=NOTHING,
        cis_1_6=("6.2",),
        cis_1_8=("6.2",),
    ),
)
