"""An agent that opens more flows than any table has. Runs inside the agent's namespace.

usage: spray.py udp ADDRESS PREFIX COUNT      datagrams to COUNT places, in ADDRESS's /24 or /64, from many ports
       spray.py syn ADDRESS PREFIX COUNT      SYNs, COUNT of them, from sources that are invented inside PREFIX

Prints how many it sent.
"""

import random
import socket
import struct
import sys


def datagrams(address, count):
    """Each to another address or port: a flow of its own."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    base = bytearray(socket.inet_pton(family, address))
    sockets = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(16)]
    sent = 0
    for number in range(count):
        if family == socket.AF_INET6:
            base[8:] = random.randbytes(8)
        else:
            base[3] = 1 + number % 250
        there = socket.inet_ntop(family, bytes(base))
        try:
            sockets[number % 16].sendto(b"spray", (there, 10_000 + number // 250 % 50_000))
            sent += 1
        except OSError:
            pass
    return sent


def checksum(data):
    """The Internet checksum (RFC 1071) of an even number of bytes."""
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def openings(address, prefix, count):
    """SYNs of connections that nobody will go on with."""
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    there = socket.inet_aton(address)
    sent = 0
    for _ in range(count):
        here = socket.inet_aton(f"{prefix}.{random.randrange(2, 255)}")
        head = struct.pack(
            ">HHIIBBHHH", random.randrange(1024, 65536), 443, random.randrange(1 << 32), 0, 5 << 4, 2, 64240, 0, 0
        )
        summed = checksum(here + there + struct.pack(">BBH", 0, 6, len(head)) + head)
        segment = head[:16] + struct.pack(">H", summed) + head[18:]
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 0, 0, 64, 6, 0, here, there)
        try:
            raw.sendto(ip + segment, (address, 0))
            sent += 1
        except OSError:
            pass
    return sent


def main(kind, address, prefix, count):
    """Sends it all, as fast as it goes."""
    print(datagrams(address, int(count)) if kind == "udp" else openings(address, prefix, int(count)))


main(*sys.argv[1:])
