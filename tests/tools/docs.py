# SPDX-License-Identifier: Apache-2.0
"""`make docs`: the pages of the documentation that are written from the collection's own data.

A page is a function without arguments that returns its text; PAGES says where it goes. tests/unit/repo/test_docs.py fails
when a page in the checkout is not what its function returns.
"""

from __future__ import annotations

import itertools
import pathlib
import re
import sys
import typing as t

import render_daemon_keys
import render_rules

_INTRODUCTION = """\
# What excludes what

<!-- Written by `make docs` from plugins/module_utils/engine/exclusion_rows.py; do not edit. -->

The subsystems of a Docker host exclude one another, most of them silently: dockerd starts and something else is gone, or it
does not start after the next reboot. The table below is the data by which
[docker_preflight](roles/docker_preflight.md) judges a host, and `docker_daemon_config` every configuration, before
anything is written. It has {rows} rows.

- **refused**: nothing is written, and the sentence says what to do.
- **told**: it works, but you ought to know; a warning in each run, and in `told` of the result, until you put the row's name
  into `docker_preflight_accept`.
- A row hangs on facts of the host. When one of them cannot be read, the row is neither passed nor refused: a warning, and
  `unknown` of the result, says which fact is not known and which rows were not judged for it.

Words in *italics* stand for what is found. Rows that name releases hold only for those.
"""

_FACTS = """\
## Where the facts come from

| what | where it is read |
|---|---|
"""


def preflight_page() -> str:
    """docs/preflight.md."""
    from ansible_collections.bulkhead.docker.plugins.module_utils.engine import exclusion_rows, exclusions

    rows = exclusion_rows.ROWS
    parts = [_INTRODUCTION.format(rows=len(rows))]
    for group, members in itertools.groupby(sorted(rows, key=lambda row: _order(rows)[row.group]), lambda row: row.group):
        parts.append(f"## {group}\n")
        parts += [_row(row, exclusion_rows.DIMENSIONS, exclusions.BY_DAEMON) for row in members]
    facts = "".join(f"| {dimension.title} | {_code(dimension.source)} |\n" for dimension in exclusion_rows.DIMENSIONS.values())
    parts.append(_FACTS + facts)
    return "\n".join(parts)


def _order(rows: t.Sequence[t.Any]) -> dict[str, int]:
    return {group: number for number, group in enumerate(dict.fromkeys(row.group for row in rows))}


def _row(row: t.Any, dimensions: t.Mapping[str, t.Any], by_daemon: str) -> str:
    combination = row.combination(dimensions)
    sentence = re.sub(r"\{(\w+)\}", lambda match: f"*{dimensions[match[1]].title}*", f"{row.where}: {row.message}.")
    lines = [
        f"### {row.name}",
        "",
        f"**{row.verdict}** when {combination}{_releases(row)}.",
        "",
        f"> {sentence}",
        "",
        f"Source: {row.source}." + (" Also judged by `docker_daemon_config`." if row.by == by_daemon else ""),
        "",
    ]
    return "\n".join(lines)


def _releases(row: t.Any) -> str:
    if row.since and row.removed:
        return f", in Docker {row.since} and newer, before {row.removed}"
    if row.since:
        return f", in Docker {row.since} and newer"
    return f", in Docker before {row.removed}" if row.removed else ""


def _code(source: str) -> str:
    return f"`{source}`" if re.search(r"[/(_]|--", source) else source


def fault_page() -> str:
    """docs/fault-matrix.md."""
    sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "molecule" / "shared"))
    import fault_matrix

    return fault_matrix.page(fault_matrix.cells())


#: From a path in the checkout to the function that writes it.
PAGES: dict[str, t.Callable[[], str]] = {
    "docs/preflight.md": preflight_page,
    "docs/daemon-keys.md": render_daemon_keys.page,
    "docs/fault-matrix.md": fault_page,
    "docs/rules.md": render_rules.page,
}
