"""Names and flags beyond SNI and Host: HTTP/2 in the clear, hidden DNS, fronting, tunnels, fragments, a real browser."""

import base64
import hashlib
import shutil
import subprocess

import pytest

from conftest import REPOSITORY, RESOLVERS, SESSION, wait_until
from quic_support import DOCS, PEER, PYTHON

H2C = "http://docs-site.org:8081/"
FLAGS = ("hidden-dns", "fronting", "host-disagreement", "smuggling", "tunnel", "evasion")

RAW = """
import socket, struct, sys
proto = int(sys.argv[1])
inner = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20, 1, 0, 64, 59, 0, bytes([10, 1, 1, 1]), bytes([10, 1, 1, 2]))
body = {4: inner, 41: b"\\x60" + b"\\0" * 39, 47: b"\\0\\0\\x08\\0" + inner}[proto]
socket.socket(socket.AF_INET, socket.SOCK_RAW, proto).sendto(body, (sys.argv[2], 0))
"""

FRAGMENTED = """
import json, random, socket, struct, sys, time
identifier = random.randrange(65536)
labels = b"".join(bytes([len(label)]) + label.encode() for label in sys.argv[2].split("."))
# EDNS padding (RFC 7830) makes the question longer than the way's MTU.
padding = struct.pack(">HH", 12, 1200) + b"\\0" * 1200
extra = struct.pack(">BHHIH", 0, 41, 4096, 0, len(padding)) + padding
message = struct.pack(">6H", identifier, 0x0100, 1, 0, 0, 1) + labels + struct.pack(">BHH", 0, 1, 1) + extra
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER, IP_PMTUDISC_DONT
sock.settimeout(3)
sock.connect((sys.argv[1], 53))
start = time.monotonic()
try:
    sock.send(message)
    answer = sock.recv(4096)
    word = "ok" if answer[:2] == message[:2] else "other"
except OSError as error:
    word = "timeout" if isinstance(error, TimeoutError) else "refused"
print(json.dumps({"outcome": word, "ms": (time.monotonic() - start) * 1000}))
"""


def python(lab, program, *words):
    """Runs a program in the agent's namespace; returns its output."""
    return lab.run("agent", "/usr/bin/python3", "-B", "-c", program, *words).stdout


def flags(running):
    """Kinds of the flags of this piece that were raised."""
    kinds = [event["egress"]["flag"]["kind"] for event in running.find(event_type="alert")]
    return [kind for kind in kinds if kind in FLAGS]


def test_request_over_http2_in_the_clear_is_named(lab, daemon):
    running = daemon()
    status, _, body = lab.curl("-4", "--http2-prior-knowledge", H2C)
    assert (status, body) == (0, "docs GET docs-site.org\n")
    event = running.wait_for(event_type="http", http__protocol="HTTP/2")
    assert event["http"]["hostname"] == "docs-site.org" and event["http"]["http_method"] == "GET"
    assert event["egress"]["destination"]["key"] == "docs-site.org"
    assert event["egress"]["destination"]["evidence"] == "host"
    assert event["egress"]["destination"]["resolution"] == "matched"
    assert not flags(running)


def test_denied_authority_over_http2_in_the_clear_is_refused(lab, daemon):
    running = daemon()
    status, ms, _ = lab.curl("-4", "--http2-prior-knowledge", "-H", "Host: sub.denied.net", H2C)
    assert status != 0 and ms < 3000
    event = running.wait_for(event_type="drop", egress__verdict__reason="denied-name")
    assert event["egress"]["verdict"]["list"]["entry"] == "denied.net"
    assert not lab.requests_seen()


def test_later_request_over_http2_in_the_clear_is_judged_by_itself(lab, daemon):
    running = daemon()
    client = REPOSITORY / "scripts/lib/lab_clients.py"
    words = ["http2", "93.184.216.10", "docs-site.org", "docs-site.org", "denied.net"]
    result = lab.run("agent", "/usr/bin/python3", "-B", client, *words, check=False)
    assert result.returncode != 0 and "ConnectionResetError" in result.stderr
    running.wait_for(event_type="drop", egress__verdict__reason="denied-name")
    assert [entry["host"] for entry in lab.requests_seen()] == ["docs-site.org"] * 2


def test_dns_over_tls_is_answered_and_flagged(lab, daemon):
    if shutil.which("kdig") is None:
        pytest.skip("kdig is not installed (knot-dnsutils)")
    running = daemon()
    result = lab.run("agent", "kdig", "+tls", f"@{RESOLVERS[0]}", "docs-site.org", "A", "+short", check=False)
    assert result.stdout == "93.184.216.10\n", result.stderr
    event = running.wait_for(event_type="alert", egress__flag__kind="hidden-dns")
    assert event["dest_port"] == 853
    assert event["egress"]["flag"]["evidence"]["transport"] == "DNS over TLS"


def test_dns_over_quic_is_answered_and_flagged(lab, daemon, tmp_path):
    if not PYTHON.exists():
        pytest.skip("aioquic is not installed (PyPI out of reach?)")
    running, log = daemon(), tmp_path / "doq.json"
    tls = lab.directory / "tls"
    words = [PYTHON, "-B", PEER, "doq", tls / "docs.pem", tls / "server.key", log, DOCS[4]]
    resolver = subprocess.Popen(lab.command("internet", *words), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(log.exists, 10, "the resolver listens")
        result = lab.run("agent", PYTHON, "-B", PEER, "ask", DOCS[4], "docs-site.org", check=False)
        assert result.stdout == "93.184.216.10\n", result.stderr
    finally:
        resolver.terminate()
        resolver.wait(10)
    event = running.wait_for(event_type="alert", egress__flag__kind="hidden-dns")
    assert (event["proto"], event["dest_port"]) == ("UDP", 853)
    assert event["egress"]["flag"]["evidence"]["transport"] == "DNS over QUIC"


def test_session_that_stops_asking_is_flagged_once(lab, daemon):
    running = daemon()
    assert lab.agent("ask", RESOLVERS[0], "docs-site.org", "A")[0]["outcome"] == "ok"
    for number in range(1, 13):
        fixed = f"dest{number}.com:80:93.184.217.{number}"
        assert lab.curl("-4", "--resolve", fixed, f"http://dest{number}.com/")[0] == 0
        event = running.wait_for(event_type="http", http__hostname=f"dest{number}.com")
        assert event["egress"]["destination"]["resolution"] == "never"
        assert flags(running) == ([] if number < 10 else ["hidden-dns"])
    assert running.alerts("hidden-dns")[0]["egress"]["session"] == SESSION


def test_ordinary_clients_raise_none_of_these_flags(lab, daemon):
    running = daemon()
    for address in ["http://docs-site.org/", "https://docs-site.org/", "https://static.news-site.com/", "https://api-service.com/"]:
        assert lab.curl(address)[0] == 0
    assert lab.curl("-p", "-x", "http://proxy-service.net:3128", "https://docs-site.org/")[0] == 0
    assert lab.curl("-x", "http://proxy-service.net:80", "http://api-service.com/")[0] == 0
    assert lab.curl("-d", "a=b", "http://docs-site.org/")[0] == 0
    assert lab.curl("-H", "Transfer-Encoding: chunked", "-d", "a=b", "http://docs-site.org/")[0] == 0
    running.wait_for(event_type="http", http__http_method="POST")
    assert not flags(running)


def test_name_inside_a_tunnel_that_was_asked_for_another_is_fronting(lab, daemon):
    running = daemon()
    proxy = ["-4", "-p", "-x", "http://proxy-service.net:3128"]
    assert lab.curl(*proxy, "--connect-to", "docs-site.org:443:api-service.com:443", "https://docs-site.org/")[0] == 0
    event = running.wait_for(event_type="alert", egress__flag__kind="fronting")
    assert event["egress"]["flag"]["evidence"] == {"target": "api-service.com", "name": "docs-site.org"}


def test_target_and_host_that_disagree_are_flagged(lab, daemon):
    running = daemon()
    lab.curl("-4", "-x", "http://proxy-service.net:80", "-H", "Host: docs-site.org", "http://api-service.com/")
    event = running.wait_for(event_type="alert", egress__flag__kind="host-disagreement")
    assert event["egress"]["flag"]["evidence"] == {"host": "api-service.com", "other": "docs-site.org"}


def test_contradictory_lengths_are_flagged(lab, daemon):
    running = daemon()
    words = ["-H", "Transfer-Encoding: chunked", "-H", "Content-Length: 3", "-d", "a=b", "http://docs-site.org/"]
    lab.curl("-4", *words)
    running.wait_for(event_type="alert", egress__flag__kind="smuggling")


@pytest.mark.parametrize("number,form", [(4, "IP in IP"), (41, "6in4"), (47, "GRE")])
def test_ip_in_other_packets_is_flagged(lab, daemon, number, form):
    running = daemon()
    python(lab, RAW, number, "93.184.216.10")
    event = running.wait_for(event_type="alert", egress__flag__kind="tunnel")
    assert event["dest_ip"] == "93.184.216.10"
    assert event["egress"]["flag"]["evidence"]["form"] == form


def test_vxlan_of_the_kernel_is_flagged_and_counts_as_its_outer_address(lab, daemon):
    running = daemon()
    link = "type vxlan id 42 dstport 4789 remote 93.184.216.10 local 10.88.0.7 dev eth0".split()
    made = lab.run("agent", "ip", "link", "add", "vx0", *link, check=False)
    if made.returncode != 0:
        pytest.skip(f"this kernel makes no VXLAN link: {made.stderr.strip()}")
    try:
        lab.run("agent", "ip", "addr", "add", "192.168.77.1/24", "dev", "vx0")
        lab.run("agent", "ip", "link", "set", "vx0", "up")
        lab.run("agent", "ping", "-c1", "-W1", "192.168.77.2", check=False)
        event = running.wait_for(event_type="alert", egress__flag__kind="tunnel")
    finally:
        lab.run("agent", "ip", "link", "del", "vx0")
    assert event["egress"]["flag"]["evidence"] == {"address": "93.184.216.10", "form": "VXLAN"}
    assert event["egress"]["destination"]["key"] == "93.184.216.10"


@pytest.fixture
def narrow_way(lab):
    """Packets of more than 600 bytes leave the agent in fragments."""
    lab.run("agent", "ip", "route", "replace", "default", "via", "10.88.0.1", "mtu", "lock", "600")
    try:
        yield
    finally:
        lab.run("agent", "ip", "route", "replace", "default", "via", "10.88.0.1")


def fragments_sent(lab):
    """Fragments that the agent's kernel made so far."""
    head, values = [row.split() for row in lab.run("agent", "grep", "^Ip:", "/proc/net/snmp").stdout.splitlines()]
    return int(values[head.index("FragCreates")])


@pytest.mark.parametrize("name,outcome", [("docs-site.org", "ok"), ("sub.denied.net", "refused")])
def test_question_in_fragments_is_judged_whole(lab, daemon, narrow_way, name, outcome):
    running, before = daemon(), fragments_sent(lab)
    result = python(lab, FRAGMENTED, RESOLVERS[0], name)
    assert f'"outcome": "{outcome}"' in result
    assert fragments_sent(lab) >= before + 3
    event = running.wait_for(event_type="dns", dns__type="request")
    assert event["dns"]["queries"] == [{"rrname": name, "rrtype": "A"}]
    if outcome == "refused":
        running.wait_for(event_type="drop", egress__verdict__reason="denied-name")
        assert name not in lab.questions_seen()


CADDYFILE = """
{{
  admin off
  auto_https off
  servers {{
    protocols h1 h2 h3
  }}
}}
(site) {{
  tls {tls}/docs.pem {tls}/server.key
  log {{
    output file {log}
  }}
  respond "caddy {{host}} {{http.request.proto}}"
}}
https://docs-site.org:8443 {{
  bind 93.184.216.10
  import site
}}
https://sub.denied.net:8443 {{
  bind 93.184.216.15
  import site
}}
"""


class Browser:
    """Chromium without a screen, and a server that speaks HTTP/3 to it."""

    def __init__(self, lab, directory):
        self.lab, self.directory, self.log = lab, directory, directory / "caddy.log"
        configuration = directory / "Caddyfile"
        configuration.write_text(CADDYFILE.format(tls=lab.directory / "tls", log=self.log))
        words = ["env", f"HOME={directory}", "caddy", "run", "--adapter", "caddyfile", "--config", configuration]
        self.process = subprocess.Popen(
            lab.command("internet", *words), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(self._listens, 15, "caddy listens")

    def _listens(self):
        return ":8443" in self.lab.run("internet", "ss", "-Hlnu").stdout

    def key_hash(self):
        """Of the servers' key, as Chromium wants it: nothing but it makes the lab's authority good for QUIC."""
        key = self.lab.directory / "tls/server.key"
        words = ["openssl", "pkey", "-in", str(key), "-pubout", "-outform", "DER"]
        return base64.b64encode(hashlib.sha256(subprocess.run(words, capture_output=True, check=True).stdout).digest())

    def page(self, name, address=None):
        """What Chromium shows of a site, at an address if the resolver is not to be asked."""
        words = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        words += ["--disable-background-networking", "--disable-component-update", f"--user-data-dir={self.directory}/{name}"]
        words += [f"--ignore-certificate-errors-spki-list={self.key_hash().decode()}"]
        words += ["--enable-quic", f"--origin-to-force-quic-on={name}:8443", "--timeout=15000", "--dump-dom"]
        if address is not None:
            words.append(f"--host-resolver-rules=MAP {name} {address}")
        environment = ["env", f"HOME={self.directory}", "timeout", "60"]
        return self.lab.run("agent", *environment, *words, f"https://{name}:8443/", timeout=70, check=False)

    def served(self):
        """What caddy logged."""
        return self.log.read_text() if self.log.exists() else ""

    def end(self):
        """Ends the server."""
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture
def browser(lab, tmp_path):
    """Chromium and its server, where Debian's chromium and caddy are installed."""
    for program in ("chromium", "caddy"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    instance = Browser(lab, tmp_path)
    try:
        yield instance
    finally:
        instance.end()


@pytest.mark.slow
def test_http3_of_a_real_browser_is_named(lab, daemon, browser):
    running = daemon()
    result = browser.page("docs-site.org")
    assert "caddy docs-site.org HTTP/3" in result.stdout, result.stderr[-2000:]
    event = running.wait_for(event_type="quic", quic__sni="docs-site.org")
    # Chromium's hello always has the extension of an encrypted one: the name is a public name, the answer is evidence.
    assert event["egress"]["destination"]["key"] == "docs-site.org"
    assert event["egress"]["destination"]["evidence"] in ("quic-sni", "dns-answer")
    assert not flags(running)


@pytest.mark.slow
def test_http3_of_a_real_browser_to_a_denied_name_is_refused(lab, daemon, browser):
    running = daemon()
    # The question would be refused already: the browser is told the address.
    result = browser.page("sub.denied.net", "93.184.216.15")
    assert "caddy" not in result.stdout
    event = running.wait_for(event_type="quic", quic__sni="sub.denied.net")
    assert event["egress"]["verdict"]["reason"] == "denied-name"
    assert "sub.denied.net" not in browser.served()


def test_http3_server_of_the_browser_tests_would_answer_the_denied_name(lab, browser):
    """The control: without rules the same page is shown, so the refusal above is the daemon's."""
    assert "caddy sub.denied.net HTTP/3" in browser.page("sub.denied.net", "93.184.216.15").stdout
