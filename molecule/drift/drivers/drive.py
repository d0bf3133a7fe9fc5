# SPDX-License-Identifier: Apache-2.0
"""Does to the lab's hosts what somebody does between two nights, runs the playbook drift as a user would, and notes what it said.

Usage: drive.py DIRECTORY STORY..., where a story is one of: injections, healthy, safe, kills, predictions. Each leaves STORY.json.
"""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time
import typing as t

from injections import INJECTIONS
from lab_driver import Json, Lab

PREFIX = "bulkhead-lab-drift-"
HOSTS = ("bookworm", "trixie", "forky")
PLAYBOOK = "bulkhead.docker.drift"


def rounds(chosen: t.Sequence[str]) -> t.Iterator[dict[str, str]]:
    """Deal injections to hosts: each once, three at a time, another generation for neighbours."""
    waiting = list(chosen)
    for turn in itertools.count():
        if not waiting:
            return
        dealt: dict[str, str] = {}
        for place in range(len(HOSTS)):
            host = HOSTS[(turn + place) % len(HOSTS)]
            name = next((name for name in waiting if not INJECTIONS[name].hosts or host in INJECTIONS[name].hosts), None)
            if name is not None:
                waiting.remove(name)
                dealt[host] = name
        if not dealt:
            raise RuntimeError(f"no host for {waiting}")
        yield dealt


def injections(lab: Lab) -> Json:
    """Inject, find and mend, check again."""
    found: Json = {}
    alone = [name for name, injection in INJECTIONS.items() if injection.variables]
    dealt = [*rounds([name for name in INJECTIONS if name not in alone]), *({HOSTS[number % 3]: name} for number, name in enumerate(alone))]
    for deal in dealt:
        before = {host: lab.on(host, "systemctl show --value --property InvocationID docker").stdout for host in deal}
        variables = dict(pair for name in deal.values() for pair in INJECTIONS[name].variables)
        lab.variables.update({key: json.loads(value) for key, value in variables.items()})
        for host, name in deal.items():
            lab.on(host, INJECTIONS[name].script)
        first = lab.play(PLAYBOOK, deal, docker_drift_mend="all")
        run = _last_run()
        for host, name in deal.items():
            if INJECTIONS[name].repair:
                lab.on(host, INJECTIONS[name].repair)
        second = lab.play(PLAYBOOK, deal)
        for host, name in deal.items():
            found[name] = {
                "host": host,
                "run": run,
                "first": first["hosts"].get(host),
                "second": second["hosts"].get(host),
                "statuses": [first["status"], second["status"]],
                "said": first["said"] if first["status"] else "",
                "restarted": before[host] != lab.on(host, "systemctl show --value --property InvocationID docker").stdout,
            }
            print(f"{name} on {host}: {first['status']} {second['status']}", flush=True)
    _back_to_the_scenario(lab)
    return found


def _back_to_the_scenario(lab: Lab) -> None:
    """Give the hosts the variables of the scenario again, for the stories that follow."""
    lab.variables.clear()
    last = lab.play("bulkhead.docker.provision", HOSTS)
    if last["status"]:
        raise RuntimeError(last["said"])


CHURN = """
for number in $(seq 1 400); do
    docker run --rm --name lab-churn-$number --volume lab-churn-$number:/data lab/busybox true >/dev/null 2>&1 || :
    docker run --detach --name lab-lasting-$number lab/busybox sleep 600 >/dev/null 2>&1 || :
    docker rm --force lab-lasting-$((number - 3)) >/dev/null 2>&1 || :
    docker volume rm lab-churn-$((number - 1)) >/dev/null 2>&1 || :
    [ -e /run/lab-churn ] || break
done
docker ps --all --quiet --filter name=lab- | xargs --no-run-if-empty docker rm --force >/dev/null
"""
HEALTHY_RUNS = 20


def healthy(lab: Lab) -> Json:
    """Check hosts on which containers come and go, again and again."""
    churning = []
    for host in HOSTS:
        lab.on(host, "docker images --quiet lab/busybox | grep -q . || docker import /usr/share/bulkhead-lab/busybox.tar lab/busybox; touch /run/lab-churn")
        churning.append(subprocess.Popen(["docker", "exec", PREFIX + host, "sh", "-c", CHURN]))
    try:
        told = [lab.play(PLAYBOOK, HOSTS) for _run in range(HEALTHY_RUNS)]
    finally:
        for host in HOSTS:
            lab.on(host, "rm /run/lab-churn")
        statuses = [process.wait(timeout=120) for process in churning]
    # The highest number that a name had says how many came and went.
    return {"runs": [{key: run[key] for key in ("status", "hosts")} for run in told], "churned": statuses}


RESTARTLESS = ("guard removed", "hold removed", "slice limits removed")


def safe(lab: Lab) -> Json:
    """Mend by the policy `safe` what needs a restart and what does not, then by `all`."""
    before = {}
    for host in HOSTS:
        for name in ("dockerd restarted with other flags", "daemon.json edited", *RESTARTLESS, "package upgraded"):
            lab.on(host, INJECTIONS[name].script)
        before[host] = _standing(lab, host)
    first = lab.play(PLAYBOOK, HOSTS, docker_drift_mend="safe")
    between = {host: _standing(lab, host) for host in HOSTS}
    shut = lab.play(PLAYBOOK, HOSTS, docker_drift_mend="all", docker_drift_windows=[{"from": "00:00", "until": "00:01", "days": [_other_day()]}])
    shut_standing = {host: _standing(lab, host) for host in HOSTS}
    second = lab.play(PLAYBOOK, HOSTS, docker_drift_mend="all")
    third = lab.play(PLAYBOOK, HOSTS)
    return {
        "safe": first, "shut": shut, "all": second, "then": third,
        "standing": {host: [before[host], between[host], shut_standing[host], _standing(lab, host)] for host in HOSTS},
    }


def _other_day() -> str:
    """Return a day of the week that is neither today nor beside it, so that no time zone makes it today."""
    return ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[(time.gmtime().tm_wday + 3) % 7]


def _standing(lab: Lab, host: str) -> str:
    return lab.on(host, "systemctl show --value --property InvocationID docker containerd | tr '\\n' ' '").stdout.strip()


KILLS = int(os.environ.get("DRIFT_KILLS", "4"))
# With pipelining a module is a Python that reads its program from the standard input: an interpreter without an argument.
KILL_MODULE = r"""
for turn in $(seq 1 100); do
    if pkill --signal KILL --full '^([^ ]*/)?python3(\.[0-9]+)?$'; then
        echo hit
        break
    fi
    sleep 0.1
done
"""
KILLED_DEEDS = ("daemon.json edited", "guard removed", "fstab line gone", "hold removed", "seccomp profile deleted", "subuid line changed")


def kills(lab: Lab) -> Json:
    """Kill a run that mends at random moments: the controller (a lost connection), or what it runs on the hosts."""
    seed = int(os.environ.get("DRIFT_SEED", str(random.SystemRandom().randrange(10**6))))
    chance = random.Random(seed)
    told = []
    for number in range(KILLS):
        for host in HOSTS:
            for name in KILLED_DEEDS:
                lab.on(host, INJECTIONS[name].script)
        remote = number % 2 == 1
        moment = chance.uniform(2.0, 25.0)
        process, _reports, _said = lab.start(PLAYBOOK, HOSTS, docker_drift_mend="all")
        deadline = time.monotonic() + moment
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        ended = process.poll() is not None
        hit = []
        if remote:
            hit = [host for host in HOSTS if "hit" in lab.on(host, KILL_MODULE).stdout]
            process.wait(timeout=560)
        elif not ended:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        second = lab.play(PLAYBOOK, HOSTS, docker_drift_mend="all")
        third = lab.play(PLAYBOOK, HOSTS)
        told.append({"remote": remote, "moment": moment, "ended": ended, "hit": hit, "second": second, "third": third})
        print(f"kill {number} after {moment:.1f} s ({f'module on {hit}' if remote else 'connection'}): {second['status']} {third['status']}", flush=True)
    return {"seed": seed, "kills": told}


DENIED = ("keyctl", "add_key", "request_key", "bpf")
PREDICTIONS = int(os.environ.get("DRIFT_PREDICTIONS", "5"))


def _random_inputs(chance: random.Random) -> Json:
    """Return a random choice of valid variables, most as they are."""
    choices: dict[str, t.Callable[[], t.Any]] = {
        "docker_daemon_log_driver": lambda: chance.choice(["local", "json-file"]),
        "docker_daemon_log_opts": lambda: {"max-size": f"{chance.randint(1, 30)}m", "max-file": str(chance.randint(2, 9))},
        "docker_daemon_icc": lambda: chance.random() < 0.5,
        "docker_daemon_no_new_privileges": lambda: chance.random() < 0.5,
        "docker_daemon_live_restore": lambda: chance.random() < 0.7,
        "docker_daemon_slice": lambda: chance.choice([{}, {"TasksMax": chance.randint(1000, 9000)}]),
        "docker_daemon_seccomp_profile": lambda: chance.choice(["builtin", {"base": "builtin", "deny": chance.sample(DENIED, 2)}]),
        "docker_daemon_settings": lambda: chance.choice(
            [{}, {"labels": [f"n={chance.randint(1, 99)}"]}, {"debug": True}, {"max-concurrent-downloads": chance.randint(1, 9)}, {"shutdown-timeout": 20}]
        ),
        "docker_daemon_restart": lambda: chance.choice(["auto", "auto", "defer"]),
        "docker_engine_hold": lambda: chance.random() < 0.7,
        "docker_storage_immutable_mount_points": lambda: chance.random() < 0.7,
    }
    return {name: choices[name]() for name in chance.sample(sorted(choices), chance.randint(1, 5))}


def predictions(lab: Lab) -> Json:
    """Ask check mode what random changes of variables would do, then do them."""
    seed = int(os.environ.get("DRIFT_SEED", str(random.SystemRandom().randrange(10**6))))
    chance = random.Random(seed)
    told = []
    for number in range(PREDICTIONS):
        inputs = _random_inputs(chance)
        before = {host: _fingerprint(lab, host) for host in HOSTS}
        foreseen = lab.play("bulkhead.docker.provision", HOSTS, "--check", "--diff", **inputs)
        after = {host: _fingerprint(lab, host) for host in HOSTS}
        foreseen_run = _last_run()
        done = lab.play("bulkhead.docker.provision", HOSTS, **inputs)
        told.append(
            {
                "inputs": inputs, "statuses": [foreseen["status"], done["status"]], "runs": [foreseen_run, _last_run()],
                "said": [run["said"] for run in (foreseen, done) if run["status"]],
                "wrote": {host: differing(before[host], after[host]) for host in HOSTS},
            }
        )
        print(f"prediction {number}: {inputs} {foreseen['status']} {done['status']}", flush=True)
    _back_to_the_scenario(lab)
    return {"seed": seed, "rounds": told}


def differing(before: Json, after: Json) -> list[str]:
    """Return the keys whose values differ."""
    return sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))


def _last_run() -> str:
    return max(pathlib.Path(os.environ["LAB_RUNS"]).glob("*.jsonl"), key=lambda path: int(path.name.split("-", 1)[0])).name


def _fingerprint(lab: Lab, host: str) -> Json:
    """Return the files, mounts, and runs of daemons of a host; what a running engine writes for itself is left out."""
    program = (pathlib.Path(__file__).resolve().parents[2] / "shared" / "fingerprint.py").read_text(encoding="utf-8")
    done = subprocess.run(
        ["docker", "exec", "--interactive", PREFIX + host, "python3", "-"], input=program, capture_output=True, text=True, timeout=180, check=True
    )
    own = ("/var/lib/docker/", "/var/lib/containerd/")
    return {**{path: entry for path, entry in json.loads(done.stdout).items() if not path.startswith(own)}, "daemons": _standing(lab, host)}


def main() -> None:
    directory = pathlib.Path(sys.argv[1])
    for story in sys.argv[2:]:
        shutil.rmtree(directory / story, ignore_errors=True)
        (directory / story).mkdir(parents=True)
        began = time.monotonic()
        told = STORIES[story](Lab(directory / story, PREFIX))
        (directory / f"{story}.json").write_text(json.dumps({"took": time.monotonic() - began, "told": told}), encoding="utf-8")


STORIES: dict[str, t.Callable[[Lab], Json]] = {story.__name__: story for story in (healthy, predictions, injections, safe, kills)}

if __name__ == "__main__":
    main()
