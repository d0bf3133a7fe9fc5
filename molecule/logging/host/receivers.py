# SPDX-License-Identifier: Apache-2.0
"""Receivers of logs on loopback: one that reads whatever comes, over TCP, TLS and UDP, and one that accepts and never reads."""

from __future__ import annotations

import os
import socket
import ssl
import threading

READS, STALLS, TLS, FLUENTD = 5514, 5515, 5516, 24224
HERE = os.path.dirname(os.path.abspath(__file__))


def swallow(connection):
    with connection:
        while connection.recv(1 << 16):
            pass


def handshake(context, connection):
    try:
        swallow(context.wrap_socket(connection, server_side=True))
    except OSError:
        connection.close()


def accept(port, serve):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Inherited by what is accepted: a stalled sender shall notice soon.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096 if port == STALLS else 1 << 18)
    listener.bind(("127.0.0.1", port))
    listener.listen(64)

    def loop():
        kept = []
        while True:
            connection, _peer = listener.accept()
            kept.append(connection)
            if serve:
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()


def main():
    accept(READS, swallow)
    accept(FLUENTD, swallow)
    accept(STALLS, None)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{HERE}/cert.pem", f"{HERE}/key.pem")
    accept(TLS, lambda connection: handshake(context, connection))
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", READS))
    while True:
        datagrams.recv(1 << 16)


if __name__ == "__main__":
    main()
