# SPDX-License-Identifier: Apache-2.0
"""Runs on a lab host: gives each case's daemon.json to a dockerd that lives only for it, and writes down what that did.

Every dockerd has its own network namespace, data, sockets and process id file; containerd is the host's. What a case does
not set itself is given as flags. Cases that are expected to be accepted share a dockerd, because a start costs a second;
if that dockerd refuses, its cases are taken apart until each that is refused was refused alone.

Usage: scratch_daemons.py PLAN RESULT, both JSON; see molecule/schema/cases.py for what a plan holds.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
import typing as t

ROOT = pathlib.Path("/var/lib/docker/schema")
PLUGINS = pathlib.Path("/run/docker/plugins")
PATIENCE = 25.0
_RELOADED = re.compile(
    r"Reloaded configuration|rror reconfiguring the daemon|unable to configure the Docker daemon|file configuration validation failed"
)
_UNKNOWN = re.compile(r"don't match any configuration option: (?P<names>[^\\\"\n]+)")
_TIMES = re.compile(r'time="[^"]*" ')

# The flags that keep a scratch dockerd to itself, by the key of daemon.json that takes a flag's place.
BASE = {
    "data-root": "--data-root={dir}/data",
    "exec-root": "--exec-root={dir}/exec",
    "pidfile": "--pidfile={dir}/docker.pid",
    "hosts": "--host=unix://{dir}/docker.sock",
    "containerd": "--containerd=/run/containerd/containerd.sock",
    "storage-driver": "--storage-driver=vfs",
    "group": "--group=root",
}


class Socket(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout: float = 10) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Scratch:
    """One dockerd."""

    def __init__(self, number: int, text: bytes, keys: t.Iterable[str]) -> None:
        self.directory = ROOT / str(number)
        self.file = self.directory / "daemon.json"
        self.log = self.directory / "log"
        self.text = text
        keys = set(keys)
        flags = [flag for key, flag in BASE.items() if key not in keys and not (key == "data-root" and "graph" in keys)]
        self.arguments = [
            "unshare",
            "--net",
            "sh",
            "-c",
            'ip link set lo up; echo 0 > /proc/sys/net/ipv6/conf/all/disable_ipv6; echo 0 > /proc/sys/net/ipv4/ip_forward; exec "$@"',
            "sh",
            "dockerd",
            f"--config-file={self.file}",
            *(flag.format(dir=self.directory) for flag in flags),
        ]
        self.process: subprocess.Popen[bytes] | None = None
        self.took = 0.0

    def write(self, text: bytes) -> None:
        """Put a configuration into the file; ``{dir}`` in it stands for the directory of this dockerd."""
        self.file.write_bytes(text.replace(b"{dir}", str(self.directory).encode()))

    def start(self) -> bool:
        """Return whether dockerd serves; False means that it ended."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        self.write(self.text)
        began = time.monotonic()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                self.arguments, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.directory
            )
        while time.monotonic() - began < PATIENCE:
            if self.process.poll() is not None:
                self.took = time.monotonic() - began
                return False
            if self.get("/_ping", timeout=2) == "OK" and self.get("/info"):
                self.took = time.monotonic() - began
                return True
            time.sleep(0.03)
        self.took = PATIENCE
        return False

    def get(self, path: str, timeout: float = 10) -> t.Any:
        """Return what the API answers, or None when it does not."""
        connection = Socket(f"{self.directory}/docker.sock", timeout)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read().decode()
            if answer.status != 200:
                return None
            streamed = path.startswith("/events") or "json" not in (answer.headers["Content-Type"] or "")
            return body if streamed else json.loads(body)
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()

    def post(self, path: str, body: t.Any) -> None:
        connection = Socket(f"{self.directory}/docker.sock")
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()

    def asked(self) -> list[str]:
        """Return which authorization plugins are asked about a request."""
        Plugin.asked.clear()
        self.get("/version")
        return sorted(Plugin.asked)

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def reload(self) -> dict[str, t.Any]:
        """Send SIGHUP, wait for what dockerd says about it, and return its configuration and what it said."""
        assert self.process is not None
        before = len(self.said())
        since = f"{time.time():.9f}"
        self.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.process.poll() is None:
            fresh = self.said()[before:]
            if _RELOADED.search(fresh) and fresh.endswith("\n"):
                break
            time.sleep(0.05)
        fresh = self.said()[before:]
        config = dumped(fresh)
        return {
            "alive": self.process.poll() is None,
            "config": config,
            "event": self.reload_event(since) if config else None,
            "relistening": self.inside("ss", "--listening", "--tcp", "--numeric", "--no-header"),
            "asked": self.asked(),
            "info": self.get("/info"),
            "log": fresh[-2000:],
        }

    def reload_event(self, since: str) -> dict[str, str] | None:
        """Return the attributes of the reload event since a moment; it may come a little after the words in the log."""
        for _attempt in range(40):
            kind = "%7B%22type%22%3A%5B%22daemon%22%5D%7D"
            found = self.get(f"/events?since={since}&until={time.time():.9f}&filters={kind}")
            lines = (found or "").splitlines()
            if lines:
                return json.loads(lines[-1])["Actor"]["Attributes"]
            time.sleep(0.05)
        return None

    def observed(self) -> dict[str, t.Any]:
        """Return everything by which the effect of a key can be seen."""
        assert self.process is not None
        pid = self.process.pid
        files = {}
        for path in sorted(self.directory.rglob("*")):
            relative = str(path.relative_to(self.directory))
            if relative.count("/") < 2:
                with contextlib.suppress(OSError):
                    files[relative] = [oct(path.stat().st_mode), path.stat().st_gid]
        self.post("/networks/create", {"Name": "probe", "Driver": "bridge"})
        seen = {
            "info": self.get("/info"),
            "bridge": self.get("/networks/bridge"),
            "probe": self.get("/networks/probe"),
            "files": files,
            "oom": pathlib.Path(f"/proc/{pid}/oom_score_adj").read_text(encoding="ascii").strip(),
            "rules": self.inside("iptables-save").count("DOCKER"),
            "rules6": self.inside("ip6tables-save").count("DOCKER"),
            "forward": self.inside("cat", "/proc/sys/net/ipv4/ip_forward").strip(),
            "listening": self.inside("ss", "--listening", "--tcp", "--numeric", "--no-header"),
            "pid": pid,
            "pidfiles": [path.read_text(encoding="ascii").strip() for path in self.directory.glob("*.pid")],
            "metrics": b"metrics-addr" in self.text and "engine_daemon" in self.inside("python3", "-c", _FETCH),
        }
        seen.update(self.reload())
        seen["log"] = self.said()[:6000]
        return seen

    def inside(self, *command: str) -> str:
        assert self.process is not None
        done = subprocess.run(
            ["nsenter", f"--net=/proc/{self.process.pid}/ns/net", *command],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        return done.stdout

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


_FETCH = (
    "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9323/metrics', timeout=3).read().decode()[:200000])"
)


def dumped(log: str) -> t.Any:
    """Return the configuration that dockerd writes into its log after a reload, or None when there is none."""
    for line in reversed(log.splitlines()):
        if "Reloaded configuration" not in line:
            continue
        if line.startswith("{"):
            entry = json.loads(line)
            text = entry.get("config") or entry["msg"].partition("Reloaded configuration: ")[2]
            return json.loads(text)
        match = re.search(r'(?:config=|msg=)"((?:[^"\\]|\\.)*)"(?! config=)', line)
        if match:
            text = json.loads(f'"{match[1]}"')
            return json.loads(text.partition("Reloaded configuration: ")[2] or text)
    return None


class Plugin(http.server.BaseHTTPRequestHandler):
    """An authorization plugin that allows everything and remembers that it was asked."""

    asked: t.ClassVar[set[str]] = set()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "AuthZReq" in self.path:
            Plugin.asked.add(pathlib.Path(self.server.server_address).stem)
        body = json.dumps({"Implements": ["authz"]} if "Activate" in self.path else {"Allow": True}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.docker.plugins.v1.1+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: t.Any) -> None:
        pass

    def address_string(self) -> str:
        return "dockerd"


def serve_plugin(name: str) -> None:
    """Serve a plugin of that name as long as this program runs."""
    PLUGINS.mkdir(parents=True, exist_ok=True)
    path = PLUGINS / f"{name}.sock"
    path.unlink(missing_ok=True)

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True

    threading.Thread(target=Server(str(path), Plugin).serve_forever, daemon=True).start()


class Runner:
    """Runs the cases of a plan and keeps what came out."""

    def __init__(self) -> None:
        self.starts: list[dict[str, t.Any]] = []
        self.cases: dict[str, dict[str, t.Any]] = {}

    def together(self, cases: list[dict[str, t.Any]]) -> None:
        """Run cases in one dockerd; take them apart when it refuses."""
        if not cases:
            return
        config: dict[str, t.Any] = {}
        for case in cases:
            config.update(case["config"])
        text = cases[0]["text"].encode("latin-1") if "text" in cases[0] else json.dumps(config).encode()
        keys = config or ({"data-root"} if "data-root" in str(cases[0].get("text")) else {})
        scratch = Scratch(len(self.starts), text, keys)
        try:
            serves = scratch.start()
            said = _TIMES.sub("", scratch.said())
            record = {
                "took": round(scratch.took, 2),
                "cases": [case["name"] for case in cases],
                "config": config,
                "group": cases[0]["group"],
                "serves": serves,
            }
            if serves:
                record["seen"] = scratch.observed()
            else:
                record["words"] = said[-700:] if scratch.took < PATIENCE else f"(did not serve in time) {said[-600:]}"
        finally:
            scratch.stop()
        self.starts.append(record)
        if serves or len(cases) == 1:
            for case in cases:
                self.cases[case["name"]] = {"start": len(self.starts) - 1, "outcome": "serves" if serves else "refused"}
            return
        names = named_unknown(said)
        apart = [case for case in cases if any(names & names_in(*item) for item in case["config"].items())]
        if apart and len(apart) < len(cases):
            for case in apart:
                self.together([case])
            self.together([case for case in cases if case not in apart])
        else:
            self.together(cases[: len(cases) // 2])
            self.together(cases[len(cases) // 2 :])

    def whole(self, group: str, without: t.Container[str]) -> dict[str, t.Any]:
        """Return everything of a group that this dockerd took, without some keys and without what keeps it to itself."""
        config: dict[str, t.Any] = {}
        for start in self.starts:
            if start["serves"] and start["group"] == group and agree(config, start["config"]):
                config.update(start["config"])
        return {key: value for key, value in config.items() if key not in without and key not in BASE}

    def packed(self, cases: list[dict[str, t.Any]]) -> t.Iterator[list[dict[str, t.Any]]]:
        """Divide cases into groups in which no key stands twice."""
        groups: list[list[dict[str, t.Any]]] = []
        for case in cases:
            for group in groups:
                if case["group"] == group[0]["group"] and all(
                    agree(case["config"], other["config"]) for other in group
                ):
                    group.append(case)
                    break
            else:
                groups.append([case])
        yield from groups


def named_unknown(said: str) -> set[str]:
    """Return the names that dockerd says it does not know."""
    named = _UNKNOWN.search(said)
    return {name.strip() for name in named["names"].split(",")} if named else set()


def names_in(key: str, value: t.Any) -> set[str]:
    """Return a key and what stands in it, because dockerd looks for unknown names in both."""
    return {key, *value} if isinstance(value, dict) else {key}


def clash(flags: dict[str, tuple[t.Any, list[str]]]) -> dict[str, t.Any]:
    """Give dockerd every setting in the file and as a flag, and return what it was given and what it said.

    Settings that it does not know, as a flag or as a key, are left out.
    """
    left = dict(flags)
    file = ROOT / "clash.json"
    words = ""
    for _attempt in range(len(flags)):
        file.write_text(json.dumps({key: value for key, (value, _words) in left.items()}), encoding="utf-8")
        command = ["dockerd", f"--config-file={file}", *(word for _value, given in left.values() for word in given)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        words = done.stdout + done.stderr
        flag = re.search(r"unknown (?:shorthand )?flag: (?P<flag>-\S+|'.' in -\S+)", words)
        names = named_unknown(words)
        gone = [
            key
            for key, (value, given) in left.items()
            if names & names_in(key, value) or (flag and given[0].partition("=")[0] == flag["flag"].split()[-1])
        ]
        if not gone:
            break
        left = {key: item for key, item in left.items() if key not in gone}
    return {"given": left, "words": words}


def agree(one: dict[str, t.Any], other: dict[str, t.Any]) -> bool:
    """Tell whether two configurations can stand in one file."""
    return all(one[key] == other[key] for key in set(one) & set(other))


def follow(steps: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    """Start with the first configuration, then write each other one and reload; return what was seen after each.

    Keys that this dockerd does not know are left out of all of them.
    """
    unknown: set[str] = set()
    for _attempt in range(2):
        known = [{key: value for key, value in step.items() if key not in unknown} for step in steps]
        scratch = Scratch(9000, json.dumps(known[0]).encode(), {key for step in known for key in step})
        try:
            if scratch.start():
                seen = [scratch.observed()]
                for step in known[1:]:
                    scratch.write(json.dumps(step).encode())
                    seen.append(scratch.reload())
                return {"steps": known, "seen": seen}
            words = scratch.said()
        finally:
            scratch.stop()
        names = named_unknown(words)
        unknown |= {key for step in steps for key, value in step.items() if names & names_in(key, value)}
    return {"steps": [], "seen": [], "words": words[-1500:]}


def main(plan_file: str, result_file: str) -> None:
    plan = json.loads(pathlib.Path(plan_file).read_text(encoding="utf-8"))
    shutil.rmtree(ROOT, ignore_errors=True)
    ROOT.mkdir(parents=True)
    # Ids of a user namespace pass through all directories above the data.
    ROOT.parent.chmod(0o711)
    for name in plan["plugins"]:
        serve_plugin(name)
    began = time.monotonic()
    runner = Runner()
    runner_cases = [case for case in plan["cases"] if case["group"]]
    for group in runner.packed(runner_cases):
        runner.together(group)
    for case in plan["cases"]:
        if not case["group"]:
            runner.together([case])
    walks = {name: follow(steps) for name, steps in plan["walks"].items()}
    # Of what is read only at a start, this engine takes all of this at once.
    whole = runner.whole(plan["whole"], plan["reloaded"])
    walks["taken out"] = follow([whole, {}])
    walks["put in"] = follow([{}, whole])
    clashes = clash(plan["flags"])
    version = subprocess.run(["dockerd", "--version"], capture_output=True, text=True, check=True).stdout
    result = {
        "version": version,
        "starts": runner.starts,
        "cases": runner.cases,
        "walks": walks,
        "clashes": clashes,
        "took": time.monotonic() - began,
    }
    pathlib.Path(result_file).write_text(json.dumps(result), encoding="utf-8")
    print(f"{len(runner.cases)} cases, {len(runner.starts)} starts, {result['took']:.0f} s")


if __name__ == "__main__":
    os.umask(0o022)
    main(*sys.argv[1:])
