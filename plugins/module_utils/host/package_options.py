# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The options with which modules are asked for the engine's packages; plugins/doc_fragments/package_set.py describes them.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import image_store, packages
from ansible_collections.bulkhead.docker.plugins.module_utils.host import package_plan

PACKAGE: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "version": {"type": "str", "default": ""},
    "optional": {"type": "bool", "default": False},
    "held": {"type": "bool", "default": True},
    "with_engine": {"type": "bool", "default": False},
}
POLICY: dict[str, t.Any] = {
    "upgrade": {"type": "bool", "default": False},
    "downgrade": {"type": "bool", "default": False},
    "replace": {"type": "bool", "default": False},
    "hold": {"type": "bool", "default": True},
    "strict": {"type": "bool", "default": False},
}
ARGUMENTS: dict[str, t.Any] = {
    "packages": {"type": "list", "elements": "dict", "required": True, "options": PACKAGE},
    "versions": {"type": "dict", "default": {}},
    **POLICY,
    "directory": {"type": "str", "default": ""},
    "checksums": {"type": "str", "default": ""},
    "settings": {"type": "dict", "default": {}},
    "image_store": {"type": "str", "default": "", "choices": list(image_store.STORES)},
}


def read(params: t.Mapping[str, t.Any]) -> package_plan.Request:
    """Return what a module was asked for."""
    wanted = [packages.Wanted(**item) for item in params["packages"]]
    versions = params["versions"]
    return package_plan.Request(
        wanted=tuple(one if one.version else dataclasses.replace(one, version=str(versions.get(one.name, ""))) for one in wanted),
        policy=packages.Policy(**{name: params[name] for name in POLICY}),
        directory=params["directory"],
        checksums=params["checksums"],
        settings=params["settings"],
        image_store=params["image_store"],
    )
