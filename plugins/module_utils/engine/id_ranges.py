# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Subordinate id ranges: reading, allocating, verifying and translating them, and what they do to Docker's paths.

PRIVATE to the collection: no stability is promised to other users.

The rules are those of the engine: all lines of a user, by name or by number, are taken in file order and joined to
consecutive container ids; the group file is searched with the *user's* name too; nothing there checks for overlaps
(moby: daemon/internal/usergroup/lookup_unix.go). This module does.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import text_lines
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem

DEFAULT_START = 100000
DEFAULT_COUNT = 65536
# The last id that the kernel accepts is 2**32 - 2; uid 2**32 - 1 means "no change" to chown(2).
HIGHEST_ID = 2**32 - 2
# A container needs ids up to nobody (65534) or unpacking most images fails.
SMALLEST_COUNT = 65536
# Names that dockerd understands otherwise than as a user with ranges (moby: daemon/daemon_unix.go, setupRemappedRoot).
_USER = re.compile(r"[a-z_][a-z0-9_-]*\$?")
RESERVED_USERS = {
    "default": "is 'default', with which dockerd picks ranges itself without looking who owns them; name a user, such as dockremap",
    "root": "is 'root', with which dockerd does not remap at all; name a user of its own, such as dockremap",
}


@dataclasses.dataclass(frozen=True)
class Range:
    """One line of /etc/subuid or /etc/subgid: ids start … start + count - 1 belong to the owner (subuid(5))."""

    owner: str
    start: int
    count: int

    @property
    def end(self) -> int:
        """The first id after the range."""
        return self.start + self.count

    def overlaps(self, other: Range) -> bool:
        """Tell whether the two ranges share an id."""
        return self.start < other.end and other.start < self.end

    def __str__(self) -> str:
        return f"{self.owner}:{self.start}:{self.count}"


def parse(text: str, path: str) -> tuple[list[Range], list[Problem]]:
    """Read the text of a subuid or subgid file.

    Returns:
        The ranges in file order, and one problem for each line that is not ``owner:start:count``.
    """
    ranges: list[Range] = []
    problems: list[Problem] = []
    for number, line in enumerate(text_lines.lines_of(text), start=1):
        stripped = line.strip(" \t")
        if not stripped or stripped.startswith("#"):
            continue
        fields = stripped.split(":")
        start, count = (text_lines.number(field) for field in fields[1:]) if len(fields) == 3 else (None, None)
        # The engine takes blanks off a line, and shadow-utils does not.
        if not fields[0] or start is None or count is None or line != stripped:
            problems.append(Problem(f"{path} line {number}", f"'{stripped}' is not owner:start:count; mend or remove the line"))
            continue
        found = Range(fields[0], start, count)
        if found.count == 0:
            continue
        if found.end - 1 > HIGHEST_ID:
            problems.append(Problem(f"{path} line {number}", f"'{stripped}' reaches beyond the highest id, {HIGHEST_ID}; shorten the range"))
            continue
        ranges.append(found)
    return ranges, problems


def of_owner(ranges: t.Iterable[Range], name: str, number: int | None = None) -> list[Range]:
    """Return an owner's ranges in file order, looked up by name and by number as the engine does."""
    names = {name} if number is None else {name, str(number)}
    return [found for found in ranges if found.owner in names]


def allocate(taken: t.Iterable[Range], count: int = DEFAULT_COUNT, lowest: int = DEFAULT_START) -> int:
    """Return the lowest start, a whole multiple of count above ``lowest``, from which ``count`` ids are free.

    Raises:
        ValueError: no such gap is left below the highest id.
    """
    start = lowest
    for other in sorted(taken, key=lambda found: found.start):
        if other.start >= start + count:
            break
        while start < other.end:
            start += count
    if start + count - 1 > HIGHEST_ID:
        raise ValueError(f"no {count} free ids are left between {lowest} and {HIGHEST_ID}; remove ranges that nobody uses")
    return start


@dataclasses.dataclass(frozen=True)
class Mapping:
    """The ids of one user's containers: container ids 0, 1, 2 … are host ids of the ranges, joined in order."""

    uid_ranges: tuple[Range, ...]
    gid_ranges: tuple[Range, ...]

    @property
    def root_uid(self) -> int:
        """The host's uid of a container's root."""
        return self.uid_ranges[0].start

    @property
    def root_gid(self) -> int:
        """The host's gid of a container's root group."""
        return self.gid_ranges[0].start


def to_host(container_id: int, ranges: t.Sequence[Range]) -> int:
    """Translate a container's uid or gid to the host's.

    Raises:
        ValueError: the id lies outside the ranges.
    """
    offset = container_id
    if container_id >= 0:
        for found in ranges:
            if offset < found.count:
                return found.start + offset
            offset -= found.count
    total = sum(found.count for found in ranges)
    raise ValueError(f"container id {container_id} is outside the mapping, which holds ids 0 to {total - 1}")


def to_container(host_id: int, ranges: t.Sequence[Range]) -> int:
    """Translate a host's uid or gid to the container's.

    Raises:
        ValueError: the id lies outside the ranges.
    """
    offset = 0
    for found in ranges:
        if found.start <= host_id < found.end:
            return offset + host_id - found.start
        offset += found.count
    spans = ", ".join(f"{found.start}-{found.end - 1}" for found in ranges)
    raise ValueError(f"host id {host_id} is outside the mapping, which holds {spans}")


def effective_root(data_root: str, mapping: Mapping | None) -> str:
    """Return the directory that dockerd really uses: the data-root, or <data-root>/<uid>.<gid> under userns-remap.

    Source: moby daemon/daemon_unix.go, setupDaemonRoot.
    """
    base = "/" + data_root.strip("/")
    return base if mapping is None else f"{base.rstrip('/')}/{mapping.root_uid}.{mapping.root_gid}"


@dataclasses.dataclass(frozen=True)
class RangePlan:
    """What has to be done to both files so that a user has ranges; nothing when both additions are None."""

    mapping: Mapping | None
    add_uid: Range | None
    add_gid: Range | None
    problems: tuple[Problem, ...]


@dataclasses.dataclass(frozen=True)
class RangeFile:
    """A subuid or subgid file as it is, with the ids that real accounts of the host have."""

    path: str
    text: str
    account_ids: t.Sequence[int] = ()


def plan(
    user: str,
    uid_file: RangeFile,
    gid_file: RangeFile,
    user_number: int | None = None,
    start: int | None = None,
    count: int = DEFAULT_COUNT,
) -> RangePlan:
    """Decide which lines a user lacks, without ever moving a range that exists.

    Args:
        user: the name that dockerd is told in userns-remap.
        uid_file, gid_file: both files, missing ones as empty text.
        user_number: the user's uid, if the account exists.
        start: the first id that is wanted; None lets one be found that is free in both files.
        count: how many ids are wanted.

    Returns:
        The mapping that holds afterwards and the lines to append, or the problems that forbid it.
    """
    uid_ranges, problems = parse(uid_file.text, uid_file.path)
    gid_ranges, gid_problems = parse(gid_file.text, gid_file.path)
    problems += gid_problems
    own_uid = of_owner(uid_ranges, user, user_number)
    own_gid = of_owner(gid_ranges, user, user_number)
    additions: dict[str, Range | None] = {"uid": None, "gid": None}

    if not _USER.fullmatch(user):
        problems.append(Problem("userns-remap", f"is '{user}'; write the name of one user, without a group and not as a number"))
    if user in RESERVED_USERS:
        problems.append(Problem("userns-remap", RESERVED_USERS[user]))
    if count < SMALLEST_COUNT:
        problems.append(Problem("count", f"{count} ids are too few; a container needs ids up to nobody, so ask for at least {SMALLEST_COUNT}"))
    if problems:
        return RangePlan(None, None, None, tuple(problems))

    if not own_uid or not own_gid:
        wanted = start
        if wanted is None:
            # One start for both files keeps <uid>.<gid> readable; the range that exists decides if it can.
            existing = own_uid or own_gid
            taken = [*uid_ranges, *gid_ranges, *_accounts(uid_file), *_accounts(gid_file)]
            wanted = existing[0].start if existing and not _taken_by_others(existing[0], user, uid_ranges, gid_ranges) else allocate(taken, count)
        if not own_uid:
            additions["uid"] = Range(user, wanted, count)
            own_uid = [Range(user, wanted, count)]
        if not own_gid:
            additions["gid"] = Range(user, wanted, count)
            own_gid = [Range(user, wanted, count)]
    elif start is not None and (own_uid[0].start, own_gid[0].start) != (start, start):
        problems.append(
            Problem(
                f"{uid_file.path} and {gid_file.path}",
                f"{user} already has {own_uid[0]} and {own_gid[0]}, but start {start} is asked for; "
                "a range in use is never moved because all files below the effective root belong to its ids, so keep the old start",
            )
        )

    for file, own, everybody in ((uid_file, own_uid, uid_ranges), (gid_file, own_gid, gid_ranges)):
        problems += _overlaps(file, own, [found for found in everybody if found not in own])
        if sum(found.count for found in own) < SMALLEST_COUNT:
            problems.append(
                Problem(
                    file.path,
                    f"{user} has only {sum(found.count for found in own)} ids; a container needs ids up to nobody, "
                    f"so add a further line for {user} until there are at least {SMALLEST_COUNT}",
                )
            )
    if problems:
        return RangePlan(None, None, None, tuple(problems))
    return RangePlan(Mapping(tuple(own_uid), tuple(own_gid)), additions["uid"], additions["gid"], ())


def _accounts(file: RangeFile) -> list[Range]:
    return [Range("account", number, 1) for number in file.account_ids]


def _taken_by_others(wanted: Range, user: str, *files: t.Sequence[Range]) -> bool:
    return any(found.owner != user and found.overlaps(wanted) for ranges in files for found in ranges)


def _overlaps(file: RangeFile, own: t.Sequence[Range], others: t.Sequence[Range]) -> list[Problem]:
    problems = []
    for index, mine in enumerate(own):
        for other in [*own[index + 1:], *others]:
            if mine.overlaps(other):
                problems.append(
                    Problem(
                        file.path,
                        f"{mine} overlaps {other}: containers would own files and processes of {other.owner}; "
                        "give one of them another range, or another user to userns-remap",
                    )
                )
        for number in file.account_ids:
            if mine.start <= number < mine.end:
                problems.append(
                    Problem(
                        file.path,
                        f"{mine} contains {number}, the id of an account of this host: containers could become that account; "
                        "choose a range without it",
                    )
                )
    return problems


def with_line(text: str, addition: Range | None) -> str:
    """Return the text of a file with a line appended; without an addition it is returned unchanged."""
    if addition is None:
        return text
    separator = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{separator}{addition}\n"
