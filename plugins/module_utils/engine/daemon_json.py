# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Reading the text of daemon.json more strictly than dockerd does, with the line of everything in it, and writing it.

PRIVATE to the collection: no stability is promised to other users.

dockerd takes the last of two equal keys without a word (encoding/json); here that is an error, as is everything that
dockerd would refuse or bend, with the line of what was found. Sources: RFC 8259, and moby daemon/config/config.go
(getConflictFreeConfiguration), which since 23.0 also takes UTF-16 with a byte order mark.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import Version, within

Path = tuple[t.Union[str, int], ...]

#: No key of daemon.json goes deeper than a handful of levels, and no number in it is longer than that of 64 bits.
DEEPEST = 32
LONGEST_NUMBER = 40

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?P<fraction>\.\d+)?(?P<exponent>[eE][-+]?\d+)?", re.ASCII)
_WORD = re.compile(r"-?[A-Za-z]+")
_WORDS = {"true": True, "false": False, "null": None}
_STRINGS = json.JSONDecoder()
_COMMENTS = ("//", "/*", "#")
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


class DaemonJsonError(ValueError):
    """The text is no configuration; the message says what was found, on which line, and what to do."""


@dataclasses.dataclass(frozen=True)
class Document:
    """A configuration as somebody wrote it.

    Attributes:
        config: what it says.
        lines: the line of each key and of each entry of a list, by path; the first line is 1.
    """

    config: dict[str, t.Any]
    lines: dict[str, int]

    def line(self, where: str) -> int:
        """Return the line of a path, or of the nearest thing around it that has one; 0 where nothing of it is here."""
        while where and where not in self.lines:
            where = where[: max(where.rfind("."), where.rfind("["), 0)]
        return self.lines.get(where, 0)

    def located(self, found: t.Iterable[Problem], file: str, ours: t.Container[str] = ()) -> list[Problem]:
        """Return problems with the file and the line before the path, where the file is what holds them.

        Args:
            found: problems whose ``where`` is the path of a key.
            file: the file's name, for the messages.
            ours: paths that come from elsewhere and only happen to stand in the file as well.
        """
        result = []
        for problem in found:
            line = 0 if _covered(problem.where, ours) else self.line(problem.where)
            where = f"{file} line {line}, {problem.where}" if line else problem.where
            result.append(dataclasses.replace(problem, where=where))
        return result


def _covered(where: str, paths: t.Container[str]) -> bool:
    parts = re.split(r"(?=[.\[])", where)
    return any("".join(parts[:count]) in paths for count in range(1, len(parts) + 1))


def path_text(path: Path) -> str:
    """Return a path as messages show it, such as ``hosts[1]`` or ``log-opts.max-size``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def parse(text: str) -> dict[str, t.Any]:
    """Return the object in the text of daemon.json; an empty text is an empty object, as for dockerd.

    Raises:
        DaemonJsonError: it is not JSON, not an object, holds a key twice, or something that no configuration holds.
    """
    return read(text).config


def read(text: str) -> Document:
    """Return the object in the text of daemon.json together with the lines of what it holds.

    Raises:
        DaemonJsonError: as for parse.
    """
    text = text[1:] if text.startswith("\ufeff") else text
    if not text.strip(" \t\n\r"):
        return Document({}, {})
    reader = _Reader(text)
    value = reader.whole()
    if not isinstance(value, dict):
        raise DaemonJsonError(
            f"line {reader.line(reader.skip(0))} begins with something else than an object; put everything between "
            "{ and }"
        )
    return Document(value, {path_text(path): line for path, line in reader.lines.items()})


def unreadable(text: str, version: Version) -> str:
    """Return why a release cannot read a text that newer ones can, or an empty string.

    Until 23.0 dockerd did not start with an empty file, nor with a byte order mark.
    """
    if within(version, "23.0"):
        return ""
    if not text.strip():
        return f"it is empty, and Docker {version} does not start with it; write {{}} or remove the file"
    if text.startswith("\ufeff"):
        return f"it begins with a byte order mark, with which Docker {version} does not start; save it without one"
    return ""


def decode(content: bytes) -> str:
    """Return the text in the bytes of a file.

    Raises:
        DaemonJsonError: it is not UTF-8; Docker 20.10 would read replacements, and newer engines refuse to start.
    """
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DaemonJsonError("it is written in UTF-16, which not every engine reads; write it in UTF-8")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DaemonJsonError(f"line {line} holds bytes that are not UTF-8; write them anew") from error


def render(config: t.Mapping[str, t.Any]) -> str:
    """Return the text that is written for a configuration."""
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n"


def compact(value: t.Any) -> str:
    """Return a value as one line of JSON."""
    return json.dumps(value, ensure_ascii=False)


class _Reader:
    """One pass over a text, by recursive descent; the depth is bounded, so the stack is."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines: dict[Path, int] = {}

    def line(self, position: int) -> int:
        return self.text.count("\n", 0, position) + 1

    def skip(self, position: int) -> int:
        match = _SPACE.match(self.text, position)
        return match.end() if match else position

    def whole(self) -> t.Any:
        value, position = self.value_at(self.skip(0), ())
        rest = self.skip(position)
        if rest < len(self.text):
            self.fail_at_comment(rest)
            raise DaemonJsonError(f"line {self.line(rest)} holds something after the end of the object; remove it")
        return value

    def value_at(self, position: int, path: Path) -> tuple[t.Any, int]:
        if len(path) > DEEPEST:
            raise DaemonJsonError(
                f"line {self.line(position)} is nested too deeply to be a configuration ({DEEPEST} levels); write it "
                "anew"
            )
        first = self.text[position : position + 1]
        if first == "{":
            return self.object_at(position + 1, path)
        if first == "[":
            return self.list_at(position + 1, path)
        if first == '"':
            return self.string_at(position)
        word = _WORD.match(self.text, position)
        if word:
            return self.word_in(word)
        number = _NUMBER.match(self.text, position)
        if number:
            return self.number_in(number)
        return self.fail(position, "a value is missing" if first in ("", "}", "]", ",") else "no value begins so")

    def object_at(self, position: int, path: Path) -> tuple[dict[str, t.Any], int]:
        found: dict[str, t.Any] = {}
        position = self.skip(position)
        if self.text[position : position + 1] == "}":
            return found, position + 1
        while True:
            if self.text[position : position + 1] != '"':
                self.fail(position, "a key in double quotes is missing")
            here = position
            key, position = self.string_at(position)
            self.note((*path, key), here, key in found)
            position = self.skip(position)
            if self.text[position : position + 1] != ":":
                self.fail(position, "a colon after the key is missing")
            found[key], position = self.value_at(self.skip(position + 1), (*path, key))
            position, ended = self.next(position, "}")
            if ended:
                return found, position

    def list_at(self, position: int, path: Path) -> tuple[list[t.Any], int]:
        found: list[t.Any] = []
        position = self.skip(position)
        if self.text[position : position + 1] == "]":
            return found, position + 1
        while True:
            self.note((*path, len(found)), position)
            item, position = self.value_at(position, (*path, len(found)))
            found.append(item)
            position, ended = self.next(position, "]")
            if ended:
                return found, position

    def next(self, position: int, end: str) -> tuple[int, bool]:
        """Return where the next member begins, or where the text goes on after the end."""
        position = self.skip(position)
        mark = self.text[position : position + 1]
        if mark == end:
            return position + 1, True
        if mark != ",":
            self.fail(position, f"a comma or {end} is missing")
        after = self.skip(position + 1)
        if self.text[after : after + 1] in ("}", "]"):
            raise DaemonJsonError(f"line {self.line(position)} has a comma with nothing after it; remove the comma")
        return after, False

    def string_at(self, position: int) -> tuple[str, int]:
        try:
            value, end = _STRINGS.raw_decode(self.text, position)
        except json.JSONDecodeError as error:
            return self.fail(error.pos, error.msg[:1].lower() + error.msg[1:])
        if _HALF_CHARACTER.search(value):
            raise DaemonJsonError(
                f"line {self.line(position)} holds half of a character (a lone surrogate), which no file can keep; "
                "write the whole character"
            )
        return value, end

    def word_in(self, match: re.Match[str]) -> tuple[t.Any, int]:
        word = match.group()
        if word in _WORDS:
            return _WORDS[word], match.end()
        line = self.line(match.start())
        if word.lstrip("-").lower() in ("nan", "infinity", "inf"):
            raise DaemonJsonError(f"line {line} holds {word}, which is not JSON; write a number")
        if word.lower() in _WORDS:
            raise DaemonJsonError(f"line {line} holds {word}, which JSON writes in lower case; write {word.lower()}")
        return self.fail(match.start(), "a word that is neither true, false nor null; put a string in double quotes")

    def number_in(self, match: re.Match[str]) -> tuple[t.Any, int]:
        text = match.group()
        whole = match["fraction"] is None and match["exponent"] is None
        value: int | float = 0
        if len(text) <= LONGEST_NUMBER:
            value = int(text) if whole else float(text)
        if len(text) > LONGEST_NUMBER or not -(2**63) <= value < 2**63:
            raise DaemonJsonError(
                f"line {self.line(match.start())} holds a number that dockerd cannot hold; write a smaller one"
            )
        return value, match.end()

    def note(self, path: Path, position: int, again: bool = False) -> None:
        line = self.line(position)
        if again:
            before = "" if self.lines[path] == line else f", after line {self.lines[path]}"
            raise DaemonJsonError(f"line {line} holds the key '{path[-1]}' a second time{before}; keep one of the two")
        self.lines[path] = line

    def fail_at_comment(self, position: int) -> None:
        if self.text.startswith(_COMMENTS, position):
            raise DaemonJsonError(
                f"line {self.line(position)} holds a comment, which JSON does not have; remove it"
            )

    def fail(self, position: int, reason: str) -> t.NoReturn:
        self.fail_at_comment(position)
        column = position - (self.text.rfind("\n", 0, position) + 1) + 1
        raise DaemonJsonError(f"line {self.line(position)} column {column} is not JSON ({reason}); mend it there")


def same(one: t.Any, other: t.Any) -> bool:
    """Tell whether two values of JSON are the same; true is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
