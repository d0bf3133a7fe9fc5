# SPDX-License-Identifier: Apache-2.0
"""The make targets: dev.py TARGET."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import checks
import clean
import engine
import envs
from results import Report
from shell import ROOT, Timer, ToolError, must, say

import docs

CHECKS = {"lint": checks.lint, "unit": checks.unit, "sanity": checks.sanity, "browser": checks.browser, "molecule": checks.molecule}


def check(*names: str) -> int:
    report = Report()
    for name in names:
        try:
            CHECKS[name](report)
        except ToolError as error:
            if len(names) == 1:
                raise
            report.skip(f"make {name}", str(error))
    return report.close()


def molecule(scenario: str = "") -> int:
    report = Report()
    checks.molecule(report, scenario or os.environ.get("SCENARIO", ""), os.environ.get("COMMAND") or "test")
    return report.close() if (os.environ.get("COMMAND") or "test") == "test" else int(any(not result.ok for result in report.results))


def build() -> int:
    core = envs.main_core()
    envs.ensure(core)
    shutil.rmtree(ROOT / "build", ignore_errors=True)
    must("build", "Building the collection", ["ansible-galaxy", "collection", "build", "--output-path", "build"], envs.environment(core))
    say(f"built {', '.join(str(path.relative_to(ROOT)) for path in sorted(ROOT.glob('build/*.tar.gz')))}")
    return 0


def docs_pages() -> int:
    envs.link_checkout()
    # The pages are written from pure code, which needs no environment of its own.
    sys.path.insert(0, str(envs.COLLECTIONS))
    for path, page in docs.PAGES.items():
        text = page()
        changed = not (ROOT / path).exists() or (ROOT / path).read_text(encoding="utf-8") != text
        (ROOT / path).write_text(text, encoding="utf-8")
        say(f"{path} {'written' if changed else 'is up to date'}")
    return 0


def bench() -> int:
    core = envs.main_core()
    envs.ensure(core)
    scripts = sorted((ROOT / "tests" / "bench").glob("*.py"))
    chosen = os.environ.get("BENCH", "")
    if chosen:
        named = [script for script in scripts if script.stem == chosen]
        if not named:
            raise ToolError(f"There is no benchmark {chosen!r} in tests/bench/; there are {', '.join(script.stem for script in scripts)}.")
        scripts = named
    with engine.running() as engine_env:
        # Some measure the collection's code in the program's own process.
        env = {**envs.environment(core), **engine_env, "PYTHONPATH": str(envs.COLLECTIONS)}
        checks.build_images(env, ("trixie",))
        return max(subprocess.run(["python", str(script)], cwd=ROOT, env=env, check=False).returncode for script in scripts)


def demo() -> int:
    timer = Timer()
    core = envs.main_core()
    envs.ensure(core)
    with engine.running() as engine_env:
        env = checks.molecule_environment(core, engine_env)
        checks.build_images(env, ("trixie",))
        say("making a host with two disks and provisioning it")
        must("demo", "The demonstration", ["molecule", "converge", "--scenario-name", "demo"], env)
        host = "bulkhead-lab-demo-host"
        code = subprocess.run([sys.executable, str(ROOT / "molecule" / "demo" / "summary.py"), host], env=env, check=False).returncode
        client = f"DOCKER_HOST={env['DOCKER_HOST']} " if "DOCKER_HOST" in env else ""
        say(f"\nDone in {timer}. Look around: {client}docker exec -it {host} bash\nRemove it: make clean")
        return code


TARGETS = {
    "test": lambda: check("lint", "unit", "sanity", "browser", "molecule"),
    "lint": lambda: check("lint"),
    "unit": lambda: check("unit"),
    "sanity": lambda: check("sanity"),
    "browser": lambda: check("browser"),
    "molecule": molecule,
    "vm": lambda: molecule(checks.MACHINE),
    "build": build,
    "bench": bench,
    "docs": docs_pages,
    "demo": demo,
    "clean": clean.everything,
}


def main() -> int:
    try:
        return TARGETS[sys.argv[1]]()
    except ToolError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
