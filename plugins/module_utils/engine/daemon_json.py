# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Reading the text of daemon.json more strictly than dockerd does, and writing it.

PRIVATE to the collection: no stability is promised to other users.

dockerd takes the last of two equal keys without a word (encoding/json); here that is an error, as is everything that
dockerd would refuse, with the line of what was found.
"""

from __future__ import annotations

import json
import re
import typing as t

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]')


class DaemonJsonError(ValueError):
    """The text is no configuration; the message says what was found, on which line, and what to do."""


def parse(text: str) -> dict[str, t.Any]:
    """Return the object in the text of daemon.json; an empty text is an empty object, as for dockerd.

    Raises:
        DaemonJsonError: it is not JSON, not an object, or holds a key twice.
    """
    text = text[1:] if text.startswith("\ufeff") else text
    if not text.strip():
        return {}
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise DaemonJsonError(_explain(text, error)) from error
    except RecursionError as error:
        raise DaemonJsonError("it is nested too deeply to be a configuration; write it anew") from error
    if not isinstance(value, dict):
        raise DaemonJsonError("line 1 begins with something else than an object; put everything between { and }")
    repeated = _first_repeated_key(text)
    if repeated:
        raise DaemonJsonError(f"line {repeated[1]} holds the key '{repeated[0]}' a second time; keep one of the two")
    return value


def render(config: t.Mapping[str, t.Any]) -> str:
    """Return the text that is written for a configuration."""
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n"


def compact(value: t.Any) -> str:
    """Return a value as one line of JSON."""
    return json.dumps(value, ensure_ascii=False)


def _refuse_constant(name: str) -> t.NoReturn:
    raise DaemonJsonError(f"it holds {name}, which is not JSON; write a number")


def _explain(text: str, error: json.JSONDecodeError) -> str:
    rest = text[error.pos :].lstrip()
    before = text[: error.pos].rstrip()
    if rest.startswith(("//", "/*", "#")):
        return f"line {error.lineno} holds a comment, which JSON does not have; remove it"
    if error.msg == "Extra data":
        return f"line {error.lineno} holds something after the end of the object; remove it"
    if before.endswith(",") and rest.startswith(("}", "]")) or "trailing comma" in error.msg:
        return f"line {error.lineno} follows a comma with nothing after it; remove the comma"
    return (
        f"line {error.lineno} column {error.colno} is not JSON ({error.msg[:1].lower()}{error.msg[1:]}); mend it there"
    )


def _first_repeated_key(text: str) -> tuple[str, int] | None:
    # The decoder tells no positions, so the tokens of the text, known to be good JSON, are walked once more.
    scopes: list[set[str] | None] = []
    last = ""
    last_position = 0
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token == "{":
            scopes.append(set())
        elif token == "[":
            scopes.append(None)
        elif token in "}]":
            scopes.pop()
        elif token == ":":
            seen = scopes[-1]
            key = json.loads(last)
            if seen is not None:
                if key in seen:
                    return str(key), text.count("\n", 0, last_position) + 1
                seen.add(key)
        elif token != ",":
            last, last_position = token, match.start()
    return None
