# SPDX-License-Identifier: Apache-2.0
"""Signed package repositories out of Debian's own engines, under upstream's names and versions: lab_repository.py.

Makes in /usr/share/lab:
  keys/           a key of the makers, one of the mirror and one of a stranger (public: NAME.asc, fingerprint: NAME.fpr)
  debs/           docker-ce, docker-ce-cli, containerd.io in each version, and lab-editor, which nobody asked for
  www/upstream    pool and signed indices; www/mirror has the same with another key; www/unsigned has none;
  www/tampered    is signed, and was changed afterwards
Served by lab-repository.service on the names packages.lab and mirror.lab.
"""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import subprocess
import sys

TOP = pathlib.Path("/usr/share/lab")
SUITES = {"bookworm": "20.10.24", "trixie": "26.1.5", "forky": "28.5.2"}
# A release whose dockerd starts, says its version and never serves.
BROKEN = "28.5.3"
# Programs of containerd's packages that no container needs; a move writes half as much without them.
UNUSED = ("usr/bin/ctr", "usr/sbin/pidfd-kill", "usr/lib/**/*-fp*")
# What the engine needs beyond its own packages and is not in the host's image.
DEPENDENCIES = ("tini-static", "python3-docker")
SUITE = re.search(r"^VERSION_CODENAME=(\w+)", pathlib.Path("/etc/os-release").read_text(), re.MULTILINE)[1]


def run(*command: str, cwd: pathlib.Path | None = None, text: str | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr.strip()[-800:]}")
    return done.stdout


def fetch(suite: str, runtime_too: bool) -> dict[str, pathlib.Path]:
    """Download a suite's engine and unpack it; the lists of the host stay as they are."""
    place = TOP / "fetched" / suite
    (place / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    lines = [line for line in pathlib.Path("/etc/apt/sources.list").read_text().splitlines() if f" {SUITE} main" in line]
    (place / "sources.list").write_text("\n".join(lines).replace(f" {SUITE} ", f" {suite} ") + "\n")
    options = ["-o", f"Dir::Etc::SourceList={place}/sources.list", "-o", "Dir::Etc::SourceParts=/dev/null", "-o", f"Dir::State::Lists={place}/lists"]
    options += ["-o", "APT::Sandbox::User=root", "-o", "Acquire::Check-Valid-Until=false", "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="]
    run("apt-get", "-qq", *options, "update")
    names = ["docker.io", *(["containerd", "runc"] if runtime_too else []), *([] if suite == "bookworm" else ["docker-cli"])]
    run("apt-get", "-qq", *options, "download", *names, cwd=place)
    return {name: next(place.glob(f"{name}_*.deb")) for name in names}


def control(**fields: str) -> str:
    return "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in fields.items() if value)


def build(tree: pathlib.Path, text: str) -> None:
    # Debian moved manuals between engine and CLI, which upstream's packages never did.
    shutil.rmtree(tree / "usr/share", ignore_errors=True)
    (tree / "DEBIAN").mkdir(parents=True, exist_ok=True)
    (tree / "DEBIAN" / "control").write_text(text)
    (tree / "DEBIAN" / "md5sums").unlink(missing_ok=True)
    (TOP / "debs").mkdir(exist_ok=True)
    run("dpkg-deb", "-Znone", "--root-owner-group", "--build", str(tree), str(TOP / "debs"))
    shutil.rmtree(tree)


def package(name: str, version: str, depends: str = "", conflicts: str = "", provides: str = "") -> str:
    both = {"Conflicts": conflicts, "Replaces": conflicts, "Provides": provides}
    return control(Package=name, Version=version, Architecture=run("dpkg", "--print-architecture").strip(), Maintainer="The lab <lab@example.com>",
                   Description=f"{name} of the lab", Depends=depends, **both)


def engine(suite: str, release: str, runtime_too: bool) -> None:
    debs = fetch(suite, runtime_too)
    trees = {name: TOP / "work" / name for name in debs}
    for name, tree in trees.items():
        run("dpkg-deb", "--raw-extract", str(debs[name]), str(tree))
    dockerd = trees["docker.io"]
    version = f"5:{release}-1~debian.1~{SUITE}"
    # Upstream's CLI is a package of its own in every release.
    client = trees.get("docker-cli", TOP / "work" / "client")
    if not client.exists():
        (client / "usr/bin").mkdir(parents=True)
        (dockerd / "usr/bin/docker").rename(client / "usr/bin/docker")
    needs = [entry.strip() for entry in run("dpkg-deb", "--field", str(debs["docker.io"]), "Depends").split(",")]
    needs = [entry for entry in needs if not entry.startswith(("containerd", "runc", "docker-cli", "lsb-base", "sysvinit-utils"))]
    (dockerd / "DEBIAN" / "conffiles").unlink(missing_ok=True)
    # The relations are upstream's, which does not name Debian's docker-cli; that one names docker-ce-cli.
    build(dockerd, package("docker-ce", version, ", ".join(["containerd.io (>= 1.6)", "docker-ce-cli", *needs]), "docker.io"))
    shutil.rmtree(client / "DEBIAN", ignore_errors=True)
    build(client, package("docker-ce-cli", version, "", "docker.io"))
    if not runtime_too:
        return
    runtime = trees["containerd"]
    shutil.copytree(trees["runc"] / "usr", runtime / "usr", dirs_exist_ok=True, symlinks=True)
    shutil.rmtree(trees["runc"])
    number = re.match(r"[0-9.]+", run("dpkg-deb", "--field", str(debs["containerd"]), "Version"))[0]
    (runtime / "DEBIAN" / "conffiles").unlink(missing_ok=True)
    for unused in (path for pattern in UNUSED for path in list(runtime.glob(pattern))):
        unused.unlink()
    build(runtime, package("containerd.io", f"{number}-1", "libc6, libseccomp2", "containerd, runc", "containerd, runc"))


def broken(release: str) -> None:
    """Make a release like the newest whose daemon ends at once, as one with a bug does."""
    version = f"5:{BROKEN}-1~debian.1~{SUITE}"
    for name in ("docker-ce", "docker-ce-cli"):
        tree = TOP / "work" / name
        run("dpkg-deb", "--raw-extract", str(next((TOP / "debs").glob(f"{name}_{release}*.deb"))), str(tree))
        text = (tree / "DEBIAN" / "control").read_text()
        if name == "docker-ce":
            program = tree / "usr/sbin/dockerd"
            program.write_text(f'#!/bin/sh\ncase "$*" in *--version*) echo "Docker version {BROKEN}, build lab"; exit 0;; esac\n'
                               'echo "failed to start daemon: the lab broke this release" >&2\nexit 1\n')
            program.chmod(0o755)
        build(tree, re.sub(r"^Version: .*$", f"Version: {version}", text, flags=re.MULTILINE))


def stranger() -> None:
    """A newer release of a package that Debian has too, and one that it has not."""
    build(TOP / "work" / "hello", package("hello", "99.0-1"))
    build(TOP / "work" / "lab-editor", package("lab-editor", "1.0-1"))


def keys() -> None:
    (TOP / "keys").mkdir(exist_ok=True)
    home = TOP / "gnupg"
    home.mkdir(mode=0o700, exist_ok=True)
    for name in ("maker", "mirror", "stranger"):
        run("gpg", "--homedir", str(home), "--batch", "--passphrase", "", "--quick-generate-key", f"{name} <{name}@example.com>", "ed25519", "sign", "never")
        (TOP / "keys" / f"{name}.asc").write_text(run("gpg", "--homedir", str(home), "--armor", "--export", f"{name}@example.com"))
        listed = run("gpg", "--homedir", str(home), "--with-colons", "--list-keys", f"{name}@example.com")
        (TOP / "keys" / f"{name}.fpr").write_text(re.search(r"^fpr:+([0-9A-F]+):", listed, re.MULTILINE)[1] + "\n")


def index() -> str:
    return run("apt-ftparchive", "packages", "debs", cwd=TOP).replace("Filename: debs/", "Filename: pool/")


def publish(name: str, key: str, packages: str) -> pathlib.Path:
    top = TOP / "www" / name
    top.mkdir(parents=True)
    (top / "pool").symlink_to(TOP / "debs")
    binary = top / "dists" / SUITE / "stable" / f"binary-{run('dpkg', '--print-architecture').strip()}"
    binary.mkdir(parents=True)
    (binary / "Packages").write_text(packages)
    suite = top / "dists" / SUITE
    fields = {"Origin": "Docker", "Label": "Docker CE", "Suite": SUITE, "Codename": SUITE, "Components": "stable"}
    words = [word for field, value in fields.items() for word in ("-o", f"APT::FTPArchive::Release::{field}={value}")]
    (suite / "Release").write_text(run("apt-ftparchive", *words, "release", str(suite)))
    if key:
        signer = ["gpg", "--homedir", str(TOP / "gnupg"), "--batch", "--local-user", f"{key}@example.com"]
        run(*signer, "--clearsign", "--output", "InRelease", "Release", cwd=suite)
    return suite


def main() -> None:
    shutil.rmtree(TOP, ignore_errors=True)
    order = sys.argv[1:] or [SUITE]
    for suite in order:
        shutil.rmtree(TOP / "work", ignore_errors=True)
        (TOP / "work").mkdir(parents=True)
        engine(suite, SUITES[suite], runtime_too=suite == order[-1])
    broken(SUITES[order[-1]])
    stranger()
    keys()
    packages = index()
    publish("upstream", "maker", packages)
    publish("mirror", "mirror", packages)
    publish("unsigned", "", packages)
    tampered = publish("tampered", "maker", packages)
    (tampered / "InRelease").write_text((tampered / "InRelease").read_text().replace("Label: Docker CE", "Label: Docker XX"))
    for place in ("fetched", "work"):
        shutil.rmtree(TOP / place)
    print(json.dumps({"lab_fingerprints": {path.stem: path.read_text().strip() for path in (TOP / "keys").glob("*.fpr")}, "lab_checksums": directory()}))


def directory() -> str:
    """Put all that the engine needs in one directory, as somebody would for a host without a network, and return its checksums."""
    place = pathlib.Path("/usr/share/lab-packages")
    place.mkdir(exist_ok=True)
    debian = [path for path in pathlib.Path("/var/cache/apt/archives").glob("*.deb") if path.name.startswith(DEPENDENCIES)]
    for path in [*debian, *(TOP / "debs").glob("*.deb")]:
        if BROKEN not in path.name:
            shutil.copy2(path, place / path.name)
    return run("sha256sum", *sorted(path.name for path in place.glob("*.deb")), cwd=place)


if __name__ == "__main__":
    main()
