# SPDX-License-Identifier: Apache-2.0
"""Packs what runs on a host into one file that its Python can import from: the cases, the programs in on_host, the
collection's modules and what they import.

    pack.py OUTPUT

Ansible sends the same code, but for each task anew; here several hundred runs of a module share one import.
"""

from __future__ import annotations

import json
import pathlib
import sys
import zipfile

import ansible
import yaml

HERE = pathlib.Path(__file__).resolve().parent
COLLECTION = HERE.parents[1]
BRANCHES = ("plugins/module_utils", "plugins/modules")


def main(output: str) -> None:
    core = pathlib.Path(ansible.__file__).parent
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        cases = {kind: yaml.safe_load((HERE / "files" / f"{kind}.yml").read_text(encoding="utf-8")) for kind in ("bad", "good")}
        archive.writestr("cases.json", json.dumps(cases))
        for path in sorted((HERE / "on_host").glob("*.py")):
            archive.write(path, path.name)
        packages = {"ansible"}
        for path in sorted((core / "module_utils").rglob("*.py")):
            archive.write(path, f"ansible/{path.relative_to(core)}")
        for branch in BRANCHES:
            for path in sorted((COLLECTION / branch).rglob("*.py")):
                name = pathlib.PurePosixPath("ansible_collections/bulkhead/docker") / path.relative_to(COLLECTION).as_posix()
                archive.write(path, str(name))
                packages.update(str(parent) for parent in name.parents if str(parent) != ".")
        there = set(archive.namelist())
        for package in sorted(packages):
            if f"{package}/__init__.py" not in there:
                archive.writestr(f"{package}/__init__.py", "")


if __name__ == "__main__":
    main(*sys.argv[1:])
