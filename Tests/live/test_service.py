"""The daemon as a service: what it tells systemd, what it needs to run, and rules that something else changes."""

import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import time

import pytest

import conftest
from conftest import REPOSITORY, SESSION, SETUP, wait_until

UNITS = REPOSITORY / "config/systemd"
NOBODY = 65534


class Manager:
    """What systemd is to a service: the socket it tells its state to."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name)
        self.socket.settimeout(10)

    def next(self, wanted):
        """Reads on to the first message that begins so."""
        while True:
            message = self.socket.recv(4096).decode()
            if message.startswith(wanted):
                return message

    def count(self, wanted, seconds):
        """Messages that begin so within a time."""
        found, deadline = 0, time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                found += self.socket.recv(4096).decode().startswith(wanted)
            except TimeoutError:
                break
        self.socket.settimeout(10)
        return found


@pytest.fixture
def manager(tmp_path, monkeypatch):
    """A manager whose environment a daemon inherits. Abstract names belong to one network namespace: unit tests."""
    name = str(tmp_path / "notify")
    instance = Manager(name)
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    monkeypatch.setenv("WATCHDOG_USEC", "10000000")
    yield instance
    instance.socket.close()


def test_manager_hears_of_start_reload_life_and_stop(daemon, manager):
    running = daemon()
    assert "STATUS=inspecting, 2 lists, 4 entries" in manager.next("READY=1")
    manager.next("WATCHDOG=1")
    manager.next("WATCHDOG=1")
    running.process.send_signal(signal.SIGHUP)
    assert re.search(r"\nMONOTONIC_USEC=\d+$", manager.next("RELOADING=1"))
    manager.next("READY=1")
    # A daemon that stands still is not alive.
    running.process.send_signal(signal.SIGSTOP)
    manager.count("", 0.5)
    assert manager.count("WATCHDOG=1", 2.5) == 0
    running.process.send_signal(signal.SIGCONT)
    manager.next("WATCHDOG=1")
    assert running.stop() == 0
    manager.next("STOPPING=1")


def test_capability_to_administer_the_network_is_all_it_needs(lab, daemon, tmp_path, monkeypatch, request):
    setpriv = shutil.which("setpriv")
    wrapper = tmp_path / "as-nobody"
    wrapper.write_text(
        f"#!/bin/sh\nexec {setpriv} --reuid {NOBODY} --regid {NOBODY} --clear-groups --no-new-privs"
        " --bounding-set=-all,+net_admin --inh-caps=-all,+net_admin --ambient-caps=-all,+net_admin"
        f' {conftest.DAEMON} "$@"\n'
    )
    wrapper.chmod(0o755)
    for parent in tmp_path.parents:
        if parent.stat().st_mode & stat.S_IXOTH:
            break
        request.addfinalizer(lambda parent=parent, mode=parent.stat().st_mode: parent.chmod(mode))
        parent.chmod(parent.stat().st_mode | stat.S_IXOTH)
    os.chown(tmp_path, NOBODY, NOBODY)
    monkeypatch.setattr(conftest, "DAEMON", wrapper)
    running = daemon(control={"socket": str(tmp_path / "control.sock"), "group": "nogroup"})
    status = pathlib.Path(f"/proc/{running.process.pid}/status").read_text()
    assert re.search(r"^Uid:\t65534\t65534\t65534\t65534$", status, re.MULTILINE)
    assert re.search(r"^CapEff:\t0000000000001000$", status, re.MULTILINE)
    assert lab.curl("https://dest1.com/")[0] == 0
    assert lab.curl("https://denied.net/")[0] != 0
    event = running.wait_for(event_type="tls", tls__sni="dest1.com")
    assert event["egress"]["session"] == SESSION
    assert running.session_json("list")[0]["budget"]["used"] >= 1
    # Connection tracking, which counts and takes back flows left to the kernel.
    running.session("block", SESSION, "--why", "test")
    assert lab.curl("https://dest1.com/")[0] != 0
    log = running.log()
    assert "warning" not in log and "error" not in log, log
    assert running.stop() == 0


@pytest.mark.parametrize("unit", sorted(path.name for path in UNITS.glob("*")))
def test_systemd_accepts_the_unit(unit, tmp_path):
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed (Debian's package systemd)")
    # The programs that the units name are installed by the package: here something else that runs stands for them.
    for path in UNITS.glob("*"):
        text = re.sub(r"/usr/(bin/nfq-egressd|share/nfq-egressd/\S+)", "/bin/true", path.read_text())
        (tmp_path / path.name).write_text(text.replace("Documentation=man:nfq-egressd(8)\n", ""))
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
    checked = subprocess.run(
        [analyze, "verify", "--man=no", str(tmp_path / unit)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )
    ours = [line for line in checked.stderr.splitlines() if "nfq-egressd" in line]
    assert checked.returncode == 0 and not ours, checked.stderr


def test_exposure_of_the_service_is_at_most_two():
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed (Debian's package systemd)")
    checked = subprocess.run(
        [analyze, "security", "--offline=true", str(UNITS / "nfq-egressd.service")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    exposure = re.search(r"Overall exposure level for nfq-egressd.service: ([\d.]+)", checked.stdout)
    assert float(exposure[1]) <= 2.0


@pytest.mark.parametrize(
    "harm",
    [
        ["iptables", "-w", "-D", "FORWARD", "1"],
        ["iptables", "-w", "-I", "FORWARD", "1", "-j", "ACCEPT"],
        ["iptables", "-w", "-t", "mangle", "-F", "NFQ-EGRESSD-QUEUE"],
        ["ip6tables", "-w", "-t", "mangle", "-F", "FORWARD"],
    ],
    ids=["jump-gone", "accept-above", "chain-flushed", "other-family-flushed"],
)
def test_rules_that_something_else_changes_are_put_back_with_an_alert(lab, daemon, harm):
    daemon()
    environment = ["env", f"NFQ_EGRESSD_RUN_DIR={lab.directory}/rules"]
    check = [*environment, SETUP.with_name("check-rules.sh")]
    assert lab.run("host", *check).stderr == ""
    lab.run("host", *harm)
    assert lab.run("host", *environment, SETUP, "status", check=False).returncode == 1
    try:
        repaired = lab.run("host", *check)
        assert repaired.stderr.startswith("<1>check-rules.sh: the rules were changed by something else: ")
        assert repaired.stderr.splitlines()[-1] == "<5>check-rules.sh: the rules are right again"
        assert lab.curl("https://denied.net/")[0] != 0
        wait_until(lambda: lab.curl("https://dest1.com/")[0] == 0)
    finally:
        if "ACCEPT" in harm:
            lab.run("host", "iptables", "-w", "-D", "FORWARD", "-j", "ACCEPT", check=False)
