"""The doctor: each thing that it checks is broken, and it must say so, and say nothing else of what is whole."""

import json
import os
import pathlib
import shutil
import signal
import stat
import subprocess

import pytest

from conftest import DAEMON, SETUP, at, configuration_for, setup_rules, wait_until

SETPRIV = shutil.which("setpriv")
ACCOUNTING = "/proc/sys/net/netfilter/nf_conntrack_acct"


class Doctor:
    """Runs the doctor where the daemon runs."""

    def __init__(self, lab, running):
        self.lab, self.running = lab, running

    def run(self, *words, prefix=(), config=None):
        """What subprocess.run returns."""
        command = self.running.enter(
            *["env", f"NFQ_EGRESSD_RUN_DIR={self.lab.directory}/rules", *prefix],
            *[DAEMON, "doctor", "--config", config or self.running.configuration_path, *words],
        )
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)

    def look(self, *words, status, prefix=(), config=None):
        """Its findings, by check; the exit status must be as told."""
        result = self.run("--json", *words, prefix=prefix, config=config)
        assert result.returncode == status, result.stdout + result.stderr
        found = {}
        for finding in json.loads(result.stdout):
            assert (finding["result"] == "ok") == ("mend" not in finding), finding
            found.setdefault(finding["check"], []).append(finding)
        return found

    def failures(self, **options):
        """The checks that failed; each of their findings."""
        found = self.look(status=1, **options)
        return {
            check: [finding for finding in findings if finding["result"] == "fail"]
            for check, findings in found.items()
            if any(finding["result"] == "fail" for finding in findings)
        }


@pytest.fixture
def healthy(lab, daemon):
    """A function that gives a doctor beside a healthy daemon that has seen a packet; keywords as for `daemon`."""

    def start(**changes):
        running = daemon(**changes)
        assert lab.curl("https://dest1.com/")[0] == 0
        return Doctor(lab, running)

    return start


def only(failures, check):
    """The one failure of the one check that failed."""
    assert list(failures) == [check] and len(failures[check]) == 1, failures
    return failures[check][0]


def rewrite(doctor, **changes):
    """Gives the doctor, and not the daemon, another configuration."""
    configuration = json.loads(doctor.running.configuration_path.read_text())
    configuration.update(changes)
    doctor.running.write(configuration)


def test_healthy_host_has_no_failure(healthy):
    doctor = healthy()
    found = doctor.look(status=0)
    # The age of the host's list is nobody's fault here.
    warnings = {check for check, findings in found.items() if any(f["result"] != "ok" for f in findings)}
    assert warnings <= {"public-suffix-list"}, found
    expected = {
        *["configuration", "trusted-resolvers", "privileges", "kernel-queue", "kernel-target", "conntrack"],
        *["conntrack-accounting", "conntrack-sequences", "rules", "rules-order", "rules-ipv4", "rules-ipv6"],
        *["daemon-absent", "queue-numbers", "mark-mask", "queue", "queue-traffic", "queue-waiting", "queue-drops"],
        *["cgroup-ids", "store", "events", "control"],
    }
    assert expected - set(found) == set()
    assert f"process {doctor.running.process.pid} (nfq-egressd)" in found["queue"][0]["detail"]
    assert "packets came" in found["queue-traffic"][0]["detail"]
    # The same for people, and the rules are as they were.
    result = doctor.run()
    assert result.returncode == 0 and result.stderr == ""
    assert all(line.startswith(("ok    ", "warn  ")) for line in result.stdout.splitlines())
    assert f"ok    queue: queue 0 is bound by process {doctor.running.process.pid} (nfq-egressd)" in result.stdout
    assert setup_rules(doctor.lab, "status").returncode == 0


def test_no_packet_yet_is_a_warning(lab, daemon):
    doctor = Doctor(lab, daemon())
    status = json.loads(setup_rules(lab, "status", "--json").stdout)
    found = doctor.look(status=0)
    if sum(at(family, "counters__queued") for family in status["families"].values()) == 0:
        assert found["queue-traffic"][0]["result"] == "warn"


def test_stopped_daemon(healthy):
    doctor = healthy()
    doctor.running.stop()
    failures = doctor.failures()
    assert set(failures) == {"queue", "control"}, failures
    assert failures["queue"][0]["detail"] == "nobody has bound queue 0: what agents send is dropped"
    assert "nfq-egressd run" in failures["queue"][0]["mend"]
    assert "cannot be reached: No such file or directory" in failures["control"][0]["detail"]


def test_daemon_that_answers_no_packet(lab, healthy):
    doctor = healthy()
    doctor.running.process.send_signal(signal.SIGSTOP)
    try:
        lab.run("agent", "curl", "-sS", "--max-time", "1", "https://93.184.216.10/", check=False)
        failures = doctor.failures()
    finally:
        doctor.running.process.send_signal(signal.SIGCONT)
    assert set(failures) == {"queue-waiting", "control"}, failures
    assert "the daemon is stuck" in failures["queue-waiting"][0]["detail"]
    assert "did not answer" in failures["control"][0]["detail"]


def test_another_programs_queue(lab, healthy, tmp_path):
    doctor = healthy()
    doctor.running.stop()
    # The same program by another name: what counts is who it is.
    other = tmp_path / "other"
    shutil.copy(DAEMON, other)
    process = subprocess.Popen(
        doctor.running.enter(other, "run", "--config", doctor.running.configuration_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(doctor.running.bound, 10, "the queue is bound")
        failure = only(doctor.failures(), "queue")
        assert failure["detail"] == f"queue 0 is bound by process {process.pid} (other), which is no nfq-egressd"
    finally:
        process.terminate()
        process.wait(10)


def test_no_rules(lab, healthy):
    doctor = healthy()
    setup_rules(lab, "remove")
    failures = doctor.failures()
    # Removing them puts the accounting back as it was.
    assert set(failures) <= {"rules", "conntrack-accounting"}, failures
    assert failures["rules"][0]["detail"].startswith("no rules are recorded for this network namespace")
    assert "iptables-setup.sh install" in failures["rules"][0]["mend"]


def test_rules_that_went_although_they_are_recorded(lab, healthy):
    doctor = healthy()
    for program in ("iptables-save", "ip6tables-save"):
        for table in ("mangle", "filter"):
            lab.run("host", program.replace("-save", ""), "-w", "-t", table, "-F")
            lab.run("host", program.replace("-save", ""), "-w", "-t", table, "-X")
    failure = only(doctor.failures(), "rules")
    assert failure["detail"].startswith("no rules of ours in the ")
    assert "--source 10.88.0.0/24" in failure["mend"]


def test_rule_above_ours(lab, healthy):
    doctor = healthy()
    rule = ["FORWARD", "-s", "10.99.0.0/16", "-j", "ACCEPT"]
    lab.run("host", "iptables", "-w", "-I", *rule)
    try:
        failure = only(doctor.failures(), "rules-order")
    finally:
        lab.run("host", "iptables", "-w", "-D", *rule)
    assert failure["detail"].startswith("IPv4 filter FORWARD: position lost")
    assert "10.99.0.0/16" in failure["detail"]
    doctor.look(status=0)


def test_flushed_rules_of_one_family(lab, healthy):
    doctor = healthy()
    lab.run("host", "ip6tables", "-w", "-t", "mangle", "-F")
    failures = doctor.failures()
    assert set(failures) == {"rules-ipv6"}, failures
    details = [finding["detail"] for finding in failures["rules-ipv6"]]
    assert all(detail.startswith("IPv6 mangle") for detail in details), details
    # Forty missing rules are one fault.
    assert sum(": missing: -A " in detail for detail in details) == 1
    assert any(" more)" in detail for detail in details)
    assert "IPv6 mangle FORWARD: our jump is missing" in details


@pytest.mark.parametrize(
    "setting, broken, check",
    [("nf_conntrack_acct", "0", "conntrack-accounting"), ("nf_conntrack_tcp_be_liberal", "1", "conntrack-sequences")],
)
def test_settings_of_connection_tracking(lab, healthy, setting, broken, check):
    doctor = healthy()
    path = f"net.netfilter.{setting}"
    before = lab.run("host", "sysctl", "-n", path).stdout.strip()
    lab.run("host", "sysctl", "-qw", f"{path}={broken}")
    try:
        failure = only(doctor.failures(), check)
    finally:
        lab.run("host", "sysctl", "-qw", f"{path}={before}")
    assert failure["mend"] == f"sysctl -w {path}={before}"


def test_rules_that_let_pass_what_the_configuration_wants_dropped(healthy):
    doctor = healthy(onFailure={"daemonAbsent": "open"})
    rewrite(doctor, onFailure={"daemonAbsent": "closed"})
    failure = only(doctor.failures(), "daemon-absent")
    assert failure["detail"] == "the rules were installed with --on-failure open, onFailure.daemonAbsent is closed"
    assert "--on-failure closed" in failure["mend"]


def test_rules_that_send_to_another_queue(lab, healthy):
    doctor = healthy()
    setup_rules(lab, "install", "--source", "10.88.0.0/24", "--source", "fd00:88::/64", "--input", "--queues", "3")
    failure = only(doctor.failures(), "queue-numbers")
    assert failure["detail"] == "the rules send to queue 3, the daemon binds 0"


def test_rules_with_another_mark(healthy):
    doctor = healthy()
    rewrite(doctor, marks={"mask": 0x00FF0000})
    failure = only(doctor.failures(), "mark-mask")
    assert failure["detail"] == "the rules use 0xff000000, marks.mask is 0xff0000"


def test_no_trusted_resolver_is_a_warning(healthy):
    doctor = healthy()
    rewrite(doctor, trustedResolvers=[])
    assert doctor.look(status=0)["trusted-resolvers"][0]["result"] == "warn"


def test_directory_of_events_that_went(healthy, tmp_path):
    doctor = healthy()
    folder = tmp_path / "gone"
    rewrite(doctor, events={"path": str(folder / "eve.json")})
    # The daemon would make this one at its start.
    finding = doctor.look(status=0)["events"][0]
    assert finding["result"] == "warn" and "does not exist" in finding["detail"]
    rewrite(doctor, events={"path": str(folder / "further" / "eve.json")})
    failure = only(doctor.failures(), "events")
    assert failure["detail"] == f"the directory of {folder}/further/eve.json does not exist"
    assert not folder.exists()


def test_store_that_cannot_be_written(healthy, tmp_path):
    doctor = healthy()
    folder = tmp_path / "read-only"
    folder.mkdir()
    rewrite(doctor, store={"path": str(folder / "state.sqlite")})
    assert doctor.look(status=0)["store"][0]["result"] != "fail"
    # The mount is the doctor's own and goes with it.
    mounted = ["unshare", "-m", "sh", "-c", f'mount -t tmpfs -o ro none {folder} && exec "$@"', "sh"]
    failure = only(doctor.failures(prefix=mounted), "store")
    assert "Read-only file system" in failure["detail"]
    small = ["unshare", "-m", "sh", "-c", f'mount -t tmpfs -o size=64k none {folder} && exec "$@"', "sh"]
    failure = only(doctor.failures(prefix=small), "store")
    assert failure["detail"].startswith("66 kB are free") and failure["mend"] == "make room"


def test_control_socket_that_went(healthy):
    doctor = healthy()
    os.unlink(doctor.running.socket_path)
    failure = only(doctor.failures(), "control")
    assert failure["detail"] == f"{doctor.running.socket_path} cannot be reached: No such file or directory"


def test_container_runtime_that_is_not_there(healthy, tmp_path):
    doctor = healthy()
    rewrite(doctor, sessions={"containers": {"socket": str(tmp_path / "podman.sock")}})
    failure = only(doctor.failures(), "containers")
    assert "No such file or directory" in failure["detail"]


def test_broken_configuration_ends_with_78_and_the_host_is_looked_at_all_the_same(healthy):
    doctor = healthy()
    rewrite(doctor, mdoe="enforce", queues={"first": -1})
    found = doctor.look(status=78)
    assert [finding["result"] for finding in found["configuration"]] == ["fail", "fail"]
    assert any("mdoe" in finding["detail"] for finding in found["configuration"])
    assert found["rules"][0]["result"] == "ok" and found["conntrack"][0]["result"] == "ok"
    assert "queue" not in found and "store" not in found
    missing = doctor.look(status=78, config="/nonexistent/config.yaml")
    assert "does not exist" in missing["configuration"][0]["detail"]


def test_unknown_option_is_wrong_usage(healthy):
    assert healthy().run("--frobnicate").returncode == 64


def test_without_rights_it_says_what_it_cannot_tell_and_fails_nothing(lab, healthy, tmp_path, request):
    doctor = healthy()
    for path in (tmp_path, *tmp_path.parents):
        mode = path.stat().st_mode
        if not mode & stat.S_IXOTH:
            request.addfinalizer(lambda path=path, mode=mode: path.chmod(mode))
            path.chmod(mode | stat.S_IXOTH)
    nobody = [SETPRIV, "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
    found = doctor.look(status=0, prefix=nobody)
    unknown = {check for check, findings in found.items() if "cannot tell without" in findings[0]["detail"]}
    assert unknown >= {"privileges", "rules", "daemon-absent", "queue", "queue-drops", "conntrack", "control", "store"}
    assert all(finding["result"] == "warn" for check in unknown for finding in found[check])
    assert found["configuration"][0]["result"] == "ok" and found["conntrack-accounting"][0]["result"] == "ok"


def test_script_that_others_may_change_is_not_run(lab, healthy, tmp_path):
    doctor = healthy()
    copy = tmp_path / "iptables-setup.sh"
    shutil.copy(SETUP, copy)
    os.chown(copy, 65534, 65534)
    pathlib.Path(copy).chmod(0o755)
    record = next(path for path in (lab.directory / "rules").glob("rules.*") if path.suffix[1:].isdigit())
    text = record.read_text()
    record.write_text("".join(f"script {copy}\n" if line.startswith("script ") else f"{line}\n" for line in text.splitlines()))
    try:
        finding = doctor.look(status=0)["rules"][0]
    finally:
        record.write_text(text)
    assert finding["result"] == "warn" and "belongs to user 65534" in finding["detail"]
