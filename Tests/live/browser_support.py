"""Headless Chromium as the agent, and Caddy as an HTTP/3 server, for the tests of a real browser."""

import base64
import hashlib
import json
import os
import shutil
import signal
import subprocess

import pytest

from conftest import end_process, wait_until

# The agent has no way to the browser's maker: nothing of this is asked for.
QUIET = [
    "--headless=new",
    "--no-sandbox",  # the tests run as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--password-store=basic",
    "--mute-audio",
]


def program(name):
    """The path of a program, or the reason why the test is skipped."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (scripts/test.sh installs it)")
    return found


class Browser:
    """Chromium in the agent's namespace; each page is loaded by a new one, with a profile of its own."""

    def __init__(self, lab, directory):
        self.lab, self.directory, self.loads = lab, directory, 0
        self.program = program("chromium")
        # Chromium keeps no authority of its own files: it is told the key that the lab's servers have.
        key = subprocess.run(
            ["openssl", "pkey", "-in", lab.directory / "tls/server.key", "-pubout", "-outform", "DER"],
            check=True,
            capture_output=True,
            timeout=10,
        ).stdout
        self.key = base64.b64encode(hashlib.sha256(key).digest()).decode()

    def load(self, address, *options, seconds=60):
        """The document behind an address as text; what Chromium shows of an error is a document too."""
        self.loads += 1
        profile = self.directory / f"profile-{self.loads}"
        words = [
            self.program,
            *QUIET,
            f"--user-data-dir={profile}",
            f"--ignore-certificate-errors-spki-list={self.key}",
            *options,
            "--dump-dom",
            address,
        ]
        process = subprocess.Popen(
            self.lab.command("agent", *words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            document, complaints = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=10)
            pytest.fail(f"Chromium loads {address} for more than {seconds} s")
        finally:
            shutil.rmtree(profile, ignore_errors=True)
        assert process.returncode == 0, complaints[-2000:]
        return document


class HTTP3Server:
    """Caddy in the internet's namespace, reached over HTTP/3 alone: port 443 of TCP is nginx's there, so that Caddy, which
    wants both, listens on another, and only what comes over UDP is led to it."""

    PORT = 8443
    LEADS_THERE = ["PREROUTING", "-p", "udp", "--dport", "443", "-j", "DNAT", "--to-destination", f":{PORT}"]

    def __init__(self, lab, directory):
        self.lab, self.program = lab, program("caddy")
        self.log, self.output = directory / "caddy-access.json", directory / "caddy.log"
        self.configuration, self.storage = directory / "caddy.json", directory / "caddy"
        self.process, self.led = None, []

    def start(self, certificate, addresses):
        """Starts it and waits until it listens."""
        tls = self.lab.directory / "tls"
        answer = {"handler": "static_response", "body": "{http.request.proto} {http.request.host}"}
        site = {
            "listen": [f"[{address}]:{self.PORT}" if ":" in address else f"{address}:{self.PORT}" for address in addresses],
            "protocols": ["h3"],
            "automatic_https": {"disable": True},
            "tls_connection_policies": [{}],
            "logs": {},
            "routes": [{"handle": [answer]}],
        }
        pair = {"certificate": str(tls / f"{certificate}.pem"), "key": str(tls / "server.key")}
        access = {
            "writer": {"output": "file", "filename": str(self.log)},
            "encoder": {"format": "json"},
            "include": ["http.log.access"],
        }
        configuration = {
            "admin": {"disabled": True},
            "storage": {"module": "file_system", "root": str(self.storage)},
            "logging": {"logs": {"access": access}},
            "apps": {"tls": {"certificates": {"load_files": [pair]}}, "http": {"servers": {"site": site}}},
        }
        self.configuration.write_text(json.dumps(configuration))
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                self.lab.command("internet", "env", f"HOME={self.storage}", self.program, "run", "--config", self.configuration),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        wait_until(lambda: self.listens(len(addresses)) or self.process.poll() is not None, 15, "Caddy listens")
        assert self.process.poll() is None, self.output.read_text()[-2000:]
        for tables in ("iptables", "ip6tables"):
            self.lab.run("internet", tables, "-w", "-t", "nat", "-A", *self.LEADS_THERE)
            self.led.append(tables)

    def listens(self, count):
        """Whether it has a UDP socket for each address."""
        return len(self.lab.run("internet", "ss", "-Hlun", f"sport = {self.PORT}").stdout.splitlines()) >= count

    def requests(self):
        """The protocol and host of each request that it answered."""
        if not self.log.exists():
            return []
        seen = [json.loads(line)["request"] for line in self.log.read_text().splitlines()]
        return [(request["proto"], request["host"]) for request in seen]

    def end(self):
        """Ends it."""
        for tables in self.led:
            self.lab.run("internet", tables, "-w", "-t", "nat", "-D", *self.LEADS_THERE)
        if self.process is not None:
            end_process(self.process)


@pytest.fixture
def browser(lab, tmp_path):
    """Chromium."""
    return Browser(lab, tmp_path)


@pytest.fixture
def http3(lab, tmp_path):
    """A function that starts Caddy with a site's certificate, on addresses."""
    instance = HTTP3Server(lab, tmp_path)

    def start(certificate, *addresses):
        instance.start(certificate, addresses)
        return instance

    try:
        yield start
    finally:
        instance.end()
