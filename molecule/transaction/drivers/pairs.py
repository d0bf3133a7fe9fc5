# SPDX-License-Identifier: Apache-2.0
"""Random old and new configurations: predicted, applied, applied again, and compared with what the daemon shows.

Arguments: a seed (or nothing, which draws one) and the number of steps. Each step begins where the last one ended, so
keys come, change and go; in between an administrator edits the file, reloads or restarts.
"""

from __future__ import annotations

import json
import random
import sys
import time
import typing as t

import daemon_samples
import lab

Config = dict[str, t.Any]


def observed() -> Config:
    """What the daemon itself shows, asked without any code of the collection but its connection."""
    found = lab.info()
    registries = found["RegistryConfig"]
    bridge = json.loads(lab.call("docker", "network", "inspect", "bridge"))[0]["Options"]
    return {
        "debug": found["Debug"],
        "labels": sorted(found["Labels"] or []),
        "live-restore": found["LiveRestoreEnabled"],
        "log-driver": found["LoggingDriver"],
        "default-runtime": found["DefaultRuntime"],
        "no-new-privileges": "name=no-new-privileges" in found["SecurityOptions"],
        "registry-mirrors": [mirror.rstrip("/") for mirror in registries["Mirrors"] or []],
        "insecure-registries": sorted(name for name in registries["IndexConfigs"] if name != "docker.io"),
        "runtimes": sorted(name for name in found["Runtimes"] if name in ("one", "two")),
        "experimental": found["ExperimentalBuild"],
        "icc": bridge["com.docker.network.bridge.enable_icc"],
        "mtu": bridge["com.docker.network.driver.mtu"],
        "ip-masq": bridge["com.docker.network.bridge.enable_ip_masquerade"],
    }


def expected(config: Config) -> Config:
    """What a daemon with this file shows, written down without any code of the collection."""
    return {
        "debug": config.get("debug", False),
        "labels": sorted(config.get("labels", [])),
        "live-restore": config.get("live-restore", False),
        "log-driver": config.get("log-driver", "json-file"),
        "default-runtime": config.get("default-runtime", "runc"),
        "no-new-privileges": config.get("no-new-privileges", False),
        "registry-mirrors": [mirror.rstrip("/") for mirror in config.get("registry-mirrors", [])],
        "insecure-registries": sorted(config.get("insecure-registries", [])),
        "runtimes": sorted(config.get("runtimes", {})),
        "experimental": config.get("experimental", False),
        "icc": str(config.get("icc", True)).lower(),
        "mtu": str(config.get("mtu", 1500)),
        "ip-masq": str(config.get("ip-masq", True)).lower(),
    }


#: Keys of the above that a daemon only takes when it starts.
RESTART_ONLY = ("log-driver", "no-new-privileges", "experimental", "icc", "mtu", "ip-masq")


def file() -> Config:
    return t.cast(Config, json.loads(lab.text(lab.CONFIG) or "{}"))


def sighup() -> None:
    lab.call("systemctl", "kill", "--signal=HUP", "--kill-who=main", "docker.service")
    time.sleep(0.8)


def somebody_else(source: random.Random, known: int) -> str:
    deed = source.choice(["nothing", "nothing", "nothing", "edit", "edit and reload", "restart"])
    if "edit" in deed:
        config = file()
        for key in list(config):
            if source.random() < 0.15:
                del config[key]
        config.update(daemon_samples.draw(source, known, 2))
        lab.CONFIG.parent.mkdir(exist_ok=True)
        lab.CONFIG.write_text(json.dumps(config, indent=source.choice([None, 2, "\t"])), encoding="utf-8")
    if "reload" in deed:
        sighup()
    if "restart" in deed and not lab.succeeds("systemctl", "restart", "docker.service"):
        lab.bring_up()
    return deed


def naive(wanted: str, before: Config) -> Config:
    """Give the daemon the new file and SIGHUP only, look, and put the old file back."""
    kept = lab.text(lab.CONFIG)
    lab.CONFIG.parent.mkdir(exist_ok=True)
    lab.CONFIG.write_text(wanted, encoding="utf-8")
    sighup()
    after = observed()
    if kept is None:
        lab.CONFIG.unlink()
    else:
        lab.CONFIG.write_text(kept, encoding="utf-8")
    target = expected(json.loads(wanted))
    return {key: [before[key], after[key], target[key]] for key in RESTART_ONLY if before[key] != target[key]}


def step(source: random.Random, known: int) -> Config:
    seen: Config = {"somebody": somebody_else(source, known)}
    # What he put there may be such that dockerd does not start with it; then he puts it right.
    wanted = daemon_samples.draw(source, known, 6)
    options: Config = {"may_restart": source.random() < 0.7}
    before, pid = file(), lab.main_pid()
    seen.update(asked=wanted, options=options, before=before)
    seen["foreseen"] = lab.predict(wanted, **options)
    if "failed" in seen["foreseen"]:
        seen["done"] = lab.ask(wanted, **options)
        lab.CONFIG.write_text("{}\n", encoding="utf-8")
        lab.foreign_restart()
        return seen
    shown = observed()
    if seen["foreseen"]["action"] == "restart" and source.random() < 0.5:
        seen["naive"] = naive(seen["foreseen"]["wanted"][0], shown)
    seen["done"] = lab.ask(wanted, **options)
    seen["after"] = file()
    seen["same daemon"] = lab.main_pid() == pid
    seen["observed"], seen["expected"] = observed(), expected(seen["after"])
    seen["again"] = lab.ask(wanted, **options)
    if seen["done"].get("action") == "none" and seen["before"] != seen["after"] and source.random() < 0.5:
        lab.foreign_restart()
        seen["after a restart"] = observed()
    return seen


def main() -> None:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1] else random.SystemRandom().randrange(2**32)
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 12
    source = random.Random(seed)
    known = lab.release()
    lab.clean(daemon_samples.draw(source, known, 2) or {})
    found = []
    for number in range(steps):
        began = time.monotonic()
        try:
            found.append(step(source, known))
        except Exception as error:  # the seed and the step must be told in any case
            found.append({"error": repr(error)})
        found[-1]["seconds"] = round(time.monotonic() - began, 1)
        print(number, found[-1].get("done", found[-1].get("error")), flush=True)
    lab.clean()
    lab.report("/root/lab/pairs.json", {"seed": seed, "release": known, "steps": found})


if __name__ == "__main__":
    main()
