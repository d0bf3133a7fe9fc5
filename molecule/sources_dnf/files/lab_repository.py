# SPDX-License-Identifier: Apache-2.0
"""Signed rpm repositories out of Debian's own engines, under upstream's names and versions: lab_repository.py SUITE...

Makes in /usr/share/lab:
  keys/            a key of the makers, one of the mirror and one of a stranger (public: NAME.asc, fingerprint: NAME.fpr)
  rpms/            docker-ce, docker-ce-cli, containerd.io in each version, lab-editor, which nobody asked for, and runc
  www/upstream     signed packages and metadata; www/mirror has the same with another key;
  www/unsigned     signed metadata of packages without a signature; www/bare has no signature at all;
  www/foreign      packages of the stranger with metadata of the makers; www/tampered has metadata that were changed afterwards
Served by lab-repository.service on the names packages.lab and mirror.lab. Installs el-stand-in, which provides what an EL host has anyway.
"""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import subprocess
import sys

TOP = pathlib.Path("/usr/share/lab")
DIRECTORY = pathlib.Path("/usr/share/lab-packages")
SUITES = {"trixie": "26.1.5", "forky": "28.5.2"}
# A release whose dockerd starts, says its version and never serves.
BROKEN = "28.5.3"
SUITE = re.search(r"^VERSION_CODENAME=(\w+)", pathlib.Path("/etc/os-release").read_text(), re.MULTILINE)[1]
DIST = "1.el9"
# What systemd's macros (%systemd_post and the others) expand to in upstream's packages: presets decide, nothing is started, what runs is restarted.
SCRIPTS = """
%post
[ $1 -eq 1 ] && systemctl --no-reload preset docker.service docker.socket >/dev/null 2>&1 || :
getent group docker >/dev/null || groupadd --system docker
%preun
[ $1 -eq 0 ] && systemctl --no-reload disable --now docker.service docker.socket >/dev/null 2>&1 || :
%postun
systemctl daemon-reload >/dev/null 2>&1 || :
[ $1 -ge 1 ] && systemctl try-restart docker.service >/dev/null 2>&1 || :
"""


def run(*command: str, cwd: pathlib.Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr.strip()[-800:]}")
    return done.stdout


def fetch(suite: str) -> dict[str, pathlib.Path]:
    """Download a suite's engine; the lists of the host stay as they are."""
    place = TOP / "fetched" / suite
    (place / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    lines = [line for line in pathlib.Path("/etc/apt/sources.list").read_text().splitlines() if f" {SUITE} main" in line]
    (place / "sources.list").write_text("\n".join(lines).replace(f" {SUITE} ", f" {suite} ") + "\n")
    options = ["-o", f"Dir::Etc::SourceList={place}/sources.list", "-o", "Dir::Etc::SourceParts=/dev/null", "-o", f"Dir::State::Lists={place}/lists"]
    options += ["-o", "APT::Sandbox::User=root", "-o", "Acquire::Check-Valid-Until=false", "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="]
    run("apt-get", "-qq", *options, "update")
    names = ["docker.io", "docker-cli", "containerd", "runc"]
    run("apt-get", "-qq", *options, "download", *names, cwd=place)
    return {name: next(place.glob(f"{name}_*.deb")) for name in names}


def build(name: str, version: str, tree: pathlib.Path | None = None, epoch: int = 0, fields: str = "", scripts: str = "") -> None:
    """Make an unsigned package out of a tree."""
    spec = TOP / "work" / f"{name}.spec"
    root = TOP / "work" / "empty" if tree is None else tree
    root.mkdir(parents=True, exist_ok=True)
    files = [f'"/{path.relative_to(root)}"' for path in sorted(root.rglob("*")) if path.is_symlink() or path.is_file()]
    main, _dash, release = version.partition("-")
    spec.write_text(
        f"Name: {name}\nEpoch: {epoch}\nVersion: {main}\nRelease: {release or DIST}\nSummary: {name} of the lab\nLicense: none\nAutoReqProv: no\n{fields}\n"
        f"%description\nOf the lab.\n%install\nmkdir -p %{{buildroot}}\ncp -a {root}/. %{{buildroot}}\n{scripts}\n%files\n" + "\n".join(files) + "\n"
    )
    options = {"_topdir": TOP / "work/rpm", "_rpmdir": TOP / "rpms", "_build_name_fmt": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
               "debug_package": "%{nil}", "__os_install_post": "%{nil}", "_binary_payload": "w0.ufdio"}
    run("rpmbuild", "-bb", "--quiet", *(word for name_, value in options.items() for word in ("--define", f"{name_} {value}")), str(spec))


def unpack(deb: pathlib.Path, name: str) -> pathlib.Path:
    tree = TOP / "work" / name
    run("dpkg-deb", "--extract", str(deb), str(tree))
    for part in ("usr/share", "etc/init.d", "etc/default", "etc/cron.daily"):
        shutil.rmtree(tree / part, ignore_errors=True)
    return tree


def engine(suite: str, release: str, runtime_too: bool) -> None:
    debs = fetch(suite)
    trees = {name: unpack(debs[name], name) for name in debs}
    relations = "Requires: docker-ce-cli\nRequires: containerd.io >= 1.6\nRequires: tini-static\nConflicts: docker\nConflicts: docker-io"
    build("docker-ce", release, trees["docker.io"], 3, relations, SCRIPTS)
    build("docker-ce-cli", release, trees["docker-cli"], 1, "Requires: /bin/sh")
    if release == max(SUITES.values()):
        broken(trees["docker.io"], relations)
        build("docker-ce-cli", BROKEN, trees["docker-cli"], 1, "Requires: /bin/sh")
    if runtime_too:
        number = re.match(r"[0-9.]+", run("dpkg-deb", "--field", str(debs["containerd"]), "Version"))[0]
        shutil.copytree(trees["runc"] / "usr", trees["containerd"] / "usr", dirs_exist_ok=True, symlinks=True)
        same = [f"{word}: {name}" for word in ("Conflicts", "Provides") for name in ("containerd", "runc")]
        build("containerd.io", number, trees["containerd"], 0, "\n".join([*same, "Obsoletes: containerd"]))


def broken(tree: pathlib.Path, relations: str) -> None:
    """Make a release like the newest whose daemon ends at once, as one with a bug does."""
    program = tree / "usr/sbin/dockerd"
    program.unlink()
    program.write_text(f'#!/bin/sh\ncase "$*" in *--version*) echo "Docker version {BROKEN}, build lab"; exit 0;; esac\n'
                       'echo "failed to start daemon: the lab broke this release" >&2\nexit 1\n')
    program.chmod(0o755)
    build("docker-ce", BROKEN, tree, 3, relations, SCRIPTS)


def others() -> None:
    """What the host has, what excludes the set, and what nobody asked for."""
    provides = ["/bin/sh", "system-release = 9", "system-release(releasever) = 9"]
    build("el-stand-in", f"9-{DIST}", fields="\n".join(f"Provides: {name}" for name in provides))
    build("tini-static", f"0.19-{DIST}")
    build("podman-docker", f"5.4-{DIST}", epoch=6, fields="Requires: runc")
    build("runc", f"1.1-{DIST}", epoch=4)
    build("lab-editor", f"1.0-{DIST}")


def keys() -> None:
    (TOP / "keys").mkdir(exist_ok=True)
    home = TOP / "gnupg"
    home.mkdir(mode=0o700, exist_ok=True)
    for name in ("maker", "mirror", "stranger"):
        run("gpg", "--homedir", str(home), "--batch", "--passphrase", "", "--quick-generate-key", f"{name} <{name}@example.com>", "rsa3072", "sign", "never")
        (TOP / "keys" / f"{name}.asc").write_text(run("gpg", "--homedir", str(home), "--armor", "--export", f"{name}@example.com"))
        listed = run("gpg", "--homedir", str(home), "--with-colons", "--list-keys", f"{name}@example.com")
        (TOP / "keys" / f"{name}.fpr").write_text(re.search(r"^fpr:+([0-9A-F]+):", listed, re.MULTILINE)[1] + "\n")


def sign(paths: list[pathlib.Path], key: str) -> None:
    run("rpmsign", "--addsign", "--define", f"_gpg_path {TOP}/gnupg", "--define", f"_gpg_name {key}@example.com", *map(str, paths))


def publish(name: str, packages: str, metadata: str, changed: bool = False) -> pathlib.Path:
    """Make a repository whose packages and metadata are signed by keys, or not."""
    top = TOP / "www" / name / "9" / "x86_64"
    shutil.copytree(TOP / "rpms", top)
    if packages:
        sign(sorted(top.glob("*.rpm")), packages)
    run("createrepo_c", "--quiet", str(top))
    index = top / "repodata" / "repomd.xml"
    if metadata:
        run("gpg", "--homedir", str(TOP / "gnupg"), "--batch", "--armor", "--detach-sign", "--local-user", f"{metadata}@example.com", str(index))
    if changed:
        index.write_text(index.read_text().replace("<revision>", "<revision>1"))
    return top


def directory(signed: pathlib.Path) -> str:
    """Put all that the engine needs in one directory, as somebody would for a host without a network, and return its checksums."""
    DIRECTORY.mkdir(exist_ok=True)
    for path in signed.glob("*.rpm"):
        if BROKEN not in path.name and not path.name.startswith(("el-stand-in", "podman-docker", "runc", "lab-editor")):
            shutil.copy2(path, DIRECTORY / path.name)
    return run("sha256sum", *sorted(path.name for path in DIRECTORY.glob("*.rpm")), cwd=DIRECTORY)


def host() -> None:
    """Make of the host what every host with dnf is; Debian's own plugins expect other things of it."""
    for path in ("/etc/yum.repos.d", "/etc/pki/rpm-gpg"):
        pathlib.Path(path).mkdir(parents=True, exist_ok=True)
    pathlib.Path("/etc/dnf/dnf.conf").write_text(
        "[main]\ngpgcheck=1\ninstallonly_limit=3\nclean_requirements_on_remove=True\nbest=True\nskip_if_unavailable=False\n"
    )
    for name in ("local", "show_leaves", "system_upgrade"):
        for path in pathlib.Path("/usr/lib/python3/dist-packages/dnf-plugins").glob(f"{name}.py"):
            path.unlink()
    # The distribution's repository, which knows nothing of the engine.
    base = TOP / "base"
    base.mkdir()
    for path in (TOP / "rpms").glob("*.rpm"):
        if path.name.startswith(("tini-static", "podman-docker", "runc")):
            shutil.copy2(path, base)
    sign(sorted(base.glob("*.rpm")), "mirror")
    run("createrepo_c", "--quiet", str(base))
    pathlib.Path("/etc/yum.repos.d/base.repo").write_text(
        f"[baseos]\nname=The distribution\nbaseurl=file://{base}\nenabled=1\ngpgcheck=1\ngpgkey=file://{TOP}/keys/mirror.asc\n"
    )
    # Presets of EL: nothing is enabled that nobody named (90-default.preset, 99-default-disable.preset).
    preset = pathlib.Path("/etc/systemd/system-preset/99-default-disable.preset")
    preset.parent.mkdir(parents=True, exist_ok=True)
    preset.write_text("disable *\n")
    run("rpm", "--install", *map(str, (TOP / "rpms").glob("el-stand-in-*.rpm")))


def main() -> None:
    shutil.rmtree(TOP, ignore_errors=True)
    for suite in sys.argv[1:]:
        shutil.rmtree(TOP / "work", ignore_errors=True)
        (TOP / "work").mkdir(parents=True)
        engine(suite, SUITES[suite], runtime_too=suite == SUITE)
    others()
    keys()
    upstream = publish("upstream", "maker", "maker")
    publish("mirror", "mirror", "mirror")
    publish("unsigned", "", "maker")
    publish("bare", "", "")
    publish("foreign", "stranger", "maker")
    publish("tampered", "maker", "maker", changed=True)
    checksums = directory(upstream)
    host()
    for place in ("fetched", "work"):
        shutil.rmtree(TOP / place)
    print(json.dumps({"lab_fingerprints": {path.stem: path.read_text().strip() for path in (TOP / "keys").glob("*.fpr")}, "lab_checksums": checksums}))


if __name__ == "__main__":
    main()
