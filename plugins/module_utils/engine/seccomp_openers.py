# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The system calls that a container must never be able to make, for whoever judges a profile or what one lets through.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

#: Calls that undo what a filter is for when every container may make them, and what each opens.
OPENERS = {
    "add_key": "the kernel's keyrings, which containers share",
    "bpf": "loading programs into the kernel",
    "clone": "new namespaces, and with them the capabilities that kernel flaws need",
    "clone3": "new namespaces, unseen by any filter",
    "delete_module": "the kernel's modules",
    "finit_module": "loading code into the kernel",
    "fsconfig": "mounting filesystems",
    "fsmount": "mounting filesystems",
    "fsopen": "mounting filesystems",
    "init_module": "loading code into the kernel",
    "io_uring_enter": "doing most other calls without a filter seeing them",
    "io_uring_setup": "doing most other calls without a filter seeing them",
    "ioperm": "the machine's ports",
    "iopl": "the machine's ports",
    "kexec_file_load": "replacing the kernel",
    "kexec_load": "replacing the kernel",
    "keyctl": "the kernel's keyrings, which containers share",
    "mount": "mounting filesystems",
    "mount_setattr": "changing mounts",
    "move_mount": "changing mounts",
    "open_by_handle_at": "files of the host by their handle",
    "open_tree": "changing mounts",
    "perf_event_open": "watching the kernel and other processes",
    "pivot_root": "changing mounts",
    "process_vm_readv": "reading other processes",
    "process_vm_writev": "writing to other processes",
    "ptrace": "on kernels before 4.8, making calls that the filter forbids",
    "reboot": "stopping the machine",
    "request_key": "the kernel's keyrings, which containers share",
    "setns": "other namespaces",
    "settimeofday": "the host's clock",
    "swapon": "the host's swap space",
    "umount2": "changing mounts",
    "unshare": "new namespaces, and with them the capabilities that kernel flaws need",
    "userfaultfd": "stopping the kernel in the middle of a call, which makes its races easy to win",
}
