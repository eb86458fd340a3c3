"""Hellos in every form that a server understands are named, and tricks are refused.

Each trick tells its report what was sent and what happened (`told`): scripts/evasion.sh makes docs/evasion.md of that.
"""

import subprocess

import pytest

from conftest import REPOSITORY, RESOLVERS, wait_until
from evasion_support import DENIED, DENIED6, told, trick, verdict  # noqa: F401  (a fixture)
from quic_support import second_is_refused, server  # noqa: F401  (a fixture)

VENV_PYTHON = REPOSITORY / ".build/fixture-venv/bin/python"
CHROME = """
import sys
from curl_cffi import CurlOpt, requests
session = requests.Session(
    impersonate="chrome", verify=sys.argv[2], timeout=10, curl_options={CurlOpt.RESOLVE: sys.argv[3:]}
)
print(session.get(sys.argv[1]).status_code)
"""


def chrome(lab, address, *fixed):
    """Chrome's TLS client, by curl_cffi; `fixed` are curl's NAME:PORT:ADDRESS."""
    if not VENV_PYTHON.exists():
        pytest.skip("curl_cffi is not installed (PyPI out of reach?)")
    return lab.run("agent", VENV_PYTHON, "-B", "-c", CHROME, address, lab.directory / "ca.pem", *fixed, check=False)


def test_post_quantum_hello_over_two_segments_is_named(lab, daemon):
    running = daemon()
    result = chrome(lab, "https://docs-site.org/")
    assert result.stdout == "200\n", result.stderr
    event = running.wait_for(event_type="tls", tls__sni="docs-site.org")
    assert event["egress"]["tls"]["post_quantum"] is True
    # Chrome sends an encrypted hello's extension even where it encrypts nothing, so that nobody can tell the two apart.
    # The name may then be a public name only: what counts is the name that a trusted resolver gave for the address.
    assert event["egress"]["tls"]["ech"] is True
    assert event["egress"]["destination"]["key"] == "docs-site.org"
    assert event["egress"]["destination"]["evidence"] == "dns-answer"


def test_post_quantum_hello_to_a_denied_name_is_refused(lab, daemon):
    running = daemon()
    result = chrome(lab, "https://evil-paste.com/", "evil-paste.com:443:93.184.216.14")
    assert result.returncode != 0
    running.wait_for(egress__verdict__reason="denied-name")
    assert not lab.requests_seen()


@pytest.mark.parametrize("form", [["records", "1", "3", "60", "100"], ["in-name"], ["segments", "24"]])
def test_hello_in_records_and_segments_is_named(lab, daemon, form):
    running = daemon()
    client = REPOSITORY / "scripts/lib/lab_clients.py"
    words = [form[0], "docs-site.org", "docs-site.org", lab.directory / "ca.pem", *form[1:]]
    result = lab.run("agent", "/usr/bin/python3", "-B", client, *words, check=False)
    assert result.returncode == 0, result.stderr
    running.wait_for(event_type="tls", tls__sni="docs-site.org", egress__destination__evidence="sni")


@pytest.mark.parametrize("form", [["records", "1", "3", "60", "100"], ["in-name"], ["segments", "24"]])
def test_denied_hello_in_records_and_segments_is_refused(lab, daemon, told, form):
    running = daemon()
    client = REPOSITORY / "scripts/lib/lab_clients.py"
    words = [form[0], "93.184.216.15", "denied.net", lab.directory / "ca.pem", *form[1:]]
    result = lab.run("agent", "/usr/bin/python3", "-B", client, *words, check=False)
    assert result.returncode != 0
    sent = {"records": "the hello in TLS records of 1, 3, 60, 100 and the remaining bytes",
            "in-name": "the hello in TLS records cut inside the server name",
            "segments": "the hello in segments of 24 bytes"}
    told("TLS records and small segments", sent[form[0]], verdict(running))
    assert not lab.requests_seen()


@pytest.mark.slow
def test_hello_with_half_a_minute_between_its_bytes_is_named(lab, daemon):
    running = daemon()
    assert lab.agent("ask", "93.184.216.53", "docs-site.org", "A")[0]["outcome"] == "ok"
    # OpenSSL's hello has 517 bytes: five pieces, four gaps.
    result = lab.agent("tls", "93.184.216.10", "docs-site.org", 105, 7.5, timeout=120)
    assert (result["outcome"], result.get("certificate")) == ("ok", "good")
    assert result["ms"] > 28_000
    running.wait_for(event_type="tls", tls__sni="docs-site.org", egress__destination__key="docs-site.org")


@pytest.mark.slow
def test_denied_hello_with_pauses_is_refused(lab, daemon, told):
    running = daemon()
    result = lab.agent("tls", "93.184.216.15", "denied.net", 140, 6, timeout=120)
    assert result["outcome"] == "reset", result
    told("a slow hello", "four pieces of the hello, 6 s apart", verdict(running), result["outcome"])


@pytest.fixture
def quiet_kernel(lab):
    """The agent's kernel knows nothing of hand-made connections: it must not reset them."""
    rule = ["OUTPUT", "-p", "tcp", "--sport", "61000:62999", "--tcp-flags", "RST", "RST", "-j", "DROP"]
    lab.run("agent", "iptables", "-w", "-A", *rule)
    try:
        yield
    finally:
        lab.run("agent", "iptables", "-w", "-D", *rule)


@pytest.fixture
def short_lived(lab):
    """The internet's first router drops what has one hop left, as any router but the last would."""
    rule = ["PREROUTING", "-p", "tcp", "-m", "ttl", "--ttl-eq", "1", "-j", "DROP"]
    lab.run("internet", "iptables", "-w", "-t", "raw", "-A", *rule)
    try:
        yield
    finally:
        lab.run("internet", "iptables", "-w", "-t", "raw", "-D", *rule)


# What is sent raw, by trick: words for tricks.py, what they mean, and the reasons for which it may be refused.
RAW = {
    "out-of-order": (["out-of-order", DENIED, "denied.net"], "the hello's pieces of 100 bytes, last to first", ["denied-name"]),
    "other-copy": (["other-copy", DENIED, "denied.net"], "a harmless hello and, before the server's answer, the denied one at the same sequence number", ["evasion"]),
    "overlap-old": (
        ["overlap", DENIED, "denied.net", "new-over-old"],
        "a harmless beginning, then a segment that writes the denied name over its end", ["evasion"],
    ),
    "overlap-new": (
        ["overlap", DENIED, "denied.net", "old-over-new"],
        "the denied name in a segment that waits for a gap, then a harmless one that fills the gap and writes over it",
        ["evasion"],
    ),
    "low-ttl": (["fake", DENIED, "denied.net", "low-ttl"], "a harmless hello whose TTL ends before the server, then the denied one in its place", ["evasion"]),
    "low-ttl-junk": (["fake", DENIED, "denied.net", "low-ttl-junk"], "junk whose TTL ends before the server, then the denied hello in its place", ["evasion"]),
    "bad-checksum": (
        ["fake", DENIED, "denied.net", "bad-checksum"],
        "a harmless hello with a wrong TCP checksum, then the denied one in its place", ["denied-name", "evasion"],
    ),
    "old-sequence": (["fake", DENIED, "denied.net", "old-sequence"], "a harmless hello 100,000 before the sequence number, then the denied one", ["denied-name"]),
    "far-sequence": (["fake", DENIED, "denied.net", "far-sequence"], "a harmless hello 500,000 ahead of the sequence number, then the denied one", ["denied-name"]),
    "after-junk": (["after-junk", DENIED, "denied.net"], "two lines of text, then the denied hello", ["denied-name"]),
    "early-real": (["early-data", DENIED, "denied.net", "real"], "the denied hello in the SYN, and again", ["denied-name", "evasion"]),
    "early-fake": (
        ["early-data", DENIED, "denied.net", "fake"],
        "a harmless hello in the SYN, then the denied one at the same sequence number", ["evasion"],
    ),
}
TRICK_NAMES = {
    "out-of-order": "out of order", "other-copy": "retransmission with other content", "overlap-old": "overlap, new over old",
    "overlap-new": "overlap, old over new", "low-ttl": "fake hello, low TTL", "low-ttl-junk": "fake junk, low TTL",
    "bad-checksum": "fake hello, bad checksum",
    "old-sequence": "fake hello, sequence number too low", "far-sequence": "fake hello, sequence number too high",
    "after-junk": "hello after junk", "early-real": "data in the SYN", "early-fake": "data in the SYN, a fake",
}


@pytest.mark.parametrize("name", RAW)
def test_trick_with_raw_segments_is_refused(lab, daemon, quiet_kernel, short_lived, told, name):
    running = daemon()
    words, sent, reasons = RAW[name]
    result = trick(lab, *words)
    # Where the server answers the junk or the harmless copy by itself, that answer may come first: the verdict counts.
    answered = ["ok"] if name in ("after-junk", "other-copy") else []
    assert result["outcome"] in ["reset", "refused", "timeout", *answered], result
    told(TRICK_NAMES[name], sent, verdict(running, *reasons), result["outcome"])


@pytest.mark.parametrize("name", RAW)
def test_trick_with_raw_segments_is_answered_where_nobody_inspects(lab, quiet_kernel, short_lived, name):
    """The control: without rules the server answers the same bytes, so the refusal above is the daemon's."""
    result = trick(lab, *RAW[name][0])
    assert result["outcome"] == "ok", result


def test_hello_split_at_every_byte_is_refused(lab, daemon, told):
    running = daemon()
    result = trick(lab, "every-split", DENIED, "denied.net", timeout=120)
    assert set(result["outcomes"]) == {"reset"}, result
    assert result["connections"] > 400
    count = result["connections"]
    wait_until(lambda: len(running.find(event_type="tls", tls__sni="denied.net")) == count, 20, "an event for each")
    told("segment splits", f"the hello cut in two at every byte: {result['connections']} connections", verdict(running), "reset, all of them")


def test_hello_split_at_every_byte_to_an_allowed_name_is_answered(lab, daemon, told):
    running = daemon()
    result = trick(lab, "every-split", "93.184.216.10", "docs-site.org", timeout=120)
    assert set(result["outcomes"]) == {"ok"}, result
    assert not running.find(event_type="drop")
    told("segment splits, allowed name", f"the same to an allowed name: {result['connections']} connections", "all answered")


def test_hello_of_one_byte_segments_is_refused(lab, daemon, told):
    running = daemon()
    result = trick(lab, "every-byte", DENIED, "denied.net", "0.03", timeout=60)
    assert result["outcome"] == "reset", result
    told("one byte at a time", "one byte of the hello every 30 ms (every 30 s only with the simulated clock of the unit test `slowBytes`)",
         verdict(running), result["outcome"])


@pytest.mark.parametrize("kind", ["hop-by-hop", "destination", "both"])
def test_extension_headers_hide_no_hello(lab, daemon, told, kind):
    running = daemon()
    result = trick(lab, "extension-headers", DENIED6, "denied.net", kind)
    assert result["outcome"] == "reset", result
    told("IPv6 extension-header padding", f"32 bytes of options in extension headers of every packet: {kind}", verdict(running), result["outcome"])
    allowed = trick(lab, "extension-headers", "2606:2800:220:1::10", "docs-site.org", kind)
    assert allowed["outcome"] == "ok", allowed


HEADS = {
    "letter case": r"GET / HTTP/1.1\r\nhOsT: DENIED.nEt\r\n\r\n",
    "no space after the colon": r"GET / HTTP/1.1\r\nHost:denied.net\r\n\r\n",
    "tabs and trailing spaces": r"GET / HTTP/1.1\r\nHost:\t denied.net \t\r\n\r\n",
    "space before the colon": r"GET / HTTP/1.1\r\nHost : denied.net\r\n\r\n",
    "a folded line": r"GET / HTTP/1.1\r\nHost:\r\n denied.net\r\n\r\n",
    "a port and a final dot": r"GET / HTTP/1.1\r\nHost: denied.net.:80\r\n\r\n",
    "line feeds alone": r"GET / HTTP/1.1\nHost: denied.net\n\n",
    "forty empty lines before": r"\r\n" * 40 + r"GET / HTTP/1.1\r\nHost: denied.net\r\n\r\n",
    "empty lines before": r"\r\n\r\nGET / HTTP/1.1\r\nHost: denied.net\r\n\r\n",
    "a second Host": r"GET / HTTP/1.1\r\nHost: docs-site.org\r\nHost: denied.net\r\n\r\n",
    "an absolute target beside another Host": r"GET http://denied.net/ HTTP/1.1\r\nHost: docs-site.org\r\n\r\n",
    "another Host beside an absolute target": r"GET http://docs-site.org/ HTTP/1.1\r\nHost: denied.net\r\n\r\n",
}


@pytest.mark.parametrize("form", HEADS)
def test_host_in_any_form_is_refused(lab, daemon, told, form):
    running = daemon()
    result = trick(lab, "request", DENIED, HEADS[form])
    assert result["outcome"] in ("reset", "closed", "refused"), result
    told("Host case and white space", form, verdict(running), result["outcome"])
    assert not lab.requests_seen()


def test_question_in_the_second_message_of_one_segment_is_refused(lab, daemon, told):
    running = daemon()
    result = trick(lab, "second-question", RESOLVERS[0], "denied.net")
    assert result["outcome"] in ("reset", "closed"), result
    told("second DNS message", "two questions in one TCP segment, the second denied", verdict(running), result["outcome"])
    assert "denied.net" not in lab.questions_seen()


def test_second_request_far_into_one_large_packet_is_refused(lab, daemon, told):
    running = daemon()
    route = lab.run("agent", "ip", "route", "show", "default").stdout.split()
    lab.run("agent", "ip", "route", "replace", *route, "initcwnd", "60")
    try:
        # On a busy machine the write may leave in smaller packets: each must be refused, and one must have been large.
        for _ in range(8):
            result = trick(lab, "far-request", "93.184.216.10", "denied.net", "50000")
            happened = verdict(running)
            length = max(event["drop"]["len"] for event in running.find(event_type="drop"))
            if length > 10_000:
                break
    finally:
        lab.run("agent", "ip", "route", "replace", *route)
    assert length > 10_000, "not one large packet"
    told("second request in a large GSO packet", f"a request with a body of 50,000 bytes and a denied one behind it; the packet queued had {length:,} bytes",
         happened, result["outcome"])
    assert "denied.net" not in [entry.get("host") for entry in lab.requests_seen()]


@pytest.fixture
def socks_proxy(lab, tmp_path):
    """A SOCKS proxy on the internet that leads everywhere to the web server; what it was asked for."""
    log = tmp_path / "socks.log"
    script = REPOSITORY / "scripts/lib/socks_proxy.py"
    words = ["/usr/bin/python3", "-B", script, "93.184.216.20", "1080", "93.184.216.10", log]
    process = subprocess.Popen(lab.command("internet", *words), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(log.exists, 10, "the SOCKS proxy listens")
        yield lambda: log.read_text().split()
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.parametrize("kind", ["socks4a", "socks5h"])
def test_name_that_a_socks_proxy_is_asked_for_is_judged(lab, daemon, socks_proxy, told, kind):
    running = daemon()
    proxy = ["-x", f"{kind}://93.184.216.20:1080"]
    assert lab.curl(*proxy, "http://docs-site.org/")[0] == 0
    assert lab.curl(*proxy, "https://denied.net/")[0] != 0
    told("the name told to a SOCKS proxy", f"a denied name as the target that a proxy is asked for: {kind}", verdict(running))
    assert socks_proxy() == ["docs-site.org"]


def test_more_requests_in_one_packet_than_are_judged_are_refused(lab, daemon, told):
    running = daemon()
    result = trick(lab, "crowd", "93.184.216.10", "denied.net", "64")
    told("a packet full of requests", "64 pipelined requests and a denied one behind them in one packet",
         verdict(running, "evasion"), result["outcome"])
    assert "denied.net" not in [entry.get("host") for entry in lab.requests_seen()]


def test_second_quic_connection_on_one_socket_is_refused(lab, daemon, server, told):  # noqa: F811
    running = daemon()
    outcome = second_is_refused(lab, running, server())
    told("second QUIC connection", "from the UDP socket of an allowed connection, one with a denied name", verdict(running), outcome)


ORDINARY = {
    "curl, HTTPS": ["https://docs-site.org/"],
    "curl, HTTP": ["http://docs-site.org/"],
    "curl, HTTPS over IPv6": ["-6", "https://docs-site.org/"],
    "curl, TLS 1.2": ["--tls-max", "1.2", "https://docs-site.org/"],
    "curl, two requests on one connection": ["http://docs-site.org/a", "http://docs-site.org/b"],
    "curl, an upload of 1 MB": ["-T", "/dev/shm/upload", "http://docs-site.org/up"],
}


def test_ordinary_clients_are_not_hurt(lab, daemon, told):
    running = daemon()
    lab.run("agent", "dd", "if=/dev/zero", "of=/dev/shm/upload", "bs=1M", "count=1")
    done = []
    for _ in range(5):
        for name, words in ORDINARY.items():
            status, _, _ = lab.curl("-o", "/dev/null", "-o", "/dev/null", *words)
            assert status == 0, (name, status)
            done.append(name)
    for transport in ("udp", "tcp"):
        answers = lab.agent("ask", RESOLVERS[0], transport, *["docs-site.org", "A", "docs-site.org", "AAAA"] * 5)
        assert all(answer["outcome"] == "ok" for answer in answers)
    assert chrome(lab, "https://docs-site.org/").stdout == "200\n"
    assert not running.find(event_type="drop")
    assert not running.alerts("evasion")
    told("ordinary clients", f"{', '.join(ORDINARY)}, each five times; 20 questions over UDP and TCP; Chrome's TLS",
         "all answered; no packet refused, no `evasion` flag")


def test_overlapping_segments_that_contradict_each_other_are_refused(lab, daemon, quiet_kernel):
    running = daemon()
    result = lab.agent("overlap", "93.184.216.10", "docs-site.org", "10.88.0.7", 61001)
    assert result["outcome"] == "reset", result
    event = running.wait_for(egress__verdict__reason="evasion")
    assert event["egress"]["verdict"]["action"] == "reject"


def test_overlap_reaches_the_server_where_nobody_inspects(lab, quiet_kernel):
    """The control: without rules the server answers the same bytes, so the refusal above is the daemon's."""
    result = lab.agent("overlap", "93.184.216.10", "docs-site.org", "10.88.0.7", 61002)
    assert result["outcome"] == "ok", result
