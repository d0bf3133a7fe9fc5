# SPDX-License-Identifier: Apache-2.0
"""Virtual environments, collections and Debian packages that the make targets need."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
import shutil
import tempfile
import zipfile

from shell import LOGS, ROOT, VENV, ToolError, locked, must, output, say, without_shims

TESTS = ROOT / "tests"
COLLECTIONS = VENV / "collections"
COMMUNITY = ("community/docker", "community/general", "community/crypto", "community/library_inventory_filtering_v1", "ansible/posix")
CHECKOUT_LINK = COLLECTIONS / "ansible_collections" / "bulkhead" / "docker"


@dataclasses.dataclass(frozen=True)
class Core:
    """An ansible-core and the controller Pythons it runs on, best first."""

    version: str
    pythons: tuple[str, ...]

    @property
    def venv(self) -> pathlib.Path:
        return VENV / f"core-{self.version}"

    @property
    def requirements(self) -> pathlib.Path:
        return TESTS / f"requirements-{self.version}.txt"


NEWEST = Core("2.21", ("3.14", "3.13", "3.12"))
FALLBACK = Core("2.19", ("3.13", "3.12", "3.11"))
OLDEST = Core("2.18", ("3.13", "3.12", "3.11"))


def apt_install(packages: dict[str, str]) -> None:
    """Install Debian packages, given as {path or command that shows it is there: package}."""
    missing = sorted({package for sign, package in packages.items() if not (shutil.which(sign) or os.path.exists(sign))})
    if not missing:
        return
    if os.geteuid() or not shutil.which("apt-get"):
        raise ToolError(f"This machine lacks {', '.join(missing)}; install them, or run make as root on a Debian-like system.")
    say(f"installing {', '.join(missing)}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "--quiet", "--yes", "--no-install-recommends", *missing]
    with locked(VENV / "apt.lock"):
        must("apt-update", "Reading the package lists", ["apt-get", "update", "--quiet"], env)
        must("apt-install", f"Installing {', '.join(missing)}", command, env)


def candidates(version: str) -> list[str]:
    # An environment cannot be made anew by its own interpreter, which is removed first.
    directories = [directory for directory in without_shims() if not directory.startswith(str(VENV))]
    found = [shutil.which(f"python{version}", path=os.pathsep.join(directories))]
    pyenv = output("pyenv", "root")
    if pyenv:
        found += [str(path) for path in sorted(pathlib.Path(pyenv, "versions").glob(f"{version}.*/bin/python"), reverse=True)]
    return [path for path in found if path]


def other_pythons() -> list[str]:
    """Directories of interpreters that pyenv keeps, for tests that want many versions."""
    pyenv = output("pyenv", "root")
    return [str(path.parent) for path in sorted(pathlib.Path(pyenv, "versions").glob("3.*/bin/python"))] if pyenv else []


def find_python(core: Core) -> str | None:
    for version in core.pythons:
        for python in candidates(version):
            if output(python, "-c", "import sys, ssl; print('%d.%d' % sys.version_info[:2])") == version:
                return python
    return None


def main_core() -> Core:
    return NEWEST if find_python(NEWEST) else FALLBACK


def newest_missing() -> str | None:
    """Why the newest ansible-core is not tested here, if it is not."""
    return None if find_python(NEWEST) else f"ansible-core {NEWEST.version} needs Python 3.12 or newer and there is none on this machine"


def digest(core: Core, python: str) -> str:
    text = python + "".join(path.read_text(encoding="utf-8") for path in (core.requirements, TESTS / "requirements-tools.txt", TESTS / "requirements-unit.txt"))
    return hashlib.sha256(text.encode()).hexdigest()


def ensure_venv(core: Core) -> pathlib.Path:
    stamp = core.venv / ".stamp"
    with locked(VENV / f"core-{core.version}.lock"):
        python = find_python(core)
        if python is None:
            raise ToolError(f"ansible-core {core.version} needs Python {' or '.join(core.pythons)}, and none of them runs on this machine; install one.")
        wanted = digest(core, python)
        if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
            return core.venv
        say(f"setting up ansible-core {core.version} on {python} (under a minute)")
        if output(python, "-c", "import ensurepip") is None:
            apt_install({f"/usr/lib/{pathlib.Path(python).name}/ensurepip": f"{pathlib.Path(python).name}-venv"})
        shutil.rmtree(core.venv, ignore_errors=True)
        must(f"venv-{core.version}", "Creating a virtual environment", [python, "-m", "venv", core.venv])
        pip = [core.venv / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", core.requirements]
        must(f"pip-{core.version}", f"Installing {core.requirements.relative_to(ROOT)}", pip)
        stamp.write_text(wanted, encoding="utf-8")
    return core.venv


def link_checkout() -> None:
    if CHECKOUT_LINK.resolve() != ROOT:
        CHECKOUT_LINK.parent.mkdir(parents=True, exist_ok=True)
        CHECKOUT_LINK.unlink(missing_ok=True)
        CHECKOUT_LINK.symlink_to(os.path.relpath(ROOT, CHECKOUT_LINK.parent))


def extract_collections(wheel: pathlib.Path) -> None:
    wanted = tuple(f"ansible_collections/{name}/" for name in COMMUNITY)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(COLLECTIONS, [name for name in archive.namelist() if name.startswith(wanted)])


def ensure_collections(venv: pathlib.Path) -> None:
    requirements = TESTS / "requirements-collections.txt"
    stamp = COLLECTIONS / ".stamp"
    with locked(VENV / "collections.lock"):
        wanted = requirements.read_text(encoding="utf-8")
        if not (stamp.exists() and stamp.read_text(encoding="utf-8") == wanted):
            say("fetching the community collections")
            shutil.rmtree(COLLECTIONS, ignore_errors=True)
            with tempfile.TemporaryDirectory() as work:
                pip = [venv / "bin" / "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", work, "--requirement", requirements]
                must("collections", "Downloading the community collections", pip)
                extract_collections(next(pathlib.Path(work).glob("*.whl")))
            stamp.write_text(wanted, encoding="utf-8")
        link_checkout()


def ensure(*cores: Core) -> None:
    LOGS.mkdir(parents=True, exist_ok=True)
    apt_install({"git": "git"})
    for core in cores:
        ensure_venv(core)
    ensure_collections(cores[0].venv)


def environment(core: Core) -> dict[str, str]:
    """Environment for the tools of a virtual environment."""
    path = os.pathsep.join([str(core.venv / "bin"), *without_shims()])
    return {**os.environ, "PATH": path, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}
