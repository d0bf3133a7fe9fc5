# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The file of rules for the kernel's audit that watches Docker, and how to tell them in what auditctl lists.

PRIVATE to the collection: no stability is promised to other users.

Two ways to watch a directory, by what it is:

- the directory itself (`path`): what is made or removed directly in it, and changes of its owner or mode;
- all below it, but only what people do (`dir` with ``auid!=unset``): somebody who logged in keeps that mark through sudo and
  su, and no daemon and no container has it, so it is silent while they work.

The kernel looks a watched path up without stepping into what is mounted there, so the first way is deaf on a mount point;
only the second is left for that.

Sources: auditctl(8), kernel/audit_watch.c (audit_get_nd), kernel/audit_tree.c; tried out on a kernel of release 6.18.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import text_lines
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import audit_watch
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.audit_watch import Watched

# One that nobody else uses: rules are taken out of the kernel by it.
KEY = "bulkhead-docker"
RULES_FILE = "/etc/audit/rules.d/50-bulkhead-docker.rules"
_MARK = "# Managed by the Ansible collection bulkhead.docker, role docker_auditd; changes are overwritten."
_TOLERANT = (
    "# A path may be gone at the next boot, when a package was removed; without this, no rule after that one is loaded, and",
    "# from release 4 on auditd does not start at all. It holds for the files after this one as well.",
    "-i",
)
# auditctl prints an id that is not set in more than one way.
_UNSET = ("-1", "unset", "4294967295")


class Rule(t.NamedTuple):
    """A rule of audit for a path, so that two ways to write it are equal.

    Attributes:
        path: without a slash at its end.
        permissions: as a set of letters.
        conditions: all else that it asks for, in order.
        keys: by which its records are found.
    """

    path: str
    permissions: frozenset[str]
    conditions: tuple[str, ...]
    keys: frozenset[str]

    def __str__(self) -> str:
        return " ".join([self.path, "".join(letter for letter in "rwxa" if letter in self.permissions), *self.conditions])


def lines(watched: Watched, paths: t.Iterable[str], is_directory: t.Callable[[str], bool], is_mount_point: t.Callable[[str], bool]) -> tuple[str, ...]:
    """Return the rules for something that has to be watched.

    Args:
        paths: the places that the host has, without links.
        is_directory, is_mount_point: what they are.
    """
    found: list[str] = []
    for path in paths:
        if is_mount_point(path) and not (watched.recursive and is_directory(path)):
            found.append(people(path, watched.permissions))
        else:
            found.extend(audit_watch.rule_lines(watched._replace(key=KEY), [path], is_directory))
    return tuple(found)


def people(path: str, permissions: str = audit_watch.CHANGES) -> str:
    """Return the rule for what people do in a directory and all below it."""
    # In this order a daemon's system call is passed over before anybody looks at its paths.
    return f"-a always,exit -F perm={permissions} -F auid!=unset -F dir={path} -F key={KEY}"


def writable(path: str) -> bool:
    """Tell whether a path can stand in a file of rules, which knows no quotes."""
    return path.isprintable() and not any(letter.isspace() for letter in path)


def document(rules: t.Iterable[str], tolerant: bool) -> str:
    """Return the file.

    Args:
        rules: from `lines` and `people`.
        tolerant: whether a rule that cannot be loaded must not keep others from being loaded.
    """
    return "\n".join([_MARK, *(_TOLERANT if tolerant else ()), *dict.fromkeys(rules)]) + "\n"


def ours(text: str) -> frozenset[Rule]:
    """Return the rules with our key from a file of rules or the output of ``auditctl -l``."""
    return frozenset(rule for rule in map(_parse, text_lines.lines_of(text)) if rule is not None and KEY in rule.keys)


def _parse(line: str) -> Rule | None:
    words = line.split()
    if len(words) < 2 or words[0] not in ("-w", "-a"):
        return None
    path = words[1].rstrip("/") or "/" if words[0] == "-w" else ""
    permissions, conditions, keys = audit_watch.EVERYTHING, [], set()
    if words[0] == "-a" and words[1] not in ("always,exit", "exit,always"):
        conditions.append(words[1])
    for option, value in zip(words[2::2], words[3::2]):
        name, _equals, given = value.partition("=")
        if option == "-p" or (option, name) == ("-F", "perm"):
            permissions = given or value
        elif option == "-k" or (option, name) == ("-F", "key"):
            keys.add(given or value)
        elif option == "-F" and name in ("path", "dir"):
            path = given.rstrip("/") or "/"
        elif (option, value) != ("-S", "all"):
            conditions.append(f"{name}=unset" if given in _UNSET else value)
    return Rule(path, frozenset(permissions), tuple(conditions), frozenset(keys))
