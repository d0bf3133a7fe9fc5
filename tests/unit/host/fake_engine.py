# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""An engine that does not exist: it answers questions of the API on a unix socket, in the shapes of real engines, and counts.

Used by tests in a thread, and by the benchmark as a program: fake_engine.py SOCKET CONTAINERS [PID ...]
"""

from __future__ import annotations

import collections
import contextlib
import http.server
import json
import os
import socketserver
import sys
import threading
import time
import typing as t
import urllib.parse

Json = dict[str, t.Any]

MASKED = [
    "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
    "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
]  # fmt: skip
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
SECRET = "hunter2-do-not-tell"
API = "1.51"


def container_id(number: int) -> str:
    return f"{number:08x}" + "c0ffee00" * 7


def image_id(number: int) -> str:
    return "sha256:" + f"{number:08x}" + "1a2b3c4d" * 7


def container(number: int, pid: int = 0, image: int = 0) -> Json:
    """What Engine 28 says of a container of a compose project with a named volume, a bind and a published port."""
    identifier = container_id(number)
    name = f"shop-web-{number}"
    return {
        "Id": identifier,
        "Created": "2026-07-01T10:00:00.123456789Z",
        "Path": "/docker-entrypoint.sh",
        "Args": ["nginx", "-g", "daemon off;"],
        "State": {
            "Status": "running", "Running": True, "Paused": False, "Restarting": False, "OOMKilled": False, "Dead": False, "Pid": pid or 900000 + number,
            "ExitCode": 0, "Error": "", "StartedAt": "2026-07-01T10:00:01.5Z", "FinishedAt": "0001-01-01T00:00:00Z",
            "Health": {
                "Status": "healthy", "FailingStreak": 0,
                "Log": [{"Start": "2026-07-01T10:00:31Z", "End": "2026-07-01T10:00:31Z", "ExitCode": 0, "Output": f"ok {SECRET}"}] * 5,
            },
        },
        "Image": image_id(image),
        "ResolvConfPath": f"/var/lib/docker/containers/{identifier}/resolv.conf",
        "HostnamePath": f"/var/lib/docker/containers/{identifier}/hostname",
        "HostsPath": f"/var/lib/docker/containers/{identifier}/hosts",
        "LogPath": f"/var/lib/docker/containers/{identifier}/{identifier}-json.log",
        "Name": f"/{name}",
        "RestartCount": 0,
        "Driver": "overlay2",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "docker-default",
        "ExecIDs": None,
        "HostConfig": {
            "Binds": [f"/srv/shop/{number % 20}/conf:/etc/nginx/conf.d:ro", f"shop_data_{number}:/data:rw"],
            "ContainerIDFile": "", "LogConfig": {"Type": "local", "Config": {}}, "NetworkMode": "shop_default",
            "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(10000 + number)}]},
            "RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0}, "AutoRemove": False, "VolumeDriver": "", "VolumesFrom": None,
            "ConsoleSize": [0, 0], "CapAdd": None, "CapDrop": ["ALL"], "CgroupnsMode": "private", "Dns": [], "DnsOptions": [], "DnsSearch": [],
            "ExtraHosts": [], "GroupAdd": None, "IpcMode": "private", "Cgroup": "", "Links": None, "OomScoreAdj": 0, "PidMode": "", "Privileged": False,
            "PublishAllPorts": False, "ReadonlyRootfs": False, "SecurityOpt": ["no-new-privileges:true"], "UTSMode": "", "UsernsMode": "",
            "ShmSize": 67108864, "Runtime": "runc", "Isolation": "", "CpuShares": 0, "Memory": 268435456, "NanoCpus": 500000000, "CgroupParent": "",
            "BlkioWeight": 0, "BlkioWeightDevice": None, "BlkioDeviceReadBps": None, "BlkioDeviceWriteBps": None, "BlkioDeviceReadIOps": None,
            "BlkioDeviceWriteIOps": None, "CpuPeriod": 0, "CpuQuota": 0, "CpuRealtimePeriod": 0, "CpuRealtimeRuntime": 0, "CpusetCpus": "",
            "CpusetMems": "", "Devices": None, "DeviceCgroupRules": None, "DeviceRequests": None, "MemoryReservation": 0, "MemorySwap": 536870912,
            "MemorySwappiness": None, "OomKillDisable": None, "PidsLimit": 200, "Ulimits": None, "CpuCount": 0, "CpuPercent": 0, "IOMaximumIOps": 0,
            "IOMaximumBandwidth": 0, "MaskedPaths": MASKED, "ReadonlyPaths": READ_ONLY,
        },
        "GraphDriver": {
            "Name": "overlay2",
            "Data": {
                "ID": identifier,
                "LowerDir": ":".join(f"/var/lib/docker/overlay2/{layer}{identifier[2:]}/diff" for layer in range(10, 22)),
                "MergedDir": f"/var/lib/docker/overlay2/{identifier}/merged", "UpperDir": f"/var/lib/docker/overlay2/{identifier}/diff",
                "WorkDir": f"/var/lib/docker/overlay2/{identifier}/work",
            },
        },
        "Mounts": [
            {
                "Type": "volume", "Name": f"shop_data_{number}", "Source": f"/var/lib/docker/volumes/shop_data_{number}/_data", "Destination": "/data",
                "Driver": "local", "Mode": "z", "RW": True, "Propagation": "",
            },
            {
                "Type": "bind", "Source": f"/srv/shop/{number % 20}/conf", "Destination": "/etc/nginx/conf.d", "Mode": "ro", "RW": False,
                "Propagation": "rprivate",
            },
        ],
        "Config": {
            "Hostname": identifier[:12], "Domainname": "", "User": "101:101", "AttachStdin": False, "AttachStdout": True, "AttachStderr": True,
            "ExposedPorts": {"80/tcp": {}}, "Tty": False, "OpenStdin": False, "StdinOnce": False,
            "Env": [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "NGINX_VERSION=1.27.0", "PKG_RELEASE=2~bookworm",
                f"DB_PASSWORD={SECRET}", "DB_HOST=db", "LANG=C.UTF-8",
            ],
            "Cmd": ["nginx", "-g", "daemon off;"], "Healthcheck": {"Test": ["CMD-SHELL", "curl -fs http://localhost/"], "Interval": 30000000000},
            "Image": f"registry.example.com/shop/web:{image}", "Volumes": None, "WorkingDir": "", "Entrypoint": ["/docker-entrypoint.sh"], "OnBuild": None,
            "Labels": {
                "com.docker.compose.config-hash": "f" * 64, "com.docker.compose.container-number": str(number), "com.docker.compose.oneoff": "False",
                "com.docker.compose.project": "shop", "com.docker.compose.project.config_files": "/srv/shop/compose.yaml",
                "com.docker.compose.project.working_dir": "/srv/shop", "com.docker.compose.service": f"web{number}",
                "com.docker.compose.version": "2.29.0", "maintainer": "NGINX Docker Maintainers <docker-maint@example.com>",
            },
            "StopSignal": "SIGQUIT",
        },
        "NetworkSettings": {
            "Bridge": "", "SandboxID": "ab" * 32, "SandboxKey": "/var/run/docker/netns/abababababab",
            "Ports": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(10000 + number)}]}, "HairpinMode": False, "LinkLocalIPv6Address": "",
            "Networks": {
                "shop_default": {
                    "IPAMConfig": None, "Links": None, "Aliases": [name, "web"], "MacAddress": "02:42:ac:12:00:02", "DriverOpts": None, "GwPriority": 0,
                    "NetworkID": "cd" * 32, "EndpointID": "ef" * 32, "Gateway": "172.18.0.1", "IPAddress": f"172.18.{number // 250}.{number % 250 + 2}",
                    "IPPrefixLen": 16, "IPv6Gateway": "", "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0, "DNSNames": [name, identifier[:12], "web"],
                },
            },
        },
    }  # fmt: skip


def row(inspect: Json) -> Json:
    """The row of a container in the list."""
    return {
        "Id": inspect["Id"], "Names": [inspect["Name"]], "Image": inspect["Config"]["Image"], "ImageID": inspect["Image"], "Command": "/docker-entrypoint.sh",
        "Created": 1782900000, "Ports": [], "Labels": inspect["Config"]["Labels"], "State": "running", "Status": "Up 2 days (healthy)",
        "HostConfig": {"NetworkMode": "shop_default"}, "NetworkSettings": {"Networks": {}}, "Mounts": [],
    }  # fmt: skip


def image(number: int) -> Json:
    return {
        "Id": image_id(number), "RepoTags": [f"registry.example.com/shop/web:{number}"], "RepoDigests": [f"registry.example.com/shop/web@{image_id(number)}"],
        "Parent": "", "Comment": "buildkit.dockerfile.v0", "Created": "2026-06-20T08:00:00Z", "DockerVersion": "", "Author": "",
        "Config": {
            "User": "101:101", "ExposedPorts": {"80/tcp": {}}, "Env": ["PATH=/usr/bin", f"API_TOKEN={SECRET}"], "Cmd": ["nginx"], "WorkingDir": "",
            "Healthcheck": {"Test": ["CMD-SHELL", "curl -fs http://localhost/"]}, "Labels": {"maintainer": "somebody"},
        },
        "Architecture": "amd64", "Os": "linux", "Size": 187000000, "GraphDriver": {"Name": "overlay2", "Data": {}},
        "RootFS": {"Type": "layers", "Layers": [image_id(layer) for layer in range(7)]}, "Metadata": {"LastTagTime": "2026-06-21T00:00:00Z"},
    }  # fmt: skip


def history(_number: int) -> list[Json]:
    lines = ['CMD ["nginx"]', f"ENV API_TOKEN={SECRET}", "COPY site /usr/share/nginx/html # buildkit", "RUN /bin/sh -c set -x && apt-get update # buildkit"]
    return [{"Id": "<missing>", "Created": 1782000000, "CreatedBy": line, "Tags": None, "Size": 0, "Comment": ""} for line in lines]


def info(containers: int) -> Json:
    return {
        "ID": "0b1c", "Containers": containers, "ContainersRunning": containers, "ContainersPaused": 0, "ContainersStopped": 0, "Images": 5,
        "Driver": "overlay2", "DriverStatus": [["Backing Filesystem", "xfs"], ["Supports d_type", "true"]], "DockerRootDir": "/var/lib/docker",
        "Plugins": {"Volume": ["local"], "Network": ["bridge", "host", "ipvlan", "macvlan", "null", "overlay"], "Authorization": None,
                    "Log": ["json-file", "local", "journald"]},
        "MemoryLimit": True, "SwapLimit": True, "PidsLimit": True, "IPv4Forwarding": True, "Debug": False, "OomKillDisable": False, "LoggingDriver": "local",
        "CgroupDriver": "systemd", "CgroupVersion": "2", "NEventsListener": 0, "KernelVersion": "6.12.0", "OperatingSystem": "Debian GNU/Linux 13",
        "OSType": "linux", "Architecture": "x86_64", "IndexServerAddress": "https://index.docker.io/v1/",
        "RegistryConfig": {"InsecureRegistryCIDRs": ["::1/128", "127.0.0.0/8"], "IndexConfigs": {}, "Mirrors": None}, "NCPU": 8, "MemTotal": 33554432000,
        "GenericResources": None, "HttpProxy": "", "HttpsProxy": "", "NoProxy": "", "Name": "host", "Labels": [], "ExperimentalBuild": False,
        "ServerVersion": "28.5.2", "Runtimes": {"io.containerd.runc.v2": {"path": "runc"}, "runc": {"path": "runc"}}, "DefaultRuntime": "runc",
        "Swarm": {"NodeID": "", "NodeAddr": "", "LocalNodeState": "inactive", "ControlAvailable": False, "Error": "", "RemoteManagers": None},
        "LiveRestoreEnabled": True, "Isolation": "", "InitBinary": "docker-init", "ContainerdCommit": {"ID": "c"}, "RuncCommit": {"ID": "r"},
        "InitCommit": {"ID": "i"}, "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns", "name=no-new-privileges"],
        "FirewallBackend": {"Driver": "iptables"}, "Containerd": {"Address": "/run/containerd/containerd.sock", "Namespaces": {"Containers": "moby"}},
        "Warnings": None,
    }  # fmt: skip


VERSION: Json = {
    "Platform": {"Name": "Docker Engine - Community"},
    "Components": [
        {"Name": "Engine", "Version": "28.5.2", "Details": {"ApiVersion": API, "MinAPIVersion": "1.24", "Os": "linux", "Experimental": "false"}},
        {"Name": "containerd", "Version": "v1.7.29", "Details": {}},
        {"Name": "runc", "Version": "1.3.4", "Details": {}},
        {"Name": "docker-init", "Version": "0.19.0", "Details": {}},
    ],
    "Version": "28.5.2", "ApiVersion": API, "MinAPIVersion": "1.24", "GitCommit": "89c5e8f", "GoVersion": "go1.24.9", "Os": "linux", "Arch": "amd64",
    "KernelVersion": "6.12.0", "BuildTime": "2025-11-05T00:00:00Z",
}  # fmt: skip

PODMAN_VERSION: Json = {
    "Platform": {"Name": "linux/amd64/debian-13"},
    "Components": [{"Name": "Podman Engine", "Version": "5.4.2", "Details": {"APIVersion": "5.4.2", "MinAPIVersion": "4.0.0"}}],
    "Version": "5.4.2", "ApiVersion": "1.41", "MinAPIVersion": "1.24", "GitCommit": "", "GoVersion": "go1.24.4", "Os": "linux", "Arch": "amd64",
}  # fmt: skip

NETWORKS: list[Json] = [
    {
        "Name": name, "Id": identifier * 32, "Created": "2026-07-01T09:59:00Z", "Scope": "local", "Driver": driver, "EnableIPv4": True, "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Options": None, "Config": []}, "Internal": False, "Attachable": False, "Ingress": False,
        "ConfigFrom": {"Network": ""}, "ConfigOnly": False, "Containers": {}, "Options": options, "Labels": {},
    }
    for name, identifier, driver, options in (
        ("bridge", "aa", "bridge", {"com.docker.network.bridge.default_bridge": "true", "com.docker.network.bridge.enable_icc": "true"}),
        ("host", "bb", "host", {}),
        ("none", "ee", "null", {}),
        ("shop_default", "cd", "bridge", {}),
    )
]  # fmt: skip


class State:
    """What an engine says. Tests change it before or while it is asked.

    Attributes:
        containers, images, execs: by id.
        answers: by path without the version, an answer instead of the usual one.
        denied, broken: beginnings of paths that are refused with 403, and that give something else than JSON.
        slow: by beginning of a path, seconds before the answer.
        gone: ids of containers that are listed and gone when they are asked for.
        asked: how often each path was asked for.
    """

    def __init__(self, containers: int = 3, pids: t.Sequence[int] = (), images: int = 5) -> None:
        made = [container(number, pids[number % len(pids)] if pids else 0, number % images) for number in range(containers)]
        self.containers: dict[str, Json] = {entry["Id"]: entry for entry in made}
        self.images: dict[str, Json] = {entry["Id"]: entry for entry in map(image, range(images))}
        self.volumes: list[Json] = [
            {
                "Name": f"shop_data_{number}", "Driver": "local", "Mountpoint": f"/var/lib/docker/volumes/shop_data_{number}/_data", "Labels": None,
                "Options": None, "Scope": "local", "CreatedAt": "2026-07-01T09:59:00Z",
            }
            for number in range(containers)
        ]  # fmt: skip
        self.events: list[Json] = []
        self.execs: dict[str, Json] = {}
        self.version = VERSION
        self.server = "Docker/28.5.2 (linux)"
        self.answers: dict[str, t.Any] = {}
        self.denied: tuple[str, ...] = ()
        self.broken: tuple[str, ...] = ()
        self.slow: dict[str, float] = {}
        self.gone: set[str] = set()
        self.asked: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()
        self._ready: dict[str, bytes] = {}

    def answer(self, path: str) -> tuple[int, bytes]:
        """Return status and content for a path, the version and the query taken away."""
        with self._lock:
            self.asked[path] += 1
        for beginning, seconds in self.slow.items():
            if path.startswith(beginning):
                time.sleep(seconds)
        if path.startswith(self.denied) and self.denied:
            return 403, json.dumps({"message": "authorization denied by plugin opa: no"}).encode()
        if path.startswith(self.broken) and self.broken:
            return 200, b"<html>not an engine</html>"
        if path == "/events":
            return 200, b"".join(json.dumps(event).encode() + b"\n" for event in self.events)
        found = self._found(path)
        if found is None:
            return 404, json.dumps({"message": f"No such thing: {path}"}).encode()
        if path in self.answers or not path.startswith(("/containers/", "/images/")):
            return 200, json.dumps(found).encode()
        # The benchmark's time is for the one who asks.
        if path not in self._ready:
            self._ready[path] = json.dumps(found).encode()
        return 200, self._ready[path]

    def _found(self, path: str) -> t.Any:
        if path in self.answers:
            return self.answers[path]
        parts = path.strip("/").split("/")
        if parts[0] == "containers":
            if parts[1] == "json":
                return [row(entry) for entry in self.containers.values()]
            return None if parts[1] in self.gone else self.containers.get(parts[1])
        if parts[0] == "images":
            if parts[1] == "json":
                return [{**{key: entry[key] for key in ("Id", "RepoTags", "RepoDigests", "Size")}, "Created": 1782000000} for entry in self.images.values()]
            if parts[1] not in self.images:
                return None
            return history(0) if parts[2] == "history" else self.images[parts[1]]
        if parts[0] == "exec":
            return self.execs.get(parts[1])
        simple: dict[str, t.Callable[[], t.Any]] = {
            "version": lambda: self.version,
            "info": lambda: info(len(self.containers)),
            "networks": lambda: NETWORKS,
            "volumes": lambda: {"Volumes": self.volumes, "Warnings": None},
        }
        return simple[parts[0]]() if parts[0] in simple and len(parts) == 1 else None


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = False

    def do_GET(self) -> None:
        state: State = self.server.state  # type: ignore[attr-defined]
        path = urllib.parse.urlsplit(self.path).path
        if path.startswith("/v1."):
            path = "/" + path.split("/", 2)[2]
        if path == "/_asked":
            status, content = 200, json.dumps(state.asked).encode()
        else:
            status, content = state.answer(urllib.parse.unquote(path))
        head = f"{self.protocol_version} {status} .\r\nServer: {state.server}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(head.encode() + content)

    def do_POST(self) -> None:
        raise AssertionError(f"something was changed: {self.path}")

    do_PUT = do_DELETE = do_HEAD = do_POST

    def log_message(self, *_arguments: t.Any) -> None:
        pass

    def address_string(self) -> str:
        return "unix"


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_arguments: t.Any) -> None:
        pass


@contextlib.contextmanager
def serving(path: str, state: State) -> t.Iterator[str]:
    """Answer on a socket for as long as this lasts; yields its address."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    server = _Server(path, _Handler)
    server.state = state  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"unix://{path}"
    finally:
        server.shutdown()
        server.server_close()


def main() -> None:
    path, containers, *pids = sys.argv[1:]
    with serving(path, State(int(containers), [int(pid) for pid in pids])):
        print("ready", flush=True)
        # Ends with the one who started it.
        sys.stdin.read()


if __name__ == "__main__":
    main()
