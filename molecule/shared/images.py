# SPDX-License-Identifier: Apache-2.0
"""Build the images of the lab's hosts from Debian packages, unless the engine has them: images.py SUITE...

Prints the image of each suite, one a line. An image is named after its recipe (image/ and the packages below),
so a changed recipe is a new image.
"""

from __future__ import annotations

import datetime
import fcntl
import hashlib
import pathlib
import shlex
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent / "image"
RECIPE = ("customise.sh", "init.sh", "nodes.py", "lab-nodes.service", "release.sh", "busybox.sh")
SUITES = ("bookworm", "trixie", "forky")
REPOSITORY = "bulkhead-lab"
# Old package lists name packages that the mirror has replaced since.
MAX_AGE = datetime.timedelta(days=14)
INSTALLED = (
    "systemd-sysv", "udev", "dbus", "python3", "python3-apt", "iproute2", "iptables", "procps", "util-linux", "mount", "fdisk",
    "e2fsprogs", "attr", "acl", "kmod", "busybox-static", "ca-certificates",
)
AT_HAND = ("docker.io", "docker-cli", "containerd", "runc", "python3-docker", "parted", "xfsprogs")
OPTIONS = (
    "--quiet", "--variant=minbase", "--mode=root", "--skip=cleanup/apt",
    # An unreleased suite's index may be past its date.
    '--aptopt=Acquire::Check-Valid-Until "false"',
    "--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    # The audit reads there what a distribution has mended.
    "--dpkgopt=path-include=/usr/share/doc/*/changelog.Debian.gz",
)


class BuildError(Exception):
    pass


def image_name(suite: str) -> str:
    digest = hashlib.sha256(repr((INSTALLED, AT_HAND, OPTIONS)).encode())
    for name in RECIPE:
        digest.update(HERE.joinpath(name).read_bytes())
    return f"{REPOSITORY}:{suite}-{digest.hexdigest()[:12]}"


def is_fresh(image: str) -> bool:
    seen = subprocess.run(["docker", "image", "inspect", "--format", "{{.Created}}", image], capture_output=True, text=True, check=False)
    if seen.returncode:
        return False
    created = datetime.datetime.strptime(seen.stdout[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    return datetime.datetime.now(datetime.timezone.utc) - created < MAX_AGE


def bootstrap_command(suite: str, target: str) -> list[str]:
    hook = " ".join(["sh", shlex.quote(str(HERE / "customise.sh")), '"$1"', shlex.quote(str(HERE)), *AT_HAND])
    return ["mmdebstrap", *OPTIONS, f"--include={','.join(INSTALLED)}", f"--customize-hook={hook}", suite, target]


def build(suite: str, image: str) -> None:
    with tempfile.TemporaryDirectory(prefix="bulkhead-lab-") as work:
        tree = pathlib.Path(work, "root.tar")
        for command in (bootstrap_command(suite, str(tree)), ["docker", "import", "--change", 'CMD ["/usr/lib/bulkhead-lab/init"]', str(tree), image]):
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            if done.returncode:
                raise BuildError(f"{command[0]} failed for the lab image of {suite}: {(done.stderr or done.stdout).strip()[-1500:]}")


def remove_older(suite: str, image: str) -> None:
    names = subprocess.run(["docker", "images", "--format", "{{.Repository}}:{{.Tag}}", REPOSITORY], capture_output=True, text=True, check=False)
    for name in names.stdout.split():
        if name.startswith(f"{REPOSITORY}:{suite}-") and name != image:
            # The engine keeps an image whose hosts still exist.
            subprocess.run(["docker", "rmi", name], capture_output=True, check=False)


def ensure(suite: str) -> str:
    if suite not in SUITES:
        raise BuildError(f"The lab has no suite {suite!r}; use one of {', '.join(SUITES)}.")
    image = image_name(suite)
    with open(pathlib.Path(tempfile.gettempdir(), f".{REPOSITORY}-{suite}.lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two scenarios may want the same image at the same time
        if not is_fresh(image):
            print(f"building {image} (about a minute)", file=sys.stderr, flush=True)
            build(suite, image)
            remove_older(suite, image)
    return image


def main() -> int:
    try:
        for suite in sys.argv[1:] or SUITES:
            print(ensure(suite))
    except (BuildError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
