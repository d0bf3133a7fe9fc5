# SPDX-License-Identifier: Apache-2.0
"""Pack this checkout and the collections that it needs into one archive, as they would lie on a host: pack.py ARCHIVE."""

from __future__ import annotations

import pathlib
import sys
import tarfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
OTHERS = ROOT / ".venv" / "collections" / "ansible_collections"
OURS = ("galaxy.yml", "meta", "playbooks", "plugins", "roles")
THEIRS = ("ansible/posix", "community/general")


def no_caches(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in member.name or "/tests/" in member.name else member


def main(archive: str) -> None:
    with tarfile.open(archive, "w") as made:
        for name in OURS:
            made.add(ROOT / name, f"ansible_collections/bulkhead/docker/{name}", filter=no_caches)
        for name in THEIRS:
            made.add(OTHERS / name, f"ansible_collections/{name}", filter=no_caches)


if __name__ == "__main__":
    main(*sys.argv[1:])
