# SPDX-License-Identifier: Apache-2.0
"""docs/rules.md: every rule of the posture audit, written from the rules themselves."""

from __future__ import annotations

import typing as t

_INTRODUCTION = """\
# The rules of the audit

<!-- Written by `make docs` from plugins/module_utils/posture/rules; do not edit. -->

The rules by which [docker_audit](roles/docker_audit.md) judges hosts, daemons, images, networks, containers, services of a
swarm and of compose files: {rules} of them. Waivers name a rule by the word in its heading.

A rule **passes**, **fails**, **does not apply**, or is **unknown**, with the reason why nobody could look; unknown is never
a pass. How bad a failure is follows from where an attacker must be and from what it gives them, by the table below; a rule
that depends on what was found (a mount that can be written or not) may give more or less than is said here. Where ids are
mapped, the daemon is not root, or AppArmor or SELinux confines a container, some failures are one step less bad.

{table}
Numbers of the CIS Docker Benchmark are those of 1.6.0 and 1.8.0; the words are our own.
"""


def page() -> str:
    """docs/rules.md."""
    from ansible_collections.bulkhead.docker.plugins.module_utils.posture import attack_paths, registry, waivers

    rules = [*registry.RULES, *attack_paths.RULES, *waivers.RULES]
    parts = [_INTRODUCTION.format(rules=len(rules), table=_table())]
    parts += [_rule(rule) for rule in rules]
    return "\n".join(parts)


def _table() -> str:
    from ansible_collections.bulkhead.docker.plugins.module_utils.posture import severity

    head = f"| what it gives | {' | '.join(severity.ATTACKERS)} |\n|---|{'---|' * len(severity.ATTACKERS)}\n"
    rows = (
        f"| {reach} | {' | '.join(severity.derive(attacker, reach) for attacker in severity.ATTACKERS)} |\n" for reach in severity.REACHES
    )
    return head + "".join(rows)


def _rule(rule: t.Any) -> str:
    from ansible_collections.bulkhead.docker.plugins.module_utils.posture import severity

    facts = [
        f"Judges: {', '.join(rule.applies_to)}." if rule.applies_to else "",
        f"Severity: {severity.derive(rule.attacker, rule.reach)} ({rule.attacker}: {rule.reach})"
        + (f", one step less with {' or '.join(rule.tempered_by)}" if rule.tempered_by else "")
        + ("; never counted, as no supported release can fail it" if rule.vacuous else "")
        + ".",
        f"Mending it interrupts: {rule.blast}." + (f" Variable: `{rule.variable}`." if rule.variable else ""),
        _numbers(rule),
        f"See also {', '.join(rule.references)}." if rule.references else "",
    ]
    listed = "\n".join(f"- {fact}" for fact in facts if fact)
    return f"## {rule.id}\n\n**{rule.title}.** {rule.why}\n\n{rule.remedy}\n\n{listed}\n"


def _numbers(rule: t.Any) -> str:
    numbers = [f"{', '.join(found)} in {release}" for found, release in ((rule.cis_1_8, "1.8.0"), (rule.cis_1_6, "1.6.0")) if found]
    return f"CIS: {'; '.join(numbers)}." if numbers else ""
