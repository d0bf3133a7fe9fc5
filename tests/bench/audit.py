# SPDX-License-Identifier: Apache-2.0
"""What docker_host_audit costs: the whole process of the module, from the start of Python to its last byte, for hosts with
100 and with 1000 running containers.

The module comes as Ansible sends it: in an archive, from which Python compiles it at each run. An engine that does not exist
answers from another process on a unix socket, with the shapes of a real one, and counts; the kernel's files about the
containers are a tree in a temporary directory. Everything else is the host that this runs on.

Started by `make bench`, or as: audit.py [ROUNDS]
"""

from __future__ import annotations

import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "unit" / "host"))

import fake_engine  # noqa: E402
import fake_proc  # noqa: E402

SIZES = (100, 1000)
ROUNDS = 5
FIRST_PID = 50000
# Ansible starts a module with its arguments on the standard input; only where /proc lies is another here.
START = """\
from ansible.module_utils import basic
if hasattr(basic, "_ANSIBLE_PROFILE"):
    basic._ANSIBLE_PROFILE = "legacy"
"""
MODULE = """\
import os
from ansible_collections.bulkhead.docker.plugins.module_utils.host import audit, machine
audit.run.__defaults__ = (machine.Machine(proc=os.environ['BENCH_PROC'], cgroups=os.environ['BENCH_CGROUPS']),)
from ansible_collections.bulkhead.docker.plugins.modules import docker_host_audit
docker_host_audit.main()
"""
# Limits of the audit: seconds for a host of the first size, milliseconds for a further container, megabytes.
MOST_SECONDS, MOST_MILLISECONDS, MOST_MEGABYTES, MOST_CALLS = 1.5, 3.0, 120, 2.0


class Measured(t.NamedTuple):
    """What one run took, and what it returned."""

    seconds: float
    cpu: float
    megabytes: float
    returned: dict[str, t.Any]
    size: int


def archive(place: pathlib.Path) -> None:
    """Put together what Ansible would send: the module, this collection's code for it, and its own."""
    from ansible import module_utils

    own = pathlib.Path(module_utils.__file__).parent
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as made:
        packages = ("ansible", *(f"ansible_collections{part}" for part in ("", "/bulkhead", "/bulkhead/docker", "/bulkhead/docker/plugins")))
        for package in packages:
            made.writestr(f"{package}/__init__.py", "")
        for path in sorted(own.rglob("*.py")):
            made.write(path, f"ansible/module_utils/{path.relative_to(own)}")
        made.writestr("ansible/release.py", (own.parent / "release.py").read_text(encoding="utf-8"))
        for part in ("module_utils", "modules"):
            base = ROOT / "plugins" / part
            for path in sorted(base.rglob("*.py")):
                made.write(path, f"ansible_collections/bulkhead/docker/plugins/{part}/{path.relative_to(base)}")
        made.writestr("ansible_collections/bulkhead/docker/plugins/modules/__init__.py", "")


def run(url: str, proc: fake_proc.FakeProc, sent: pathlib.Path) -> Measured:
    """Run the module once."""
    arguments = {"docker_host": url, "host": "bench", "_ansible_selinux_special_fs": [], "_ansible_remote_tmp": "/tmp"}
    given = json.dumps({"ANSIBLE_MODULE_ARGS": arguments})
    environment = {**os.environ, "BENCH_PROC": str(proc.proc), "BENCH_CGROUPS": str(proc.cgroups), "PYTHONPATH": str(sent)}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as standard_input:
        standard_input.write(given.encode())
        standard_input.seek(0)
        begin = time.monotonic()
        process = subprocess.Popen([sys.executable, "-c", START + MODULE], stdin=standard_input, stdout=output, env=environment)
        _pid, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode()
    if process.returncode:
        sys.exit(f"the module failed:\n{text[-3000:]}")
    return Measured(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, json.loads(text), len(text))


def measure(containers: int, directory: pathlib.Path, rounds: int, sent: pathlib.Path) -> list[Measured]:
    """Measure hosts of one size."""
    base = directory / str(containers)
    base.mkdir()
    proc = fake_proc.FakeProc(base)
    pids = [FIRST_PID + number for number in range(containers)]
    for number, pid in enumerate(pids):
        proc.container(pid, fake_engine.container_id(number))
    socket = str(base / "engine.sock")
    command = [sys.executable, str(ROOT / "tests" / "unit" / "host" / "fake_engine.py"), socket, str(containers), *map(str, pids)]
    engine = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert engine.stdout is not None
        engine.stdout.readline()
        # The first run warms caches of files, here and in the engine.
        return [run(f"unix://{socket}", proc, sent) for _round in range(rounds + 1)][1:]
    finally:
        assert engine.stdin is not None
        engine.stdin.close()
        engine.wait(10)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    # Cores are for the module: files are closed, nothing else runs here.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as work:
        sent = pathlib.Path(work) / "module.zip"
        archive(sent)
        results = {size: measure(size, pathlib.Path(work), rounds, sent) for size in SIZES}
    print(f"docker_host_audit, {rounds} runs each; seconds are of the whole process (median, least, most)")
    print(f"  {'containers':>10} {'seconds':>8} {'least':>7} {'most':>7} {'cpu':>6} {'calls each':>11} {'MB':>6} {'findings':>9} {'result kB':>10}")
    for size, measured in results.items():
        seconds = [one.seconds for one in measured]
        last = measured[-1]
        cpu = statistics.median(one.cpu for one in measured)
        print(
            f"  {size:>10} {statistics.median(seconds):8.2f} {min(seconds):7.2f} {max(seconds):7.2f} {cpu:6.2f}"
            f" {last.returned['api_calls'] / size:11.2f} {max(one.megabytes for one in measured):6.0f}"
            f" {len(last.returned['findings']):>9} {last.size // 1024:>10}"
        )
    few, many = SIZES
    medians = {size: statistics.median(one.seconds for one in measured) for size, measured in results.items()}
    further = (medians[many] - medians[few]) / (many - few) * 1000
    print(f"  each further container: {further:.2f} ms")
    missed = [
        name
        for name, within in (
            (f"{few} containers in {MOST_SECONDS} s", medians[few] <= MOST_SECONDS),
            (f"{MOST_MILLISECONDS} ms for each further container", further <= MOST_MILLISECONDS),
            (f"{MOST_MEGABYTES} MB", max(one.megabytes for measured in results.values() for one in measured) < MOST_MEGABYTES),
            (f"{MOST_CALLS:g} calls for each container", all(measured[-1].returned["api_calls"] / size <= MOST_CALLS for size, measured in results.items())),
        )
        if not within
    ]
    if missed:
        sys.exit(f"missed: {'; '.join(missed)}")


if __name__ == "__main__":
    main()
