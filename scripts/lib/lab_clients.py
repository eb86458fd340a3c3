#!/usr/bin/python3
"""Clients that send on the wire what no ready-made client sends. For scripts/capture-fixtures.sh and Tests/live.

usage: lab_clients.py records HOST NAME CA SIZE...      a TLS client whose hello is cut into records of SIZE bytes
       lab_clients.py in-name HOST NAME CA              one whose records are cut inside the server name
       lab_clients.py segments HOST NAME CA SIZE [GAP]  one whose hello is sent in pieces of SIZE bytes, GAP s apart
       lab_clients.py raw HOST REQUEST [REQUEST ...]    HTTP requests written in one go (\\r and \\n understood)
       lab_clients.py sequence HOST REQUEST...          the same on one connection, each after the answer before
       lab_clients.py keepalive HOST NAME               GET, POST with a length, POST in chunks, GET: one connection
       lab_clients.py http2 HOST NAME...                a GET to each over HTTP/2 in the clear, on one connection, each
                                                        after the answer before; later ones refer to the first's table

HOST is an address or a name; TLS goes to port 443, HTTP to port 80, HTTP/2 to port 8081. Exit 0 if the server answered as it should.
"""

import socket
import ssl
import sys
import time

TIMEOUT = 60
RECORD_HEADER = 5


def in_records(hello, sizes):
    """The same handshake bytes in records of these payload sizes; what remains goes into a last one."""
    body = hello[RECORD_HEADER:]
    out = b""
    for size in [*sizes, len(body)]:
        piece, body = body[:size], body[size:]
        if piece:
            out += hello[:3] + len(piece).to_bytes(2, "big") + piece
    return out


def in_records_inside(hello, name):
    """The same handshake bytes in three records: the cuts are after the name's first byte and after its fifth."""
    return in_records(hello, [hello.index(name.encode()) - RECORD_HEADER + 1, 4])


class TLSClient:
    """OpenSSL's client over a socket of ours, so that the first flight can be sent in any form."""

    def __init__(self, address, name, ca, port=443, minimum=ssl.TLSVersion.TLSv1_2):
        context = ssl.create_default_context(cafile=ca)
        context.minimum_version = minimum
        if name is None:
            context.check_hostname = False
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name)
        self.socket = socket.create_connection((address, port), timeout=TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def hello(self):
        """The ClientHello record that OpenSSL wants to send."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self.outgoing.read()

    def _step(self, operation):
        while True:
            try:
                result = operation()
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                data = self.socket.recv(65536)
                if not data:
                    raise ConnectionResetError("the server closed")
                self.incoming.write(data)

    def flush(self):
        """Sends what OpenSSL has ready."""
        data = self.outgoing.read()
        if data:
            self.socket.sendall(data)

    def handshake(self):
        """The rest of the handshake, after the first flight was sent by hand."""
        self._step(self.tls.do_handshake)

    def request(self, host):
        """One GET over the finished handshake; returns the answer."""
        self._step(lambda: self.tls.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()))
        return self._step(lambda: self.tls.read(65536))

    def close(self):
        """Closes the socket, without ceremony."""
        self.socket.close()


def send_in_pieces(sock, data, size, gap):
    """Each piece is a segment of its own: Nagle is off, and the gap lets it leave."""
    for start in range(0, len(data), size):
        sock.sendall(data[start : start + size])
        time.sleep(gap)


def tls_by_hand(host, name, ca, send):
    """A whole TLS exchange whose hello is sent by `send(client, hello)`; returns the server's answer."""
    client = TLSClient(host, name, ca)
    try:
        send(client, client.hello())
        client.handshake()
        return client.request(name)
    finally:
        client.close()


def read_answers(sock, count):
    """Reads until `count` HTTP answers with a Content-Length are in; returns their status codes."""
    data, statuses = b"", []
    while len(statuses) < count:
        head, separator, rest = data.partition(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        if separator and len(rest) >= length:
            statuses.append(int(head.split(b" ")[1]))
            data = rest[length:]
            continue
        more = sock.recv(65536)
        if not more:
            break
        data += more
    return statuses


def exchange(host, requests, count, port=80):
    """Sends one blob of requests, expects `count` answers."""
    with socket.create_connection((host, port), timeout=TIMEOUT) as sock:
        sock.sendall(requests)
        return read_answers(sock, count)


def sequence(host, requests, port=80):
    """Sends requests on one connection, each after the answer to the one before; returns the status codes."""
    statuses = []
    with socket.create_connection((host, port), timeout=TIMEOUT) as sock:
        for request in requests:
            sock.sendall(request)
            statuses += read_answers(sock, 1)
    return statuses


def keepalive(host, name):
    """Four requests on one connection, each after the answer to the one before."""
    head = f"Host: {name}\r\nUser-Agent: lab\r\n"
    requests = [
        f"GET /first HTTP/1.1\r\n{head}\r\n",
        f"POST /form HTTP/1.1\r\n{head}Content-Type: text/plain\r\nContent-Length: 31\r\n\r\n"
        "GET /inside HTTP/1.1\r\nHost: x\r\n",
        f"POST /chunks HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\n"
        "5\r\nfirst\r\n10;note=1\r\n, then sixteen b\r\n0\r\n\r\n",
        f"GET /last HTTP/1.1\r\n{head}\r\n",
    ]
    return sequence(host, [request.encode() for request in requests])


def http2_frame(kind, flags, stream, payload):
    """RFC 9113 section 4.1."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def http2(host, names):
    """Answers each GET if nginx names the host in its answer; curl's second request on such a connection fails."""
    with socket.create_connection((host, 8081), timeout=TIMEOUT) as sock:
        sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + http2_frame(4, 0, 0, b""))
        for number, name in enumerate(names):
            # GET, http, / by index; :authority by a static name, entering the table; the same one again by index.
            authority = b"\xbe" if number and name == names[number - 1] else b"\x41" + bytes([len(name)]) + name.encode()
            sock.sendall(http2_frame(1, 5, 2 * number + 1, b"\x82\x86\x84" + authority))
            data = b""
            while b"GET " + name.encode() not in data:
                part = sock.recv(65536)
                if not part:
                    return False
                data += part
    return True


def unescaped(text):
    """The bytes that a command line's \\r and \\n stand for."""
    return text.encode().decode("unicode_escape").encode("latin-1")


def main(words):
    """The command line; see the module's text."""
    match words:
        case ["records", host, name, ca, *sizes] if sizes:
            answer = tls_by_hand(
                host, name, ca, lambda c, hello: c.socket.sendall(in_records(hello, [int(s) for s in sizes]))
            )
            return answer.startswith(b"HTTP/1.1 200")
        case ["in-name", host, name, ca]:
            answer = tls_by_hand(host, name, ca, lambda c, hello: c.socket.sendall(in_records_inside(hello, name)))
            return answer.startswith(b"HTTP/1.1 200")
        case ["segments", host, name, ca, size, *gap]:
            pause = float(gap[0]) if gap else 0.002
            answer = tls_by_hand(host, name, ca, lambda c, hello: send_in_pieces(c.socket, hello, int(size), pause))
            return answer.startswith(b"HTTP/1.1 200")
        case ["raw", host, *requests] if requests:
            return exchange(host, unescaped("".join(requests)), len(requests)) == [200] * len(requests)
        case ["sequence", host, *requests] if requests:
            return sequence(host, [unescaped(request) for request in requests]) == [200] * len(requests)
        case ["keepalive", host, name]:
            return keepalive(host, name) == [200] * 4
        case ["http2", host, *names] if names:
            return http2(host, names)
    print(__doc__, file=sys.stderr)
    return False


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
