#!/usr/bin/python3
"""An HTTP/3 server and client, and one of DNS over QUIC, by aioquic. For scripts/capture-fixtures.sh and Tests/live; run it in .build/quic-venv.

usage: quic_peer.py serve|retry CERTIFICATE KEY LOG ADDRESS...
           serves UDP port 443 of each address until told to stop; each request is a line of JSON in LOG; with retry,
           every client must prove its address first
       quic_peer.py get VERSIONS ADDRESS NAME...
           a GET to each name in turn, each over a connection of its own, all from one local port; prints their outcomes
           as JSON; exit 0 if all were answered
       quic_peer.py doq CERTIFICATE KEY LOG ADDRESS...
           answers DNS over QUIC (RFC 9250) on port 853 of each address until told to stop, always with 93.184.216.10
       quic_peer.py ask ADDRESS NAME
           asks there for a name's address; prints the answer's last four bytes as an address, exit 0 if there was one

VERSIONS is 1, 2, or 1+2 (begins in version 1 and offers 2); `large` after it, as in 1,large, makes the hello larger than
a datagram. Certificates are not checked: a name may be sent to an address that is not its own.
"""

import asyncio
import json
import random
import ssl
import struct
import sys
import time

from aioquic.asyncio import QuicConnectionProtocol, connect, serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ProtocolNegotiated, StreamDataReceived
from aioquic.quic.packet import QuicProtocolVersion

PATIENCE = 3
VERSIONS = {
    "1": [QuicProtocolVersion.VERSION_1],
    "2": [QuicProtocolVersion.VERSION_2],
    "1+2": [QuicProtocolVersion.VERSION_2, QuicProtocolVersion.VERSION_1],
}


class Server(QuicConnectionProtocol):
    """Answers every request with its authority, and writes it down."""

    log = None

    def __init__(self, *words, **options):
        super().__init__(*words, **options)
        self.http = None

    def quic_event_received(self, event):
        """Called by aioquic."""
        if isinstance(event, ProtocolNegotiated):
            self.http = H3Connection(self._quic)
        if self.http is None:
            return
        for part in self.http.handle_event(event):
            if isinstance(part, HeadersReceived):
                name = dict(part.headers).get(b":authority", b"").decode()
                with open(self.log, "a", encoding="utf-8") as log:
                    log.write(json.dumps({"host": name}) + "\n")
                self.http.send_headers(part.stream_id, [(b":status", b"200")])
                self.http.send_data(part.stream_id, name.encode() + b"\n", end_stream=True)
                self.transmit()


class Client(QuicConnectionProtocol):
    """Sends one request."""

    def __init__(self, *words, **options):
        super().__init__(*words, **options)
        self.http = H3Connection(self._quic)
        self.body, self.done = b"", asyncio.get_running_loop().create_future()

    def quic_event_received(self, event):
        """Called by aioquic."""
        for part in self.http.handle_event(event):
            if isinstance(part, DataReceived):
                self.body += part.data
            if getattr(part, "stream_ended", False) and not self.done.done():
                self.done.set_result(self.body.decode())

    async def get(self, name):
        """The answer's body."""
        stream = self._quic.get_next_available_stream_id()
        headers = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", name.encode()), (b":path", b"/")]
        self.http.send_headers(stream, headers, end_stream=True)
        self.transmit()
        return await self.done


class Resolver(QuicConnectionProtocol):
    """Answers every question, one a stream (RFC 9250 section 4.2)."""

    def quic_event_received(self, event):
        """Called by aioquic."""
        if isinstance(event, StreamDataReceived) and event.end_stream:
            question = event.data[14:]
            answer = struct.pack(">6H", 0, 0x8180, 1, 1, 0, 0) + question
            answer += struct.pack(">HHHIH4B", 0xC00C, 1, 1, 300, 4, 93, 184, 216, 10)
            self._quic.send_stream_data(event.stream_id, struct.pack(">H", len(answer)) + answer, end_stream=True)
            self.transmit()


class Asker(QuicConnectionProtocol):
    """Asks one question."""

    def __init__(self, *words, **options):
        super().__init__(*words, **options)
        self.answer, self.done = b"", asyncio.get_running_loop().create_future()

    def quic_event_received(self, event):
        """Called by aioquic."""
        if isinstance(event, StreamDataReceived):
            self.answer += event.data
            if event.end_stream and not self.done.done():
                self.done.set_result(self.answer)

    async def ask(self, name):
        """The answer's message, with its length."""
        labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
        message = struct.pack(">6H", 0, 0x0100, 1, 0, 0, 0) + labels + struct.pack(">BHH", 0, 1, 1)
        stream = self._quic.get_next_available_stream_id()
        self._quic.send_stream_data(stream, struct.pack(">H", len(message)) + message, end_stream=True)
        self.transmit()
        return await self.done


async def ask(address, name):
    """The address that a resolver gives for a name, over QUIC."""
    configuration = QuicConfiguration(is_client=True, alpn_protocols=["doq"], verify_mode=ssl.CERT_NONE)
    async with connect(address, 853, configuration=configuration, create_protocol=Asker) as client:
        answer = await asyncio.wait_for(client.ask(name), PATIENCE)
    return ".".join(map(str, answer[-4:]))


async def get(versions, address, names):
    """An outcome for each name."""
    # A connection that its server closes leaves a future that nobody asks.
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    versions, _, size = versions.partition(",")
    port = random.randrange(20000, 30000)
    outcomes = []
    for name in names:
        configuration = QuicConfiguration(
            is_client=True,
            alpn_protocols=H3_ALPN,
            server_name=name,
            verify_mode=ssl.CERT_NONE,
            supported_versions=VERSIONS[versions],
            original_version=VERSIONS[versions][-1],
            quantum_readiness_test=size == "large",
            idle_timeout=PATIENCE,
        )

        async def one():
            async with connect(
                address, 443, configuration=configuration, create_protocol=Client, local_port=port
            ) as client:
                return await client.get(name)

        start = time.monotonic()
        result = {"name": name}
        try:
            result["body"] = await asyncio.wait_for(one(), PATIENCE)
            result["outcome"] = "ok"
        except (ConnectionError, asyncio.TimeoutError) as error:
            result["outcome"] = type(error).__name__
        result["ms"] = round((time.monotonic() - start) * 1000, 1)
        outcomes.append(result)
    return outcomes


async def run_server(certificate, key, log, addresses, mode):
    """Serves for ever."""
    Server.log = log
    is_resolver = mode == "doq"
    port, protocol = (853, Resolver) if is_resolver else (443, Server)
    configuration = QuicConfiguration(is_client=False, alpn_protocols=["doq"] if is_resolver else H3_ALPN)
    configuration.load_cert_chain(certificate, key)
    # Not one socket for all: it would answer from the interface's own address.
    for address in addresses:
        await serve(address, port, configuration=configuration, create_protocol=protocol, retry=mode == "retry")
    with open(log, "a", encoding="utf-8") as file:
        file.write(json.dumps({"listening": port}) + "\n")
    await asyncio.Event().wait()


def main():
    """Reads the command line."""
    match sys.argv[1:]:
        case ["serve" | "retry" | "doq" as mode, certificate, key, log, *addresses] if addresses:
            asyncio.run(run_server(certificate, key, log, addresses, mode))
        case ["ask", address, name]:
            print(asyncio.run(asyncio.wait_for(ask(address, name), PATIENCE)))
        case ["get", versions, address, *names] if names:
            outcomes = asyncio.run(get(versions, address, names))
            print(json.dumps(outcomes))
            sys.exit(any(result["outcome"] != "ok" for result in outcomes))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
