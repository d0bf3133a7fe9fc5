# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Swarm mode, the networks of the engine and its volumes.

PRIVATE to the collection: no stability is promised to other users.

What a rule asks of managers does not apply to a worker: only managers tell it.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.addresses import host_of, is_wildcard
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.checks import (
    failed,
    is_empty,
    is_value,
    not_applicable,
    passed,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import (
    NETWORK,
    SWARM,
    VOLUME,
    Outcome,
    Rule,
    Subject,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules.escapes import normal
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules.mounts import sensitivity
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.severity import (
    AVAILABILITY,
    DATA,
    DEFENCE,
    FROM_ACCIDENT,
    FROM_DEPLOYER,
    FROM_HOST,
    FROM_NETWORK,
    HOST_PART,
    HYGIENE,
    MIGRATION,
    NEIGHBOURS,
    NOTHING,
    REBOOT,
    RECREATE,
)

_DAY = 24 * 3600
LONGEST_CERTIFICATE_DAYS = 90
_REMOTE_TYPES = ("nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "9p")

_Check = t.Callable[[Subject], Outcome]


def _in_swarm(check: _Check) -> _Check:
    def guarded(subject: Subject) -> Outcome:
        return check(subject) if subject.value("active") else not_applicable("the host is in no swarm")

    return guarded


def _on_manager(check: _Check) -> _Check:
    def guarded(subject: Subject) -> Outcome:
        if not subject.value("active"):
            return not_applicable("the host is in no swarm")
        return check(subject) if subject.value("manager") else not_applicable("the host is a worker; managers tell this")

    return guarded


def _wanted(subject: Subject) -> Outcome:
    fact = subject.fact("active")
    if not fact.value:
        return passed(fact, "off, or wanted")
    wanted = subject.fact("wanted")
    if not wanted.value:
        return not_applicable("nobody decided whether this host shall be in a swarm; say it in the policy")
    return (passed if wanted.value == "yes" else failed)(fact, "off, or wanted")


def _managers(subject: Subject) -> Outcome:
    fact = subject.fact("managers")
    count = int(fact.value)
    if count < 3:
        reason = "the swarm stands still when a manager is lost"
    elif count > 7:
        reason = "each manager more makes every change slower, and is one more that holds all secrets"
    else:
        reason = "an even number survives no more losses than the odd one below it" if count % 2 == 0 else ""
    return (failed(fact, "3, 5 or 7", reason=reason)) if reason else passed(fact, "3, 5 or 7")


def _listens(subject: Subject) -> Outcome:
    fact = subject.fact("listen_address")
    return (failed if is_wildcard(str(fact.value)) else passed)(fact, "one address")


def _certificates(subject: Subject) -> Outcome:
    fact = subject.fact("certificate_expiry")
    days = fact.value / _DAY
    expected = f"at most {LONGEST_CERTIFICATE_DAYS} days"
    return (passed if 0 < days <= LONGEST_CERTIFICATE_DAYS else failed)(fact, expected, f"{days:.0f} days")


def _authority(subject: Subject) -> Outcome:
    limit = subject.fact("maximum_ca_age_days")
    if not limit.value:
        return not_applicable("nobody decided how old the certificate authority may be; say it in the policy")
    fact = subject.fact("ca_age_days")
    return (passed if fact.value <= limit.value else failed)(fact, f"at most {limit.value} days", f"{fact.value} days")


def _planes(subject: Subject) -> Outcome:
    if subject.value("nodes") == 1:
        return not_applicable("the swarm has one node, so nothing crosses the network")
    fact, other = subject.fact("data_path_address"), subject.fact("advertise_address")
    data, management = host_of(str(fact.value)), host_of(str(other.value))
    apart = bool(data) and data != management
    return (passed if apart else failed)(fact, f"another address than {management or 'the one of the management'}", data or "the same")


def _encrypted(subject: Subject) -> Outcome:
    """The ingress network carries what was published anyway, and no setting of it encrypts: it is no overlay to ask this of."""
    driver = subject.fact("driver")
    if driver.value != "overlay":
        return not_applicable(f"the driver {driver.value} carries nothing between hosts")
    if subject.value("ingress"):
        return not_applicable("the ingress network carries published ports, which are not secret")
    return is_value("encrypted", True)(subject)


def _on_bridge(check: _Check) -> _Check:
    def guarded(subject: Subject) -> Outcome:
        driver = subject.value("driver")
        return check(subject) if driver == "bridge" else not_applicable(f"only bridges have it, and this network has the driver {driver}")

    return guarded


def _gateway_modes(subject: Subject) -> Outcome:
    fact = subject.fact("gateway_modes")
    expected = "nat or isolated"
    if "nat-unprotected" in fact.value:
        return failed(fact, expected, reason="every port of its containers is open, published or not", reach=NEIGHBOURS)
    if "routed" in fact.value:
        return failed(fact, expected, reason="published ports are open at the containers' own addresses, without the host's address between")
    return passed(fact, expected, fact.value or "nat, the default")


def _device(subject: Subject) -> Outcome:
    fact, kind = subject.fact("device"), subject.fact("device_type")
    path = normal(str(fact.value))
    expected = "no place that belongs to the host"
    if not path.startswith("/") or kind.value in _REMOTE_TYPES:
        return passed(fact, expected)
    if path.startswith("/dev/") and kind.value not in ("", "none", "bind"):
        return passed(fact, expected, f"{fact.value}, a disk with {kind.value}")
    reach = sensitivity(path, "ro" in subject.value("options"))
    if not reach:
        return passed(fact, expected)
    return failed(fact, expected, reason="containers that mount this volume see it, and nothing in their definition says so", reach=reach)


def _remote_options(subject: Subject) -> Outcome:
    kind = subject.fact("device_type")
    if str(kind.value).lower() not in _REMOTE_TYPES:
        return not_applicable("the volume does not come from another host")
    fact = subject.fact("options")
    missing = [name for name in ("nosuid", "nodev") if name not in fact.value]
    expected = "nosuid and nodev"
    return failed(fact, expected, reason=f"{' and '.join(missing)} is missing") if missing else passed(fact, expected)


RULES = (
    Rule(
        id="swarm-wanted",
        title="Swarm mode is off unless it is wanted",
        why="It opens ports to the network, and whoever has a manager has every node.",
        applies_to=(SWARM,),
        check=_wanted,
        attacker=FROM_NETWORK,
        reach=DEFENCE,
        remedy="Leave the swarm with `docker swarm leave`, or say in the policy that it is wanted.",
        blast=RECREATE,
        variable="docker_audit_policy",
        cis_1_6=("5.1",),
        cis_1_8=("5.1",),
    ),
    Rule(
        id="swarm-number-of-managers",
        title="The swarm has 3, 5 or 7 managers",
        why="Managers decide by majority: too few do not survive a loss, an even number gains nothing, too many slow it down.",
        applies_to=(SWARM,),
        check=_on_manager(_managers),
        attacker=FROM_ACCIDENT,
        reach=AVAILABILITY,
        remedy="Promote or demote nodes.",
        blast=NOTHING,
        cis_1_6=("7.1",),
        cis_1_8=("7.1",),
    ),
    Rule(
        id="swarm-listens-on-one-address",
        title="The swarm listens on one address",
        why="On every address it can be reached from networks that no node is on.",
        applies_to=(SWARM,),
        check=_in_swarm(_listens),
        attacker=FROM_NETWORK,
        reach=DEFENCE,
        remedy="Let the node leave and join again with --listen-addr.",
        blast=RECREATE,
        cis_1_6=("7.2",),
        cis_1_8=("7.2",),
    ),
    Rule(
        id="swarm-secrets-used",
        title="Services get secrets as secrets of the swarm",
        why="What is given as a variable can be read by everybody who can look at the service, on every manager.",
        applies_to=(SWARM,),
        check=_on_manager(is_empty("plain_secrets", "none, and secrets of the swarm instead")),
        attacker=FROM_HOST,
        reach=DATA,
        remedy="Create secrets with `docker secret create` and give them to the services that are named here.",
        blast=RECREATE,
        cis_1_6=("7.4",),
        cis_1_8=("7.4",),
        references=("OWASP Docker rule 12",),
    ),
    Rule(
        id="swarm-autolock",
        title="Keys of the managers are locked",
        why="Whoever gets at the disk of a manager, or a backup of it, reads all secrets of the swarm.",
        applies_to=(SWARM,),
        check=_on_manager(is_value("autolock", True)),
        attacker=FROM_HOST,
        reach=DATA,
        remedy="Set `docker swarm update --autolock=true`, and keep the key elsewhere: after each restart a manager waits for it.",
        blast=REBOOT,
        cis_1_6=("7.5",),
        cis_1_8=("7.5",),
    ),
    Rule(
        id="swarm-certificates-expire",
        title="Certificates of the nodes expire soon",
        why="A certificate that was taken from a node is good until it expires.",
        applies_to=(SWARM,),
        check=_on_manager(_certificates),
        attacker=FROM_NETWORK,
        reach=DEFENCE,
        remedy="Set `docker swarm update --cert-expiry`, 90 days at most.",
        blast=NOTHING,
        cis_1_6=("7.7",),
        cis_1_8=("7.7",),
    ),
    Rule(
        id="swarm-authority-rotated",
        title="The certificate authority is no older than the policy allows",
        why="Its key signs nodes into the swarm for as long as it is in use, wherever copies of it are.",
        applies_to=(SWARM,),
        check=_on_manager(_authority),
        attacker=FROM_NETWORK,
        reach=DEFENCE,
        remedy="Rotate it with `docker swarm ca --rotate`; the tokens to join change with it.",
        blast=NOTHING,
        variable="docker_audit_policy",
        cis_1_6=("7.8",),
        cis_1_8=("7.8",),
    ),
    Rule(
        id="swarm-planes-apart",
        title="Data of containers and management use different networks",
        why="On one network containers' traffic can crowd out the management, and whoever watches it sees both.",
        applies_to=(SWARM,),
        check=_in_swarm(_planes),
        attacker=FROM_NETWORK,
        reach=HYGIENE,
        remedy="Let the node join with --data-path-addr of another interface; on hosts with one network waive this.",
        blast=RECREATE,
        cis_1_6=("7.9",),
        cis_1_8=("7.9",),
    ),
    Rule(
        id="network-overlay-encrypted",
        title="The overlay network is encrypted",
        why="Without it everybody between the nodes reads and changes what containers say to one another.",
        applies_to=(NETWORK,),
        check=_encrypted,
        attacker=FROM_NETWORK,
        reach=DATA,
        remedy="Set `encrypted: ""` in the network's `driver_opts`, create it again, and let ESP pass between the nodes.",
        blast=RECREATE,
        cis_1_6=("7.3",),
        cis_1_8=("7.3",),
    ),
    Rule(
        id="network-gateway-protected",
        title="Containers of the network are reached only by ports of the host",
        why="In other modes neighbours on the network reach containers at their own addresses.",
        applies_to=(NETWORK,),
        check=_on_bridge(_gateway_modes),
        attacker=FROM_NETWORK,
        reach=DEFENCE,
        remedy="Remove gateway_mode_ipv4 and gateway_mode_ipv6 from the network's `driver_opts` and create it again, or filter in front of it and waive this.",
        blast=RECREATE,
    ),
    Rule(
        id="network-trusts-no-interface",
        title="No interface passes by the protection of published ports",
        why="From a trusted interface ports are reached that are published for other addresses.",
        applies_to=(NETWORK,),
        check=_on_bridge(is_empty("trusted_interfaces")),
        attacker=FROM_NETWORK,
        reach=DEFENCE,
        remedy="Remove trusted_host_interfaces from the network's `driver_opts`, and create it again.",
        blast=RECREATE,
    ),
    Rule(
        id="volume-device-is-its-own",
        title="The volume is no place of the host in disguise",
        why="A volume with driver options can be any directory or disk of the host, while its containers seem to mount a volume.",
        applies_to=(VOLUME,),
        check=_device,
        attacker=FROM_DEPLOYER,
        reach=HOST_PART,
        remedy="Remove `device` from the volume's `driver_opts`, or name a directory that holds its data alone, and create it again.",
        blast=MIGRATION,
        cis_1_6=("5.6",),
        cis_1_8=("5.6",),
        references=("OWASP Docker rule 7",),
    ),
    Rule(
        id="volume-from-network-restricted",
        title="A volume of another host brings no setuid programs and no devices",
        why="Whoever writes on the other host, or stands between, makes root of a user in the container.",
        applies_to=(VOLUME,),
        check=_remote_options,
        attacker=FROM_NETWORK,
        reach=DEFENCE,
        remedy="Add nosuid and nodev to `o` in the volume's `driver_opts`, and create it again.",
        blast=RECREATE,
    ),
    Rule(
        id="volume-options-without-secrets",
        title="No password stands in the volume's options",
        why="Everybody who may look at the engine reads them, and they stay as long as the volume.",
        applies_to=(VOLUME,),
        check=is_empty("secret_names"),
        attacker=FROM_HOST,
        reach=DATA,
        remedy="Take the password out of the volume's `driver_opts`: mount the share on the host, with a file of credentials that only root reads, "
        "and bind its directory. Change the password, since it has been seen.",
        blast=RECREATE,
        references=("OWASP Docker rule 12", "ATT&CK T1552"),
    ),
    Rule(
        id="volume-data-no-link",
        title="The directory of the volume is no link",
        why="The engine follows it: containers write where the link leads, and tools that run as root do so too.",
        applies_to=(VOLUME,),
        check=is_value("data_is_link", False),
        attacker=FROM_DEPLOYER,
        reach=HOST_PART,
        remedy="Stop its containers, move the data into the directory, or mount a filesystem there.",
        blast=MIGRATION,
    ),
)
