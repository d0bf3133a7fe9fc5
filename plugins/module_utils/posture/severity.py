# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""How bad a failure is: derived from where an attacker must be and what they get, never chosen rule by rule.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import typing as t

CRITICAL = "critical"
HIGH = "high"
MEDIUM = "medium"
LOW = "low"
INFO = "info"
SEVERITIES = (CRITICAL, HIGH, MEDIUM, LOW, INFO)
# What a rule counts in the score.
WEIGHTS = {CRITICAL: 10, HIGH: 6, MEDIUM: 3, LOW: 1, INFO: 0}

# Where somebody must be to use a failure, from the easiest place to the hardest.
FROM_NETWORK = "on the network"
FROM_CONTAINER = "in the container"
FROM_HOST = "with an account on the host"
FROM_DEPLOYER = "in the supply of images or files"
# Nobody attacks: what fails is protection against accidents, or what one sees afterwards.
FROM_ACCIDENT = "nowhere: it happens by accident"
ATTACKERS = (FROM_NETWORK, FROM_CONTAINER, FROM_HOST, FROM_DEPLOYER, FROM_ACCIDENT)

# What it gives them.
HOST_ROOT = "root on the host"
HOST_PART = "a part of the host: its files, devices, kernel settings or network"
NEIGHBOURS = "other containers"
DATA = "data or secrets"
CONTAINER_ROOT = "more rights in the container"
AVAILABILITY = "an outage of the host or of neighbours"
DEFENCE = "one layer of defence less"
TRACES = "fewer traces"
HYGIENE = "nothing by itself"
REACHES = (HOST_ROOT, HOST_PART, NEIGHBOURS, DATA, CONTAINER_ROOT, AVAILABILITY, DEFENCE, TRACES, HYGIENE)

# What mending interrupts, from the least to the most.
NOTHING = "nothing"
RELOAD = "reload of the daemon"
RECREATE = "the container is created again"
RESTART = "restart of the daemon"
REBOOT = "reboot"
MIGRATION = "data is moved"
REBUILD = "the image is built again"
BLASTS = (NOTHING, RELOAD, RECREATE, RESTART, REBOOT, MIGRATION, REBUILD)

# What makes a failure weaker on this host.
USERNS = "userns"
ROOTLESS = "rootless"
LSM = "lsm"
CONTEXTS = (USERNS, ROOTLESS, LSM)

_TABLE = {
    HOST_ROOT: (CRITICAL, CRITICAL, CRITICAL, HIGH, HIGH),
    HOST_PART: (CRITICAL, HIGH, HIGH, MEDIUM, MEDIUM),
    NEIGHBOURS: (HIGH, HIGH, MEDIUM, MEDIUM, LOW),
    DATA: (HIGH, HIGH, MEDIUM, MEDIUM, MEDIUM),
    CONTAINER_ROOT: (HIGH, MEDIUM, MEDIUM, LOW, LOW),
    AVAILABILITY: (HIGH, MEDIUM, MEDIUM, LOW, MEDIUM),
    DEFENCE: (MEDIUM, MEDIUM, LOW, LOW, LOW),
    TRACES: (MEDIUM, LOW, LOW, LOW, LOW),
    HYGIENE: (LOW, LOW, LOW, LOW, LOW),
}


def derive(attacker: str, reach: str, tempered_by: t.Collection[str] = (), context: t.Collection[str] = ()) -> str:
    """Return the severity of a failure.

    Args:
        attacker: one of ATTACKERS.
        reach: one of REACHES.
        tempered_by: contexts in which this failure gives less.
        context: contexts of the subject: USERNS when its root is nobody on the host, ROOTLESS when the daemon is not
            root, LSM when AppArmor or SELinux confines it. However many apply, it is one step.
    """
    severity = _TABLE[reach][ATTACKERS.index(attacker)]
    if tempered_by and any(name in context for name in tempered_by):
        severity = SEVERITIES[min(SEVERITIES.index(severity) + 1, SEVERITIES.index(LOW))]
    return severity


def at_least(severity: str, threshold: str) -> bool:
    """Tell whether a severity is as bad as a threshold, or worse."""
    return SEVERITIES.index(severity) <= SEVERITIES.index(threshold)
