# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Variables in compose files and the files that give them values, as compose reads both.

PRIVATE to the collection: no stability is promised to other users.

Rules of compose-go: template/template.go for ``$NAME`` and ``${NAME...}``, dotenv/parser.go for ``.env``.
"""

from __future__ import annotations

import collections
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.tree import ComposeError, Node

# Defaults in defaults: nobody writes more than a few.
_DEEPEST = 50
# What all variables of a project may become: one long value, named a hundred thousand times, is a bomb.
MOST_TEXT = 4 * 1024 * 1024
_NAME = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_OPERATOR = re.compile(r":?[-+?]")
_EXPORT = re.compile(r"export\s+")
_ESCAPE = re.compile(r'\\(?:[abcfnrtv$"\\]|0[0-7]{0,3})')
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", '"': '"', "\\": "\\", "$": "$$"}
_KEY = re.compile(r"[\w.\-\[\]\t\v\f\r \x85\xa0]*")


class Substituted(t.NamedTuple):
    """A text with its variables replaced.

    Attributes:
        unset: names without a value and without a default; compose puts nothing in their place.
        required: of these, those that compose refuses to go without (``${NAME:?...}``).
    """

    text: str
    unset: tuple[str, ...] = ()
    required: tuple[str, ...] = ()


class TemplateError(ValueError):
    """A text is no template, or becomes endless; the message ends a sentence without a full stop."""


def substitute(text: str, values: t.Mapping[str, str], depth: int = 0) -> Substituted:
    """Return a text with the values of its variables.

    Raises:
        TemplateError: the text is no template, or nested too deeply.
    """
    if "$" not in text:
        return Substituted(text)
    if depth > _DEEPEST:
        raise TemplateError(f"has defaults in defaults deeper than {_DEEPEST} levels")
    parts: list[str] = []
    unset: dict[str, None] = {}
    required: dict[str, None] = {}
    position = length = 0
    while True:
        dollar = text.find("$", position)
        if dollar < 0:
            parts.append(text[position:])
            break
        parts.append(text[position:dollar])
        if text.startswith("$$", dollar):
            parts.append("$")
            position = dollar + 2
            continue
        if text.startswith("${", dollar):
            found, position = _braced(text, dollar, values, depth)
        else:
            name = _NAME.match(text, dollar + 1)
            if name is None:
                parts.append("$")
                position = dollar + 1
                continue
            found, position = _plain(name[0], values), name.end()
        parts.append(found.text)
        length += len(found.text)
        if length > MOST_TEXT:
            raise TemplateError(f"becomes longer than {MOST_TEXT} characters with its variables")
        unset.update(dict.fromkeys(found.unset))
        required.update(dict.fromkeys(found.required))
    return Substituted("".join(parts), tuple(unset), tuple(required))


def _plain(name: str, values: t.Mapping[str, str]) -> Substituted:
    return Substituted(values[name]) if name in values else Substituted("", (name,))


def _braced(text: str, dollar: int, values: t.Mapping[str, str], depth: int) -> tuple[Substituted, int]:
    """Return what stands for ``${...}`` at a place, and where the text goes on."""
    name = _NAME.match(text, dollar + 2)
    if name is None:
        raise _invalid(text, dollar)
    if text.startswith("}", name.end()):
        return _plain(name[0], values), name.end() + 1
    operator = _OPERATOR.match(text, name.end())
    if operator is None:
        raise _invalid(text, dollar)
    end = _closing(text, dollar)
    if end < operator.end():
        raise _invalid(text, dollar)
    return _operate(name[0], operator[0], text[operator.end():end], values, depth), end + 1


def _operate(name: str, operator: str, rest: str, values: t.Mapping[str, str], depth: int) -> Substituted:
    there = name in values and (not operator.startswith(":") or values[name] != "")
    if operator.endswith("+"):
        return substitute(rest, values, depth + 1) if there else Substituted(values.get(name, ""))
    if there:
        return Substituted(values[name])
    if operator.endswith("-"):
        return substitute(rest, values, depth + 1)
    return Substituted("", (name,), (name,))


def _closing(text: str, dollar: int) -> int:
    """Return where the brace closes that opens after a dollar: braces inside are counted, on one line only."""
    line_end = text.find("\n", dollar)
    stop = len(text) if line_end < 0 else line_end
    opened = 0
    position = dollar
    while position < stop:
        if text[position] == "}":
            opened -= 1
            if opened == 0:
                return position
        elif text[position] == "{":
            opened += 1
            # compose passes over the character after an opening brace, so "{}" in a default does not close.
            position += 1
        position += 1
    return text.rfind("}", dollar, stop)


def _invalid(text: str, dollar: int) -> TemplateError:
    shown = text[dollar:dollar + 40]
    return TemplateError(f"holds {shown!r}, which is no variable; write $$ for a dollar, or ${{NAME}}")


class Interpolation:
    """Puts values in the place of the variables of a tree.

    Args:
        values: of the variables.
        warn: takes what compose would warn of, with the node.
        room: shared by all files of a project; see MOST_TEXT.
    """

    def __init__(self, values: t.Mapping[str, str], warn: t.Callable[[Node, str], None], room: list[int]) -> None:
        self._values = values
        self._warn = warn
        self._room = room

    def apply(self, node: Node) -> Node:
        """Return the tree with the values in it; keys are left alone, as compose does."""
        value = node.value
        if isinstance(value, str):
            return self._text(node)
        if isinstance(value, dict):
            return Node({key: self.apply(item) for key, item in value.items()}, node.file, node.line, (), node.tag)
        if isinstance(value, list):
            return Node([self.apply(item) for item in value], node.file, node.line, (), node.tag)
        return node

    def _text(self, node: Node) -> Node:
        if "$" not in node.value:
            return node
        try:
            found = substitute(node.value, self._values)
        except TemplateError as error:
            raise node.error(str(error)) from error
        self._room[0] -= len(found.text)
        if self._room[0] < 0:
            raise node.error(f"with its variables the project is larger than {MOST_TEXT} characters; no project is")
        for name in found.unset:
            if name in found.required:
                self._warn(node, f"the variable {name} has no value, and compose refuses to go without it; what depends on it is unknown here")
            else:
                self._warn(node, f"the variable {name} has no value, so compose puts nothing in its place; what depends on it is unknown here")
        return Node(found.text, node.file, node.line, found.unset, node.tag)


def as_values(given: t.Mapping[t.Any, t.Any]) -> dict[str, str]:
    """Return values of variables as texts, as somebody gave them in YAML.

    Raises:
        ValueError: one is a list or mapping; the message ends a sentence.
    """
    found = {}
    for name, value in given.items():
        if isinstance(value, (t.Mapping, list, tuple, set)):
            raise ValueError(f"the variable {name} is a {type(value).__name__}; give a text or a number")
        if value is not None:
            found[str(name)] = str(value).lower() if isinstance(value, bool) else str(value)
    return found


def read_env(text: str, file: str, known: t.Mapping[str, str]) -> dict[str, str]:
    """Return the variables of an env file.

    Args:
        file: how messages call it. Messages never hold a value.
        known: variables that the file may name and that it does not replace there.

    Raises:
        ComposeError: a line is none that compose can read.
    """
    return _EnvFile(text.replace("\r\n", "\n"), file, known).read()


class _EnvFile:
    def __init__(self, text: str, file: str, known: t.Mapping[str, str]) -> None:
        self._text = text[1:] if text.startswith("\ufeff") else text
        self._file = file
        self._known = known
        self._position = 0
        self._found: dict[str, str] = {}
        self._all = collections.ChainMap(dict(known), self._found)

    def read(self) -> dict[str, str]:
        while self._skip():
            self._statement()
        return self._found

    def _skip(self) -> bool:
        """Go to the next statement; tell whether there is one."""
        text, size = self._text, len(self._text)
        while self._position < size:
            if text[self._position].isspace():
                self._position += 1
            elif text[self._position] == "#":
                end = text.find("\n", self._position)
                self._position = size if end < 0 else end
            else:
                return True
        return False

    def _statement(self) -> None:
        export = _EXPORT.match(self._text, self._position)
        if export:
            self._position = export.end()
        match = t.cast("re.Match[str]", _KEY.match(self._text, self._position))
        end = match.end()
        key = match[0].strip()
        after = self._text[end:end + 1]
        if after not in ("=", ":", "\n", "") or not key or " " in key:
            raise self._error("is no line of an env file; write NAME=value")
        self._position = end + 1
        if after in ("\n", ""):
            # A name alone takes the value that it has outside.
            if key in self._known:
                self._found[key] = self._known[key]
            return
        while self._position < len(self._text) and self._text[self._position] != "\n" and self._text[self._position].isspace():
            self._position += 1
        self._found[key] = self._value()

    def _value(self) -> str:
        quote = self._text[self._position:self._position + 1]
        if quote in ("'", '"') and quote:
            return self._quoted(quote)
        end = self._text.find("\n", self._position)
        end = len(self._text) if end < 0 else end
        raw = self._text[self._position:end].split(" #", 1)[0].rstrip()
        self._position = end
        return self._expanded(raw)

    def _quoted(self, quote: str) -> str:
        parts: list[str] = []
        position = self._position + 1
        while True:
            end = self._text.find(quote, position)
            if end < 0:
                raise self._error("opens a quote that is never closed")
            backslashes = 0
            while end - backslashes - 1 >= position and self._text[end - backslashes - 1] == "\\":
                backslashes += 1
            if backslashes % 2 == 0:
                parts.append(self._text[position:end])
                break
            parts.append(self._text[position:end - 1] + quote)
            position = end + 1
        self._position = end + 1
        raw = "".join(parts)
        return self._expanded(_ESCAPE.sub(_unescaped, raw)) if quote == '"' else raw

    def _expanded(self, raw: str) -> str:
        try:
            return substitute(raw, self._all).text
        except TemplateError as error:
            # The text of the error would show a part of a value.
            raise self._error("holds ${ without a variable, or a value without end; write $$ for a dollar") from error

    def _error(self, message: str) -> ComposeError:
        return ComposeError(message, self._file, self._text.count("\n", 0, self._position) + 1)


def _unescaped(match: re.Match[str]) -> str:
    escape = match[0][1:]
    if escape.startswith("0"):
        return chr(int(escape, 8))
    return _ESCAPES.get(escape, match[0])
