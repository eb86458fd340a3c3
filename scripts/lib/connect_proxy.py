"""A CONNECT proxy for the lab: the smallest that a real client will use.

usage: connect_proxy.py ADDRESS PORT [ADDRESS PORT ...]

Names in CONNECT targets are resolved by the namespace's own resolver. One log line a request goes to stdout.
"""

import socket
import sys
import threading

HEAD_LIMIT = 16 * 1024
IDLE_SECONDS = 30


def pump(source, sink):
    """Copies until the source ends, then says so to the sink."""
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    try:
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(client):
    """One client connection: a CONNECT head, then bytes both ways."""
    with client:
        client.settimeout(IDLE_SECONDS)
        head = b""
        while b"\r\n\r\n" not in head:
            data = client.recv(4096)
            if not data or len(head) > HEAD_LIMIT:
                return
            head += data
        head, early = head.split(b"\r\n\r\n", 1)
        words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        print(" ".join(words), flush=True)
        if len(words) != 3 or words[0] != "CONNECT" or ":" not in words[1]:
            client.sendall(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        host, port = words[1].rsplit(":", 1)
        try:
            server = socket.create_connection((host.strip("[]"), int(port)), timeout=5)
        except (OSError, ValueError):
            client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        with server:
            server.settimeout(IDLE_SECONDS)
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            if early:
                server.sendall(early)
            back = threading.Thread(target=pump, args=(server, client), daemon=True)
            back.start()
            pump(client, server)
            back.join(IDLE_SECONDS)


def guarded(client):
    """A client that goes away is no event."""
    try:
        serve(client)
    except OSError:
        pass


def listen(address, port):
    """Accepts for ever on one address."""
    with socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET) as server:
        while True:
            client, _ = server.accept()
            threading.Thread(target=guarded, args=(client,), daemon=True).start()


def main():
    """Starts a listener for each ADDRESS PORT pair."""
    words = sys.argv[1:]
    if not words or len(words) % 2:
        sys.exit(__doc__)
    threads = [
        threading.Thread(target=listen, args=(words[i], int(words[i + 1]))) for i in range(0, len(words), 2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


main()
