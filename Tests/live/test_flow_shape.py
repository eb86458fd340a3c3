"""What flows and sessions show over time: uploads while they go on, beacons, addresses, odd ports."""

import json
import subprocess
import textwrap
import time

import pytest
from conftest import PREFIX, at, wait_until

SINK = "93.184.216.10"
SINK_SOURCE = textwrap.dedent(
    """
    import socket, ssl, sys, threading

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])

    def serve(connection):
        # Reads a request and what follows it, and answers once it has come.
        try:
            with context.wrap_socket(connection, server_side=True) as client:
                data = b""
                while b"\\r\\n\\r\\n" not in data:
                    data += client.recv(65536)
                head, _, rest = data.partition(b"\\r\\n\\r\\n")
                if b"100-continue" in head.lower():
                    client.sendall(b"HTTP/1.1 100 Continue\\r\\n\\r\\n")
                left = int(([line[15:] for line in head.lower().split(b"\\r\\n") if line.startswith(b"content-length:")] + [b"0"])[0])
                left -= len(rest)
                while left > 0:
                    left -= len(client.recv(min(left, 1 << 20))) or left
                client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok")
        except (OSError, ValueError):
            pass

    def listen(port):
        with socket.create_server((sys.argv[3], port)) as server:
            # In one piece: the other thread writes, too.
            print(f"listening {port}\\n", end="", flush=True)
            while True:
                threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

    for port in map(int, sys.argv[4:]):
        threading.Thread(target=listen, args=(port,)).start()
    """
)


def types(**shape):
    """The agent type of the tests with these thresholds."""
    return {"research": {"budget": {"destinations": 200}, "shape": shape}}


@pytest.fixture
def sink(lab):
    """A TLS server that takes what it is sent, on 8443 and on 4433."""
    certificate, key = lab.directory / "tls/docs.pem", lab.directory / "tls/server.key"
    process = subprocess.Popen(
        ["ip", "netns", "exec", f"{PREFIX}-internet", "/usr/bin/python3", "-c", SINK_SOURCE]
        + [str(certificate), str(key), SINK, "8443", "4433"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline().startswith("listening")
        assert process.stdout.readline().startswith("listening")
        yield
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


def evidence(event):
    """What a flag rests on."""
    return event["egress"]["flag"]["evidence"]


@pytest.mark.slow
def test_an_upload_over_tls_is_flagged_while_it_goes_on(lab, daemon, sink, tmp_path):
    running = daemon(agentTypes=types(uploadBytes="50MB"))
    body = tmp_path / "body"
    body.write_bytes(bytes(100_000_000))
    upload = subprocess.Popen(
        lab.command(
            "agent",
            *["curl", "-4", "-sS", "--max-time", "60", "--limit-rate", "12M", "-H", "Expect:", "-o", "/dev/null"],
            *["--data-binary", f"@{body}", "https://docs-site.org:8443/"],
        ),
        stdin=subprocess.DEVNULL,
    )
    try:
        alert = running.wait_for(40, event_type="alert", egress__flag__kind="upload-heavy")
        # The flag comes before the end, a listing of the kernel's flows after the fifty millionth byte.
        assert upload.poll() is None
        assert upload.wait(60) == 0
    finally:
        if upload.poll() is None:
            upload.kill()
            upload.wait(10)
    assert evidence(alert)["bytes_out"] >= 50_000_000
    # The server's packets are never queued: what it sent is known by what the kernel has counted.
    assert 500 < evidence(alert)["bytes_in"] < 20_000
    assert evidence(alert)["rests_on"] == "conntrack"
    assert alert["egress"]["destination"]["key"] == "docs-site.org"
    assert len(running.alerts("upload-heavy")) == 1
    assert running.alerts("odd-port") == [] and running.alerts("address-literal") == []


def test_a_download_is_no_upload_and_its_flow_says_its_shape(lab, daemon):
    running = daemon(agentTypes=types(uploadBytes="1kB", uploadRatio=5))
    for _ in range(3):
        assert lab.curl("https://docs-site.org/")[0] == 0
    running.stop()
    flows = [event for event in running.find(event_type="flow") if at(event, "egress__shape__protocol") == "tls"]
    assert len(flows) == 3
    for event in flows:
        shape = event["egress"]["shape"]
        assert shape["naming"] == "name"
        assert shape["bytes_in"] > shape["bytes_out"] > 300
        assert shape["packets_in"] == 0  # only acknowledgements told
        assert shape["longest_gap_ms"] <= shape["duration_ms"] < 5_000
    assert running.alerts("upload-heavy") == []


@pytest.mark.slow
def test_contacts_at_regular_intervals_are_a_beacon_and_others_are_none(lab, daemon):
    running = daemon(agentTypes=types(beaconContacts=6, beaconSpan="10s"))
    regular = time.monotonic()
    for number in range(14):
        time.sleep(max(0, regular + number * 2.6 - time.monotonic()))
        assert lab.curl("https://docs-site.org/")[0] == 0
        if number in (0, 1, 3, 6, 8, 9, 13):
            assert lab.curl("https://dest1.com/")[0] == 0
    alerts = wait_until(lambda: running.alerts("beacon"), 5, "a beacon")
    assert len(alerts) == 1, [alert["egress"]["flag"] | alert["egress"]["destination"] for alert in alerts]
    (alert,) = alerts
    assert alert["egress"]["destination"]["key"] == "docs-site.org"
    assert 2_300 < evidence(alert)["interval_ms"] < 2_900
    assert evidence(alert)["contacts"] >= 6 and evidence(alert)["deviation_percent"] <= 15
    assert "src_ip" not in alert  # a flag on a session has no addresses


def test_small_uploads_to_many_names_are_a_drip(lab, daemon, tmp_path):
    running = daemon(agentTypes=types(dripBytes="64kB"))
    body = tmp_path / "body"
    body.write_bytes(bytes(6_000))
    for number in range(1, 21):
        lab.curl("-o", "/dev/null", "--data-binary", f"@{body}", f"http://dest{number}.com/")
    (alert,) = wait_until(lambda: running.alerts("drip"), 20, "a drip")
    assert evidence(alert)["destinations"] >= 16 and evidence(alert)["bytes"] >= 64_000


def test_an_address_instead_of_a_name_is_told_once(lab, daemon):
    running = daemon()
    for _ in range(2):
        # A false name is another flag than no name.
        lab.curl("http://docs-site.org/", "--resolve", "docs-site.org:80:93.184.216.30")
        assert lab.curl("http://93.184.216.31/")[0] == 0
        lab.curl("-k", "https://93.184.217.9/")
    literals = wait_until(lambda: len(running.alerts("address-literal")) >= 2 and running.alerts("address-literal"))
    assert {event["egress"]["destination"]["key"] for event in literals} == {"93.184.216.31", "93.184.217.9"}
    namings = {event["egress"]["destination"]["key"]: evidence(event)["naming"] for event in literals}
    assert namings == {"93.184.216.31": "literal", "93.184.217.9": "absent"}
    assert len(running.alerts("address-literal")) == 2


def test_tls_on_an_odd_port_is_told_unless_it_is_allowed(lab, daemon, sink):
    running = daemon()
    assert lab.curl("-4", "-o", "/dev/null", "https://docs-site.org:4433/")[0] == 0
    assert lab.curl("-4", "-o", "/dev/null", "https://docs-site.org:8443/")[0] == 0
    (alert,) = wait_until(lambda: running.alerts("odd-port"))
    assert evidence(alert) == {"protocol": "tls", "port": 4433}
    assert alert["dest_port"] == 4433
    assert "docs-site.org" in json.dumps(alert["egress"]["destination"])
