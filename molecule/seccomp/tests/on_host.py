# SPDX-License-Identifier: Apache-2.0
"""Runs on a lab host: looks at what the engine makes of profiles, and at what containers may do under them."""

from __future__ import annotations

import contextlib
import glob
import json
import sys
import time

import docker
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import (
    seccomp_builtin,
    seccomp_elf,
    seccomp_model,
    seccomp_probe,
    versions,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    daemon_plan,
    daemon_transaction,
    seccomp_plan,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon import Daemon

IMAGE = "lab/busybox"
LABEL = "bulkhead.seccomp-probe"
BUNDLE = "/run/containerd/io.containerd.runtime.v2.task/moby*/{}/config.json"


def compare():
    """The engine's own profile beside ours, as runc is given them, for containers with various capabilities."""
    client = docker.APIClient(version="auto", timeout=60)
    version = versions.parse(client.version()["Version"])
    ours = seccomp_model.render(seccomp_builtin.builtin(version))
    cases = {"default": {}, "none": {"cap_drop": ["ALL"]}, "all": {"cap_add": ["ALL"]}}
    cases.update({name: {"cap_add": [name]} for name in seccomp_builtin.capabilities()})
    answer = {}
    for name, options in cases.items():
        builtin = _filter(client, options, [])
        rendered = _filter(client, options, [f"seccomp={ours}"])
        if builtin is None or rendered is None:
            answer[name] = {"unsupported": builtin is None and rendered is None}
        else:
            answer[name] = {"same": builtin == rendered, "rules": len(builtin[-1]), "differ": sorted(builtin[-1] ^ rendered[-1])[:5]}
    return answer


def _filter(client, options, security):
    with _container(client, options, security) as identifier:
        if not identifier:
            return None
        try:
            client.start(identifier)
        except docker.errors.APIError:
            return None
        # With userns-remap the namespace of containerd carries the ids in its name.
        (bundle,) = glob.glob(BUNDLE.format(identifier))
        with open(bundle, encoding="utf-8") as handle:
            given = json.load(handle)["linux"]["seccomp"]
    rules = {
        json.dumps(
            [name, rule["action"], rule.get("errnoRet"), sorted([a["index"], a["op"], a["value"], a.get("valueTwo", 0)] for a in rule.get("args") or [])]
        )
        for rule in given["syscalls"]
        for name in rule["names"]
    }
    return given["defaultAction"], given.get("defaultErrnoRet"), sorted(given["architectures"]), rules


@contextlib.contextmanager
def _container(client, options, security):
    try:
        config = client.create_host_config(network_mode="none", security_opt=security, **options)
        made = client.create_container(IMAGE, command=["sleep", "60"], host_config=config)["Id"]
    except docker.errors.APIError:
        made = ""
    try:
        yield made
    finally:
        if made:
            client.remove_container(made, force=True, v=True)


def returned(calls):
    """What system calls return under the daemon's profile and without a filter."""
    host = Daemon()
    program = seccomp_elf.program("x86_64", [seccomp_elf.Call(number, tuple(args)) for number, args in calls])
    return [list(seccomp_probe.read(run.output).answers) for run in host.seccomp.run(host.api(), program)]


def probe():
    """What the probe proves of the daemon's profile, and how long it takes, measured in containers that do nothing."""
    host = Daemon()
    with open(host.seccomp_file, encoding="utf-8") as handle:
        profile = seccomp_model.parse(json.load(handle))
    calls, _reason = host.seccomp.calls(seccomp_probe.candidates(profile))
    tried = seccomp_probe.attempts(profile, host.seccomp.machine(), calls.numbers)
    client = docker.APIClient(version="auto", timeout=60)
    started = time.monotonic()
    with _container(client, {}, []) as identifier:
        client.start(identifier)
    ordinary = time.monotonic() - started
    started = time.monotonic()
    runs = host.seccomp.run(host.api(), seccomp_elf.program("x86_64", [attempt.call for attempt in tried]))
    cost = (time.monotonic() - started) / ordinary
    left = [*client.containers(all=True, filters={"label": LABEL}), *client.images(filters={"label": LABEL})]
    filtered, free = (seccomp_probe.read(run.output) for run in runs)
    verdict = seccomp_probe.judge(tried, filtered, free, profile.refusal, True)
    return {"cost": cost, "left": left, "status": filtered.status["Seccomp"], **{name: list(value) for name, value in vars(verdict).items()}}


def lie():
    """What the probe finds when the daemon runs with another profile than the one that it is asked to prove."""
    host = Daemon()
    profile = seccomp_builtin.builtin(versions.parse(host.engine_version()))
    calls, _reason = host.seccomp.calls(seccomp_probe.candidates(profile))
    tried = seccomp_probe.attempts(profile, host.seccomp.machine(), calls.numbers)
    runs = host.seccomp.run(host.api(), seccomp_elf.program("x86_64", [attempt.call for attempt in tried]))
    return list(seccomp_probe.judge(tried, *(seccomp_probe.read(run.output) for run in runs), 1, False).disagreements)


def converge(profile, release=None, predicting=False):
    """Run the module's own path with the settings that are there; as if the engine were another release when one is named."""
    host = Daemon()
    if release:
        # Only the profile: other settings may not be that release's.
        choose = seccomp_plan.choose
        seccomp_plan.choose = lambda host, given, _version, predicting: choose(host, given, versions.parse(release), predicting)
    with open(host.config_file, encoding="utf-8") as handle:
        config = json.load(handle)
    managed = {path.partition(".")[0] for path in host.read_state()[0].managed}
    settings = {key: value for key, value in config.items() if key in managed - {"seccomp-profile"}}
    request = daemon_plan.Request(settings=settings, seccomp_profile=profile, predicting=predicting)
    plan = daemon_plan.make(host, request)
    changes = seccomp_plan.changes(host, plan)
    outcome = daemon_transaction.execute(host, request, plan)
    return {"changed": outcome.changed, "action": outcome.action, "warnings": outcome.warnings, "calls": changes.as_dict()}


def refused(profiles):
    """What becomes of profiles that are wrong: what is said, and whether all is as before, a running container included."""
    client = docker.APIClient(version="auto", timeout=60)
    answers = []
    with _container(client, {}, []) as identifier:
        client.start(identifier)
        for profile in profiles:
            before = _everything(client, identifier)
            try:
                said = f"NOT REFUSED: {converge(profile)}"
            except daemon_plan.DaemonError as error:
                said = str(error)
            answers.append({"said": said, "as_before": _everything(client, identifier) == before})
    return answers


def _everything(client, identifier):
    host = Daemon()
    containers = sorted(container["Id"] for container in client.containers(all=True))
    images = sorted(image["Id"] for image in client.images(all=True))
    return host.read_files(), containers, images, client.inspect_container(identifier)["State"]["Pid"]


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](**json.loads(sys.argv[2]))))
