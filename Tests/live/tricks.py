"""An adversary's tricks, each against one name. Runs inside the agent's namespace; prints one JSON value.

usage: tricks.py TRICK ADDRESS NAME [WORDS]      NAME is the one that the agent wants to reach

Raw tricks use source ports from 61000 to 62999: the kernel there must not reset what it does not know. Every outcome is
ok (the server's payload came), reset, refused, closed, timeout or unreachable.
"""

import collections
import json
import os
import random
import socket
import ssl
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from raw_tcp import PATIENCE, PSH_ACK, RawTCP  # noqa: E402

SOURCE = "10.88.0.7"
INNOCENT = "innocence.example"
# setsockopt names that Python's socket module has not on every platform (linux/in6.h).
HOP_BY_HOP, DESTINATION_OPTIONS = 54, 59


def hello(name):
    """OpenSSL's ClientHello for a name, in its record."""
    context = ssl.create_default_context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def innocent(name):
    """A hello of the same length as one for `name`, for a name that nobody denies."""
    return hello((INNOCENT * 20)[: len(name)].strip(".-").ljust(len(name), "x"))


def outcome(action):
    """Runs an action and says in a word how it ended."""
    try:
        action()
        return "ok"
    except ConnectionResetError:
        return "reset"
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "timeout"
    except EOFError:
        return "closed"
    except OSError:
        return "unreachable"


def raw(address, port, tell):
    """Opens a raw connection, lets `tell(client)` send, and waits for the answer."""
    source_port = 61000 + random.randrange(2000)

    def one():
        client = RawTCP(SOURCE, address, source_port, port)
        client.connect()
        tell(client)
        client.wait_for_answer()

    return {"outcome": outcome(one)}


def connected(address, port, tell, options=()):
    """Opens an ordinary connection, lets `tell(socket)` send, and waits for the answer."""

    def one():
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.settimeout(PATIENCE)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for option in options:
                sock.setsockopt(*option)
            sock.connect((address, port))
            tell(sock)
            if not sock.recv(65536):
                raise EOFError

    return outcome(one)


def every_split(address, name):
    """The hello cut in two at every byte, each cut on a connection of its own."""
    whole = hello(name)
    counts = collections.Counter()
    for cut in range(1, len(whole)):

        def tell(sock, cut=cut):
            sock.sendall(whole[:cut])
            sock.sendall(whole[cut:])

        counts[connected(address, 443, tell)] += 1
    return {"outcomes": dict(counts), "connections": len(whole) - 1}


def every_byte(address, name, gap):
    """One byte of the hello in each segment."""

    def tell(sock):
        for byte in hello(name):
            sock.sendall(bytes([byte]))
            time.sleep(gap)

    return {"outcome": connected(address, 443, tell)}


def out_of_order(address, name):
    """The hello's pieces last to first."""
    whole = hello(name)

    def tell(client):
        for start in reversed(range(0, len(whole), 100)):
            client.send(PSH_ACK, whole[start : start + 100], start)

    return raw(address, 443, tell)


def other_copy(address, name):
    """A harmless hello, and at once another in its place."""

    def tell(client):
        client.send(PSH_ACK, innocent(name))
        client.send(PSH_ACK, hello(name))

    return raw(address, 443, tell)


def overlap(address, name, order):
    """Segments that overlap and differ where they do: the harmless bytes first, or the others."""
    good, evil = innocent(name), hello(name)
    where = evil.index(name.encode())
    low, high = where - 5, where + len(name) + 5

    def tell(client):
        if order == "new-over-old":
            client.send(PSH_ACK, good[:high])
            client.send(PSH_ACK, evil[low:], low)
        else:
            # What waits for a gap to be filled, then what fills it and says otherwise.
            client.send(PSH_ACK, evil[low:], low)
            client.send(PSH_ACK, good[:high])

    return raw(address, 443, tell)


def fake_first(address, name, kind):
    """A harmless hello, or junk, that the server never takes, then the real hello in its place."""
    good, evil = innocent(name), hello(name)

    def tell(client):
        if kind == "low-ttl":
            client.send(PSH_ACK, good, ttl=2)
        elif kind == "low-ttl-junk":
            client.send(PSH_ACK, b"*" * len(good), ttl=2)
        elif kind == "bad-checksum":
            client.send(PSH_ACK, good, spoil=1)
        elif kind == "old-sequence":
            client.send(PSH_ACK, good, offset=-100_000)
        elif kind == "far-sequence":
            client.send(PSH_ACK, good, offset=500_000)
        client.send(PSH_ACK, evil)

    return raw(address, 443, tell)


def after_junk(address, name):
    """A hello after bytes that are no TLS."""

    def tell(client):
        junk = b"EHLO there\r\nSTARTTLS\r\n"
        client.send(PSH_ACK, junk)
        client.send(PSH_ACK, hello(name), len(junk))

    return raw(address, 443, tell)


def early_data(address, name, which):
    """A hello in the SYN (RFC 7413): the real one, or a harmless one before the real one."""
    source_port = 61000 + random.randrange(2000)
    early = hello(name) if which == "real" else innocent(name)

    def one():
        client = RawTCP(SOURCE, address, source_port, 443)
        client.connect(early)
        client.send(PSH_ACK, hello(name))
        client.wait_for_answer()

    return {"outcome": outcome(one)}


def extension_headers(address, name, kind):
    """A whole connection whose every packet has extension headers full of padding (RFC 8200 section 4.2)."""
    # Next header, length in units of 8 beyond the first, then PadN options and unknown ones to be skipped: Linux takes
    # no more than seven bytes of padding in a row.
    units = 3
    options = bytes([0, units]) + b"\x01\x04" + bytes(4) + (b"\x1e\x04" + bytes(4) + b"\x01\x00") * units
    wanted = {"hop-by-hop": [HOP_BY_HOP], "destination": [DESTINATION_OPTIONS], "both": [HOP_BY_HOP, DESTINATION_OPTIONS]}
    sockets = [(socket.IPPROTO_IPV6, option, options) for option in wanted[kind]]
    return {"outcome": connected(address, 443, lambda sock: sock.sendall(hello(name)), sockets)}


def request(address, head, port=80):
    """An HTTP request as written, escapes understood."""
    text = head.encode().decode("unicode_escape").encode("latin-1")
    return {"outcome": connected(address, port, lambda sock: sock.sendall(text))}


def second_question(address, name):
    """Two DNS messages in one segment (RFC 7766), the second for the name."""

    def message(host):
        labels = b"".join(bytes([len(label)]) + label.encode() for label in host.split("."))
        body = struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + labels + struct.pack(">BHH", 0, 1, 1)
        return struct.pack(">H", len(body)) + body

    both = message("docs-site.org") + message(name)
    return {"outcome": connected(address, 53, lambda sock: sock.sendall(both))}


def far_request(address, name, length):
    """A request with a body, and behind it in the same write one for the name."""
    first = f"POST / HTTP/1.1\r\nHost: docs-site.org\r\nContent-Length: {length}\r\n\r\n".encode()
    second = f"GET /second HTTP/1.1\r\nHost: {name}\r\n\r\n".encode()
    return {"outcome": connected(address, 80, lambda sock: sock.sendall(first + bytes(length) + second))}


def crowd(address, name, count):
    """So many requests, and one for the name behind them, in one write."""
    text = "".join(f"GET /{number} HTTP/1.1\r\nHost: docs-site.org\r\n\r\n" for number in range(count))
    text += f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n"
    return {"outcome": connected(address, 80, lambda sock: sock.sendall(text.encode()))}


def main(words):
    """The command line; see the module's text."""
    match words:
        case ["every-split", address, name]:
            return every_split(address, name)
        case ["every-byte", address, name, gap]:
            return every_byte(address, name, float(gap))
        case ["out-of-order", address, name]:
            return out_of_order(address, name)
        case ["other-copy", address, name]:
            return other_copy(address, name)
        case ["overlap", address, name, order]:
            return overlap(address, name, order)
        case ["fake", address, name, kind]:
            return fake_first(address, name, kind)
        case ["after-junk", address, name]:
            return after_junk(address, name)
        case ["early-data", address, name, which]:
            return early_data(address, name, which)
        case ["extension-headers", address, name, kind]:
            return extension_headers(address, name, kind)
        case ["request", address, head]:
            return request(address, head)
        case ["request", address, head, port]:
            return request(address, head, int(port))
        case ["second-question", address, name]:
            return second_question(address, name)
        case ["far-request", address, name, length]:
            return far_request(address, name, int(length))
        case ["crowd", address, name, count]:
            return crowd(address, name, int(count))
    sys.exit(__doc__)


print(json.dumps(main(sys.argv[1:])))
