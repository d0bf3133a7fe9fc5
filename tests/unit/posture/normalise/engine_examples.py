# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""A host that this collection provisioned, as Docker 29 and its files show it, and how a test makes others of it.

The shapes are those of moby's api/types (system, image, network, volume, swarm) and of docker_daemon's defaults.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import DaemonLook, EngineLook, Policy
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import FileFacts
from ansible_collections.bulkhead.docker.tests.unit.posture.normalise import examples

CONFIG: dict[str, t.Any] = {
    "data-root": "/var/lib/docker",
    "userns-remap": "dockremap",
    "no-new-privileges": True,
    "icc": False,
    "live-restore": True,
    "log-driver": "local",
    "log-opts": {"max-size": "20m", "max-file": "5"},
    "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 65536, "Hard": 65536}},
    "default-address-pools": [{"base": "172.17.0.0/16", "size": 24}, {"base": "172.18.0.0/16", "size": 24}],
    "storage-driver": "overlay2",
    "features": {"containerd-snapshotter": False},
    "cgroup-parent": "containers.slice",
    "seccomp-profile": "builtin",
}
INFO: dict[str, t.Any] = {
    "ID": "6d0c2c1e-2d9c-4b33-8b30-7f8bd0c5a4f1",
    "Containers": 1,
    "ContainersRunning": 1,
    "ContainersPaused": 0,
    "ContainersStopped": 0,
    "Images": 1,
    "Driver": "overlay2",
    "DriverStatus": [["Backing Filesystem", "extfs"], ["Supports d_type", "true"], ["userxattr", "false"]],
    "Plugins": {"Volume": ["local"], "Network": ["bridge", "host", "macvlan", "null", "overlay"], "Authorization": None, "Log": ["json-file", "local"]},
    "Debug": False,
    "LoggingDriver": "local",
    "CgroupDriver": "systemd",
    "CgroupVersion": "2",
    "KernelVersion": "6.12.43+deb13-amd64",
    "OSType": "linux",
    "Architecture": "x86_64",
    "SystemTime": "2026-08-10T12:00:00.123456789Z",
    "IndexServerAddress": "https://index.docker.io/v1/",
    "RegistryConfig": {
        "IndexConfigs": {"docker.io": {"Mirrors": [], "Name": "docker.io", "Official": True, "Secure": True}},
        "InsecureRegistryCIDRs": ["::1/128", "127.0.0.0/8"],
        "Mirrors": None,
    },
    "DockerRootDir": "/var/lib/docker/100000.100000",
    "Labels": [],
    "ExperimentalBuild": False,
    "ServerVersion": "29.9.0",
    "Runtimes": {
        "io.containerd.runc.v2": {"path": "runc", "status": {"org.opencontainers.runtime-spec.features": "{}"}},
        "runc": {"path": "runc"},
    },
    "DefaultRuntime": "runc",
    "Swarm": {"NodeID": "", "NodeAddr": "", "LocalNodeState": "inactive", "ControlAvailable": False, "Error": "", "RemoteManagers": None},
    "LiveRestoreEnabled": True,
    "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin", "name=userns", "name=cgroupns", "name=no-new-privileges"],
    "DefaultAddressPools": [{"Base": "172.17.0.0/16", "Size": 24}, {"Base": "172.18.0.0/16", "Size": 24}],
    "FirewallBackend": {"Driver": "iptables"},
    "Warnings": None,
}
VERSION: dict[str, t.Any] = {
    "Platform": {"Name": "Docker Engine - Community"},
    "Version": "29.9.0",
    "ApiVersion": "1.55",
    "MinAPIVersion": "1.40",
    "Os": "linux",
    "Arch": "amd64",
    "Components": [
        {"Name": "Engine", "Version": "29.9.0", "Details": {"MinAPIVersion": "1.40"}},
        {"Name": "containerd", "Version": "v2.3.6", "Details": {"GitCommit": "269031099"}},
        {"Name": "runc", "Version": "1.3.6", "Details": {"GitCommit": "v1.3.6-0-g0"}},
        {"Name": "docker-init", "Version": "0.19.0", "Details": {"GitCommit": "de40ad0"}},
    ],
}
IMAGE: dict[str, t.Any] = {
    "Id": examples.IMAGE,
    "RepoTags": ["registry.example.com/shop/web:1.4"],
    "RepoDigests": ["registry.example.com/shop/web@sha256:" + "cd" * 32],
    "Created": "2026-08-01T09:30:00.5Z",
    "Architecture": "amd64",
    "Os": "linux",
    "Size": 12345678,
    "Config": {
        "User": "1000",
        "Env": ["PATH=<withheld>"],
        "Cmd": ["<withheld>"],
        "WorkingDir": "/srv",
        "Healthcheck": {"Test": ["CMD", "<withheld>"]},
        "Labels": {"org.opencontainers.image.version": "1.4"},
    },
    "History": [
        {"CreatedBy": "COPY web /srv/ # buildkit", "Created": 1785576600, "Size": 1},
        {"CreatedBy": "RUN /bin/sh -c apt-get update && apt-get install -y ca-certificates # buildkit", "Created": 1785576500, "Size": 1},
        {"CreatedBy": "# debian.sh --arch 'amd64' out/ 'trixie' '@1785000000'", "Created": 1785000000, "Size": 1},
    ],
}
NETWORKS: tuple[dict[str, t.Any], ...] = (
    {
        "Name": "bridge",
        "Id": "b" * 64,
        "Scope": "local",
        "Driver": "bridge",
        "IPAM": {"Driver": "default", "Options": None, "Config": [{"Subnet": "172.17.0.0/24", "Gateway": "172.17.0.1"}]},
        "Internal": False,
        "Ingress": False,
        "Options": {
            "com.docker.network.bridge.default_bridge": "true",
            "com.docker.network.bridge.enable_icc": "false",
            "com.docker.network.bridge.enable_ip_masquerade": "true",
            "com.docker.network.bridge.host_binding_ipv4": "0.0.0.0",
            "com.docker.network.bridge.name": "docker0",
            "com.docker.network.driver.mtu": "1500",
        },
        "Labels": {},
    },
    {
        "Name": "shop",
        "Id": "12" * 32,
        "Scope": "local",
        "Driver": "bridge",
        "IPAM": {"Driver": "default", "Options": {}, "Config": [{"Subnet": "172.17.1.0/24", "Gateway": "172.17.1.1"}]},
        "Internal": False,
        "Ingress": False,
        "Options": {},
        "Labels": {"com.docker.compose.project": "shop"},
    },
    {"Name": "host", "Id": "c" * 64, "Scope": "local", "Driver": "host", "IPAM": {"Driver": "default", "Config": None}, "Options": {}, "Labels": {}},
    {"Name": "none", "Id": "d" * 64, "Scope": "local", "Driver": "null", "IPAM": {"Driver": "default", "Config": None}, "Options": {}, "Labels": {}},
)
VOLUMES: tuple[dict[str, t.Any], ...] = (
    {
        "CreatedAt": "2026-08-01T09:00:00Z",
        "Driver": "local",
        "Labels": None,
        "Mountpoint": "/var/lib/docker/100000.100000/volumes/data/_data",
        "Name": "data",
        "Options": None,
        "Scope": "local",
    },
)
SWARM_INFO: dict[str, t.Any] = {
    "NodeID": "node1",
    "NodeAddr": "10.0.0.1",
    "LocalNodeState": "active",
    "ControlAvailable": True,
    "Error": "",
    "RemoteManagers": [{"NodeID": "node2", "Addr": "10.0.0.2:2377"}, {"NodeID": "node1", "Addr": "10.0.0.1:2377"}],
    "Nodes": 4,
    "Managers": 3,
    "Cluster": {"ID": "swarm1"},
}
# A certificate like that of a swarm, valid from 2026-01-15T10:20:00Z on; nobody has its key.
TRUST_ROOT = """-----BEGIN CERTIFICATE-----
MIIBDjCBtAIBATAKBggqhkjOPQQDAjATMREwDwYDVQQDDAhzd2FybS1jYTAeFw0y
NjAxMTUxMDIwMDBaFw00NjAxMTAxMDIwMDBaMBMxETAPBgNVBAMMCHN3YXJtLWNh
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEuJzmGoeCQxP3xpUD9VOm1pgFf50D
FMNxdUxKsa7IO+5nqCNyLOrhOCV0wg4Zv3u0MLVwBkic1IqB87MZXR4+1DAKBggq
hkjOPQQDAgNJADBGAiEAypMoDGJPTOd0fx1RMSvdT0pgYjaa1Wo1eL2rx/VeOq8C
IQCwrTVTUawoaWsJkSWO+uJ2N/M2UzLfFvpxrRKVvfv2ww==
-----END CERTIFICATE-----
"""
SWARM: dict[str, t.Any] = {
    "ID": "swarm1",
    "CreatedAt": "2026-01-15T10:25:00Z",
    "UpdatedAt": "2026-08-01T00:00:00Z",
    "Spec": {
        "Name": "default",
        "Labels": {},
        "Orchestration": {"TaskHistoryRetentionLimit": 5},
        "CAConfig": {"NodeCertExpiry": 7776000000000000},
        "TaskDefaults": {},
        "EncryptionConfig": {"AutoLockManagers": True},
    },
    "TLSInfo": {"TrustRoot": TRUST_ROOT, "CertIssuerSubject": "MBMx", "CertIssuerPublicKey": "MFkw"},
    "RootRotationInProgress": False,
    "DataPathPort": 4789,
}
NODES: tuple[dict[str, t.Any], ...] = tuple(
    {
        "ID": f"node{number}",
        "Spec": {"Role": "manager" if number < 4 else "worker", "Availability": "active"},
        "Status": {"State": "ready", "Addr": f"10.0.0.{number}"},
        **({"ManagerStatus": {"Leader": number == 1, "Reachability": "reachable", "Addr": f"10.0.0.{number}:2377"}} if number < 4 else {}),
    }
    for number in range(1, 5)
)
SERVICE: dict[str, t.Any] = {
    "ID": "service1",
    "Version": {"Index": 12},
    "Spec": {
        "Name": "shop_web",
        "Labels": {"com.docker.stack.namespace": "shop"},
        "TaskTemplate": {
            "ContainerSpec": {
                "Image": "registry.example.com/shop/web:1.4@sha256:" + "cd" * 32,
                "Labels": {"com.docker.stack.namespace": "shop"},
                "Env": ["DB_HOST=<withheld>"],
                "User": "1000:1000",
                "Privileges": {"CredentialSpec": None, "SELinuxContext": None, "NoNewPrivileges": True},
                "ReadOnly": True,
                "Mounts": [
                    {"Type": "volume", "Source": "data", "Target": "/data"},
                    {"Type": "bind", "Source": "/srv/web", "Target": "/srv/web", "ReadOnly": True, "BindOptions": {"Propagation": "rprivate"}},
                ],
                "Healthcheck": {"Test": ["CMD-SHELL", "<withheld>"], "Interval": 30000000000},
                "Secrets": [{"File": {"Name": "db_password", "UID": "0", "GID": "0", "Mode": 292}, "SecretID": "s1", "SecretName": "db_password"}],
                "CapabilityDrop": ["ALL"],
                "CapabilityAdd": ["CAP_NET_BIND_SERVICE"],
                "Isolation": "default",
            },
            "Resources": {"Limits": {"NanoCPUs": 500000000, "MemoryBytes": 268435456, "Pids": 100}, "Reservations": {}},
            "RestartPolicy": {"Condition": "on-failure", "Delay": 5000000000, "MaxAttempts": 3},
            "Placement": {},
            "Networks": [{"Target": "overlay1", "Aliases": ["web"]}],
            "ForceUpdate": 0,
            "Runtime": "container",
        },
        "Mode": {"Replicated": {"Replicas": 2}},
        "EndpointSpec": {
            "Mode": "vip",
            "Ports": [
                {"Protocol": "tcp", "TargetPort": 8443, "PublishedPort": 443, "PublishMode": "ingress"},
                {"Protocol": "tcp", "TargetPort": 9000, "PublishMode": "host"},
            ],
        },
    },
    "Endpoint": {"Ports": [{"Protocol": "tcp", "TargetPort": 9000, "PublishedPort": 30001, "PublishMode": "host"}]},
}
OVERLAYS: tuple[dict[str, t.Any], ...] = (
    {
        "Name": "ingress",
        "Id": "ingress1",
        "Scope": "swarm",
        "Driver": "overlay",
        "Ingress": True,
        "Options": {"com.docker.network.driver.overlay.vxlanid_list": "4096"},
        "IPAM": {"Config": [{"Gateway": "10.255.0.1"}]},
    },
    {
        "Name": "shop_back",
        "Id": "overlay1",
        "Scope": "swarm",
        "Driver": "overlay",
        "Ingress": False,
        "Options": {"com.docker.network.driver.overlay.vxlanid_list": "4097", "encrypted": ""},
        "IPAM": {"Config": [{"Gateway": "10.0.1.1"}]},
    },
)
HOST_FACTS: dict[str, t.Any] = {
    "runc_versions": Fact({"/usr/bin/runc": "1.3.6"}, "runc --version"),
    "package_backports": Fact({}, "changelogs"),
    "volume_links": Fact((), "lstat"),
    "firewalld": Fact((), "programs and units"),
    "kernel_crypto": Unknown("there is no changelog of its package", "changelog"),
    "daemon_owners": Fact((0,), "status"),
    "docker_group": Fact((), "getent group docker"),
    "data_directories": Fact({"/var/lib/docker/100000.100000": FileFacts("directory", 0o710, 0, 100000, "root", "100000")}, "stat"),
}


def put(answer: t.Any, **different: t.Any) -> t.Any:
    """Return a copy of an answer with something else; names say where, as in Swarm__LocalNodeState, and None for none."""
    found = copy.deepcopy(answer)
    for path, value in different.items():
        *above, last = path.split("__")
        holder = found
        for name in above:
            holder = holder.setdefault(name, {})
        holder[last] = value
    return found


def engine(info: t.Mapping[str, t.Any] | None = None, **different: t.Any) -> EngineLook:
    """Return the engine with something else.

    Args:
        info: what differs in /info, as for put.
    """
    usual: dict[str, t.Any] = {
        "product": "docker",
        "info": put(INFO, **(info or {})),
        "version": copy.deepcopy(VERSION),
        "containers": (examples.look(),),
        "images": (copy.deepcopy(IMAGE),),
        "networks": copy.deepcopy(NETWORKS),
        "volumes": copy.deepcopy(VOLUMES),
        "calls": 12,
    }
    return EngineLook(**{**usual, **different})


def swarm(info: t.Mapping[str, t.Any] | None = None, **different: t.Any) -> EngineLook:
    """Return the engine of a manager."""
    usual: dict[str, t.Any] = {
        "swarm": copy.deepcopy(SWARM),
        "nodes": copy.deepcopy(NODES),
        "services": (copy.deepcopy(SERVICE),),
        "secrets": ({"ID": "s1", "Spec": {"Name": "db_password"}},),
        "networks": copy.deepcopy((*NETWORKS, *OVERLAYS)),
    }
    return engine({"Swarm": copy.deepcopy(SWARM_INFO), "LiveRestoreEnabled": False, **(info or {})}, **{**usual, **different})


def daemon(config: t.Mapping[str, t.Any] | None = None, without: t.Container[str] = (), **different: t.Any) -> DaemonLook:
    """Return the settings of the daemon with something else.

    Args:
        config: what differs in daemon.json.
        without: keys that it does not have.
    """
    whole = {name: value for name, value in {**CONFIG, **(config or {})}.items() if name not in without}
    usual: dict[str, t.Any] = {
        "config": whole,
        "config_text": json.dumps(whole, indent=2),
        "flags": {"host": ["fd://"], "containerd": ["/run/containerd/containerd.sock"]},
        "listening": (),
    }
    return DaemonLook(**{**usual, **different})


def policy(**different: t.Any) -> Policy:
    """Return a policy that decides only what is given."""
    return dataclasses.replace(Policy(), **different)
