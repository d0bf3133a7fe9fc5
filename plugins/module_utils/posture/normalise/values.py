# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Values out of an answer that may hold anything, each a fact with the place where it was read, or unknown with the reason.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import collections.abc
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Unknown

Found = t.Union[Fact, Unknown]
T = t.TypeVar("T")


def mapping(value: t.Any) -> t.Mapping[str, t.Any]:
    """Return a value where it is an object, else an empty one."""
    return value if isinstance(value, collections.abc.Mapping) else {}


def rows(value: t.Any) -> list[t.Mapping[str, t.Any]]:
    """Return the objects of a list; nothing where the value is none."""
    return [item for item in value if isinstance(item, collections.abc.Mapping)] if isinstance(value, (list, tuple)) else []


def texts(value: t.Any) -> tuple[str, ...]:
    """Return the texts of a list; nothing where the value is none."""
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, (list, tuple)) else ()


def text(value: t.Any) -> str:
    """Return a value where it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


def number(value: t.Any) -> int | None:
    """Return a value where it is a whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def read(answer: t.Mapping[str, t.Any], path: str, source: str, kind: type | tuple[type, ...], empty: t.Any = None) -> Found:
    """Return a value of an answer.

    Args:
        path: names, with slashes between.
        source: of the answer; the path is added.
        kind: the type that it must have; a truth value is no number.
        empty: what counts where it is null or missing; None makes that unknown.
    """
    where = f"{source} /{path}"
    value: t.Any = answer
    for name in path.split("/"):
        value = value.get(name) if isinstance(value, collections.abc.Mapping) else None
    if value is None:
        return Unknown("the engine does not say it", where) if empty is None else Fact(empty, where)
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        return Unknown(f"the engine says it as {type(value).__name__}, which it never does", where)
    return Fact(value, where)


def changed(found: Found, change: t.Callable[[t.Any], t.Any]) -> Found:
    """Return a fact with another value; what is unknown stays so."""
    return found.having(change(found.value)) if isinstance(found, Fact) else found


def is_text_of_true(value: t.Any) -> bool | None:
    """Return what a text means as the engine reads truth values (Go, strconv.ParseBool), None where it means nothing."""
    if isinstance(value, bool):
        return value
    if value in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if value in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    return None
