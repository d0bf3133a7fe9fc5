# SPDX-License-Identifier: Apache-2.0
"""Containers that are each wrong in one way, beside one that is not: containers.py up DISK | look | churn SECONDS.

Each case is the good container with something different, and the rules that it fails more than the good one does. A case
with `started=False` is only created, because this host may not start it; the engine then says what it would be.
"""

from __future__ import annotations

import concurrent.futures
import copy
import dataclasses
import grp
import json
import os
import socket
import sys
import threading
import time
import typing as t

import docker

IMAGE = "lab/busybox"
TARBALL = "/usr/share/bulkhead-lab/busybox.tar"
NETWORK = "lab-audit"
LABEL = "lab.audit"
SOCKET = "/run/docker.sock"
SLEEP = ["sleep", "3600"]

# The good container, as the body of POST /containers/create.
GOOD: dict[str, t.Any] = {
    "Image": f"{IMAGE}:1",
    "Cmd": SLEEP,
    "User": "1000:1000",
    "Labels": {LABEL: "yes"},
    "Healthcheck": {"Test": ["CMD", "true"], "Interval": 3600 * 10**9},
    "HostConfig": {
        "CapDrop": ["ALL"],
        "ReadonlyRootfs": True,
        "NetworkMode": NETWORK,
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
        "Memory": 64 * 1024 * 1024,
        "PidsLimit": 50,
        "CpuShares": 512,
    },
}

HOST_USERS = {"UsernsMode": "host"}
# A daemon that maps ids leaves the control groups writable also for a container whose ids are not mapped (moby oci_linux.go,
# WithMounts), so that the host's root in it may write to them.
OPEN_GROUPS = "cgroups-read-only"
EVERYTHING_OPEN = json.dumps({"defaultAction": "SCMP_ACT_ALLOW"})


@dataclasses.dataclass(frozen=True)
class Case:
    """A container that fails rules which the good one does not fail.

    Attributes:
        name: of the container.
        fails: the rules; exactly these.
        config: what is different of the body; HostConfig is `host`.
        host: what is different of HostConfig.
        started: whether this host may start it.
        naive: what somebody who looks for texts asks of the answer, when that says that all is well; see NAIVE.
    """

    name: str
    fails: tuple[str, ...]
    host: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    config: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    started: bool = True
    naive: str = ""

    def body(self) -> dict[str, t.Any]:
        body = copy.deepcopy(GOOD)
        body.update(self.config)
        body["HostConfig"].update(self.host)
        return body


def _bound(source: str, target: str, *options: str) -> dict[str, t.Any]:
    return {"Binds": [":".join([source, target, *([",".join(options)] if options else [])])]}


def _published(address: str, host_port: int, port: int) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    return {"PortBindings": {f"{port}/tcp": [{"HostIp": address, "HostPort": str(host_port)}]}}, {"ExposedPorts": {f"{port}/tcp": {}}}


def cases(disk: str) -> list[Case]:
    """Return all cases.

    Args:
        disk: a disk of this host.
    """
    beyond, users = "capabilities-none-beyond-default", "user-namespace-own"
    api_group = str(grp.getgrnam("docker").gr_gid)
    every4, exposed4 = _published("0.0.0.0", 8081, 8080)
    every6, exposed6 = _published("::", 8082, 8080)
    privileged, exposed_privileged = _published("127.0.0.1", 81, 8080)
    internal, exposed_internal = _published(_own_address(), 6379, 6379)
    return [
        # --- isolation
        Case(
            "privileged",
            (
                "container-not-privileged",
                "capabilities-restricted",
                "capability-net-raw-dropped",
                "capability-sys-admin-not-held",
                "capability-dac-read-search-not-held",
                "capability-sys-module-not-held",
                "capability-sys-rawio-not-held",
                "seccomp-filter-on",
                "system-paths-masked",
                "system-paths-read-only",
                beyond,
                users,
                OPEN_GROUPS,
            ),
            {"Privileged": True, "CapDrop": [], **HOST_USERS},
            started=False,
        ),
        Case("root", ("container-runs-as-user", users, OPEN_GROUPS), HOST_USERS, {"User": "0:0"}, naive="user"),
        Case("capability", (beyond,), {"CapAdd": ["SYSLOG"]}),
        Case("default-capabilities", ("capabilities-restricted", "capability-net-raw-dropped"), {"CapDrop": []}, naive="capabilities"),
        Case("net-raw", ("capability-net-raw-dropped",), {"CapAdd": ["NET_RAW"]}),
        Case("seccomp-off", ("seccomp-filter-on",), {"SecurityOpt": ["seccomp=unconfined"]}),
        Case("seccomp-open", ("seccomp-profile-closes-dangerous-calls",), {"SecurityOpt": [f"seccomp={EVERYTHING_OPEN}"]}, naive="seccomp"),
        Case("new-privileges", ("no-new-privileges",), {"SecurityOpt": ["no-new-privileges=false"]}, naive="privileges"),
        Case("pid-host", ("pid-namespace-own", users, OPEN_GROUPS), {"PidMode": "host", **HOST_USERS}),
        Case("pid-shared", ("pid-namespace-own",), {"PidMode": "container:good"}, naive="processes"),
        Case("ipc-host", ("ipc-namespace-own", users, OPEN_GROUPS), {"IpcMode": "host", **HOST_USERS}),
        Case("uts-host", ("uts-namespace-own", users, OPEN_GROUPS), {"UTSMode": "host", **HOST_USERS}),
        Case("userns-host", (users, OPEN_GROUPS), HOST_USERS),
        Case("cgroupns-host", ("cgroup-namespace-own",), {"CgroupnsMode": "host"}),
        # --- escapes
        Case("sys-admin", ("capability-sys-admin-not-held", beyond), {"CapAdd": ["SYS_ADMIN"]}),
        Case(
            "sys-ptrace",
            ("capability-sys-ptrace-not-with-host-processes", "pid-namespace-own", beyond, users, OPEN_GROUPS),
            {"CapAdd": ["SYS_PTRACE"], "PidMode": "host", **HOST_USERS},
        ),
        Case(
            "net-admin",
            ("capability-net-not-on-host-network", "network-not-the-host", beyond, users, OPEN_GROUPS),
            {"CapAdd": ["NET_ADMIN"], "NetworkMode": "host", **HOST_USERS},
        ),
        Case("read-search", ("capability-dac-read-search-not-held", beyond), {"CapAdd": ["DAC_READ_SEARCH"]}),
        Case("sys-module", ("capability-sys-module-not-held", beyond), {"CapAdd": ["SYS_MODULE"]}),
        Case("sys-rawio", ("capability-sys-rawio-not-held", beyond), {"CapAdd": ["SYS_RAWIO"]}),
        Case(
            "device",
            ("devices-none-of-the-host",),
            {"Devices": [{"PathOnHost": disk, "PathInContainer": "/dev/xvda", "CgroupPermissions": "rwm"}]},
            started=False,
        ),
        Case("device-bound", ("devices-not-bind-mounted", "mounts-no-sensitive-directories"), _bound(disk, "/disk")),
        Case("device-rule", ("device-rules-none",), {"DeviceCgroupRules": ["b 8:* rwm"]}, started=False),
        Case("device-request", ("device-requests-none",), {"DeviceRequests": [{"Driver": "nvidia", "Count": -1, "Capabilities": [["gpu"]]}]}, started=False),
        Case("unmasked", ("system-paths-masked",), {"MaskedPaths": []}),
        Case("writable-kernel", ("system-paths-read-only",), {"ReadonlyPaths": []}),
        Case(
            "cgroups",
            (OPEN_GROUPS, "mounts-no-kernel-interfaces", "mounts-no-sensitive-directories", "mount-targets-outside-kernel-trees", users),
            {**_bound("/sys/fs/cgroup", "/sys/fs/cgroup"), **HOST_USERS},
        ),
        Case("api-socket", ("api-socket-not-mounted", "mounts-no-sensitive-directories"), _bound("/var/run/docker.sock", "/srv/api.sock")),
        Case("api-parent", ("api-socket-not-mounted", "mounts-no-sensitive-directories"), _bound("/run", "/host-run", "ro"), naive="socket"),
        Case("host-root", ("api-socket-not-mounted", "mounts-no-sensitive-directories"), _bound("/", "/host", "ro", "rslave"), naive="mounts"),
        Case(
            "api-handed-over",
            ("api-socket-not-handed-over", "api-socket-not-mounted", "mounts-no-sensitive-directories"),
            {"Mounts": [{"Type": "bind", "Source": SOCKET, "Target": "/var/run/docker.sock"}]},
        ),
        Case("api-group", ("api-socket-group-not-joined",), {"GroupAdd": [api_group]}),
        Case("docker-host", ("api-address-not-given",), config={"Env": ["DOCKER_HOST=tcp://172.17.0.1:2375"]}),
        Case("working-directory", ("working-directory-in-the-image",), config={"WorkingDir": "/proc/self/fd/8"}, started=False),
        Case("kernel-target", ("mount-targets-outside-kernel-trees",), _bound("lab-audit-data", "/dev/data"), started=False),
        # --- mounts
        Case("etc", ("mounts-no-sensitive-directories",), _bound("/etc/cron.d", "/jobs", "ro"), naive="mounts"),
        Case("core-pattern", ("mounts-no-kernel-interfaces", "mounts-no-sensitive-directories"), _bound("/proc/sys/kernel", "/kernel"), started=False),
        Case("spreading", ("mounts-do-not-spread",), _bound("/srv/lab-shared", "/data", "rshared"), started=False),
        Case("replaceable", ("mount-sources-not-replaceable",), _bound("/srv/lab-theirs/data", "/data", "ro")),
        # --- network
        Case("network-host", ("network-not-the-host", users, OPEN_GROUPS), {"NetworkMode": "host", **HOST_USERS}),
        Case("default-bridge", ("network-not-the-default-bridge",), {"NetworkMode": "bridge"}),
        Case("port-everywhere", ("ports-bound-to-an-address",), every4, exposed4),
        Case("port-everywhere-6", ("ports-bound-to-an-address",), every6, exposed6, started=False, naive="address"),
        Case("port-privileged", ("ports-not-privileged",), privileged, exposed_privileged),
        Case("port-internal", ("ports-of-internal-services-closed",), internal, exposed_internal),
        Case("sshd", ("no-ssh-daemon",), config={"Cmd": ["sh", "-c", "printf sshd > /proc/$$/comm; while :; do sleep 3600; done"]}, naive="ssh"),
        # --- limits and the rest
        Case("writable-root", ("root-filesystem-read-only",), {"ReadonlyRootfs": False}),
        Case("restarts", ("restarts-end",), {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}}),
        Case("health", ("health-checked",), config={"Healthcheck": {"Test": ["NONE"]}}),
        Case("ulimits", ("ulimits-are-the-defaults",), {"Ulimits": [{"Name": "nofile", "Soft": 1024, "Hard": 2048}]}),
        Case("cgroup-parent", ("cgroup-parent-is-the-default",), {"CgroupParent": "lab.slice"}, started=False),
        Case("oom", ("oom-killer-may-choose",), {"OomScoreAdj": -900}, started=False),
        Case("sysctl", ("kernel-settings-harmless",), {"Sysctls": {"net.ipv4.conf.all.accept_redirects": "1"}}),
        Case("no-log", ("logs-kept", "container-is-current"), {"LogConfig": {"Type": "none", "Config": {}}}),
        Case("endless-log", ("logs-bounded", "container-is-current"), {"LogConfig": {"Type": "json-file", "Config": {}}}),
        Case("secret", ("secrets-not-in-plain-text",), config={"Env": ["DB_PASSWORD=Zq8-hunter2-Zq8"]}),
        Case("latest", ("image-pinned",), config={"Image": f"{IMAGE}:latest"}),
        Case("stale", ("container-is-current",), config={"Image": f"{IMAGE}:moved"}),
        # --- a way to the host through another one; that one has to be there first
        Case("neighbour", ("pid-namespace-own",), {"PidMode": "container:api-socket"}),
    ]


# What a check that looks for texts says of an answer of the engine, True when it finds nothing wrong. They stand for a widely used
# script and pass what the rules do not; written anew after what it asks, not after its code.
NAIVE: dict[str, t.Callable[[dict[str, t.Any]], bool]] = {
    "user": lambda answer: answer["Config"]["User"] not in ("", "0", "root"),
    "capabilities": lambda answer: not answer["HostConfig"]["CapAdd"],
    "seccomp": lambda answer: "unconfined" not in str(answer["HostConfig"]["SecurityOpt"]),
    "privileges": lambda answer: "no-new-privileges" in str(answer["HostConfig"]["SecurityOpt"]),
    "processes": lambda answer: answer["HostConfig"]["PidMode"] != "host",
    "socket": lambda answer: "docker.sock" not in str(answer["Mounts"]),
    "mounts": lambda answer: not any(
        mount["Source"] in ("/", "/boot", "/dev", "/etc", "/lib", "/proc", "/sys", "/usr") and mount["RW"] for mount in answer["Mounts"]
    ),
    "address": lambda answer: "0.0.0.0" not in str(answer["HostConfig"]["PortBindings"]),
    "ssh": lambda answer: "sshd" not in str(answer["Config"]["Cmd"][0]),
}


def _own_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


def _api() -> docker.APIClient:
    return docker.APIClient(base_url=f"unix://{SOCKET}", version="auto", timeout=60)


def _create(api: docker.APIClient, name: str, body: dict[str, t.Any]) -> str:
    # The SDK's own functions leave out what they do not know.
    answer = api._post_json(api._url("/containers/create"), data=body, params={"name": name})
    return str(api._result(answer, True)["Id"])


def up(disk: str) -> dict[str, t.Any]:
    """Make all containers; return for each what is expected of it, whether it runs, and what the naive check says."""
    api = _api()
    _prepare(api)
    good = _start(api, _create(api, "good", GOOD))
    chosen = cases(disk)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        made = dict(pool.map(_make, chosen))
    # What a name stood for when the container was made is another image now.
    api.tag(f"{IMAGE}:other", IMAGE, "moved")
    for case in chosen:
        seen = api.inspect_container(case.name)
        made[case.name]["running"] = seen["State"]["Running"]
        if case.naive:
            made[case.name]["naive"] = {"check": case.naive, "passes": NAIVE[case.naive](seen)}
    info = api.info()
    return {"good": good, "cases": made, "limits": bool(info["MemoryLimit"] and info["PidsLimit"] and info["CPUShares"]), "before": look()}


def _make(case: Case) -> tuple[str, dict[str, t.Any]]:
    api = _api()
    identifier = _create(api, case.name, case.body())
    error = _start(api, identifier) if case.started else ""
    return case.name, {"fails": sorted(case.fails), "started": case.started, "error": error}


def _prepare(api: docker.APIClient) -> None:
    if not api.images(IMAGE):
        for tag, more in (("1", {}), ("other", {"changes": ["LABEL other=yes"]})):
            api.import_image_from_file(TARBALL, repository=IMAGE, tag=tag, **more)
        for tag in ("latest", "moved"):
            api.tag(f"{IMAGE}:1", IMAGE, tag)
    if not api.networks([NETWORK]):
        api.create_network(NETWORK, driver="bridge")
    os.makedirs("/srv/lab-shared", exist_ok=True)
    os.makedirs("/srv/lab-theirs/data", exist_ok=True)
    os.chown("/srv/lab-theirs", 1000, 1000)


def _start(api: docker.APIClient, identifier: str) -> str:
    """Start a container and return why it does not run."""
    try:
        api.start(identifier)
    except docker.errors.APIError as error:
        return str(error.explanation or error)
    return ""


def look() -> dict[str, t.Any]:
    """Return what an audit must not change: of each container its process, its start, its sessions, and when it last changed."""
    api = _api()
    found = {}
    for listed in api.containers(all=True):
        seen = api.inspect_container(listed["Id"])
        state = seen["State"]
        found[seen["Name"].lstrip("/")] = [state["Status"], state["Pid"], state["StartedAt"], seen["ExecIDs"], seen["RestartCount"]]
    return found


def churn(seconds: float) -> dict[str, int]:
    """Make, start and remove containers as fast as it goes, several at once; return how many."""
    until = time.monotonic() + seconds
    counts = [0] * 3

    def work(number: int) -> None:
        api = _api()
        while time.monotonic() < until:
            identifier = _create(api, f"churn-{number}-{counts[number]}", GOOD)
            if counts[number] % 2:
                _start(api, identifier)
            api.remove_container(identifier, force=True, v=True)
            counts[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(counts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"removed": sum(counts)}


def main(verb: str, *arguments: str) -> None:
    if verb == "churn":
        answer: dict[str, t.Any] = churn(float(arguments[0]))
    else:
        answer = {"up": up, "look": look}[verb](*arguments)
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
