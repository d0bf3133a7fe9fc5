# SPDX-License-Identifier: Apache-2.0
"""TCP connections that stay open and count: each number that is sent has to come back, in order."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import subprocess
import threading
import time

NETNS = "neighbour"
# Addresses of the host and of its neighbour on a link between the two.
HOST, NEIGHBOUR = "192.0.2.1", "192.0.2.2"
_NUMBER = struct.Struct("!Q")
_CLONE_NEWNET = 0x40000000


def make_neighbour() -> None:
    """Make another machine on a wire: a network namespace whose way to the host is a pair of interfaces."""
    if subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout.startswith(NETNS):
        return
    for line in (
        f"ip netns add {NETNS}",
        f"ip link add wire type veth peer name wire0 netns {NETNS}",
        f"ip addr add {HOST}/24 dev wire",
        "ip link set wire up",
        f"ip -n {NETNS} addr add {NEIGHBOUR}/24 dev wire0",
        f"ip -n {NETNS} link set wire0 up",
        f"ip -n {NETNS} link set lo up",
    ):
        subprocess.run(line.split(), check=True)


def connect(address: str, port: int, netns: str = "") -> socket.socket:
    """Connect, from a network namespace if one is named; a socket stays in the namespace that it was made in."""
    found: list[socket.socket | OSError] = []

    def inside() -> None:
        try:
            if netns:
                enter = os.open(f"/run/netns/{netns}", os.O_RDONLY)
                if ctypes.CDLL(None, use_errno=True).setns(enter, _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
                os.close(enter)
            found.append(socket.create_connection((address, port), timeout=10))
        except OSError as error:
            found.append(error)

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    if isinstance(found[0], OSError):
        raise found[0]
    return found[0]


class Stream(threading.Thread):
    """One connection to a service that sends back what it gets.

    Attributes:
        returned: how many numbers came back, each the one that was due.
        broken: why the connection ended; empty while it lives.
    """

    def __init__(self, address: str, port: int, netns: str = "", pause: float = 0.05, patience: float = 30) -> None:
        super().__init__(daemon=True)
        self.returned = 0
        self.broken = ""
        self.slowest = 0.0
        self._ended = threading.Event()
        self._pause = pause
        self._socket = connect(address, port, netns)
        self._socket.settimeout(patience)
        self.start()

    def run(self) -> None:
        try:
            while not self._ended.wait(self._pause):
                begun = time.monotonic()
                self._socket.sendall(_NUMBER.pack(self.returned))
                came = self._receive()
                if came != self.returned:
                    raise OSError(f"{came} came back where {self.returned} was due")
                self.returned += 1
                self.slowest = max(self.slowest, time.monotonic() - begun)
        except OSError as error:
            self.broken = f"{type(error).__name__}: {error} after {self.returned} numbers"

    def _receive(self) -> int:
        held = b""
        while len(held) < _NUMBER.size:
            piece = self._socket.recv(_NUMBER.size - len(held))
            if not piece:
                raise OSError("the other side closed")
            held += piece
        return int(_NUMBER.unpack(held)[0])

    def carries(self, seconds: float = 35) -> bool:
        """Tell whether a number that is sent from now on comes back."""
        due = self.returned + 2
        deadline = time.monotonic() + seconds
        while not self.broken and self.returned < due and time.monotonic() < deadline:
            time.sleep(0.02)
        return not self.broken and self.returned >= due

    def close(self) -> None:
        self._ended.set()
        self._socket.close()
