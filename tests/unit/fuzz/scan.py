# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Which functions of the collection read a text: they decode JSON or numbers, or go through lines."""

from __future__ import annotations

import ast
import pathlib
import typing as t

MODULE_UTILS = pathlib.Path(__file__).resolve().parents[3] / "plugins" / "module_utils"
_CALLS = frozenset({"loads", "raw_decode", "splitlines", "from_bytes", "unpack", "unpack_from", "lines_of"})
#: They write documents and read none.
_WRITERS = "report"


def readers() -> set[str]:
    """Return them as ``package/module function``."""
    return {
        f"{path.relative_to(MODULE_UTILS).with_suffix('').as_posix()} {name}"
        for path in MODULE_UTILS.rglob("*.py")
        if path.relative_to(MODULE_UTILS).parts[0] != _WRITERS
        for name in _of_tree(ast.parse(path.read_text(encoding="utf-8")), ())
    }


def _of_tree(tree: ast.AST, above: tuple[str, ...]) -> t.Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if any(_reads(inner) for inner in _own(node)):
                yield ".".join((*above, node.name))
            yield from _of_tree(node, (*above, node.name))
        else:
            yield from _of_tree(node, (*above, node.name) if isinstance(node, ast.ClassDef) else above)


def _own(function: ast.AST) -> t.Iterator[ast.AST]:
    """Walk a function without those inside of it."""
    for node in ast.iter_child_nodes(function):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node
            yield from _own(node)


def _reads(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id if isinstance(node.func, ast.Name) else ""
        return name in _CALLS
    return isinstance(node, (ast.For, ast.comprehension)) and isinstance(node.iter, ast.Name) and node.iter.id in ("handle", "stream")
