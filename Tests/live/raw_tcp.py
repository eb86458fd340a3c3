"""A TCP client that says what no kernel would say. Runs inside the agent's namespace."""

import random
import socket
import struct
import time

PATIENCE = 3
SYN, RST, ACK, PSH_ACK = 0x02, 0x04, 0x10, 0x18


class RawTCP:
    """The smallest TCP client over IPv4: enough for a handshake and for segments that no kernel would send.

    The kernel knows no such connection and would reset it; the caller must suppress that (see test_evasion.py).
    """

    def __init__(self, source, address, source_port, port):
        self.pair = socket.inet_aton(source) + socket.inet_aton(address)
        self.ports = (source_port, port)
        self.address = address
        self.sequence, self.acknowledged = random.randrange(1 << 32), 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
        self.socket.settimeout(PATIENCE)

    def send(self, flags, data=b"", offset=0, ttl=64, spoil=0):
        """Sends a segment at the sequence number plus offset; `spoil` is added to its checksum."""
        sequence = (self.sequence + offset) & 0xFFFFFFFF
        head = struct.pack(">HHIIBBHHH", *self.ports, sequence, self.acknowledged, 5 << 4, flags, 64240, 0, 0)
        segment = head + data
        summed = self.pair + struct.pack(">BBH", 0, socket.IPPROTO_TCP, len(segment)) + segment
        summed += b"\0" * (len(summed) % 2)
        total = sum(struct.unpack(f">{len(summed) // 2}H", summed))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        checksum = (total ^ 0xFFFF) + spoil & 0xFFFF
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        self.socket.sendto(segment[:16] + struct.pack(">H", checksum) + segment[18:], (self.address, 0))

    def receive(self, deadline):
        """The flags and payload length of the next segment for us, None at the deadline."""
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                packet = self.socket.recv(65536)
            except TimeoutError:
                return None
            segment = packet[(packet[0] & 15) * 4 :]
            if struct.unpack(">HH", segment[:4]) != self.ports[::-1] or packet[12:16] != self.pair[4:8]:
                continue
            sequence = struct.unpack(">I", segment[4:8])[0]
            if segment[13] & SYN:
                self.acknowledged = (sequence + 1) & 0xFFFFFFFF
            return segment[13], len(segment) - (segment[12] >> 4) * 4
        return None

    def connect(self, early=b""):
        """The three-way handshake; `early` goes with the SYN."""
        self.send(SYN, early)
        got = self.receive(time.monotonic() + PATIENCE)
        if got is None:
            raise TimeoutError
        if got[0] & RST:
            raise ConnectionRefusedError
        self.sequence = (self.sequence + 1) & 0xFFFFFFFF
        self.send(ACK)

    def wait_for_answer(self):
        """Returns when the server sends payload; raises for the reset or the timeout."""
        deadline = time.monotonic() + PATIENCE
        while (got := self.receive(deadline)) is not None:
            flags, length = got
            if flags & RST:
                raise ConnectionResetError
            if length:
                return
        raise TimeoutError
