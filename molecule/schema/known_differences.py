# SPDX-License-Identifier: Apache-2.0
"""Where the model's verdict is on purpose another than the engine's, and why. Everything else that differs is a mistake.

Each reason has its cases and the engines on which they differ; ALL stands for the three of the lab.
"""

from __future__ import annotations

ALL = ("oldstable", "stable", "testing")
OLD = ("oldstable",)
NEWER = ("stable", "testing")

Differences = dict[str, dict[str, tuple[str, ...]]]

#: The engine puts it into force, and the model refuses it all the same.
STRICTER: Differences = {
    "it depends on the directory in which dockerd is started": {'data-root: bad "relative/place"': NEWER},
    "it gives root to whoever reaches the address": {
        "hosts: without a scheme": ALL,
        "hosts: without tlsverify": ALL,
    },
    "it shows the daemon's inner life to every network": {'metrics-addr: bad "0.0.0.0:9323"': ALL},
    "it takes the verification of every registry away": {'insecure-registries: bad ["0.0.0.0/0"]': ALL},
    "dockerd chooses ids that another user may own": {"userns-remap: default": ALL},
    "it is open only after a SIGHUP, and stays where it is when the file names another port": {
        "network-diagnostic-port: after SIGHUP": ALL
    },
    "it takes the system call filter from every container": {"seccomp-profile: unconfined": NEWER},
    "a key that says nothing is a mistake, and was taken out by leaving it out": {"debug: null": ALL},
    "one spelling for one thing": {"log-level: upper case": ALL},
    "without rootlesskit it is not true, and 28 does not start with it": {
        "rootless: for root": ("oldstable", "stable")
    },
    "it holds after SIGHUP, while a start takes the default": {"shutdown-timeout: zero": ALL},
    "it means no limit here and the default to newer engines": {
        "max-concurrent-downloads: zero": OLD,
        "max-concurrent-uploads: zero": OLD,
    },
    "the runtime is listed and cannot start a container, or starts another one than is written": {
        "runtimes: empty": OLD,
        "runtimes: path and type": OLD,
        "runtimes: options without a type": OLD,
        "runtimes: arguments with a type": OLD,
    },
    "control groups of version 2 have no such controller, and newer engines do not start": {
        "cpu-rt-period: bad 1000000": OLD,
        "cpu-rt-runtime: bad 950000": OLD,
    },
    "no container could start": {
        "default-ulimits: soft above hard": ALL,
        "default-ulimits: an unknown limit": ALL,
        'log-driver: bad "bogus"': ALL,
        'log-driver: bad "logentries"': ALL,
    },
    "a subnet of the wrong family": {'fixed-cidr-v6: bad "172.31.9.0/25"': OLD},
    "containers would get addresses that the bridge does not route": {"fixed-cidr: outside of bip": ALL},
    "no interface can have it": {"network-control-plane-mtu: bad -5": ALL},
    "two networks could get the same addresses": {"default-address-pools: overlapping": ALL},
    "the switch works by an accident of the parser, and the keys beside it do not": {
        "network: a section around a switch": ALL
    },
    "a file holds an object": {"(file): null": ALL},
    "what stands behind the object is lost without a word": {"(file): something behind the end": OLD},
    "not every engine and hardly another tool reads it": {"(file): UTF-16": NEWER},
}

#: The engine starts and nothing comes of it; the model refuses what has no effect.
IGNORED: Differences = {
    "no engine has a switch of that name": {'features: bad {"no-such-feature": true}': ALL},
    "an unknown name inside a section is passed over": {
        'builder: bad {"gcc": {"enabled": true}}': ALL,
        "builder: a misspelt field of gc": ALL,
        "runtimes: an unknown field": ALL,
        "default-network-opts: an unknown option": ALL,
        "default-network-opts: a misspelt option": ALL,
        "default-network-opts: an unknown driver": NEWER,
        'exec-opts: bad ["bogus=1"]': ("oldstable", "stable"),
        'exec-opts: bad ["native.cgroupdriver"]': ("oldstable", "stable"),
    },
    "the names in it are those of flags, so the check for unknown keys passes": {
        'default-network-opts: good {"bridge": {"com.docker.network.driver.mtu": "1300"}}': OLD,
        'default-network-opts: bad {"bridge": {"com.docker.network.driver.mtu": 1300}}': OLD,
        "logging: a section around a key": ALL,
        "label: the flag's name": ALL,
        'containerd-plugins-namespace: bad "plugins"': ALL,
        "http-proxy: at the top level": NEWER,
        "https-proxy: at the top level": NEWER,
        "no-proxy: at the top level": NEWER,
    },
    "this engine does not have it yet": {
        "runtimes: a type": OLD,
        "runtimes: a type with options": OLD,
    },
    "it waits for another switch": {
        "cdi-spec-dirs: alone": ("stable",),
        "cdi-spec-dirs: without the feature": NEWER,
    },
    "this engine has it no longer and passes over it": {
        'deprecated-key-path: good "{dir}/key.json"': NEWER,
        "deprecated-key-path: bad 5": NEWER,
        'allow-nondistributable-artifacts: good ["registry.lab:5000"]': ("testing",),
        'allow-nondistributable-artifacts: bad "registry.lab"': ("testing",),
    },
    "zero stands for the default": {
        "mtu: zero": ALL,
        "max-concurrent-downloads: zero": NEWER,
        "max-concurrent-uploads: zero": NEWER,
        "max-download-attempts: zero": NEWER,
    },
    "it switches the remapping off, which nobody writes on purpose": {"userns-remap: root": ALL},
    "the value is only read when a container starts, and fails then": {
        'containerd-namespace: bad "not a name/at all"': ALL,
        "default-ulimits: without its name": ALL,
        "log-opts: a size that is none": ALL,
    },
    "a start does not open it": {"network-diagnostic-port: before SIGHUP": ALL},
    "no port has that number, and the server is not opened": {
        "network-diagnostic-port: bad 70000": ("oldstable", "stable")
    },
    "the last of two wins without a word": {"(file): a key twice": ALL, "(file): a nested key twice": ALL},
    "the bytes are replaced by question marks": {"(file): bytes that are no UTF-8": OLD},
    "nothing reads that deep": {"(file): deep nesting": ALL},
}

#: The model cannot know it, because it hangs on the host; the module looks there (host/daemon_facts.py), or the start fails
#: and is rolled back.
ON_THE_HOST: Differences = {
    "whether a group exists": {'group: bad "no-such-group"': ALL},
    "whether a user exists": {'userns-remap: bad "no-such-user"': ALL},
    "whether a file exists": {
        "tlscacert: a missing file": ALL,
        "tlscert: a missing file": ALL,
        "tlskey: a missing file": ALL,
        "seccomp-profile: a missing file": ALL,
        "userland-proxy-path: a missing program": NEWER,
        "init-path: a missing program": ALL,
    },
    "whether a bridge exists": {'bridge: bad "no-such-bridge"': ALL},
    "whether the kernel has a filesystem": {'storage-driver: bad "aufs"': OLD},
}


#: What keeps an engine from serving without an end: it looks for the mount point above a relative path for ever.
HANGS = {('data-root: bad "relative/place"', "oldstable")}


def flat(table: Differences) -> dict[tuple[str, str], str]:
    """Return the reason by case and engine."""
    return {(case, name): reason for reason, cases in table.items() for case, names in cases.items() for name in names}
