"""An HTTP server that reads the end of a body as it is told, for the tests of smuggling. Runs inside the lab.

usage: disagreeing_server.py READING LOG ADDRESS PORT      READING is first, last or chunks

The body ends by the first or the last Content-Length, or by its chunks; without what is looked for there is none. Lines
end in CR LF, others are folded into the one before, and every request's Host is a line of LOG.
"""

import socketserver
import sys


class Connection(socketserver.StreamRequestHandler):
    """Answers one request after the other."""

    reading = log = None

    def line(self):
        """The next line without its end."""
        line = b""
        while not line.endswith(b"\r\n"):
            more = self.rfile.readline()
            if not more:
                raise EOFError
            line += more
        return line[:-2]

    def fields(self):
        """The fields of the next request's head, behind its request line."""
        while not self.line():
            pass
        lines = []
        while line := self.line():
            if line[:1] in b" \t" and lines:
                lines[-1] += line
            else:
                lines.append(line)
        pairs = [line.partition(b":") for line in lines]
        return [(name.strip().lower(), value.strip()) for name, _, value in pairs]

    def pass_body(self, fields):
        """Reads on to where the body ends."""
        if self.reading == "chunks":
            while (b"transfer-encoding", b"chunked") in fields and (size := int(self.line(), 16)):
                self.rfile.read(size + 2)
            return
        lengths = [int(value) for name, value in fields if name == b"content-length"]
        if lengths:
            self.rfile.read(lengths[0 if self.reading == "first" else -1])

    def handle(self):
        """Called by socketserver."""
        try:
            while True:
                fields = self.fields()
                with open(self.log, "a", encoding="utf-8") as log:
                    log.write(dict(fields).get(b"host", b"").decode() + "\n")
                self.pass_body(fields)
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except (EOFError, OSError, ValueError):
            pass


class Server(socketserver.ThreadingTCPServer):
    """One thread a connection."""

    allow_reuse_address = daemon_threads = True


def main(reading, log, address, port):
    """Serves until told to stop."""
    Connection.reading, Connection.log = reading, log
    with Server((address, int(port)), Connection) as server:
        with open(log, "w", encoding="utf-8"):
            pass
        server.serve_forever()


main(*sys.argv[1:])
