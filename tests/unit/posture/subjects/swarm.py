# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Swarms, networks and volumes that fail and pass the rules of rules/swarm.py."""

from __future__ import annotations

_DAY = 24 * 3600

CASES = {
    "swarm-wanted": {"fails": [{"wanted": "no"}], "passes": [{"wanted": "yes"}, {"active": False, "wanted": "no"}, {"active": False, "wanted": ""}]},
    "swarm-number-of-managers": {"fails": [{"managers": count} for count in (1, 2, 4, 6, 8, 9)], "passes": [{"managers": count} for count in (3, 5, 7)]},
    "swarm-listens-on-one-address": {
        "fails": [{"listen_address": address} for address in ("0.0.0.0:2377", "[::]:2377", ":2377")],
        "passes": [{"listen_address": "10.0.0.1:2377"}, {"listen_address": "[fd00::1]:2377"}, {"manager": False, "listen_address": "10.0.0.1:7946"}],
    },
    "swarm-secrets-used": {"fails": [{"plain_secrets": ("shop_web",)}], "passes": [{"plain_secrets": ()}, {"secrets": 0}]},
    "swarm-autolock": {"fails": [{"autolock": False}], "passes": [{"autolock": True}]},
    "swarm-certificates-expire": {
        "fails": [{"certificate_expiry": 91 * _DAY}, {"certificate_expiry": 0}],
        "passes": [{"certificate_expiry": 90 * _DAY}, {"certificate_expiry": 3600}, {"certificate_expiry": 2 * _DAY}],
    },
    "swarm-authority-rotated": {"fails": [{"ca_age_days": 366}], "passes": [{"ca_age_days": 365}]},
    "swarm-planes-apart": {
        "fails": [
            {"data_path_address": "10.0.0.1"},
            {"data_path_address": ""},
            {"data_path_address": "fd00::1", "advertise_address": "[fd00::1]:2377"},
        ],
        "passes": [{"data_path_address": "10.1.0.1"}, {"data_path_address": "fd01::1", "advertise_address": "[fd00::1]:2377"}],
    },
    "network-overlay-encrypted": {
        "fails": [{"driver": "overlay", "encrypted": False}],
        "passes": [{"driver": "overlay", "encrypted": True}],
    },
    "network-gateway-protected": {
        "fails": [{"gateway_modes": ("nat-unprotected",)}, {"gateway_modes": ("nat", "routed")}],
        "passes": [{"gateway_modes": ()}, {"gateway_modes": ("isolated",)}, {"gateway_modes": ("nat",)}],
    },
    "network-trusts-no-interface": {"fails": [{"trusted_interfaces": ("vxlan.1",)}], "passes": [{"trusted_interfaces": ()}]},
    "volume-device-is-its-own": {
        "fails": [
            {"device": "/etc", "device_type": "none", "options": ("bind",)},
            {"device": "/", "device_type": "none", "options": ("bind", "ro")},
            {"device": "/srv/../etc/cron.d", "device_type": "none", "options": ("bind",)},
            {"device": "/var/run/docker.sock", "device_type": "none", "options": ("bind",)},
            {"device": "/etc", "device_type": "overlay", "options": ("lowerdir=/etc",)},
            {"device": "/dev", "device_type": "none", "options": ("bind",)},
        ],
        "passes": [
            {"device": ""},
            {"device": "/srv/data/web", "device_type": "none", "options": ("bind",)},
            {"device": "/dev/mapper/vg-web", "device_type": "ext4"},
            {"device": ":/export/web", "device_type": "nfs"},
            {"device": "//etc/passwords", "device_type": "cifs"},
            {"device": "tmpfs", "device_type": "tmpfs"},
        ],
    },
    "volume-from-network-restricted": {
        "fails": [
            {"device": ":/export", "device_type": "nfs", "options": ("addr=10.0.0.9",)},
            {"device": ":/export", "device_type": "nfs4", "options": ("addr=10.0.0.9", "nosuid")},
            {"device": "//files/web", "device_type": "cifs", "options": ("nodev",)},
        ],
        "passes": [{"device": ":/export", "device_type": "nfs", "options": ("addr=10.0.0.9", "nosuid", "nodev")}],
    },
    "volume-options-without-secrets": {"fails": [{"secret_names": ("o: password",)}], "passes": [{"secret_names": ()}]},
    "volume-data-no-link": {"fails": [{"data_is_link": True}], "passes": [{"data_is_link": False}]},
}
