#!/usr/bin/python3
"""A SOCKS proxy, versions 4a and 5 without users, for Tests/live. Whatever it is asked for, it connects to one address.

usage: socks_proxy.py ADDRESS PORT TARGET LOG      each host that it is asked for is a line in LOG
"""

import select
import socket
import struct
import sys
import threading

PATIENCE = 10


def exactly(sock, count):
    """So many bytes."""
    data = b""
    while len(data) < count:
        part = sock.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def until_zero(sock):
    """Bytes up to a zero."""
    data = b""
    while (byte := exactly(sock, 1)) != b"\0":
        data += byte
    return data


def asked(client):
    """What the client asks for: host and port, and the answer that it expects."""
    if exactly(client, 1) == b"\x04":
        _, port, address = struct.unpack(">BH4s", exactly(client, 7))
        until_zero(client)
        host = until_zero(client).decode() if address[:3] == bytes(3) else socket.inet_ntoa(address)
        return host, port, b"\0\x5a" + bytes(6)
    exactly(client, exactly(client, 1)[0])
    client.sendall(b"\x05\0")
    kind = exactly(client, 4)[3]
    host = exactly(client, exactly(client, 1)[0]).decode() if kind == 3 else socket.inet_ntoa(exactly(client, 4))
    return host, struct.unpack(">H", exactly(client, 2))[0], b"\x05\0\0\x01" + bytes(6)


def serve(client, target, log):
    """One client, until either side ends."""
    try:
        with client:
            host, port, answer = asked(client)
            with open(log, "a", encoding="utf-8") as file:
                file.write(host + "\n")
            with socket.create_connection((target, port), PATIENCE) as server:
                client.sendall(answer)
                while True:
                    for source in select.select([client, server], [], [], PATIENCE)[0]:
                        data = source.recv(65536)
                        if not data:
                            return
                        (server if source is client else client).sendall(data)
    except (OSError, EOFError):
        pass


def main(address, port, target, log):
    """Serves for ever."""
    listener = socket.create_server((address, int(port)))
    open(log, "a", encoding="utf-8").close()
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0], target, log), daemon=True).start()


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
