"""An agent with one kept-alive HTTP connection and one UDP socket, told what to do line by line.

usage: talker.py ADDRESS RESOLVER [SOURCE]   then on standard input, a line each: `http HOST` or `ask NAME`

Every line is answered with one outcome as agent.py gives it. A connection that was cut is not opened again.
"""

import json
import socket
import sys

from agent import PATIENCE, outcome, question
import lab_clients


def main(address, resolver, source=""):
    """Serves standard input until its end."""
    stream = socket.create_connection((address, 80), timeout=PATIENCE, source_address=(source, 0) if source else None)
    datagrams = socket.socket(socket.AF_INET6 if ":" in resolver else socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.settimeout(PATIENCE)
    if source:
        datagrams.bind((source, 0))
    datagrams.connect((resolver, 53))

    def http(host):
        stream.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        if not lab_clients.read_answers(stream, 1):
            raise EOFError

    def ask(name):
        identifier, message = question(name, "A")
        datagrams.send(message)
        while int.from_bytes(datagrams.recv(4096)[:2]) != identifier:
            pass

    for line in sys.stdin:
        verb, word = line.split()
        print(json.dumps(outcome(lambda: {"http": http, "ask": ask}[verb](word))), flush=True)


main(*sys.argv[1:])
