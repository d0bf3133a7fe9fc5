# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What a host that checks and mends itself has for it: units, configuration and inventory, as texts of files.

PRIVATE to the collection: no stability is promised to other users.

What may hold a secret, which is the variables and the environment, lies in files that only root can read, and never in a unit or in the
arguments of a process.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import typing as t

UNIT = "bulkhead-docker-pull"
SERVICE = f"{UNIT}.service"
TIMER = f"{UNIT}.timer"
UNITS = "/etc/systemd/system"
PROGRAM = "/usr/local/lib/bulkhead/docker-pull"
DIRECTORY = "/etc/bulkhead"
CONFIG = f"{DIRECTORY}/docker-pull.json"
INVENTORY = f"{DIRECTORY}/docker-pull-inventory.yml"
STATE = "/var/lib/bulkhead/pull"
METRICS = "bulkhead_pull.prom"

#: How many seconds a run that is stopped has to put a daemon back that it was changing.
STOP_SECONDS = 300

_TIME = re.compile(r"[0-9][0-9a-z .]{0,60}\Z")
_CALENDAR = re.compile(r"[A-Za-z0-9*:/.,~_+ -]{1,200}\Z")
_PATH = re.compile(r"/[A-Za-z0-9/._@+-]{0,500}\Z")
# What git is asked for, and ansible-pull puts into a command line of its own.
_URL = re.compile(r"[A-Za-z0-9@:/._~+%?=-]{1,1000}\Z")
_REVISION = re.compile(r"(?!-)[A-Za-z0-9._/@+-]{0,200}\Z")
_PLAYBOOK = re.compile(r"(?!-)[A-Za-z0-9._/+-]{1,300}\Z")
_COLLECTION_PLAYBOOK = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*){2,}\Z")
_CREDENTIALS = re.compile(r"[a-z+]+://[^/@]*:[^/@]*@|https?://[^/@]+@")
_ENVIRONMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# Where Ansible would see the beginning of a template.
_TEMPLATE = re.compile(r"\{[{%#]")
_BROKEN = re.compile("[\ud800-\udfff]")


@dataclasses.dataclass(frozen=True)
class Pull:
    """How a host keeps itself.

    Attributes:
        url, checkout, playbook, verify_commit, key_file: the repository, and the playbook in it. Without a url the playbook is that of an
            installed collection.
        schedule, jitter, timeout: as systemd writes them (systemd.time(7)).
        programs: directory of ansible-playbook and ansible-pull.
        python: the interpreter of the program.
        collections: where collections are looked for; empty for Ansible's own places.
        metrics: directory of the textfile collector; empty for no metrics.
        environment: further variables of the run.
    """

    url: str = ""
    checkout: str = ""
    playbook: str = "bulkhead.docker.drift"
    verify_commit: bool = False
    key_file: str = ""
    schedule: str = "*-*-* 02:00:00"
    jitter: str = "2h"
    timeout: str = "1h"
    programs: str = "/usr/bin"
    python: str = "/usr/bin/python3"
    collections: str = ""
    metrics: str = ""
    environment: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)


def problems(pull: Pull) -> list[str]:
    """Return what is wrong with how a host is to keep itself, one sentence each."""
    found = []
    if not _CALENDAR.match(pull.schedule):
        found.append("docker_pull_schedule is no time of systemd; write it as '*-*-* 02:00:00'.")
    found += [
        f"docker_pull_{name} is {value!r}, which is no span of time; write it as '30min'."
        for name, value in (("jitter", pull.jitter), ("timeout", pull.timeout))
        if not _TIME.match(value)
    ]
    for name, value, required in (
        ("program_directory", pull.programs, True),
        ("python", pull.python, True),
        ("textfile_directory", pull.metrics, False),
        ("key_file", pull.key_file, False),
    ):
        if (value or required) and not _PATH.match(value):
            found.append(f"docker_pull_{name} is {value!r}, which is no absolute path of plain characters.")
    if not all(_PATH.match(path) for path in pull.collections.split(":") if pull.collections):
        found.append("docker_pull_collections_path is no list of absolute paths with colons between.")
    found += [f"docker_pull_environment has the name {name!r}, which is none of a variable." for name in pull.environment if not _ENVIRONMENT.match(name)]
    return [*found, *(_of_repository(pull) if pull.url else _of_collection(pull))]


def _of_repository(pull: Pull) -> list[str]:
    found = []
    if _CREDENTIALS.match(pull.url):
        found.append(
            "docker_pull_url holds a user or a password, which every user of the host could read while it is fetched; let git find it in"
            " root's .netrc, or name a deploy key in docker_pull_key_file."
        )
    elif not _URL.match(pull.url) or pull.url.startswith("-"):
        found.append("docker_pull_url is no address of plain characters.")
    if not _REVISION.match(pull.checkout):
        found.append("docker_pull_checkout is no name of a branch, a tag or a commit.")
    if not _PLAYBOOK.match(pull.playbook) or not pull.playbook.endswith((".yml", ".yaml")) or ".." in pull.playbook.split("/"):
        found.append(f"docker_pull_playbook is {pull.playbook!r}; with docker_pull_url it is a path in the repository, such as 'drift.yml'.")
    return found


def _of_collection(pull: Pull) -> list[str]:
    found = [f"docker_pull_{name} needs docker_pull_url." for name, value in (("checkout", pull.checkout), ("key_file", pull.key_file)) if value]
    if pull.verify_commit:
        found.append("docker_pull_verify_commit needs docker_pull_url: only commits of a repository are signed.")
    if not _COLLECTION_PLAYBOOK.match(pull.playbook):
        found.append(f"docker_pull_playbook is {pull.playbook!r}; without docker_pull_url it is that of a collection, such as 'bulkhead.docker.drift'.")
    return found


def config(pull: Pull) -> str:
    """Return the text of the program's configuration."""
    document = {
        "url": pull.url,
        "checkout": pull.checkout,
        "playbook": pull.playbook,
        "verify_commit": pull.verify_commit,
        "key_file": pull.key_file,
        "programs": pull.programs,
        "collections": pull.collections,
        "metrics": pull.metrics,
        "environment": dict(pull.environment),
    }
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def service(pull: Pull) -> str:
    """Return the text of the service, which is one run."""
    return (
        "# Managed by the role bulkhead.docker.docker_pull.\n"
        "[Unit]\n"
        "Description=Check this Docker host against its manifest, and mend it\n"
        "Wants=network-online.target\n"
        "After=network-online.target docker.service\n"
        "\n[Service]\n"
        "Type=oneshot\n"
        f"ExecStart={PROGRAM} run\n"
        # Runs however the start ended, so that also a run that hung or was killed is told of.
        f"ExecStopPost={PROGRAM} finish\n"
        f"TimeoutStartSec={pull.timeout}\n"
        # Whoever is changing the daemon's configuration puts it back when it is told to stop.
        f"TimeoutStopSec={STOP_SECONDS}\n"
        "SyslogIdentifier=bulkhead-docker-pull\n"
        "UMask=0077\n"
        # What containers need comes first.
        "Nice=15\n"
        "IOSchedulingClass=idle\n"
        "CPUWeight=10\n"
        "IOWeight=10\n"
        "OOMScoreAdjust=500\n"
    )


def timer(pull: Pull) -> str:
    """Return the text of the timer."""
    return (
        "# Managed by the role bulkhead.docker.docker_pull.\n"
        "[Unit]\n"
        "Description=Check this Docker host against its manifest regularly\n"
        "\n[Timer]\n"
        f"OnCalendar={pull.schedule}\n"
        f"RandomizedDelaySec={pull.jitter}\n"
        # Each host keeps its own place in the crowd.
        "FixedRandomDelay=true\n"
        "AccuracySec=1s\n"
        # A host that was off makes up for what it missed.
        "Persistent=true\n"
        "\n[Install]\n"
        "WantedBy=timers.target\n"
    )


def units(pull: Pull) -> dict[str, str]:
    """Return the texts of the unit files by path."""
    return {f"{UNITS}/{SERVICE}": service(pull), f"{UNITS}/{TIMER}": timer(pull)}


def inventory(variables: t.Mapping[str, t.Any], python: str) -> str:
    """Return the text of an inventory of this host alone, with its variables.

    The values are final: what looks like a template in them, such as Docker's ``{{.Name}}``, is none.
    """
    host = {**variables, "ansible_connection": "local", "ansible_python_interpreter": python}
    lines = "".join(f"      {_yaml(str(name))}: {_yaml(host[name])}\n" for name in sorted(host, key=str))
    return f"# Managed by the role bulkhead.docker.docker_pull. Only root may read it.\nall:\n  hosts:\n    localhost:\n{lines}"


def _yaml(value: t.Any) -> str:
    """Return a value as YAML on one line, which is JSON but for the tag of texts that must not be templates."""
    if isinstance(value, t.Mapping):
        return "{" + ", ".join(f"{_yaml(str(key))}: {_yaml(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    if isinstance(value, str):
        # Halves of surrogate pairs are no text, in no file.
        text = json.dumps(_BROKEN.sub("\ufffd", value), ensure_ascii=False)
        # YAML does not let these stand as they are, and JSON does.
        text = re.sub("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", lambda match: f"\\u{ord(match.group()):04x}", text)
        return f"!unsafe {text}" if _TEMPLATE.search(value) else text
    if isinstance(value, float):
        if not math.isfinite(value):
            return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
        text = json.dumps(value)
        # A number of YAML has a point wherever it has an exponent.
        return text if "." in text else text.replace("e", ".0e")
    return json.dumps(value)
