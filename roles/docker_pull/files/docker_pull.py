# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Lets this host check and mend itself: runs what /etc/bulkhead/docker-pull.json says, one run at a time.

Managed by the role bulkhead.docker.docker_pull. Needs nothing but Python, since it has to tell also of what does not work.

Without arguments it runs once by hand. The service calls it as ``run`` and, however that ends, as ``finish``. ``check`` says whether
this host can run what is configured.
"""

from __future__ import annotations

import calendar
import contextlib
import dataclasses
import fcntl
import json
import os
import pwd
import re
import subprocess
import sys
import tempfile
import time
import typing as t

CONFIG = "/etc/bulkhead/docker-pull.json"
INVENTORY = "/etc/bulkhead/docker-pull-inventory.yml"
STATE = "/var/lib/bulkhead/pull"
RUN = "/run/bulkhead"
METRICS = "bulkhead_pull.prom"
OLDEST = (2, 18)
RESULTS = ("success", "failed", "timeout", "killed")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CALLBACK = "bulkhead.docker.docker_drift"

_MOST_NAMES = 100
_TOLD = 6
# What systemd calls the end of a service (systemd.exec(5), $SERVICE_RESULT).
_ENDS = {"success": "success", "timeout": "timeout", "signal": "killed", "core-dump": "killed", "oom-kill": "killed", "watchdog": "killed"}
# What may stand in a label without being a danger to whoever reads it.
_LABEL = re.compile(r"[^A-Za-z0-9_.:/ -]")

Json = dict[str, t.Any]


class Refused(Exception):
    """This host cannot do what it is to do; the message is a sentence without its full stop."""


@dataclasses.dataclass(frozen=True)
class Places:
    """Where things are; tests have others."""

    config: str = CONFIG
    inventory: str = INVENTORY
    state: str = STATE
    run: str = RUN

    @property
    def lock(self) -> str:
        return os.path.join(self.run, "docker-pull.lock")

    @property
    def begun(self) -> str:
        return os.path.join(self.run, "docker-pull.begun")

    @property
    def drift(self) -> str:
        return os.path.join(self.state, "drift.json")

    @property
    def last(self) -> str:
        return os.path.join(self.state, "last.json")


def configuration(places: Places) -> Json:
    """Return what the role configured.

    Raises:
        Refused: the file is not there, or no JSON.
    """
    found = _json(places.config)
    if not found:
        raise Refused(f"{places.config} is missing or damaged; run the role bulkhead.docker.docker_pull")
    return found


def command(config: Json, places: Places) -> list[str]:
    """Return what is run, as an argument vector."""
    if not config["url"]:
        return [os.path.join(config["programs"], "ansible-playbook"), "--inventory", places.inventory, config["playbook"]]
    made = [os.path.join(config["programs"], "ansible-pull"), "--url", config["url"], "--directory", os.path.join(places.state, "checkout")]
    made += ["--inventory", places.inventory, "--limit", "localhost"]
    made += ["--checkout", config["checkout"]] if config["checkout"] else []
    made += ["--verify-commit"] if config["verify_commit"] else []
    made += ["--private-key", config["key_file"]] if config["key_file"] else []
    return [*made, config["playbook"]]


def environment(config: Json, places: Places) -> dict[str, str]:
    """Return the environment of the run: nothing of whoever started it is passed on."""
    made = {
        "PATH": os.pathsep.join([config["programs"], PATH]),
        "HOME": pwd.getpwuid(os.geteuid()).pw_dir,
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "0",
        # Modules would tell the journal how they were called, with what was in files that only root can read.
        "ANSIBLE_NO_TARGET_SYSLOG": "1",
        "ANSIBLE_CALLBACKS_ENABLED": CALLBACK,
        "BULKHEAD_DRIFT_JSON": places.drift,
        # Tells the role that its variables come from the inventory that it would write.
        "BULKHEAD_PULL_RUN": "1",
        # A repository that asks for a password would wait for it until the time is up.
        "GIT_TERMINAL_PROMPT": "0",
    }
    if config["collections"]:
        made["ANSIBLE_COLLECTIONS_PATH"] = config["collections"]
    return {**made, **{str(name): str(value) for name, value in config["environment"].items()}}


def say(text: str) -> None:
    """Tell the journal, or whoever looks on."""
    print(text, flush=True)


# The run.


@contextlib.contextmanager
def locked(places: Places) -> t.Iterator[int | None]:
    """Hold the lock while the body runs; it gets the lock's descriptor, or None where another run holds it."""
    os.makedirs(places.run, mode=0o700, exist_ok=True)
    descriptor = os.open(places.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield descriptor
    finally:
        os.close(descriptor)


def run(places: Places, identity: str) -> tuple[int, bool]:
    """Run what is configured, unless another run is at work.

    Args:
        identity: of this run, so that its end is not mistaken for that of another one.

    Returns:
        The exit status, and whether anything was run at all.
    """
    with locked(places) as lock:
        if lock is None:
            with contextlib.suppress(OSError):
                pid = _text(places.lock).strip()
                say(f"Another run{f' (process {pid})' if pid.isdigit() else ''} is at work on this host, so this one does nothing.")
            return 0, False
        _write(places.begun, json.dumps({"identity": identity, "time": time.time(), "monotonic": time.monotonic()}), 0o600)
        config = configuration(places)
        os.makedirs(places.state, mode=0o700, exist_ok=True)
        vector = command(config, places)
        # The run holds the lock as long as it lives, even where this process is killed before it.
        done = subprocess.run(vector, env=environment(config, places), stdin=subprocess.DEVNULL, cwd=places.state, pass_fds=[lock], check=False)
        return done.returncode if done.returncode >= 0 else 128 - done.returncode, True


# Its end.


def finish(places: Places, identity: str, end: str, status: str) -> bool:
    """Write metrics and one line about a run that has ended, and return whether there was one.

    Args:
        end: how, as systemd calls it.
        status: the exit status, or the name of the signal.
    """
    begun = _json(places.begun)
    if begun.get("identity") != identity:
        # Another run had the lock; what there is to tell is told by it.
        return False
    now = time.time()
    duration = max(time.monotonic() - _number(begun.get("monotonic")), 0.0)
    # Whole seconds, because a filesystem's clock may lag behind.
    looked = _changed_at(places.drift) >= int(_number(begun.get("time")))
    report, result = _json(places.drift), _ENDS.get(end, "failed")
    last = _json(places.last)
    if result == "success":
        last = {"success": now}
    host = _host(report)
    say(sentence(result, status, duration, host if looked else {}))
    # The directory may be gone with all that was in it.
    os.makedirs(places.state, mode=0o700, exist_ok=True)
    _write(places.last, json.dumps(last), 0o600)
    directory = str(_json(places.config).get("metrics") or "")
    if directory:
        text = metrics(result, now, duration, last.get("success"), looked, report)
        try:
            _write(os.path.join(directory, METRICS), text, 0o644)
        except OSError as error:
            say(f"The metrics cannot be written to {directory}: {error.strerror}.")
    return True


def sentence(result: str, status: str, duration: float, host: Json) -> str:
    """Return how a run went, in one line."""
    how = {
        "success": "The host checked itself" if host else "The run ended well",
        "failed": f"The run FAILED (exit status {status or 'unknown'})",
        "timeout": "The run took TOO LONG and was stopped",
        "killed": f"The run was KILLED ({status or 'unknown'})",
    }[result]
    found = _found(host) if host else "it did not look at the host" if result == "success" else "it had not looked at the host yet"
    return f"{how} after {duration:.0f} s: {found}."


def _found(host: Json) -> str:
    if host.get("state") != "checked":
        return f"the host could not be looked at ({_safe(host.get('problem'))})"
    counts = _mapping(host.get("counts"))
    standing = int(_number(counts.get("open")) + _number(counts.get("new")))
    mended, unknown = int(_number(counts.get("mended"))), len(_list(host.get("unknown")))
    told = [f"{standing} difference{'' if standing == 1 else 's'} left" if standing or mended else "nothing differs"]
    told += [f"{mended} mended"] if mended else []
    told += [f"{unknown} not looked at"] if unknown else []
    names: dict[str, str] = {}
    for one in _list(host.get("differences")):
        gone = _mapping(one).get("standing") == "mended"
        names.setdefault(_safe(_mapping(one).get("name")) + (" mended" if gone else ""), "")
    shown = sorted(names)[:_TOLD]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return ", ".join(told) + (f" ({', '.join(shown)}{more})" if shown else "")


def metrics(result: str, now: float, duration: float, last_success: t.Any, looked: bool, report: Json) -> str:
    """Return the text for the textfile collector of the node exporter."""
    made: list[str] = []

    def family(name: str, told: str, samples: t.Sequence[tuple[dict[str, str], t.Any]]) -> None:
        rows = []
        for labels, value in samples:
            if value is None:
                continue
            shown = ",".join(f'{label}="{_safe(text)}"' for label, text in labels.items())
            rows.append(f"bulkhead_pull_{name}{{{shown}}} {value}\n" if shown else f"bulkhead_pull_{name} {value}\n")
        if rows:
            made.append(f"# HELP bulkhead_pull_{name} {told}\n# TYPE bulkhead_pull_{name} gauge\n{''.join(rows)}")

    family("success", "1 when the last run of this host ended well, else 0.", [({}, int(result == "success"))])
    family("result", "How the last run ended.", [({"result": name}, int(name == result)) for name in RESULTS])
    family("last_run_timestamp_seconds", "When the last run ended, in seconds since 1970.", [({}, int(now))])
    succeeded = int(_number(last_success)) or None
    family("last_success_timestamp_seconds", "When a run last ended well, in seconds since 1970; absent before the first.", [({}, succeeded)])
    family("duration_seconds", "How long the last run took.", [({}, round(duration, 3))])
    family("looked", "1 when the last run has looked at the host, 0 when what follows comes from an earlier one.", [({}, int(looked))])
    host = _host(report)
    family("look_timestamp_seconds", "When the host was last looked at, in seconds since 1970.", [({}, _seconds(report.get("generated")) if host else None)])
    checked = host.get("state") == "checked"
    family("checked", "1 when that look told how the host is, else 0.", [({}, int(checked) if host else None)])
    if checked:
        standing, mended = _counted(host, ("name", "role", "blast"), gone=False), _counted(host, ("name", "role"), gone=True)
        family("drifted", "1 when the host is not as it was left or is wanted, else 0.", [({}, int(bool(standing)))])
        family("differences", "Differences that stand, by name, by the role that mends them, and by what mending interrupts.", standing)
        family("mended", "Differences that were mended in that run, by name and role.", mended)
        unknown = len(_list(host.get("unknown"))) + int(_number(host.get("unknown_left_out")))
        family("unknown", "Things that could not be looked at.", [({}, unknown)])
    return "".join(made)


def _counted(host: Json, keys: tuple[str, ...], gone: bool) -> list[tuple[dict[str, str], int]]:
    counts: dict[tuple[str, ...], int] = {}
    for one in map(_mapping, _list(host.get("differences"))):
        if (one.get("standing") == "mended") != gone:
            continue
        key = tuple(_safe(one.get(name)) for name in keys)
        if key not in counts and len(counts) >= _MOST_NAMES:
            key = ("other", *[""] * (len(keys) - 1))
        counts[key] = counts.get(key, 0) + 1
    return [(dict(zip(keys, key)), count) for key, count in sorted(counts.items())]


# Whether it can be run.


def check(places: Places) -> None:
    """See whether this host can run what is configured.

    Raises:
        Refused: it cannot.
    """
    config = configuration(places)
    program = command(config, places)[0]
    env = environment(config, places)
    try:
        told = subprocess.run([program, "--version"], env=env, capture_output=True, text=True, timeout=120, check=False).stdout
    except OSError as error:
        wanted = f"ansible-core {_version(OLDEST)} or newer"
        raise Refused(f"{program} cannot be run ({error.strerror}); install {wanted}, see docker_pull_program_directory") from error
    found = re.search(r"\[core (\d+)\.(\d+)[^\]]*\]", told.partition("\n")[0])
    if found is None:
        raise Refused(f"{program} does not tell which ansible-core it is")
    version = (int(found[1]), int(found[2]))
    if version < OLDEST:
        raise Refused(
            f"{program} is of ansible-core {_version(version)}, and the collection needs {_version(OLDEST)} or newer; install that elsewhere,"
            " such as in a virtual environment, and set docker_pull_program_directory and docker_pull_packages"
        )
    if config["url"]:
        if subprocess.run(["git", "--version"], env=env, capture_output=True, check=False).returncode:
            raise Refused("git is not installed on this host, and the repository cannot be fetched without it")
        return
    # Reads the playbook with all roles and modules in it, which fails where a collection is missing.
    done = subprocess.run(
        [*command(config, places), "--syntax-check"], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode:
        words = " ".join((done.stderr or done.stdout).split())[-600:]
        raise Refused(f"this host cannot run the playbook {config['playbook']}; install the collection that holds it, and those it needs: {words}")


# Small parts.


def _version(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _host(report: Json) -> Json:
    """Return the only host of a report."""
    hosts = _list(report.get("hosts"))
    return _mapping(hosts[0]) if hosts else {}


def _mapping(value: t.Any) -> Json:
    return value if isinstance(value, dict) else {}


def _list(value: t.Any) -> list[t.Any]:
    return value if isinstance(value, list) else []


def _number(value: t.Any) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 2**53 else 0.0


def _safe(value: t.Any) -> str:
    return _LABEL.sub("?", value[:200]) if isinstance(value, str) else ""


def _seconds(moment: t.Any) -> int | None:
    try:
        return calendar.timegm(time.strptime(str(moment), "%Y-%m-%dT%H:%M:%SZ"))
    except (ValueError, OverflowError):
        return None


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as handle:
        return handle.read()


def _json(path: str) -> Json:
    """Return the object in a file, empty where there is none."""
    try:
        return _mapping(json.loads(_text(path)))
    except (OSError, ValueError, RecursionError):
        return {}


def _changed_at(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def _write(path: str, text: str, mode: int) -> None:
    """Replace a file atomically. The name of the new file does not end as that of metrics does, so nobody reads a part of it."""
    descriptor, temporary = tempfile.mkstemp(prefix=".docker-pull.", dir=os.path.dirname(path))
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            handle.write(text)
            handle.flush()
            os.fchmod(handle.fileno(), mode)
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def main(arguments: t.Sequence[str], variables: t.Mapping[str, str], places: Places) -> int:
    """Do what the first argument says and return the exit status."""
    os.umask(0o077)
    verb = arguments[0] if arguments else "now"
    identity = variables.get("INVOCATION_ID", "") if verb in ("run", "finish") else f"by hand, process {os.getpid()}"
    try:
        if verb == "check":
            check(places)
        elif verb == "run":
            return run(places, identity)[0]
        elif verb == "finish":
            finish(places, identity, variables.get("SERVICE_RESULT", ""), variables.get("EXIT_STATUS", ""))
        elif verb == "now":
            return _by_hand(places, identity)
        else:
            raise Refused(f"there is no '{verb}'; give run, finish, check or nothing")
    except (Refused, OSError, subprocess.TimeoutExpired) as error:
        print(f"docker-pull: {error}.", file=sys.stderr)
        return 1
    return 0


def _by_hand(places: Places, identity: str) -> int:
    """Run once and tell of it, with systemd's words for how it ended."""
    status = 1
    try:
        status, ran = run(places, identity)
        if not ran:
            return status
    finally:
        finish(places, identity, "success" if not status else "exit-code", str(status))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ, Places()))
