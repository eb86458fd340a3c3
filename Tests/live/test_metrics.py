"""Metrics, as Prometheus' own programs read them."""

import json
import pathlib
import re
import shutil
import subprocess

import pytest

from conftest import PREFIX, REPOSITORY, end_process, wait_until

LISTEN = "127.0.0.1:9478"
RULES = REPOSITORY / "config/prometheus/nfq-egressd.rules.yml"
DASHBOARD = REPOSITORY / "config/grafana/nfq-egressd.json"


@pytest.fixture(name="running")
def running_fixture(lab, daemon):
    """A daemon that serves metrics and has accepted and rejected something."""
    instance = daemon(metrics={"listen": LISTEN})
    assert lab.curl("https://dest1.com/")[0] == 0
    assert lab.curl("https://denied.net/")[0] != 0
    wait_until(lambda: scrape(lab) and value(scrape(lab), 'packets_total{verdict="reject",reason="denied-name"}'))
    return instance


def scrape(lab, path="/metrics"):
    """The text, or nothing."""
    return lab.run("host", "curl", "-sSf", f"http://{LISTEN}{path}", check=False).stdout


def value(text, sample):
    """A sample's value, or None."""
    found = re.search(rf"^nfq_egressd_{re.escape(sample)} (.+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


def needs(program):
    """The path of a program of Debian's package prometheus."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed (Debian's package prometheus)")
    return path


def test_scrape_has_the_daemons_figures_and_no_session_host_or_address(lab, running):
    text = scrape(lab)
    assert value(text, 'packets_total{verdict="reject",reason="denied-name"}') >= 1
    assert value(text, 'flags_total{kind="deny-hit"}') == 1
    assert value(text, 'sessions{agent_type="research"}') == 1
    assert value(text, 'sessions_by_budget_use{agent_type="research",use="below-50%"}') == 1
    assert value(text, 'list_entries{list="names"}') == 2
    verdicts = value(text, "verdict_seconds_count")
    assert verdicts == value(text, 'verdict_seconds_bucket{le="+Inf"}')
    packets = sum(float(row.split()[-1]) for row in text.splitlines() if row.startswith("nfq_egressd_packets_total{"))
    assert verdicts == packets
    for word in ("live-1", "dest1", "denied.net", "10.88.0.7"):
        assert word not in text
    assert lab.run("host", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://{LISTEN}/").stdout == "404"
    assert running.process.poll() is None


def test_promtool_accepts_the_scrape_and_the_alerts(lab, running):
    promtool = needs("promtool")
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=scrape(lab), capture_output=True, text=True, timeout=20, check=False
    )
    assert checked.returncode == 0 and not checked.stderr, checked.stderr
    subprocess.run([promtool, "check", "rules", RULES], capture_output=True, timeout=20, check=True)
    assert running.process.poll() is None


def test_alerts_and_dashboard_ask_for_nothing_that_is_not_served(lab, running):
    text = scrape(lab)
    served = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    panels = json.loads(DASHBOARD.read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]] + [RULES.read_text()]
    used = {re.sub(r"_bucket$", "", name) for name in re.findall(r"nfq_egressd_\w+", " ".join(asked))}
    assert used and used <= served, used - served
    documented = set(re.findall(r"`(nfq_egressd_\w+)`", (REPOSITORY / "docs/metrics.md").read_text()))
    assert documented == served, documented ^ served
    assert running.process.poll() is None


def test_real_prometheus_scrapes_it(lab, running, tmp_path):
    prometheus = needs("prometheus")
    configuration = tmp_path / "prometheus.yml"
    configuration.write_text(
        "global: {scrape_interval: 1s}\n"
        f"rule_files: ['{RULES}']\n"
        f"scrape_configs: [{{job_name: nfq-egressd, static_configs: [{{targets: ['{LISTEN}']}}]}}]\n"
    )
    with open(tmp_path / "prometheus.log", "wb") as log:
        process = subprocess.Popen(
            ["ip", "netns", "exec", f"{PREFIX}-host", prometheus, f"--config.file={configuration}"]
            + [f"--storage.tsdb.path={tmp_path / 'data'}", "--web.listen-address=127.0.0.1:9479"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        query = 'nfq_egressd_packets_total{reason="denied-name"}'
        found = wait_until(lambda: ask_prometheus(lab, query), 30, "Prometheus has a sample")
        assert float(found[0]["value"][1]) >= 1 and found[0]["metric"]["verdict"] == "reject"
        up = ask_prometheus(lab, 'up{job="nfq-egressd"}')
        assert up[0]["value"][1] == "1"
    finally:
        end_process(process)
        assert pathlib.Path(tmp_path / "prometheus.log").stat().st_size > 0
    assert running.process.poll() is None


def ask_prometheus(lab, query):
    """The result of a query, or an empty list."""
    words = ["--data-urlencode", f"query={query}", "http://127.0.0.1:9479/api/v1/query"]
    answer = lab.run("host", "curl", "-sf", "-G", *words, check=False)
    return json.loads(answer.stdout)["data"]["result"] if answer.returncode == 0 and answer.stdout else []


def test_port_that_is_taken_leaves_the_daemon_running_and_says_so(lab, daemon):
    blocker = "import socket, time; s = socket.create_server(('127.0.0.1', 9478)); print('ready', flush=True); time.sleep(60)"
    process = subprocess.Popen(
        lab.command("host", "/usr/bin/python3", "-c", blocker), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout.readline() == b"ready\n"
        instance = daemon(metrics={"listen": LISTEN})
        wait_until(lambda: "no metrics at 127.0.0.1:9478" in instance.log())
        assert lab.curl("https://dest1.com/")[0] == 0
    finally:
        end_process(process)
        process.stdout.close()
