# SPDX-License-Identifier: Apache-2.0
"""What a case does to the host before the module runs, and takes back afterwards. A case names them by their names."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import pathlib
import shutil
import socket
import socketserver
import stat
import subprocess
import threading
import time
import typing as t

import module_runs
from witness import CONFIG, daemon_property, run

DROP_IN = pathlib.Path("/run/systemd/system/docker.service.d/zz-case.conf")
#: The plugins that dockerd has asked.
ASKED: set[str] = set()
GOOD = CONFIG.with_name("daemon.json.of-the-tests")


@contextlib.contextmanager
def drop_in(text: str) -> t.Iterator[None]:
    """Give docker.service a drop-in."""
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    DROP_IN.write_text(text, encoding="utf-8")
    run("systemctl", "daemon-reload")
    try:
        yield
    finally:
        DROP_IN.unlink()
        run("systemctl", "daemon-reload")


@contextlib.contextmanager
def extra_files(texts: dict[str, str]) -> t.Iterator[None]:
    """Put files there, executable where they are scripts."""
    for name, text in texts.items():
        path = pathlib.Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755 if text.startswith("#!") else 0o600)
    try:
        yield
    finally:
        for name in texts:
            pathlib.Path(name).unlink(missing_ok=True)


@contextlib.contextmanager
def config_text(content: bytes) -> t.Iterator[None]:
    """Let the administrator have written a daemon.json of his own."""
    with _config_aside():
        CONFIG.write_bytes(content)
        CONFIG.chmod(0o644)
        yield


@contextlib.contextmanager
def _config_aside() -> t.Iterator[None]:
    kept = CONFIG.parent.parent / GOOD.name
    os.rename(CONFIG, kept)
    try:
        yield
    finally:
        if CONFIG.is_dir() and not CONFIG.is_symlink():
            shutil.rmtree(CONFIG)
        os.rename(kept, CONFIG)


@contextlib.contextmanager
def config_is_a_link() -> t.Iterator[None]:
    with _config_aside():
        CONFIG.symlink_to(CONFIG.parent.parent / GOOD.name)
        yield


@contextlib.contextmanager
def config_is_a_dangling_link() -> t.Iterator[None]:
    with _config_aside():
        CONFIG.symlink_to("/srv/nowhere.json")
        yield


@contextlib.contextmanager
def config_is_a_directory() -> t.Iterator[None]:
    with _config_aside():
        CONFIG.mkdir()
        yield


@contextlib.contextmanager
def config_is_a_pipe() -> t.Iterator[None]:
    with _config_aside():
        os.mkfifo(CONFIG)
        yield


@contextlib.contextmanager
def config_of_somebody_else() -> t.Iterator[None]:
    os.chown(CONFIG, 65534, 65534)
    try:
        yield
    finally:
        os.chown(CONFIG, 0, 0)


@contextlib.contextmanager
def config_writable_by_everybody() -> t.Iterator[None]:
    mode = stat.S_IMODE(CONFIG.stat().st_mode)
    CONFIG.chmod(0o666)
    try:
        yield
    finally:
        CONFIG.chmod(mode)


@contextlib.contextmanager
def config_that_cannot_be_replaced() -> t.Iterator[None]:
    """A file that something is mounted on: it can be read, and no other file can take its name."""
    run("mount", "--bind", str(CONFIG), str(CONFIG))
    try:
        yield
    finally:
        run("umount", str(CONFIG))


@contextlib.contextmanager
def port_in_use() -> t.Iterator[None]:
    with socket.create_server(("127.0.0.1", 9323)):
        yield


@contextlib.contextmanager
def filesystem(options: str, full: bool = False) -> t.Iterator[None]:
    place = pathlib.Path("/srv/elsewhere")
    place.mkdir(exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", "size=128k" if full else "size=1g", "tmpfs", str(place))
    try:
        if full:
            with contextlib.suppress(OSError):
                place.joinpath("full").write_bytes(bytes(1 << 20))
        if options:
            run("mount", "-o", f"remount,{options}", str(place))
        yield
    finally:
        run("umount", str(place))


@contextlib.contextmanager
def swarm_node() -> t.Iterator[None]:
    """A manager of a swarm; the engine joins none while live-restore is on."""
    base = module_runs.base_settings()
    module_runs.configure(settings={**base, "live-restore": False})
    run("docker", "swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", "127.0.0.1")
    try:
        yield
    finally:
        run("docker", "swarm", "leave", "--force")
        module_runs.configure(settings=base)


@contextlib.contextmanager
def silent_plugin() -> t.Iterator[None]:
    """An authorization plugin whose socket is there, with nobody behind it."""
    path = pathlib.Path("/run/docker/plugins/silent.sock")
    path.parent.mkdir(parents=True, exist_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.close()
    try:
        yield
    finally:
        path.unlink()


class _Lenient(http.server.BaseHTTPRequestHandler):
    """An authorization plugin that allows everything (docs.docker.com, Access authorization plugin)."""

    def do_POST(self) -> None:
        ASKED.add("lenient")
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = {"Implements": ["authz"]} if self.path == "/Plugin.Activate" else {"Allow": True}
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def address_string(self) -> str:
        return "dockerd"

    def log_message(self, *_arguments: object) -> None:
        pass


@contextlib.contextmanager
def lenient_plugin() -> t.Iterator[None]:
    path = pathlib.Path("/run/docker/plugins/lenient.sock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with socketserver.ThreadingUnixStreamServer(str(path), _Lenient) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
            path.unlink()


@contextlib.contextmanager
def user_without_ranges() -> t.Iterator[None]:
    run("useradd", "--system", "--user-group", "--no-create-home", "--key", "SUB_UID_COUNT=0", "rangeless")
    try:
        yield
    finally:
        run("userdel", "rangeless")


@contextlib.contextmanager
def failed_before() -> t.Iterator[None]:
    """The unit tried to start with what is there until systemd had enough of it (start-limit-hit)."""
    for _attempt in range(6):
        subprocess.run(["systemctl", "restart", "docker.service"], capture_output=True, check=False)
        if daemon_property("Result") == "start-limit-hit":
            break
    if daemon_property("ActiveState") == "active":
        raise RuntimeError("the daemon serves although it should not")
    yield


def recover() -> None:
    """Bring the daemon back with the good file after a case that left it down."""
    for _attempt in range(3):
        subprocess.run(["systemctl", "reset-failed", "docker.service", "docker.socket"], capture_output=True, check=False)
        if subprocess.run(["systemctl", "restart", "docker.service"], capture_output=True, check=False).returncode == 0:
            return
        time.sleep(1)


NAMED: dict[str, t.Callable[[], t.ContextManager[None]]] = {
    "config is a link": config_is_a_link,
    "config is a dangling link": config_is_a_dangling_link,
    "config is a directory": config_is_a_directory,
    "config is a pipe": config_is_a_pipe,
    "config of somebody else": config_of_somebody_else,
    "config writable by everybody": config_writable_by_everybody,
    "config that cannot be replaced": config_that_cannot_be_replaced,
    "port in use": port_in_use,
    "read-only filesystem": lambda: filesystem("ro"),
    "noexec filesystem": lambda: filesystem("noexec"),
    "full filesystem": lambda: filesystem("", full=True),
    "swarm node": swarm_node,
    "silent plugin": silent_plugin,
    "lenient plugin": lenient_plugin,
    "user without ranges": user_without_ranges,
    "failed before": failed_before,
}


@contextlib.contextmanager
def prepared(case: dict[str, t.Any]) -> t.Iterator[None]:
    """Do all that a case asks for, in the order files, unit, configuration, named preparations."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(extra_files(case.get("files", {})))
        if "drop_in" in case:
            stack.enter_context(drop_in(case["drop_in"]))
        if "file" in case:
            stack.enter_context(config_text(case["file"].encode()))
        if "file_bytes" in case:
            stack.enter_context(config_text(bytes.fromhex(case["file_bytes"])))
        for name in case.get("prepare", []):
            stack.enter_context(NAMED[name]())
        yield
