# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Hosts that fail and pass the rules of rules/versions.py."""

from __future__ import annotations

CASES = {
    "engine-version-wanted": {
        "fails": [{"engine_version": "28.5.2"}, {"engine_version": "29.5.1-rc.1"}, {"engine_version": "20.10.24+dfsg1"}],
        "passes": [{"engine_version": "29.5.1"}, {"engine_version": "29.6.0"}, {"engine_version": "26.1.5+dfsg1", "minimum_version": "26.1"}],
    },
    "engine-without-known-holes": {
        "fails": [{"engine_version": version} for version in ("20.10.24+dfsg1", "25.0.16", "26.1.5+dfsg1", "28.5.2", "29.5.0", "29.6.2", "29.8.1")],
        "passes": [
            {"engine_version": "29.8.2"},
            {"engine_version": "30.0.0"},
            {"engine_version": "29.6.2", "package_backports": {"engine": ("CVE-2026-17106", "CVE-2026-92543")}},
        ],
    },
    "engine-networks-without-known-holes": {
        "fails": [{"engine_version": "20.10.23"}, {"engine_version": "23.0.2"}, {"engine_version": "28.3.2"}, {"engine_version": "29.8.1"}],
        "passes": [
            {"engine_version": "29.8.2"},
            {"engine_version": "20.10.23", "encrypted_networks": ()},
            {"engine_version": "28.3.3", "encrypted_networks": ()},
            {"engine_version": "28.3.2", "encrypted_networks": (), "firewalld": ()},
        ],
    },
    "engine-builder-without-known-holes": {
        "fails": [{"engine_version": version} for version in ("24.0.9", "25.0.1", "29.3.0", "29.6.1", "29.8.1")],
        "passes": [{"engine_version": "29.8.2"}],
    },
    "engine-authorization-without-known-holes": {
        "fails": [{"engine_version": "29.3.0"}, {"engine_version": "27.1.0"}, {"engine_version": "28.5.2"}, {"engine_version": "25.0.15"}],
        "passes": [{"engine_version": "29.3.1"}, {"engine_version": "25.0.16"}],
    },
    "containerd-without-known-holes": {
        "fails": [{"containerd_version": version} for version in ("1.4.2", "1.6.24~ds1", "1.7.28", "2.0.6", "v2.1.4", "2.1.0", "2.2.0-rc.1", "2.2.5")],
        "passes": [
            {"containerd_version": "1.7.36"},
            {"containerd_version": "v2.3.6"},
            {"containerd_version": "1.7.29", "containerd_images": False},
            {"containerd_version": "2.2.0", "containerd_images": False},
            {"containerd_version": "1.6.24~ds1", "package_backports": {"containerd": ("CVE-2024-25621", "CVE-2026-53493")}},
        ],
    },
    "runc-without-known-holes": {
        "fails": [
            {"runc_versions": {"/usr/bin/runc": version}}
            for version in ("1.0.0-rc6", "1.1.5+ds1", "1.1.11", "1.1.15", "1.2.7", "1.3.2", "1.4.0-rc.2", "1.3.5", "1.4.2", "1.5.0-rc.2")
        ]
        + [{"runc_versions": {"/usr/bin/runc": "1.3.6", "/opt/old/runc": "1.1.11"}}],
        "passes": [
            {"runc_versions": {"/usr/bin/runc": "1.3.6"}},
            {"runc_versions": {"/usr/bin/runc": "1.5.0"}},
            {"runc_versions": {"runc": "1.4.3+ds1"}},
            {
                "runc_versions": {"/usr/bin/runc": "1.2.7"},
                "package_backports": {"runc": ("CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881", "CVE-2026-41579")},
            },
        ],
    },
    "runc-fits-engine": {
        "fails": [{"engine_version": "29.5.0", "runc_versions": {"/usr/bin/runc": "1.1.15+ds1"}}],
        "passes": [{"engine_version": "29.5.0", "runc_versions": {"/usr/bin/runc": "1.2.0"}}, {}],
    },
    "host-cgroup-v2": {"fails": [{"cgroup_version": 1}], "passes": [{"cgroup_version": 2}]},
}
