# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""A service of a swarm (``GET /services``), in the facts of a container: what each of its tasks becomes on a node like this one.

PRIVATE to the collection: no stability is promised to other users.

A service cannot ask for everything that a container can: privileges, devices and namespaces of the host are not in its
definition. What it leaves open is the default of the node; the node that the audit looks at stands for all.
Sources: moby api/types/swarm (container.go, task.go, network.go), daemon/cluster/executor/container/container.go.
"""

from __future__ import annotations

import base64
import binascii
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import log_budget, versions
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_openers import OPENERS
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import model, secrets, vocabulary
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Subject, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import inspect, seccomp, values
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.inspect import EngineFacts
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.values import (
    Found,
    mapping,
    read,
    rows,
    text,
    texts,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import EngineLook, Json
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import Mount, Port

_DEFINED = "a service cannot ask for it"
_RESTARTS = {"none": "no", "on-failure": "on-failure", "any": "always", "": "always"}


def subjects(engine: EngineLook, about: EngineFacts) -> list[Subject]:
    """Return the services of the swarm that run containers.

    Args:
        about: see inspect.engine_facts.
    """
    networks = {text(mapping(network).get("Id")): text(mapping(network).get("Name")) for network in engine.networks}
    found = []
    for service in engine.services:
        template = mapping(mapping(mapping(service).get("Spec")).get("TaskTemplate"))
        if template.get("ContainerSpec") is not None or text(template.get("Runtime")) in ("", "container"):
            found.append(_Service(service, about, networks, engine).subject())
    return found


class _Service:
    def __init__(self, service: Json, about: EngineFacts, networks: t.Mapping[str, str], engine: EngineLook) -> None:
        self.about = about
        self.networks = networks
        self.defaults = mapping(mapping(mapping(engine.swarm).get("Spec")).get("TaskDefaults"))
        self.networks_error = engine.errors.get("networks", "")
        self.volumes = {text(mapping(volume).get("Name")): mapping(mapping(volume).get("Options")) for volume in engine.volumes}
        self.answer = mapping(service)
        self.spec = mapping(self.answer.get("Spec"))
        self.task = mapping(self.spec.get("TaskTemplate"))
        self.container = mapping(self.task.get("ContainerSpec"))
        self.rights = mapping(self.container.get("Privileges"))
        self.name = text(self.spec.get("Name")) or text(self.answer.get("ID"))[:12] or "unnamed"
        self.where = f"GET /services {self.name}"
        self.image_answer = self._image_on_this_node()

    def subject(self) -> Subject:
        if not isinstance(self.task.get("ContainerSpec"), t.Mapping):
            facts: dict[str, Found] = {name: Unknown("the engine does not tell what its tasks are", self.where) for name in vocabulary.WORKLOAD}
        else:
            parts = (self._fixed, self._identity, self._rights, self._network, self._storage, self._limits, self._life, self._words)
            facts = {name: fact for part in parts for name, fact in part().items()}
        labels = mapping(self.spec.get("Labels"))
        kept = {str(name): "" if value in (secrets.SECRET, secrets.WITHHELD) else text(value) for name, value in labels.items()}
        image = text(self.container.get("Image"))
        return Subject(
            model.SWARM_SERVICE,
            self.name,
            facts,
            {
                "id": text(self.answer.get("ID")),
                "image": image,
                "digest": image.partition("@")[2],
                "project": kept.get("com.docker.stack.namespace", ""),
                "service": self.name,
                "labels": kept,
            },
        )

    def _read(self, path: str, kind: type | tuple[type, ...], empty: t.Any) -> Found:
        """Return a value below the definition of the container; the API leaves out what is empty."""
        return read(self.container, path, f"{self.where} /Spec/TaskTemplate/ContainerSpec", kind, empty)

    def _texts(self, path: str) -> Found:
        found = self._read(path, (list, tuple), ())
        if isinstance(found, Unknown):
            return found
        known = found.having(texts(found.value))
        return known if len(known.value) == len(found.value) else Unknown(f"{path} of the service holds what is no text", found.source, known)

    def _never(self, value: t.Any) -> Fact:
        return Fact(value, f"{self.where}: {_DEFINED}")

    def _image_on_this_node(self) -> t.Mapping[str, t.Any]:
        reference, _at, digest = text(self.container.get("Image")).partition("@")
        identifier = self.about.tags.get(reference) or self.about.tags.get(f"{reference}:latest")
        found = self.about.images.get(identifier or "")
        if found is None and digest:
            found = next(
                (image for image in self.about.images.values() if any(item.endswith(f"@{digest}") for item in texts(mapping(image).get("RepoDigests")))), None
            )
        config = mapping(found).get("Config")
        return config if isinstance(config, t.Mapping) else {}

    def _of_image(self, name: str) -> Found:
        if not self.image_answer:
            return Unknown("this node has no such image that was looked at", self.where)
        return read(self.image_answer, name, f"GET /images {text(self.container.get('Image'))[:80]} /Config", str, "")

    def _fixed(self) -> dict[str, Found]:
        cgroup = self.about.cgroup_version
        source = "GET /info /CgroupVersion, of this node"
        version: Found = Unknown("the engine does not say its cgroup version", source) if cgroup is None else Fact(cgroup, source)
        return {
            "running": Fact(False, f"{self.where}: a definition"),
            "privileged": self._never(False),
            "pid_mode": self._never(""),
            "ipc_mode": self._never(""),
            "uts_mode": self._never(""),
            "userns_mode": self._never(""),
            "cgroupns_mode": values.changed(version, lambda number: "private" if number == 2 else "host"),
            "engine_cgroup": version,
            "unmasked_paths": self._never(()),
            "writable_paths": self._never(()),
            "writable_cgroups": self._never(False),
            "volumes_from": self._never(()),
            "devices": self._never(()),
            "device_cgroup_rules": self._never(()),
            "device_requests": self._never(()),
            "use_api_socket": self._never(False),
            "oom_kill_disabled": self._never(False),
            "cgroup_parent": self._never(""),
            "runtime": self._never(""),
            "hook_privileged": self._never(()),
            "build_privileges": self._never(()),
            "unknown_keys": Fact((), f"{self.where}: no file"),
            "stale": Fact((), f"{self.where}: a definition, its containers are judged on their own"),
            "programs": Unknown("nothing runs in a definition; its containers are judged on their own", self.where),
            "mounts_resolved": Fact(False, f"{self.where}: its tasks run on any node"),
        }

    def _identity(self) -> dict[str, Found]:
        user, image_user = self._read("User", str, ""), self._of_image("User")
        uid: Found = user if isinstance(user, Unknown) or user.value else image_user
        if isinstance(uid, Fact):
            number = inspect.uid_of(uid.value)
            named = Unknown("a name of a user means what the image's passwd file says", uid.source)
            uid = named if number is None else Fact(number, f"{uid.source}, as declared")
        source = "GET /info /SecurityOptions, of this node"
        mapped: Found = Unknown("whether the daemon maps ids is not known", source)
        if self.about.rootless or self.about.userns_remap is not None:
            mapped = Fact(bool(self.about.rootless or self.about.userns_remap), source)
        host_uid: Found = uid
        if not isinstance(mapped, Fact) or mapped.value:
            host_uid = Unknown("which ids of the host its tasks get is known where they run", source)
        return {"user": user, "image_user": image_user, "uid": uid, "host_uid": host_uid, "uid_mapped": mapped}

    def _rights(self) -> dict[str, Found]:
        added = values.changed(self._texts("CapabilityAdd"), lambda names: tuple(map(inspect.capability, names)))
        dropped = values.changed(self._texts("CapabilityDrop"), lambda names: tuple(map(inspect.capability, names)))
        bounding: Found
        if isinstance(added, Fact) and isinstance(dropped, Fact):
            bounding = Fact(inspect.bounding_set(added.value, dropped.value, False), f"{added.source}, CapabilityDrop, as declared")
        else:
            bounding = next(found for found in (added, dropped) if isinstance(found, Unknown))._replace(partly=None)
        kind, opens = self._seccomp()
        profile, mode = self._apparmor()
        return {
            "cap_add": added,
            "cap_drop": dropped,
            "capabilities": bounding,
            "seccomp": kind,
            "seccomp_opens": opens,
            "apparmor": profile,
            "apparmor_mode": mode,
            "selinux": self._selinux(),
            "no_new_privileges": self._no_new_privileges(),
        }

    def _seccomp(self) -> tuple[Found, Found]:
        mode = self._read("Privileges/Seccomp/Mode", str, "default")
        if isinstance(mode, Unknown):
            return mode, mode
        if mode.value == "unconfined":
            return mode, Fact(tuple(sorted(OPENERS)), mode.source)
        if mode.value == "custom":
            return mode, self._opened()
        if mode.value not in ("", "default"):
            unknown = Unknown(f"the seccomp mode '{mode.value[:40]}' is not known", mode.source)
            return unknown, unknown
        source = "GET /info /SecurityOptions name=seccomp, of this node"
        kind: Found = Fact(self.about.seccomp, source) if self.about.seccomp else Unknown("the daemon's profile is not known", source)
        if self.about.seccomp == "unconfined":
            return kind, Fact(tuple(sorted(OPENERS)), source)
        opens: Found = Unknown(self.about.seccomp_reason, source) if self.about.seccomp_opens is None else Fact(self.about.seccomp_opens, source)
        return kind, opens

    def _opened(self) -> Found:
        given = self._read("Privileges/Seccomp/Profile", str, "")
        if isinstance(given, Unknown):
            return given
        try:
            return Fact(seccomp.opened(base64.b64decode(given.value, validate=True).decode("utf-8")), given.source)
        except (binascii.Error, ValueError):
            return Unknown("the seccomp profile cannot be read", given.source)
        except seccomp.Unreadable as problem:
            return Unknown(str(problem), given.source)

    def _apparmor(self) -> tuple[Found, Found]:
        mode = self._read("Privileges/AppArmor/Mode", str, "default")
        if isinstance(mode, Unknown):
            return mode, mode
        source = f"{mode.source} and GET /info /SecurityOptions, of this node"
        if self.about.apparmor is None:
            unknown = Unknown("whether the host has AppArmor is not known", source)
            return unknown, unknown
        if not self.about.apparmor:
            return Fact("", source), Fact("", source)
        if mode.value == "disabled":
            return Fact("unconfined", source), Fact("unconfined", source)
        return Fact("docker-default", source), Fact("enforce", source)

    def _selinux(self) -> Found:
        context = self._read("Privileges/SELinuxContext", dict, {})
        if isinstance(context, Unknown):
            return context
        source = f"{context.source} and GET /info /SecurityOptions, of this node"
        if self.about.selinux is None:
            return Unknown("whether the host has SELinux is not known", source)
        if not self.about.selinux:
            return Fact("", source)
        return Fact("disabled" if context.value.get("Disable") else text(context.value.get("Type")) or "container_t", source)

    def _no_new_privileges(self) -> Found:
        found = self._read("Privileges/NoNewPrivileges", bool, False)
        if isinstance(found, Unknown) or found.value:
            return found
        source = f"{found.source}, and the default of this node"
        return Unknown("the daemon's default is not known", source) if self.about.no_new_privileges is None else Fact(self.about.no_new_privileges, source)

    def _network(self) -> dict[str, Found]:
        targets = read(self.task, "Networks", f"{self.where} /Spec/TaskTemplate", (list, tuple), ())
        old = read(self.spec, "Networks", f"{self.where} /Spec", (list, tuple), ())
        names: Found = targets
        if isinstance(targets, Fact) and isinstance(old, Fact):
            found = [text(entry.get("Target")) for entry in rows([*targets.value, *old.value])]
            names = targets.having(tuple(dict.fromkeys(self.networks.get(target, target) for target in found)))
            unresolved = [target for target in found if target not in self.networks and target not in self.networks.values()]
            if unresolved and self.networks_error:
                names = Unknown(f"its networks could not be listed: {self.networks_error}", "GET /networks")
        mode = values.changed(names, lambda given: "host" if "host" in given else "none" if "none" in given else given[0] if given else "")
        return {
            "networks": values.changed(names, lambda given: tuple(name for name in given if name not in ("host", "none"))),
            "network_mode": mode,
            "macvlan_parents": self._macvlan(names),
            "ports": self._ports(),
        }

    def _macvlan(self, names: Found) -> Found:
        if isinstance(names, Unknown):
            return names
        if self.about.networks is None:
            return Unknown("the networks were not looked at", "GET /networks")
        known = [self.about.networks.get(name) for name in names.value]
        parents = (f"{driver} on {parent or 'an interface of its own'}" for driver, parent in filter(None, known) if driver in ("macvlan", "ipvlan"))
        return Fact(tuple(dict.fromkeys(parents)), "GET /networks")

    def _ports(self) -> Found:
        listed = read(self.spec, "EndpointSpec/Ports", f"{self.where} /Spec", (list, tuple), ())
        if isinstance(listed, Unknown):
            return listed
        # What the swarm chose stands beside the definition.
        chosen = {
            (text(port.get("Protocol")), port.get("TargetPort")): port.get("PublishedPort")
            for port in rows(mapping(self.answer.get("Endpoint")).get("Ports"))
            if isinstance(port.get("TargetPort"), int)
        }
        found = []
        for port in rows(listed.value):
            target, published, protocol = port.get("TargetPort"), port.get("PublishedPort"), text(port.get("Protocol")) or "tcp"
            if not isinstance(target, int):
                return Unknown("the service has what is no port", listed.source)
            published = published or chosen.get((protocol, target))
            # Both modes listen on every address of the node.
            found.append(Port("", published if isinstance(published, int) else 0, target, protocol))
        return listed.having(tuple(found))

    def _storage(self) -> dict[str, Found]:
        groups = self._texts("Groups")
        sockets: Found = groups
        if isinstance(groups, Fact) and groups.value:
            known = self.about.api_groups
            sockets = (
                Unknown("which groups own sockets of the API was not looked at", groups.source)
                if known is None
                else groups.having(tuple(group for group in groups.value if group in known))
            )
        return {
            "mounts": self._mounts(),
            "group_add": groups,
            "api_socket_groups": sockets,
            "read_only_rootfs": self._read("ReadOnly", bool, False),
        }

    def _mounts(self) -> Found:
        listed = self._read("Mounts", (list, tuple), ())
        if isinstance(listed, Unknown):
            return listed
        found = [_mount(entry, self.volumes) for entry in rows(listed.value)]
        for part in ("Secrets", "Configs"):
            for entry in rows(self.container.get(part)):
                target = text(mapping(entry.get("File")).get("Name"))
                if target and part == "Configs":
                    found.append(Mount("tmpfs", "", target if target.startswith("/") else f"/{target}", True))
        known = listed.having(tuple(found))
        broken = len(rows(listed.value)) < len(listed.value)
        return Unknown("Mounts of the service holds what is no mount", listed.source, known) if broken else known

    def _limits(self) -> dict[str, Found]:
        where = f"{self.where} /Spec/TaskTemplate"
        nano = read(self.task, "Resources/Limits/NanoCPUs", where, int, 0)
        return {
            "memory": read(self.task, "Resources/Limits/MemoryBytes", where, int, 0),
            "cpu_limited": values.changed(nano, lambda number: number > 0),
            "pids_limit": values.changed(read(self.task, "Resources/Limits/Pids", where, int, 0), lambda number: max(number, 0)),
            "oom_score_adj": self._read("OomScoreAdj", int, 0),
            "ulimits": values.changed(
                self._read("Ulimits", (list, tuple), ()), lambda entries: tuple(text(mapping(entry).get("Name")) or "unnamed" for entry in entries)
            ),
            "sysctls": values.changed(
                self._read("Sysctls", dict, {}), lambda given: tuple(sorted((str(name), str(value)) for name, value in given.items()))
            ),
        }

    def _life(self) -> dict[str, Found]:
        where = f"{self.where} /Spec/TaskTemplate"
        driver, bounded = self._logs()
        return {
            "restart_policy": values.changed(read(self.task, "RestartPolicy/Condition", where, str, ""), lambda word: _RESTARTS.get(word, word)),
            "restart_retries": read(self.task, "RestartPolicy/MaxAttempts", where, int, 0),
            "healthcheck": self._healthcheck(),
            "log_driver": driver,
            "log_bounded": bounded,
        }

    def _healthcheck(self) -> Found:
        test = self._read("Healthcheck/Test", (list, tuple), ())
        if isinstance(test, Unknown):
            return test
        words = texts(test.value)
        if words[:1] == ("NONE",):
            return test.having("disabled")
        if words:
            return test.having("defined")
        if not self.image_answer:
            return Unknown("the service sets no healthcheck, and this node has no such image that was looked at", test.source)
        inherited = texts(mapping(self.image_answer.get("Healthcheck")).get("Test"))
        return test.having("image" if inherited and inherited[:1] != ("NONE",) else "none")

    def _logs(self) -> tuple[Found, Found]:
        given = self.task.get("LogDriver") if self.task.get("LogDriver") is not None else self.defaults.get("LogDriver")
        source = f"{self.where} /Spec/TaskTemplate/LogDriver"
        name, options = text(mapping(given).get("Name")), mapping(mapping(given).get("Options"))
        own = {str(key): text(value) for key, value in options.items()}
        default = self.about.log
        if default is None and not name:
            unknown = Unknown("the log settings of the daemon are not known", source)
            return unknown, unknown
        driver = name or (default.driver if default is not None else "")
        if default is not None and default.driver == driver:
            own = {**default.options, **own}
        try:
            release = versions.parse(self.about.version)
        except ValueError:
            release = versions.NEWEST_KNOWN
        return Fact(driver, source), Fact(driver == "none" or log_budget.share(driver, own, release) is not None, source)

    def _words(self) -> dict[str, Found]:
        env = self._texts("Env")
        found: Found = env
        if isinstance(env, Fact):
            names = [name for name, given, value in (entry.partition("=") for entry in env.value) if given and secrets.is_secret(name, value)]
            for labels in (self.spec.get("Labels"), self.container.get("Labels")):
                names += [f"label {name}" for name, value in mapping(labels).items() if secrets.is_secret(str(name), value)]
            for command in ("Command", "Args"):
                names += secrets.argument_secrets(self.container.get(command))
            names += [f"healthcheck {name}" for name in secrets.argument_secrets(mapping(self.container.get("Healthcheck")).get("Test"))]
            found = Fact(tuple(dict.fromkeys(names)), f"{env.source}, Labels, Command and Args (values were withheld)")
        hosts = [entry.partition("=")[2] for entry in (env.value if isinstance(env, Fact) else ()) if entry.startswith("DOCKER_HOST=")]
        directory = self._read("Dir", str, "")
        return {
            "image": self._read("Image", str, ""),
            "working_dir": directory if isinstance(directory, Unknown) or directory.value else self._of_image("WorkingDir"),
            "secret_names": found if isinstance(found, Fact) else found._replace(partly=None),
            "docker_host": Fact(hosts[-1] if hosts else "", env.source) if isinstance(env, Fact) else env._replace(partly=None),
            "labels": Fact(tuple(sorted({*map(str, mapping(self.spec.get("Labels"))), *map(str, mapping(self.container.get("Labels")))})), self.where),
        }


def _mount(entry: t.Mapping[str, t.Any], volumes: t.Mapping[str, t.Mapping[str, t.Any]]) -> Mount:
    """Return a mount of a definition.

    Args:
        volumes: the options of the volumes of this node, by name: a task here gets the volume that is there, whatever the definition says.
    """
    kind = text(entry.get("Type")) or "volume"
    source, target = text(entry.get("Source")), text(entry.get("Target"))
    host_path = source if kind == "bind" else ""
    if kind == "volume":
        own = mapping(mapping(mapping(entry.get("VolumeOptions")).get("DriverConfig")).get("Options"))
        host_path = _device(volumes.get(source, {})) or _device(own)
    propagation = text(mapping(entry.get("BindOptions")).get("Propagation"))
    return Mount(kind, source, target, entry.get("ReadOnly") is True, propagation, host_path)


def _device(options: t.Mapping[str, t.Any]) -> str:
    """Return the directory of the host that options of a volume name, empty for none."""
    device = text(options.get("device"))
    bound = text(options.get("type")).lower() in ("", "none", "bind") or "bind" in text(options.get("o")).split(",")
    return device if device.startswith("/") and bound else ""
