# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The policy of an organisation from the dictionary that a user writes, or every reason why it is none.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import Policy

COMPONENTS = ("engine", "containerd", "runc")
KEYS = tuple(field.name for field in dataclasses.fields(Policy))
_YES = ("true", "yes", "on", "1")
_NO = ("false", "no", "off", "0")


def parse(values: t.Mapping[str, t.Any]) -> tuple[Policy, list[Problem]]:
    """Return the policy, or what is wrong with the values; a value that is None or empty means that nobody decided.

    Args:
        values: by the names of Policy's attributes. Lists may be given as one text.
    """
    problems = [Problem(f"policy.{key}", f"is no key of a policy; known are {', '.join(KEYS)}") for key in values if key not in KEYS]
    given = {key: values[key] for key in KEYS if values.get(key) not in (None, "")}
    found: dict[str, t.Any] = {}
    for key, value in given.items():
        try:
            found[key] = _READERS[key](value)
        except ValueError as error:
            problems.append(Problem(f"policy.{key}", str(error)))
    return (Policy(), problems) if problems else (Policy(**found), [])


def _texts(value: t.Any) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, (list, tuple)) or not all(isinstance(item, (str, int)) and not isinstance(item, bool) for item in listed):
        raise ValueError(f"is {type(value).__name__}; give a list of names")
    return tuple(str(item) for item in listed)


def _text(value: t.Any) -> str:
    # 29.3 without quotes is a number in YAML, and 29.10 would lose its end.
    if not isinstance(value, str):
        raise ValueError(f"is {value!r}; write it in quotes")
    return value


def _number(value: t.Any) -> int:
    text = str(value)
    if isinstance(value, bool) or not text.isdecimal():
        raise ValueError(f"is {value!r}; give a number of days, or 0 for any")
    return int(text)


def _decision(value: t.Any) -> bool:
    text = str(value).lower()
    if text not in (*_YES, *_NO):
        raise ValueError(f"is {value!r}; give true or false, or leave it out where nobody decided")
    return text in _YES


def _mended(value: t.Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, t.Mapping):
        raise ValueError(f"is {type(value).__name__}; give lists of CVEs by component ({', '.join(COMPONENTS)})")
    unknown = [str(key) for key in value if key not in COMPONENTS]
    if unknown:
        raise ValueError(f"names {', '.join(unknown)}; known are {', '.join(COMPONENTS)}")
    return {str(key): _texts(names) for key, names in value.items()}


_READERS: dict[str, t.Callable[[t.Any], t.Any]] = {
    "trusted_users": _texts,
    "trusted_registries": _texts,
    "minimum_version": _text,
    "image_max_age_days": _number,
    "swarm_expected": _decision,
    "log_drivers": _texts,
    "swarm_ca_max_age_days": _number,
    "mended": _mended,
}
