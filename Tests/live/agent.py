"""What an agent does, as seen by the agent. Runs inside the agent's namespace; prints one JSON value.

usage: agent.py ask SERVER [udp|tcp] NAME TYPE [NAME TYPE ...]  questions in turn, over one socket
       agent.py tls ADDRESS NAME [PIECE GAP]         a TLS request; the hello whole, or in pieces of bytes, seconds apart
       agent.py many NAME ADDRESS...                 a TLS request to each address under one name
       agent.py http ADDRESS PATH HOST...            requests in turn on one kept-alive connection
       agent.py connect ADDRESS PORT                 a TCP connection
       agent.py proxy ADDRESS PORT TARGET            a CONNECT
       agent.py overlap ADDRESS NAME                 a hello with a segment that contradicts an earlier one

Every outcome is {"outcome": WORD, "ms": NUMBER, ...}: ok, reset, refused, unreachable, timeout, or closed.
"""

import json
import os
import random
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts/lib"))
import lab_clients  # noqa: E402
from raw_tcp import RawTCP  # noqa: E402

PATIENCE = 3
TYPES = {"A": 1, "AAAA": 28, "HTTPS": 65, "TXT": 16}


def outcome(action):
    """Runs an action and says how it ended, and after how long."""
    start = time.monotonic()
    details = {}
    try:
        details = action() or {}
        word = "ok"
    except ConnectionResetError:
        word = "reset"
    except ConnectionRefusedError:
        word = "refused"
    except TimeoutError:
        word = "timeout"
    except EOFError:
        word = "closed"
    except OSError as error:
        # OpenSSL reports a reset in the middle of a handshake in its own words.
        word = "reset" if "reset" in str(error).lower() else "unreachable"
        details = {"error": str(error)}
    return {"outcome": word, "ms": round((time.monotonic() - start) * 1000, 1), **details}


def question(name, kind):
    """A DNS question, with its id."""
    identifier = random.randrange(65536)
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return identifier, struct.pack(">6H", identifier, 0x0100, 1, 0, 0, 0) + labels + struct.pack(
        ">BHH", 0, TYPES[kind], 1
    )


def ask(server, transport, words):
    """Each question's outcome; the socket is the same for all."""
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
    results = []
    with socket.socket(family, kind) as sock:
        sock.settimeout(PATIENCE)
        sock.connect((server, 53))

        def one(name, record):
            identifier, message = question(name, record)
            if transport == "tcp":
                sock.sendall(struct.pack(">H", len(message)) + message)
                answer = sock.recv(65536)[2:]
            else:
                sock.send(message)
                answer = sock.recv(65536)
            if len(answer) < 12:
                raise EOFError
            got, flags, _, answers, _, _ = struct.unpack(">6H", answer[:12])
            return {"rcode": flags & 15, "answers": answers, "matches": got == identifier}

        for name, record in zip(words[::2], words[1::2]):
            results.append(outcome(lambda: one(name, record)))
    return results


def tls(address, name, piece=None, gap=0.0):
    """A TLS request by hand."""
    lab_clients.TIMEOUT = 90 if piece else PATIENCE
    ca = os.environ["SSL_CERT_FILE"]

    def send(client, hello):
        lab_clients.send_in_pieces(client.socket, hello, piece or len(hello), gap)

    def one():
        # The certificate is not the matter here: a name may be sent to an address that is not its own.
        client = lab_clients.TLSClient(address, name, ca)
        try:
            send(client, client.hello())
            try:
                client.handshake()
            except lab_clients.ssl.SSLCertVerificationError:
                return {"certificate": "other"}
            return {"certificate": "good", "status": client.request(name).split(b" ")[1].decode()}
        finally:
            client.close()

    return outcome(one)


def http(address, path, hosts):
    """Outcomes of requests on one connection, until the first that fails."""
    results = []
    with socket.create_connection((address, 80), timeout=PATIENCE) as sock:
        for host in hosts:

            def one():
                sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                statuses = lab_clients.read_answers(sock, 1)
                if not statuses:
                    raise EOFError
                return {"status": statuses[0]}

            results.append(outcome(one))
            if results[-1]["outcome"] != "ok":
                break
    return results


def proxy(address, port, target):
    """A CONNECT; ok if the proxy says 200."""

    def one():
        with socket.create_connection((address, port), timeout=PATIENCE) as sock:
            sock.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
            answer = sock.recv(4096)
            if not answer:
                raise EOFError
            return {"status": int(answer.split(b" ")[1])}

    return outcome(one)


def overlap(address, name, source, source_port):
    """A hello whose second segment writes other bytes over the end of the first."""
    context = lab_clients.ssl.create_default_context()
    incoming, outgoing = lab_clients.ssl.MemoryBIO(), lab_clients.ssl.MemoryBIO()
    try:
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    except lab_clients.ssl.SSLWantReadError:
        pass
    hello = outgoing.read()
    where = hello.index(name.encode())
    cut = where + len(name) + 20
    other = hello[where:cut].replace(name.encode(), name.encode()[::-1])
    client = RawTCP(source, address, source_port, 443)

    def one():
        client.connect()
        client.send(0x18, hello[:cut])
        client.send(0x18, other, offset=where)
        client.send(0x18, hello[cut:], offset=cut)
        client.wait_for_answer()

    return outcome(one)


def main(words):
    """The command line; see the module's text."""
    match words:
        case ["ask", server, ("udp" | "tcp") as transport, *rest]:
            return ask(server, transport, rest)
        case ["ask", server, *rest]:
            return ask(server, "udp", rest)
        case ["tls", address, name]:
            return tls(address, name)
        case ["tls", address, name, piece, gap]:
            return tls(address, name, int(piece), float(gap))
        case ["many", name, *addresses]:
            return [tls(address, name) for address in addresses]
        case ["http", address, path, *hosts]:
            return http(address, path, hosts)
        case ["connect", address, port]:
            return outcome(lambda: socket.create_connection((address, int(port)), timeout=PATIENCE).close())
        case ["proxy", address, port, target]:
            return proxy(address, int(port), target)
        case ["overlap", address, name, source, source_port]:
            return overlap(address, name, source, int(source_port))
    sys.exit(__doc__)


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
