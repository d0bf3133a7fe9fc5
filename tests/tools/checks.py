# SPDX-License-Identifier: Apache-2.0
"""The checks behind `make lint`, `unit`, `sanity`, `browser` and `molecule`; each adds its results to a report."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import typing as t

import engine
import envs
from results import Report, Result, pytest_counts
from shell import ROOT, VENV, Timer, ToolError, log_path, must, output, run_logged, say

COLLECTION = "ansible_collections.bulkhead.docker"
WORKERS = 2
SCENARIOS = ROOT / "molecule"
NOT_JUDGED = ("shared", "demo")
# Too long for every change; SCENARIO=name runs one.
ON_DEMAND = ("drift", "faults", "fleet", "logging", "move", "pull", "rootless", "sources", "sources_dnf", "storage_grow", "uninstall", "vm")
# Its host is a virtual machine; all others have containers, which need the engine.
MACHINE = "vm"
MACHINE_PACKAGES = {
    "qemu-system-x86_64": "qemu-system-x86",
    "ssh": "openssh-client",
    "mkfs.ext4": "e2fsprogs",
    "mmdebstrap": "mmdebstrap",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
}
SANITY_NO_PYTHON = re.compile(r'Skipping sanity test "import" on Python (\S+) because it could not be found')
SANITY_FAILED = re.compile(r"The (\d+) sanity test\(s\) listed below \(out of (\d+)\) failed")


def parallel(calls: list[tuple]) -> list:
    """Run (function, arguments...) side by side, results in order."""
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        return [future.result() for future in [pool.submit(*call) for call in calls]]


def lint_commands() -> list[tuple[str, list[str]]]:
    return [
        ("yamllint", ["yamllint", "--strict", "."]),
        ("ruff", ["ruff", "check", "."]),
        ("mypy", ["mypy", "--package", f"{COLLECTION}.plugins.module_utils"]),
        ("ansible-lint", ["ansible-lint", "--offline", "--strict"]),
        ("antsibull-changelog", ["antsibull-changelog", "lint"]),
        ("antsibull-docs", ["antsibull-docs", "lint-collection-docs", "--plugin-docs", "."]),
    ]


def lint(report: Report) -> None:
    core = envs.main_core()
    envs.ensure(core)
    env = {**envs.environment(core), "MYPYPATH": str(envs.COLLECTIONS)}

    def one(name: str, command: list[str]) -> Result:
        timer = Timer()
        code = run_logged(f"lint-{name}", command, env)
        return Result(f"lint {name}", code == 0, str(timer))

    commands = lint_commands()
    for (name, _command), result in zip(commands, parallel([(one, *command) for command in commands])):
        report.add(result, f"lint-{name}")


def cores(report: Report, what: str) -> list[envs.Core]:
    reason = envs.newest_missing()
    if reason:
        report.skip(f"{what} on ansible-core {envs.NEWEST.version}", reason)
    return [envs.main_core(), envs.OLDEST]


def unit(report: Report) -> None:
    chosen = cores(report, "unit tests")
    envs.ensure(*chosen)

    def one(core: envs.Core) -> Result:
        timer, log = Timer(), f"unit-{core.version}"
        code = run_logged(log, ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit"], envs.environment(core))
        passed, failed, line = pytest_counts(log)
        return Result(f"unit tests, ansible-core {core.version}", code == 0, str(timer), passed, failed, line)

    for core, result in zip(chosen, parallel([(one, core) for core in chosen])):
        report.add(result, f"unit-{core.version}")


def browser(report: Report) -> None:
    reason = envs.newest_missing()
    if reason:
        report.skip("the report in a browser", reason)
        return
    core = envs.main_core()
    envs.ensure(core)
    envs.apt_install({"chromium": "chromium", "chromedriver": "chromium-driver"})
    timer, log = Timer(), "browser"
    code = run_logged(log, ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/browser"], envs.environment(core))
    passed, failed, line = pytest_counts(log)
    report.add(Result("the report in Chromium", code == 0 and bool(passed), str(timer), passed, failed, line), log)


def tracked_files() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        raise ToolError(f"git cannot list the files of {ROOT}: {listed.stderr.decode().strip()}")
    return [name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def copy_collection(top: pathlib.Path) -> pathlib.Path:
    """ansible-test refuses a symlinked collection and wants it under ansible_collections/."""
    target = top / "ansible_collections" / "bulkhead" / "docker"
    shutil.rmtree(target, ignore_errors=True)
    for name in tracked_files():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name)
    for namespace in ("community", "ansible"):
        link = top / "ansible_collections" / namespace
        if not link.is_symlink():
            link.symlink_to(envs.COLLECTIONS / "ansible_collections" / namespace)
    # Without a repository of its own ansible-test asks the checkout's git, which ignores this copy.
    must("sanity-git", "Preparing a copy for ansible-test", ["git", "init", "--quiet"], cwd=target)
    return target


def write_pip_stub(core: envs.Core, home: pathlib.Path) -> None:
    """ansible-test downloads a pip installer for its environments unless this file is there; Python's own ensurepip serves as well."""
    code = "import ansible_test._internal.python_requirements as r, inspect, re; print(re.search(r\"pip='([0-9.]+)'\", inspect.getsource(r)).group(1))"
    version = output(str(core.venv / "bin" / "python"), "-c", code)
    if version is None:
        raise ToolError(f"ansible-test of ansible-core {core.version} does not tell which pip it wants; its source has changed.")
    stub = home / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
    stub.parent.mkdir(parents=True, exist_ok=True)
    stub.write_text("import ensurepip\n\nensurepip.bootstrap(default_pip=True)\n", encoding="ascii")


def sanity_environment(core: envs.Core, home: pathlib.Path) -> dict[str, str]:
    env = envs.environment(core)
    env.pop("PYTHONDONTWRITEBYTECODE")  # ansible-test wants to judge that itself
    env["HOME"] = str(home)
    env["PATH"] = os.pathsep.join([env["PATH"], *envs.other_pythons()])
    env.setdefault("PIP_CACHE_DIR", os.path.expanduser("~/.cache/pip"))
    for settings in ("~/.config/pip/pip.conf", "~/.pip/pip.conf"):
        if os.path.exists(os.path.expanduser(settings)):
            env.setdefault("PIP_CONFIG_FILE", os.path.expanduser(settings))
    return env


def sanity_on(core: envs.Core) -> Result:
    timer, log = Timer(), f"sanity-{core.version}"
    top = VENV / "sanity" / core.version
    target = copy_collection(top)
    write_pip_stub(core, top)
    command = ["ansible-test", "sanity", "--color", "no"]
    code = run_logged(log, command, sanity_environment(core, top), target)
    text = log_path(log).read_text(encoding="utf-8", errors="replace")
    ran = text.count("Running sanity test ")
    found = SANITY_FAILED.search(text)
    failed = int(found.group(1)) if found else 0
    missing = ", ".join(sorted(set(SANITY_NO_PYTHON.findall(text))))
    note = f"{ran} tests" + (f"; no Python {missing} here to compile and import for" if missing else "")
    return Result(f"sanity tests, ansible-core {core.version}", code == 0, str(timer), ran - failed, failed, note)


def sanity(report: Report) -> None:
    chosen = cores(report, "sanity tests")
    envs.ensure(*chosen)
    envs.apt_install({"shellcheck": "shellcheck"})
    say("running ansible-test (two minutes; four the first time)")
    for core, result in zip(chosen, parallel([(sanity_on, core) for core in chosen])):
        report.add(result, f"sanity-{core.version}")


def scenarios() -> list[str]:
    """The scenarios that are judged, the machine and those with most hosts first: a long one that starts last would run alone."""
    found = [path for path in SCENARIOS.glob("*/molecule.yml") if path.parent.name not in (*NOT_JUDGED, *ON_DEMAND)]
    names = [path.parent.name for path in sorted(found, key=lambda path: (-path.read_text(encoding="utf-8").count("suite:"), path.parent.name))]
    return sorted(names, key=lambda name: name != MACHINE)


def build_images(env: dict[str, str], suites: tuple[str, ...] = ("bookworm", "trixie", "forky")) -> None:
    def one(suite: str) -> subprocess.CompletedProcess:
        command = [sys.executable, str(SCENARIOS / "shared" / "images.py"), suite]
        return subprocess.run(command, env=env, stdout=subprocess.DEVNULL, check=False)

    if any(done.returncode for done in parallel([(one, suite) for suite in suites])):
        raise ToolError("An image of the lab's hosts could not be built; the reason stands above.")


def molecule_environment(core: envs.Core, engine_env: dict[str, str]) -> dict[str, str]:
    env = {**envs.environment(core), **engine_env}
    env.pop("ANSIBLE_COLLECTIONS_PATH")  # the scenarios' base configuration sets it
    return env


@contextlib.contextmanager
def engine_for(chosen: list[str]) -> t.Iterator[dict[str, str]]:
    """The environment of scenarios, with an engine if one of them has containers for hosts."""
    core = envs.main_core()
    if set(chosen) <= {MACHINE}:
        yield molecule_environment(core, {})
        return
    with engine.running() as engine_env:
        env = molecule_environment(core, engine_env)
        build_images(env)
        yield env


def without_machine(report: Report, chosen: list[str]) -> list[str]:
    if MACHINE not in chosen:
        return chosen
    if platform.machine() != "x86_64":
        report.skip(f"molecule {MACHINE}", f"the lab's machines have x86_64 processors and this one has {platform.machine()}")
        return [name for name in chosen if name != MACHINE]
    envs.apt_install(MACHINE_PACKAGES)
    return chosen


def molecule(report: Report, only: str = "", action: str = "test") -> None:
    chosen = [only] if only else scenarios()
    if only and not (SCENARIOS / only / "molecule.yml").is_file():
        raise ToolError(f"There is no scenario {only!r} under molecule/; there are {', '.join(sorted([*scenarios(), *ON_DEMAND]))}.")
    core = envs.main_core()
    envs.ensure(core)
    chosen = without_machine(report, chosen)
    with engine_for(chosen) as env:

        def one(name: str) -> Result:
            timer, log = Timer(), f"molecule-{name}"
            code = run_logged(log, ["molecule", action, "--scenario-name", name], env)
            passed, failed, line = pytest_counts(log)
            if action == "test" and not code and not passed:
                return Result(f"molecule {name}", False, str(timer), 0, 1, "no test ran")
            result = Result(f"molecule {name}", code == 0, str(timer), passed, failed, line)
            report.add(result, log, "Executed: Failed")
            return result

        say(f"running {len(chosen)} scenario(s), {min(WORKERS, len(chosen))} at a time")
        parallel([(one, name) for name in chosen])
        if MACHINE in chosen and action not in ("test", "destroy"):
            say(f"look around with: python3 molecule/shared/vm.py ssh {MACHINE}")
        for host in [host for name in chosen if name != MACHINE for host in engine.hosts(env.get("DOCKER_HOST"), name)]:
            client = f"DOCKER_HOST={env['DOCKER_HOST']} " if "DOCKER_HOST" in env else ""
            say(f"look around with: {client}docker exec -it {host} bash")
