# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""How dockerd is set up: who reaches its API, what new containers get from it, and whether it runs what its file says.

PRIVATE to the collection: no stability is promised to other users.

What is asked here for the default of a setting is asked again of each container where it reaches only new ones.
"""

from __future__ import annotations

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import versions
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_openers import OPENERS
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import severity
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.addresses import is_loopback, is_wildcard
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.checks import (
    failed,
    is_empty,
    is_not,
    is_set,
    is_value,
    not_applicable,
    passed,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import (
    DAEMON,
    NotKnown,
    Outcome,
    Rule,
    Subject,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.severity import (
    AVAILABILITY,
    CONTAINER_ROOT,
    DEFENCE,
    FROM_ACCIDENT,
    FROM_CONTAINER,
    FROM_DEPLOYER,
    FROM_HOST,
    FROM_NETWORK,
    HOST_PART,
    HOST_ROOT,
    HYGIENE,
    MIGRATION,
    NEIGHBOURS,
    NOTHING,
    RELOAD,
    RESTART,
    TRACES,
)

# Slices and scopes of the host's own services: their limits and their memory are not for containers.
_HOST_SLICES = ("-.slice", "system.slice", "user.slice", "init.scope", "machine.slice")
_HOST_CGROUPS = ("", "system.slice", "user.slice", "init.scope")
# Where programs lie that only root and the package manager write.
_SYSTEM_PLACES = ("/usr/bin/", "/usr/sbin/", "/usr/lib/", "/usr/libexec/", "/usr/local/bin/", "/usr/local/sbin/", "/bin/", "/sbin/")
_BUILT_IN_RUNTIMES = ("runc", "io.containerd.runc.v2")
_ACCESS = "API is accessible on"


def version_of(subject: Subject, name: str = "server_version") -> versions.Version:
    """Return a fact as an engine's release.

    Raises:
        NotKnown: the fact is unknown, or says something that is no release.
    """
    fact = subject.fact(name)
    try:
        return versions.parse(str(fact.value))
    except ValueError:
        raise NotKnown(f"'{str(fact.value)[:60]}' is no release of the engine", fact.source) from None


def _rootless(subject: Subject) -> Outcome:
    fact = subject.fact("rootless")
    if fact.value:
        return passed(fact, "yes")
    remapped = subject.known("userns_remap")
    return failed(fact, "yes", reason="ids are mapped, but dockerd itself is root" if remapped else "dockerd is root, and root of a container may be too")


def _log_level(subject: Subject) -> Outcome:
    level, debug = subject.fact("log_level"), subject.fact("debug")
    expected = "info, and debug off"
    if debug.value:
        return failed(debug, expected, "debug is on", "debug overrules the level")
    return (passed if level.value == "info" else failed)(level, expected)


def _insecure_registries(subject: Subject) -> Outcome:
    fact = subject.fact("insecure_registries")
    if not fact.value:
        return passed(fact, "none besides the host itself")
    everything = [name for name in fact.value if name in ("0.0.0.0/0", "::/0")]
    reason = f"{everything[0]} means every registry that has an address" if everything else ""
    return failed(fact, "none besides the host itself", reason=reason)


def _api_by_tcp(subject: Subject) -> Outcome:
    """Whoever reaches the API without a certificate is root; what the daemon says of itself counts before its file."""
    expected = "no TCP, or TLS that asks clients for certificates"
    warnings = subject.fact("engine_warnings")
    said = [text for text in warnings.value if _ACCESS in text]
    if said:
        return failed(warnings, expected, said[0].strip().splitlines()[0])
    declared = subject.fact("listeners")
    if declared.value and not subject.value("tls_verify"):
        return failed(declared, expected)
    listening = subject.fact("tcp_listening")
    if listening.value and not subject.value("tls_verify"):
        return failed(listening, expected, reason="systemd hands dockerd this socket" if not declared.value else "")
    fact = declared if declared.value else listening
    return passed(fact, expected)


def _api_on_bridges(subject: Subject) -> Outcome:
    fact = subject.fact("api_on_bridges")
    expected = "an address that no network of containers reaches"
    if not fact.value:
        return passed(fact, expected)
    return failed(fact, expected, reach=DEFENCE if subject.value("tls_verify") else HOST_ROOT)


def _user_namespaces(subject: Subject) -> Outcome:
    rootless, fact = subject.fact("rootless"), subject.fact("userns_remap")
    expected = "userns-remap, or a daemon without root"
    if rootless.value:
        return passed(rootless, expected, "the daemon has no root")
    return (passed if fact.value else failed)(fact, expected)


def _cgroup_parent(subject: Subject) -> Outcome:
    fact = subject.fact("cgroup_parent")
    expected = "the engine's own, or one for containers alone"
    parent = str(fact.value)
    if not parent:
        return passed(fact, expected, "the engine's own")
    first = parent.strip("/").split("/", maxsplit=1)[0]
    shared = parent in _HOST_SLICES or parent.endswith(".service") or ("/" in parent and first in _HOST_CGROUPS)
    return failed(fact, expected, reason="containers and services of the host share it") if shared else passed(fact, expected)


def _authorization(subject: Subject) -> Outcome:
    """Only what the file names counts: /info goes on to name a plugin that a reload has dropped."""
    fact, live = subject.fact("authorization_plugins"), subject.fact("authorization_plugins_live")
    expected = "a plugin in daemon.json that is active"
    if not fact.value:
        flags = subject.known("authorization_from_flags") or ()
        if subject.known("api_clients") == () and not flags:
            return not_applicable("nobody but root may call the API: the socket's group has no members, and there is no other address")
        return failed(fact, expected, reason=f"{', '.join(flags)} stands on the command line only, which a reload drops" if flags else "")
    missing = [name for name in fact.value if name not in live.value]
    return failed(live, expected, reason=f"{', '.join(missing)} is not active") if missing else passed(fact, expected)


def _authorization_survives(subject: Subject) -> Outcome:
    fact = subject.fact("authorization_from_flags")
    if fact.value:
        return failed(fact, "the plugins in daemon.json")
    named = subject.fact("authorization_plugins")
    return passed(named, "the plugins in daemon.json") if named.value else not_applicable("no authorization plugin is used")


def _central_logs(subject: Subject) -> Outcome:
    fact, wanted = subject.fact("log_driver"), subject.fact("central_log_drivers")
    if fact.value == "none":
        return failed(fact, "a driver that keeps logs")
    if wanted.value:
        return (passed if fact.value in wanted.value else failed)(fact, " or ".join(wanted.value))
    remote = subject.fact("log_remote")
    if remote.value:
        return passed(fact, "a driver that sends logs away")
    return not_applicable(f"nobody decided which drivers count as central, and {fact.value} may be collected from the host; say it in the policy")


def _live_restore(subject: Subject) -> Outcome:
    swarm = subject.fact("swarm_active")
    if swarm.value:
        return not_applicable("dockerd does not start with live-restore on a node of a swarm")
    return is_value("live_restore", True)(subject)


def _seccomp(subject: Subject) -> Outcome:
    fact = subject.fact("seccomp")
    expected = "the engine's own profile, or one that opens no more"
    if fact.value == "builtin":
        return passed(fact, expected)
    if fact.value == "unconfined":
        return failed(fact, expected, reach=HOST_PART)
    opened = subject.fact("seccomp_opens")
    if not opened.value:
        return passed(opened, expected, "a profile of its own that opens no dangerous call")
    # A profile without a default, such as {}, switches the filter off.
    return failed(opened, expected, reach=HOST_PART if set(OPENERS) <= set(opened.value) else DEFENCE)


def _diagnostic_port(subject: Subject) -> Outcome:
    fact = subject.fact("diagnostic_port")
    return (failed if fact.value else passed)(fact, "0, which is off")


def _metrics(subject: Subject) -> Outcome:
    fact = subject.fact("metrics_address")
    expected = "off, or an address that only the host reaches"
    address = str(fact.value)
    if not address or is_loopback(address):
        return passed(fact, expected)
    return failed(fact, expected, reason="every address of the host answers" if is_wildcard(address) else "")


def _runc_is_runc(subject: Subject) -> Outcome:
    fact = subject.fact("runtimes")
    replaced = [f"{name}: {fact.value[name]}" for name in _BUILT_IN_RUNTIMES if name in fact.value and not _is_runc(str(fact.value[name]))]
    expected = "the names of the engine's own runtimes mean runc"
    return failed(fact, expected, tuple(replaced)) if replaced else passed(fact, expected, tuple(sorted(fact.value)))


def _is_runc(path: str) -> bool:
    # By its own path it is the same program, as long as it lies where the package manager puts programs.
    return path in ("", "runc") or (path.endswith("/runc") and path.startswith(_SYSTEM_PLACES) and "/../" not in path and "local" not in path)


def _runtimes_in_place(subject: Subject) -> Outcome:
    fact = subject.fact("runtimes")
    odd = [
        f"{name}: {path}"
        for name, path in sorted(fact.value.items())
        if path and name not in _BUILT_IN_RUNTIMES and "/" in path and (not path.startswith(_SYSTEM_PLACES) or "/../" in path)
    ]
    expected = "programs in directories of the system"
    return failed(fact, expected, tuple(odd)) if odd else passed(fact, expected, tuple(sorted(fact.value)))


def _default_runtime(subject: Subject) -> Outcome:
    fact, known = subject.fact("default_runtime"), subject.fact("runtimes")
    expected = "runc, or a runtime that is configured"
    name = str(fact.value)
    shim = "." in name and "/" not in name
    return passed(fact, expected) if name in _BUILT_IN_RUNTIMES or name in known.value or shim else failed(fact, expected)


def _direct_routing(subject: Subject) -> Outcome:
    release = version_of(subject)
    if not versions.within(release, "28.0"):
        return not_applicable(f"Docker {release} has no protection against direct routing that could be switched off; it came with 28.0")
    return is_value("allow_direct_routing", False)(subject)


def _min_api(subject: Subject) -> Outcome:
    fact, usual = subject.fact("min_api_version"), subject.fact("usual_min_api_version")
    if not usual.value:
        return not_applicable("this release has no oldest API version that could be lowered")
    lowered = _numbers(fact.value) < _numbers(usual.value)
    return (failed if lowered else passed)(fact, f"{usual.value} or newer")


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() else 0 for part in str(text).split(".")[:3])


def _storage_driver(subject: Subject) -> Outcome:
    fact = subject.fact("storage_driver")
    return (failed if fact.value in ("vfs", "native") else passed)(fact, "a driver that shares layers")


def _no_base_size(subject: Subject) -> Outcome:
    fact = subject.fact("storage_opts")
    found = tuple(option for option in fact.value if option.lower().startswith("dm.basesize"))
    return (failed if found else passed)(fact, "no dm.basesize", found)


RULES = (
    Rule(
        id="engine-answers",
        title="The engine tells everything that the audit asks",
        why="What nobody could look at is not safe, only unseen; what hangs on it is unknown at its own place.",
        applies_to=(DAEMON,),
        check=is_empty("unanswered", "an answer to every question"),
        attacker=FROM_ACCIDENT,
        reach=TRACES,
        remedy="Run the audit as root on a host whose dockerd answers, and without an authorization plugin that denies it reading.",
        blast=NOTHING,
    ),
    Rule(
        id="daemon-rootless",
        title="The daemon runs without root",
        why="A hole in dockerd itself, or access to its API, is worth root of the host as long as dockerd is root.",
        applies_to=(DAEMON,),
        check=_rootless,
        attacker=FROM_HOST,
        reach=DEFENCE,
        remedy="Where the workload allows it, run a daemon without root; it excludes userns-remap, and some networks and limits are missing.",
        blast=MIGRATION,
        cis_1_6=("2.1",),
        cis_1_8=("2.1",),
        references=("OWASP Docker rule 11",),
    ),
    Rule(
        id="daemon-icc-off",
        title="Containers on the default bridge do not reach one another",
        why="Whoever has one container of the default bridge can attack every other one there, published ports or not.",
        applies_to=(DAEMON,),
        check=is_value("icc", False),
        attacker=FROM_CONTAINER,
        reach=DEFENCE,
        remedy="Set icc to false; containers that belong together share a network of their own.",
        blast=RESTART,
        variable="docker_daemon_icc",
        cis_1_6=("2.2",),
        cis_1_8=("2.2",),
        references=("OWASP Docker rule 5",),
    ),
    Rule(
        id="daemon-log-level",
        title="The daemon logs what matters and no more",
        why="A higher level leaves out what one needs after an incident, a lower one writes details of the API into the log and opens profiling.",
        applies_to=(DAEMON,),
        check=_log_level,
        attacker=FROM_HOST,
        reach=TRACES,
        remedy="Remove log-level and debug, or set them to info and false.",
        blast=RESTART,
        variable="docker_daemon_settings",
        cis_1_6=("2.3",),
        cis_1_8=("2.3",),
        references=("OWASP Docker rule 10",),
    ),
    Rule(
        id="daemon-manages-firewall",
        title="The engine manages its firewall rules",
        why="Without its rules nothing keeps networks of containers apart, and ports that are published for the host alone are open to neighbours.",
        applies_to=(DAEMON,),
        check=is_value("iptables", True),
        attacker=FROM_NETWORK,
        reach=DEFENCE,
        remedy="Remove iptables from the configuration; put rules of your own into DOCKER-USER, or into a table of your own with nftables.",
        blast=RESTART,
        variable="docker_daemon_settings",
        cis_1_6=("2.4",),
        cis_1_8=("2.4",),
    ),
    Rule(
        id="daemon-no-insecure-registries",
        title="Registries are reached by TLS only",
        why="Whoever sits between the host and a registry without TLS chooses which programs its images hold.",
        applies_to=(DAEMON,),
        check=_insecure_registries,
        attacker=FROM_NETWORK,
        reach=CONTAINER_ROOT,
        remedy="Give the registry a certificate, put its authority below /etc/docker/certs.d, and write an empty list of insecure-registries: a reload "
        "keeps the old one where the key is only removed.",
        blast=RELOAD,
        variable="docker_daemon_settings",
        cis_1_6=("2.5",),
        cis_1_8=("2.5",),
    ),
    Rule(
        id="daemon-storage-driver-not-aufs",
        title="The storage driver is not aufs",
        why="aufs is a patch outside of the kernel that nobody maintains; engines from 24.0 on do not have it.",
        applies_to=(DAEMON,),
        check=is_not("storage_driver", "aufs", "any other driver"),
        attacker=FROM_ACCIDENT,
        reach=HYGIENE,
        remedy="Move to overlay2.",
        blast=MIGRATION,
        variable="docker_daemon_image_store",
        cis_1_6=("2.6",),
        cis_1_8=("2.6",),
        vacuous=True,
    ),
    Rule(
        id="daemon-storage-driver-not-devicemapper",
        title="The storage driver is not devicemapper",
        why="On loop devices it loses data and is slow; engines from 25.0 on do not have it.",
        applies_to=(DAEMON,),
        check=is_not("storage_driver", "devicemapper", "any other driver"),
        attacker=FROM_ACCIDENT,
        reach=HYGIENE,
        remedy="Move to overlay2.",
        blast=MIGRATION,
        variable="docker_daemon_image_store",
        cis_1_8=("2.7",),
        vacuous=True,
    ),
    Rule(
        id="daemon-storage-driver-shares-layers",
        title="The storage driver shares layers",
        why="vfs and native copy every layer whole: disks fill, and a container takes as long to start as its image takes to copy.",
        applies_to=(DAEMON,),
        check=_storage_driver,
        attacker=FROM_ACCIDENT,
        reach=AVAILABILITY,
        remedy="Give the layers a filesystem that overlay works on, and pin the image store.",
        blast=MIGRATION,
        variable="docker_daemon_image_store",
    ),
    Rule(
        id="daemon-api-tls",
        title="The API is not served by TCP, or asks clients for certificates",
        why="Access to the API is root on the host.",
        applies_to=(DAEMON,),
        check=_api_by_tcp,
        attacker=FROM_NETWORK,
        reach=HOST_ROOT,
        remedy="Remove tcp:// from hosts, from the flags of the unit and from docker.socket, and reach the API by ssh; else set tlsverify with tlscacert, "
        "tlscert and tlskey.",
        blast=RESTART,
        variable="docker_daemon_settings",
        cis_1_6=("2.7",),
        cis_1_8=("2.8",),
        references=("OWASP Docker rule 1", "ATT&CK T1610"),
    ),
    Rule(
        id="daemon-api-not-on-container-networks",
        title="Containers do not reach the API by TCP",
        why="A container that reaches the API on the gateway of its network is one request away from root on the host.",
        applies_to=(DAEMON,),
        check=_api_on_bridges,
        attacker=FROM_CONTAINER,
        reach=HOST_ROOT,
        remedy="Let dockerd listen on one address that no network of containers reaches, and drop traffic from them to its port.",
        blast=RESTART,
        variable="docker_daemon_settings",
        references=("CVE-2025-9074", "ATT&CK T1610"),
    ),
    Rule(
        id="daemon-default-ulimits",
        title="New containers get limits of their own for open files and the like",
        why="Without, each gets what the release, containerd and the unit happen to have: without end in some, 1024 files in others.",
        applies_to=(DAEMON,),
        check=is_set("default_ulimits", "at least one limit, such as nofile"),
        attacker=FROM_CONTAINER,
        reach=HYGIENE,
        remedy="Set default-ulimits.",
        blast=RESTART,
        variable="docker_daemon_default_ulimits",
        cis_1_6=("2.8",),
        cis_1_8=("2.9",),
    ),
    Rule(
        id="daemon-user-namespaces",
        title="Root of a container is somebody else on the host",
        why="Whatever gets out of a container is root of the host when ids are not mapped.",
        applies_to=(DAEMON,),
        check=_user_namespaces,
        attacker=FROM_CONTAINER,
        reach=DEFENCE,
        remedy="Set userns-remap before the first image is pulled: it moves Docker to another data directory.",
        blast=MIGRATION,
        variable="docker_daemon_userns_remap",
        cis_1_6=("2.9",),
        cis_1_8=("2.10",),
        references=("OWASP Docker rule 2",),
    ),
    Rule(
        id="daemon-cgroup-parent",
        title="Containers do not share a control group with services of the host",
        why="In the control group of services the limits for containers bind the host, and those of the host bind containers.",
        applies_to=(DAEMON,),
        check=_cgroup_parent,
        attacker=FROM_CONTAINER,
        reach=AVAILABILITY,
        remedy="Remove cgroup-parent, or name a slice that only containers are in.",
        blast=RESTART,
        variable="docker_daemon_cgroup_parent",
        cis_1_6=("2.10",),
        cis_1_8=("2.11",),
    ),
    Rule(
        id="daemon-base-size-untouched",
        title="The base size of devicemapper is not changed",
        why="The option belongs to a driver that engines from 25.0 on do not have.",
        applies_to=(DAEMON,),
        check=_no_base_size,
        attacker=FROM_ACCIDENT,
        reach=HYGIENE,
        remedy="Remove dm.basesize from storage-opts.",
        blast=RESTART,
        variable="docker_daemon_settings",
        cis_1_6=("2.11",),
        cis_1_8=("2.12",),
        vacuous=True,
    ),
    Rule(
        id="daemon-authorization-plugin",
        title="A plugin decides what clients of the API may do",
        why="Without one, everybody who reaches the API may do everything.",
        applies_to=(DAEMON,),
        check=_authorization,
        attacker=FROM_HOST,
        reach=DEFENCE,
        remedy="Where others than root need the API, install an authorization plugin and name it in daemon.json; where nobody does, take everybody "
        "out of the group of the socket.",
        blast=RELOAD,
        variable="docker_daemon_settings",
        cis_1_6=("2.12",),
        cis_1_8=("2.13",),
    ),
    Rule(
        id="daemon-authorization-survives-reload",
        title="Authorization plugins stand in daemon.json, not on the command line",
        why="Any reload drops a plugin that only a flag names, while the daemon goes on to say that it is active: clients then may do everything.",
        applies_to=(DAEMON,),
        check=_authorization_survives,
        attacker=FROM_HOST,
        reach=HOST_PART,
        remedy="Move --authorization-plugin from the unit to authorization-plugins in daemon.json, restart, and try a request that the plugin denies.",
        blast=RESTART,
        variable="docker_daemon_settings",
    ),
    Rule(
        id="daemon-central-logs",
        title="Logs of containers are collected centrally",
        why="Whoever takes over the host takes its logs along.",
        applies_to=(DAEMON,),
        check=_central_logs,
        attacker=FROM_HOST,
        reach=TRACES,
        remedy="Set a log driver that the policy counts as central, with mode non-blocking.",
        blast=RESTART,
        variable="docker_daemon_log_driver",
        cis_1_6=("2.13",),
        cis_1_8=("2.14",),
        references=("OWASP Docker rule 10",),
    ),
    Rule(
        id="daemon-logs-bounded",
        title="Logs of new containers have an end",
        why="One container that writes without end fills the disk of all.",
        applies_to=(DAEMON,),
        check=is_value("log_bounded", True),
        attacker=FROM_CONTAINER,
        reach=AVAILABILITY,
        remedy="Use the driver local, or set max-size and max-file.",
        blast=RESTART,
        variable="docker_daemon_log_opts",
    ),
    Rule(
        id="daemon-no-new-privileges",
        title="New containers get no-new-privileges",
        why="Otherwise a setuid program in an image makes root of any user in the container.",
        applies_to=(DAEMON,),
        check=is_value("no_new_privileges", True),
        attacker=FROM_CONTAINER,
        reach=CONTAINER_ROOT,
        remedy="Set no-new-privileges; containers from earlier must be created again.",
        blast=RESTART,
        variable="docker_daemon_no_new_privileges",
        cis_1_6=("2.14",),
        cis_1_8=("2.15",),
        references=("OWASP Docker rule 4",),
        tempered_by=(severity.USERNS, severity.ROOTLESS),
    ),
    Rule(
        id="daemon-live-restore",
        title="Containers run on while the daemon restarts",
        why="Otherwise every change of the configuration and every update of the engine stops all of them, so it is put off.",
        applies_to=(DAEMON,),
        check=_live_restore,
        attacker=FROM_ACCIDENT,
        reach=AVAILABILITY,
        remedy="Set live-restore.",
        blast=RELOAD,
        variable="docker_daemon_live_restore",
        cis_1_6=("2.15",),
        cis_1_8=("2.16",),
    ),
    Rule(
        id="daemon-userland-proxy-off",
        title="No program of the host passes on published ports",
        why="docker-proxy is one more program that faces the network as root; without it the kernel does the work, with route_localnet on each bridge.",
        applies_to=(DAEMON,),
        check=is_value("userland_proxy", False),
        attacker=FROM_NETWORK,
        reach=HYGIENE,
        remedy="Set userland-proxy to false where nothing needs published ports by ::1 or from old kernels; else waive this.",
        blast=RESTART,
        variable="docker_daemon_settings",
        cis_1_6=("2.16",),
        cis_1_8=("2.17",),
    ),
    Rule(
        id="daemon-seccomp",
        title="New containers get a seccomp profile that closes what is dangerous",
        why="Every system call that a container may make is a part of the kernel that it can attack.",
        applies_to=(DAEMON,),
        check=_seccomp,
        attacker=FROM_CONTAINER,
        reach=DEFENCE,
        remedy="Remove seccomp-profile to use the engine's own, which gets its fixes, or close what is named here.",
        blast=RESTART,
        variable="docker_daemon_seccomp_profile",
        cis_1_6=("2.17",),
        cis_1_8=("2.18",),
        references=("OWASP Docker rule 6",),
    ),
    Rule(
        id="daemon-not-experimental",
        title="Experimental features are off",
        why="What is experimental has had less care, and changes between releases.",
        applies_to=(DAEMON,),
        check=is_value("experimental", False),
        attacker=FROM_ACCIDENT,
        reach=HYGIENE,
        remedy="Remove experimental.",
        blast=RESTART,
        variable="docker_daemon_settings",
        cis_1_6=("2.18",),
        cis_1_8=("2.19",),
    ),
    Rule(
        id="daemon-config-sound",
        title="The daemon's configuration says what it seems to say",
        why="dockerd passes over sections that it does not know and takes values that fail later: what looks hardened is not, or the next start fails.",
        applies_to=(DAEMON,),
        check=is_empty("config_problems", "nothing to object"),
        attacker=FROM_ACCIDENT,
        reach=AVAILABILITY,
        remedy="Correct what is named here.",
        blast=RESTART,
        variable="docker_daemon_settings",
    ),
    Rule(
        id="daemon-runs-its-file",
        title="The daemon runs with what its configuration says",
        why="A setting that waits for a restart protects nobody, and the next restart changes what nobody expects.",
        applies_to=(DAEMON,),
        check=is_empty("pending_keys", "nothing that waits"),
        attacker=FROM_CONTAINER,
        reach=DEFENCE,
        remedy="Restart the daemon, or take the change back.",
        blast=RESTART,
        variable="docker_daemon_restart",
    ),
    Rule(
        id="daemon-metrics-local",
        title="Metrics of the daemon are not served to the network",
        why="They ask nobody for a name, and tell what runs, which release it is and how loaded it is.",
        applies_to=(DAEMON,),
        check=_metrics,
        attacker=FROM_NETWORK,
        reach=DEFENCE,
        remedy="Let metrics-addr name a loopback address and collect them on the host, or remove it.",
        blast=RESTART,
        variable="docker_daemon_settings",
    ),
    Rule(
        id="daemon-diagnostic-port-off",
        title="The diagnostic server of the networks is off",
        why="It asks nobody for a name and changes tables of overlay networks; every account of the host and every container on its network reaches it.",
        applies_to=(DAEMON,),
        check=_diagnostic_port,
        attacker=FROM_HOST,
        reach=NEIGHBOURS,
        remedy="Remove network-diagnostic-port.",
        blast=RELOAD,
        variable="docker_daemon_settings",
    ),
    Rule(
        id="daemon-runc-is-runc",
        title="The names of the engine's own runtimes are not given to other programs",
        why="An entry runc in runtimes replaces, without a word, what starts every container as root.",
        applies_to=(DAEMON,),
        check=_runc_is_runc,
        attacker=FROM_DEPLOYER,
        reach=HOST_ROOT,
        remedy="Give the other runtime a name of its own, and name that where it is wanted.",
        blast=RELOAD,
        variable="docker_daemon_settings",
    ),
    Rule(
        id="daemon-runtimes-in-system-places",
        title="Runtimes are programs of the system",
        why="dockerd runs them as root; a path outside of the system's directories is one that others may be able to write.",
        applies_to=(DAEMON,),
        check=_runtimes_in_place,
        attacker=FROM_HOST,
        reach=DEFENCE,
        remedy="Install the runtime below /usr and name that path.",
        blast=RELOAD,
        variable="docker_daemon_settings",
    ),
    Rule(
        id="daemon-default-runtime-known",
        title="The default runtime exists",
        why="A reload accepts a name that nothing stands for, and then no container starts.",
        applies_to=(DAEMON,),
        check=_default_runtime,
        attacker=FROM_ACCIDENT,
        reach=AVAILABILITY,
        remedy="Set default-runtime to runc, or configure the runtime that it names.",
        blast=RELOAD,
        variable="docker_daemon_settings",
    ),
    Rule(
        id="daemon-no-direct-routing",
        title="Containers are not reached by their own addresses from outside",
        why="Neighbours on the network that send packets to a container's own address get at ports that are published for the host alone.",
        applies_to=(DAEMON,),
        check=_direct_routing,
        attacker=FROM_NETWORK,
        reach=DEFENCE,
        remedy="Remove allow-direct-routing, and DOCKER_INSECURE_NO_IPTABLES_RAW from the unit.",
        blast=RESTART,
        variable="docker_daemon_settings",
        references=("moby#45610",),
    ),
    Rule(
        id="daemon-min-api-version",
        title="The oldest API version is not lowered",
        why="Old versions of the API keep old behaviour alive that nobody tests.",
        applies_to=(DAEMON,),
        check=_min_api,
        attacker=FROM_HOST,
        reach=HYGIENE,
        remedy="Update the client that needs the old version, and remove min-api-version and DOCKER_MIN_API_VERSION.",
        blast=RESTART,
        variable="docker_daemon_settings",
    ),
)
