#!/usr/bin/python
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_daemon_config
short_description: Change the configuration of the Docker daemon as a transaction
version_added: 0.1.0
description:
  - Puts settings into C(daemon.json) and makes the running daemon use them, with the least force that does it.
    SIGHUP where that is enough, and proved by the daemon's own report; a restart where it is not.
  - Before anything is written, the whole configuration is judged for the installed release of the engine, with its log
    options, the seccomp profile, id ranges, plugins and the flags of the unit, and by C(dockerd --validate) from
    Docker 23.0 on. All reasons to refuse are given at once.
  - When the daemon does not serve as configured afterwards, the files that worked are restored, the daemon is started
    with them, and the module fails with the reason from the journal.
  - Keys of C(daemon.json) that the module did not set are kept. Keys that it set in an earlier run and that are no
    longer in O(settings) are removed. In C(features), C(runtimes), C(default-ulimits) and C(default-network-opts) this
    holds for each member.
  - What was set is remembered in C(/var/lib/bulkhead/daemon.json), together with the last configuration that worked.
  - A daemon that runs with other arguments than its unit says is restarted too, and so is one that was started with something that
    M(bulkhead.docker.docker_manifest_restore) has put right since. What somebody gave it by SIGHUP alone is taken back by SIGHUP.
  - Whoever may write to the socket of the API is root, so sockets that systemd holds for the daemon get back the mode and the owner
    that C(docker.socket) gives them, where somebody has changed them. Who shall have other rights says so in C(docker.socket).
author:
  - The Bulkhead authors (@bulkhead)
extends_documentation_fragment:
  - bulkhead.docker.attributes
requirements:
  - Docker SDK for Python 5.0.3 or newer (Debian package python3-docker); not needed in check mode.
options:
  settings:
    description:
      - The keys of C(daemon.json) to manage, as the engine's reference manual writes them.
      - Values of C(log-opts) are strings.
      - C(userns-remap) names a user that exists and has ranges; see M(bulkhead.docker.docker_subid).
    type: dict
    required: true
  seccomp_profile:
    description:
      - V(builtin) for the engine's own profile.
      - Or a dictionary with C(base=builtin), C(allow) and C(deny), two lists of system calls that are opened and closed in
        the engine's own profile. What is denied goes before what is allowed. The profile is rendered for the installed
        release of the engine, so an upgrade brings the fixes of its profile with it.
      - An entry of these lists is the name of a system call, or a dictionary with C(name) or C(names), and any of C(args),
        C(capabilities), C(architectures) and, for a denied call, C(errno), the error that it gets. Each of C(args) has
        C(index), C(op) (V(eq), V(ne), V(lt), V(le), V(gt), V(ge) or V(masked_eq)), C(value) and, for V(masked_eq), with
        the mask as C(value), C(value_two). Arguments, capabilities and architectures all have to apply.
      - Or a profile in the engine's own form, as JSON text or as a dictionary. It is used as it is, so it misses what later
        releases close.
      - A profile is checked, written to C(/etc/docker/seccomp-bulkhead.json), and named by C(seccomp-profile). System calls
        that libseccomp on the host does not know, rules that can never count, and a profile that would switch the filter
        off are refused.
      - After the restart a container of a few kilobytes tries several hundred system calls under the new profile, with
        arguments that do nothing. Where it does not behave as the profile says, the old profile is put back.
    type: raw
    default: builtin
  image_store:
    description:
      - Where images and layers lie. V(overlay2) pins the graph driver, V(containerd) the store of containerd, with the
        keys that the installed release needs for it; empty sets none of them.
      - What O(settings) says of the same keys goes before.
    type: str
    choices: [overlay2, containerd, '']
    default: ''
  selinux:
    description:
      - Whether containers get labels of SELinux (C(selinux-enabled)). V(auto) does it where the kernel enforces SELinux and
        the policy for containers is installed, and sets nothing elsewhere; empty sets nothing.
      - V(true) is refused where it would do nothing. What O(settings) says of the key goes before.
    type: str
    choices: [auto, 'true', 'false', '']
    default: ''
  restart:
    description:
      - V(auto) restarts the daemon when a change needs it.
      - V(defer) writes the files, applies what SIGHUP applies, and leaves the restart for later. A later run with
        V(auto) does it, or anybody who restarts the daemon. Settings that go back before that leave nothing pending.
    type: str
    choices: [auto, defer]
    default: auto
  start:
    description: Whether a daemon that is installed and does not run is started.
    type: bool
    default: true
  log_budget:
    description:
      - What to do when the logs of containers could take more room than the filesystem that holds them has, or could
        grow without end. V(warn) says so, V(enforce) refuses before anything is written, V(ignore) does not look.
      - Containers from earlier that take too much, or log without end, are a warning also with V(enforce), because
        only new settings help them.
    type: str
    choices: [warn, enforce, ignore]
    default: warn
  log_containers:
    description:
      - How many containers with the new log settings shall have room, beside those that exist.
      - With V(0), existing containers are counted only in a run that changes the log settings, or with
        O(log_budget=enforce).
    type: int
    default: 0
  config_file:
    description: The daemon's configuration file.
    type: path
    default: /etc/docker/daemon.json
  rootless_user:
    description:
      - The user whose daemon is meant (rootless mode); see M(bulkhead.docker.docker_rootless). Empty means the daemon of root.
      - Its configuration is C(~/.config/docker/daemon.json), whatever O(config_file) says, and what was set is remembered in
        C(/var/lib/bulkhead/daemon-USER.json).
      - What a user's daemon cannot do is refused before anything is written.
    type: str
    default: ''
  probe_timeout:
    description:
      - The seconds in which the daemon has to serve again after a start. What the old daemon needs to stop comes on top.
    type: int
    default: 90
  existing_data:
    description:
      - With V(move), a daemon that gets another root takes along what it holds, if the role P(bulkhead.docker.docker_storage#role)
        has begun to copy it; see M(bulkhead.docker.docker_data_move). Containers are stopped for the rest of the copy, and
        those that ran are started again.
      - With V(refuse), a setting that would hide data is refused.
    type: str
    choices: [refuse, move]
    default: refuse
attributes:
  check_mode:
    support: full
    details:
      - On a host without Docker the configuration is judged as the newest known release would read it.
  diff_mode:
    support: full
    details:
      - Every key that differs is also shown on a line of its own, with what its change costs.
notes:
  - One run at a time changes the daemon; another one waits for it, twice as long as O(probe_timeout), and then fails.
  - A run that is killed is watched by a process of its own, which takes untried files back and brings a daemon that
    does not serve back to the last files that worked.
  - Containers that run go through a restart of the daemon only with C(live-restore). When that key is switched on in
    the same run, the daemon learns of it by SIGHUP before it is restarted.
  - The settings of the default bridge stay as they are while containers live through restarts; see
    RV(unapplied_keys).
seealso:
  - module: bulkhead.docker.docker_subid
  - plugin: bulkhead.docker.daemon_config_problems
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Rotate logs and keep containers running while the daemon restarts
  bulkhead.docker.docker_daemon_config:
    settings:
      live-restore: true
      log-driver: json-file
      log-opts:
        max-size: 10m
        max-file: "5"

- name: Change the configuration now, restart in the maintenance window
  bulkhead.docker.docker_daemon_config:
    settings: "{{ docker_daemon_settings }}"
    restart: defer

- name: Open a system call for one argument, and close others
  bulkhead.docker.docker_daemon_config:
    settings: {}
    seccomp_profile:
      base: builtin
      allow:
        - name: unshare
          args:
            - {index: 0, op: eq, value: 0x10000000}
      deny:
        - names: [add_key, keyctl, request_key]
          errno: 38
        - name: socket
          args:
            - {index: 0, op: eq, value: 16}

- name: Use a seccomp profile of our own
  bulkhead.docker.docker_daemon_config:
    settings: {}
    seccomp_profile: "{{ lookup('ansible.builtin.file', 'seccomp.json') }}"
"""

RETURN = r"""
changes:
  description: What differs between the configuration found and the one wanted. Credentials are masked.
  returned: success
  type: list
  elements: dict
  contains:
    key:
      description: The key, or key.member.
      type: str
      sample: log-opts
    before:
      description: The value before, null where it was absent.
      type: raw
    after:
      description: The value after, null where it is absent.
      type: raw
    apply:
      description: What the change needs, V(live), V(reload) or V(restart).
      type: str
      sample: restart
    recreate:
      description: Whether only containers that are created later get the new value.
      type: bool
seccomp_changes:
  description:
    - What changes for containers that are made afterwards, by the system calls that open, close, or open in other cases.
    - Each entry is the name of a call, with the case in which it is open, or the error that it gets, in brackets.
  returned: success
  type: dict
  contains:
    opened:
      description: Calls that no container could make.
      type: list
      elements: str
      sample: [keyctl, unshare (with CAP_NET_ADMIN)]
    closed:
      description: Calls that no container can make any more.
      type: list
      elements: str
      sample: [chmod, io_uring_setup (error 38)]
    changed:
      description: Calls that are open in other cases than before.
      type: list
      elements: str
      sample: [socket (only argument 0 is not 40)]
sockets:
  description:
    - The sockets of docker.socket whose mode or owner somebody had changed, with what they had and what they are given back.
  returned: success
  type: list
  elements: str
  sample: ["/run/docker.sock: mode 0666, owner root:users -> mode 0660, owner root:docker"]
action:
  description:
    - What was done to the daemon, V(none), V(start), V(reload), V(restart) or V(deferred).
    - In check mode, what would be done.
  returned: success
  type: str
  sample: reload
pending_restart:
  description: Whether the daemon still runs with older settings and waits for a restart.
  returned: success
  type: bool
pending_keys:
  description: The keys, or key.member, that wait for that restart.
  returned: success
  type: list
  elements: str
  sample: [icc, log-driver]
interrupts:
  description:
    - What the restart interrupts, or would interrupt where it is deferred or predicted, as facts of this host.
      Empty where none is needed. The same is said in the diff, and a warning names the containers that stop.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: A container's name, or the word engine in parentheses for what the engine itself does not do.
      type: str
      sample: web
    why:
      description: What happens to it, and whether it comes back by itself.
      type: list
      elements: str
      sample: ["stops, as live-restore is off", "comes back by itself (restart policy always)"]
managed_keys:
  description: The keys, or key.member, that this module manages in the file.
  returned: success
  type: list
  elements: str
  sample: [features.buildkit, log-driver]
foreign_keys:
  description: The keys, or key.member, that somebody else put into the file.
  returned: success
  type: list
  elements: str
adopted:
  description:
    - The keys, or key.member, that somebody else had put into the file and that this module manages from now on.
      One that already had the wanted value is adopted without a write.
  returned: success
  type: list
  elements: str
reset_keys:
  description:
    - Keys that nobody wants any more and that stay in the file, with their default as value, until the next restart,
      because the daemon would keep the old value at SIGHUP if they were absent.
  returned: success
  type: list
  elements: str
  sample: [labels]
recreate:
  description: Containers that are older than a setting that only new containers get.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The container's name.
      type: str
    why:
      description: What it lacks.
      type: list
      elements: str
log_budget:
  description:
    - What the logs of containers can take, in bytes.
    - A bound, not a product of max-size and max-file. It has the message that goes beyond a full file, the copy
      that exists while a file is compressed, and the copy that the engine keeps for C(docker logs) when the driver
      itself cannot be read.
  returned: success
  type: dict
  contains:
    driver:
      description: The log driver of new containers.
      type: str
    mode:
      description: V(blocking) or V(non-blocking).
      type: str
    per_container:
      description: For one new container, null where nothing ends its logs.
      type: int
    containers:
      description: How many were counted, existing and expected ones; null when nobody asked.
      type: int
    unlimited:
      description: Names of existing containers whose logs nothing ends.
      type: list
      elements: str
    total:
      description: For all that were counted and whose logs end, null when nobody asked.
      type: int
    filesystem:
      description: The mount point of the filesystem that holds the logs; null when the effective root is not known yet.
      type: str
    size:
      description: The filesystem's size.
      type: int
    free:
      description: What is free on it.
      type: int
    used:
      description: What logs take already.
      type: int
    fits:
      description: Whether all end, and RV(log_budget.total) fits into free and used; null when nobody asked.
      type: bool
log_delivery:
  description: How the wanted log driver delivers. Of a plugin the worst is assumed.
  returned: success
  type: dict
  contains:
    mode:
      description: V(blocking) or V(non-blocking).
      type: str
    buffer:
      description: The bytes of messages that the engine keeps in memory for each container with V(non-blocking), else 0.
      type: int
    stalled:
      description:
        - What happens to a container's output while the receiver takes nothing, V(blocks) or V(drops); empty for none.
      type: str
    absent:
      description: Whether a container that is started while the receiver is away, V(fails) or V(starts).
      type: str
    reads:
      description: How C(docker logs) reads, V(native), V(cache) for the engine's own copy, or V(none).
      type: str
    remote:
      description: Whether logs leave the host.
      type: bool
    remarks:
      description: What a person should know.
      type: list
      elements: str
log_settings:
  description:
    - Containers whose log settings differ from those of new ones, as far as containers were looked at.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The container's name.
      type: str
    driver:
      description: Its log driver.
      type: str
    state:
      description:
        - V(former default) when it has what new containers once got, so that creating it again changes it, and
          V(own setting) when it was given something else.
      type: str
    why:
      description: What differs.
      type: list
      elements: str
unapplied_keys:
  description:
    - Keys of the default bridge, such as C(icc), that the daemon does not use yet although it was restarted, because
      containers have lived through every restart since. They take effect at a start while no container runs.
  returned: success
  type: list
  elements: str
engine_version:
  description: The version of the installed engine, null in check mode on a host without one.
  returned: success
  type: str
  sample: 28.5.2+dfsg3
effective_root:
  description: The directory that the daemon uses, null in check mode when the remapped user has no range yet.
  returned: success
  type: str
  sample: /var/lib/docker/100000.100000
"""

import dataclasses

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import image_store, log_budget
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    accounts,
    commands,
    container_logs,
    daemon_plan,
    daemon_transaction,
    data_move,
    files,
    quiet_module,
    seccomp_plan,
    security_modules,
    socket_access,
    user_daemon,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon import Daemon
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import move


def _daemon_of(module):
    """Return the daemon of root or of the user, and the settings for it."""
    params = module.params
    if not params["rootless_user"]:
        return Daemon(params["config_file"]), {**security_modules.daemon_settings(params["selinux"]), **params["settings"]}
    account = accounts.find(params["rootless_user"])
    if account.uid == 0 or (account.uid is None and not module.check_mode):
        what = "is root" if account.uid == 0 else "does not exist on this host"
        module.fail_json(msg=f"rootless_user: '{account.name}' {what}; name a user without privileges, whom the role docker_rootless has set up.")
    return user_daemon.UserDaemon(account), user_daemon.settings_for(params["settings"], params["image_store"])


def _converge(host, request):
    """Carry the settings out; data whose move the role docker_storage has begun comes along."""
    if request.predicting or not request.moves_data or not request.may_restart:
        return daemon_transaction.converge(host, request)
    (plan, outcome), warnings = data_move.around(
        host,
        # Judged once before: what cannot be is refused while everything still runs.
        lambda: daemon_plan.make(host, dataclasses.replace(request, predicting=True)).root,
        lambda: daemon_transaction.converge(host, request),
    )
    outcome.warnings += warnings
    return plan, outcome


def main():
    """Decide, carry out, report."""
    module = AnsibleModule(
        argument_spec={
            "settings": {"type": "dict", "required": True},
            "seccomp_profile": {"type": "raw", "default": daemon_plan.BUILTIN},
            "image_store": {"type": "str", "choices": list(image_store.STORES), "default": ""},
            "selinux": {"type": "str", "choices": ["auto", "true", "false", ""], "default": ""},
            "restart": {"type": "str", "choices": ["auto", "defer"], "default": "auto"},
            "start": {"type": "bool", "default": True},
            "log_budget": {"type": "str", "choices": list(log_budget.VERDICTS), "default": log_budget.WARN},
            "log_containers": {"type": "int", "default": 0},
            "config_file": {"type": "path", "default": "/etc/docker/daemon.json"},
            "rootless_user": {"type": "str", "default": ""},
            "probe_timeout": {"type": "int", "default": 90},
            "existing_data": {"type": "str", "choices": [move.REFUSE, move.MOVE], "default": move.REFUSE},
        },
        supports_check_mode=True,
        no_log=True,
    )
    quiet_module.hide(module, "settings")
    params = module.params
    if params["probe_timeout"] < 1:
        module.fail_json(msg=f"probe_timeout is {params['probe_timeout']}; give the daemon at least one second.")
    if params["log_containers"] < 0:
        module.fail_json(msg=f"log_containers is {params['log_containers']}; give a number of containers, or 0.")
    host, settings = _daemon_of(module)
    request = daemon_plan.Request(
        settings=settings,
        seccomp_profile=params["seccomp_profile"],
        image_store=params["image_store"],
        may_restart=params["restart"] == "auto",
        may_start=params["start"],
        predicting=module.check_mode,
        probe_timeout=float(params["probe_timeout"]),
        logs=container_logs.Asked(params["log_budget"], params["log_containers"]),
        moves_data=params["existing_data"] == move.MOVE,
    )
    try:
        plan, outcome = _converge(host, request)
        calls = seccomp_plan.changes(host, plan)
        # The sockets of a user's daemon lie where nobody else gets to.
        astray = [] if params["rootless_user"] else socket_access.astray(host)
    except (daemon_plan.DaemonError, data_move.MoveError) as error:
        module.fail_json(msg=str(error))
    except (commands.CommandError, files.FileError) as error:
        module.fail_json(msg=f"{error}.")
    for warning in outcome.warnings:
        module.warn(warning)
    diff = daemon_transaction.differences(plan, host.config_file) if plan.changes or plan.interrupts or plan.outdated else {}
    if diff and str(calls):
        diff["prepared"] += f"system calls: {calls}\n"
    if astray:
        diff = {**diff, "prepared": diff.get("prepared", "") + "".join(f"{socket}\n" for socket in astray)}
    results = {
        "changed": outcome.changed or bool(astray),
        "changes": [change.as_dict() for change in plan.changes],
        "seccomp_changes": calls.as_dict(),
        "diff": diff,
        "sockets": [str(socket) for socket in astray],
        "action": outcome.action,
        "pending_restart": outcome.pending_restart,
        "pending_keys": outcome.pending,
        "interrupts": [entry.as_dict() for entry in outcome.interrupts],
        "managed_keys": list(plan.merged.managed),
        "foreign_keys": list(plan.merged.foreign),
        "adopted": list(plan.merged.adopted),
        "reset_keys": sorted(plan.merged.reset),
        "recreate": outcome.recreate,
        "unapplied_keys": outcome.unapplied,
        **plan.logs.as_returns(),
        "engine_version": plan.reported_version,
        "effective_root": plan.root,
    }
    try:
        if not module.check_mode:
            socket_access.mend(astray)
    except files.FileError as error:
        module.fail_json(msg=f"{error}.", **results)
    for socket in astray:
        done = "would get" if module.check_mode else "got"
        module.warn(f"{socket.path} had {socket.found}, so others than docker.socket names could be root on this host; it {done} its own again.")
    module.exit_json(**results)


if __name__ == "__main__":
    main()
