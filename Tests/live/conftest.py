"""The lab, the rules and the daemon, for the live tests.

They need root and NFQUEUE; scripts/test.sh reports them as skipped where either is missing. Everything happens in the
lab's namespaces (scripts/lab.sh). The daemon is .build/debug/nfq-egressd, or what NFQ_EGRESSD names.
"""

import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
LAB = REPOSITORY / "scripts/lab.sh"
SETUP = REPOSITORY / "scripts/iptables-setup.sh"
DAEMON = pathlib.Path(os.environ.get("NFQ_EGRESSD", REPOSITORY / ".build/debug/nfq-egressd"))
AGENT = pathlib.Path(__file__).with_name("agent.py")
PREFIX = f"nfqtest-{os.getpid()}"

RESOLVERS = ["93.184.216.53", "2606:2800:220:1::53"]
LYING_RESOLVER = "93.184.216.54"
HOST_RESOLVER = "10.88.0.1"
SESSION = "live-1"
WEB_LOG, RESOLVER_LOG = "nginx-access.json", "unbound-true.log"
# A refusal is felt at once; everything slower than this is a timeout in disguise.
AT_ONCE_MS = 200
FAILED = pytest.StashKey[bool]()
# Lines of a daemon's events and log that are shown when its test failed.
LAST_WORDS = 40


def pytest_configure(config):
    """The one marker of these tests."""
    config.addinivalue_line("markers", "slow: takes more than ten seconds")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Keeps how the test went for the fixtures that are ended after it."""
    outcome = yield
    if call.when == "call":
        item.stash[FAILED] = outcome.get_result().failed


class Lab:
    """The three namespaces and what their servers saw."""

    def __init__(self):
        self.marks = {}
        self.directory = pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / "nfq-egressd-lab" / PREFIX

    def command(self, namespace, *words):
        """The words that run a command in a namespace."""
        return [str(LAB), "--prefix", PREFIX, "exec", namespace, *map(str, words)]

    def run(self, namespace, *words, timeout=30, check=True):
        """Runs a command; returns what subprocess.run does."""
        return subprocess.run(
            self.command(namespace, *words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=check,
        )

    def agent(self, *words, timeout=30):
        """Runs agent.py in the agent's namespace; returns its JSON."""
        result = self.run("agent", "/usr/bin/python3", "-B", AGENT, *words, timeout=timeout, check=False)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    def curl(self, *words, timeout=15):
        """Runs curl in the agent's namespace; returns exit status, milliseconds and body."""
        start = time.monotonic()
        result = self.run("agent", "curl", "-sS", "--max-time", "5", *words, timeout=timeout, check=False)
        return result.returncode, (time.monotonic() - start) * 1000, result.stdout

    def cut_connections(self):
        """Ends what agents left open, or the next test's daemon would see its last words sent again, and count them."""
        for namespace in ("agent", "host"):
            self.run(namespace, "ss", "--kill", "--tcp", "--no-header", "state", "connected", check=False)

    def mark(self):
        """Forgets what the servers saw so far."""
        self.marks = {name: (self.directory / name).stat().st_size for name in (WEB_LOG, RESOLVER_LOG)}

    def _since_mark(self, name):
        with open(self.directory / name, encoding="utf-8") as log:
            log.seek(self.marks[name])
            return log.read()

    def requests_seen(self):
        """What nginx logged since the mark, oldest first."""
        return [json.loads(line) for line in self._since_mark(WEB_LOG).splitlines()]

    def questions_seen(self):
        """The log of the internet's resolver since the mark, as text."""
        return self._since_mark(RESOLVER_LOG)


@pytest.fixture(scope="session")
def lab():
    """The lab, for all tests of a run."""
    down = [str(LAB), "--prefix", PREFIX, "down"]
    try:
        subprocess.run([str(LAB), "--prefix", PREFIX, "up"], stdin=subprocess.DEVNULL, check=True, timeout=60)
        yield Lab()
    finally:
        subprocess.run(down, stdin=subprocess.DEVNULL, check=True, timeout=60)


def wait_until(condition, seconds=5.0, what="the condition"):
    """Polls until the condition gives something true; returns that."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {seconds} s")
        time.sleep(0.02)


def end_process(process, seconds=10):
    """Ends a process whatever state it is in."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


class Daemon:
    """A running nfq-egressd in the host's namespace."""

    def __init__(self, lab, directory, configuration):
        self.lab, self.directory = lab, directory
        self.configuration_path = directory / "config.yaml"
        self.events_path = directory / "eve.json"
        self.log_path = directory / "daemon.log"
        self.socket_path = configuration.get("control", {}).get("socket")
        self.write(configuration)
        self.process = None

    def write(self, configuration):
        """Writes the configuration; JSON is YAML."""
        self.configuration_path.write_text(json.dumps(configuration, indent=1) + "\n")

    def enter(self, *words):
        """A command in the host's namespace. Not by lab.sh: the process must be the command itself, for signals."""
        return ["ip", "netns", "exec", f"{PREFIX}-host", *map(str, words)]

    def launch(self):
        """Starts the process and waits for nothing."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.enter(DAEMON, "run", "--config", self.configuration_path),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def start(self):
        """Starts the daemon and waits until its queue is bound."""
        self.launch()
        wait_until(self._bound_or_dead, 10, "the queue is bound")
        assert self.process.poll() is None, f"the daemon ended: {self.log()}"

    def _bound_or_dead(self):
        return self.process.poll() is not None or self.bound()

    def bound(self):
        """Whether queue 0 has a listener that asks for packets (copy mode is the fourth column)."""
        table = self.lab.run("host", "cat", "/proc/net/netfilter/nfnetlink_queue").stdout
        return any(row.split()[0] == "0" and row.split()[3] != "0" for row in table.splitlines() if row.strip())

    def command(self, *words, check=True):
        """Runs a command that asks the daemon; the socket is a file, so the namespace does not matter."""
        command = [str(DAEMON), *map(str, words), "--socket", self.socket_path]
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False)
        assert not check or result.returncode == 0, result.stderr
        return result

    def session(self, *words, check=True):
        """Runs `nfq-egressd session ...`."""
        return self.command("session", *words, check=check)

    def session_json(self, *words):
        """Its JSON."""
        return json.loads(self.session(*words, "--json").stdout)

    def log(self):
        """What it wrote to stdout and stderr."""
        return self.log_path.read_text(errors="replace")

    def events(self):
        """All events so far; a line that is being written is left for the next look."""
        if not self.events_path.exists():
            return []
        text = self.events_path.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def find(self, **wanted):
        """Events where each dotted path (with __ for the dot) has the wanted value."""
        return [event for event in self.events() if all(at(event, key) == value for key, value in wanted.items())]

    def wait_for(self, seconds=5.0, **wanted):
        """The first such event, as soon as it is there."""
        return wait_until(lambda: self.find(**wanted), seconds, f"an event with {wanted}")[0]

    def questions(self, name, **wanted):
        """DNS questions about a name, as events."""
        found = self.find(event_type="dns", dns__type="request", **wanted)
        return [event for event in found if event["dns"]["queries"][0]["rrname"] == name]

    def alerts(self, kind):
        """Alerts with a flag of this kind."""
        return self.find(event_type="alert", egress__flag__kind=kind)

    def stop(self, number=signal.SIGTERM, seconds=10):
        """Sends a signal and returns the exit status."""
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def last_words(self):
        """The end of its events and log."""
        texts = [path.read_text(errors="replace") for path in (self.events_path, self.log_path) if path.exists()]
        return "\n".join(line for text in texts for line in text.splitlines()[-LAST_WORDS:])

    def end(self):
        """Ends it whatever state it is in."""
        if self.process is not None:
            end_process(self.process)


def at(event, path):
    """The value at a path such as egress__verdict__reason, or None."""
    for key in path.split("__"):
        if not isinstance(event, dict):
            return None
        event = event.get(key)
    return event


def configuration_for(directory, **changes):
    """A configuration for the lab; lists of denied names and addresses are written beside it."""
    (directory / "names.txt").write_text("denied.net\nevil-paste.com\n")
    (directory / "addresses.txt").write_text("93.184.216.32/29\n2606:2800:220:1:32::/80\n")
    configuration = {
        "mode": "enforce",
        "queues": {"first": 0, "count": 1},
        "onFailure": {"daemonAbsent": "closed"},
        "trustedResolvers": RESOLVERS,
        "denyLists": [
            {"name": "names", "path": str(directory / "names.txt"), "format": "domains", "action": "reject"},
            {"name": "addresses", "path": str(directory / "addresses.txt"), "format": "cidr", "action": "reject"},
        ],
        "agentTypes": {
            "research": {"budget": {"destinations": 200, "window": "session", "onReach": "flag", "warnAt": 0.8}}
        },
        "sessions": {
            "addresses": [
                {"source": "10.88.0.7", "session": SESSION, "agentType": "research"},
                {"source": "fd00:88::7", "session": SESSION, "agentType": "research"},
            ]
        },
        "control": {"socket": str(directory / "control.sock"), "group": "root"},
        "store": {"path": str(directory / "state.sqlite")},
        "events": {"path": str(directory / "eve.json")},
    }
    configuration.update(changes)
    return configuration


def setup_rules(lab, *words, check=True):
    """Runs iptables-setup.sh in the host's namespace."""
    # The script's records go with the lab.
    return lab.run("host", "env", f"NFQ_EGRESSD_RUN_DIR={lab.directory}/rules", SETUP, *words, check=check)


def install_rules(lab, on_failure="closed"):
    """The rules for the lab's agent."""
    setup_rules(
        lab,
        *["install", "--source", "10.88.0.0/24", "--source", "fd00:88::/64"],
        *["--input", "--queues", "0", "--on-failure", on_failure],
    )


@pytest.fixture
def daemon(lab, tmp_path, request):
    """A function that installs the rules and starts a daemon; its keywords change the configuration's top level."""
    started = []

    def start(**changes):
        configuration = configuration_for(tmp_path, **changes)
        install_rules(lab, configuration["onFailure"]["daemonAbsent"])
        instance = Daemon(lab, tmp_path, configuration)
        started.append(instance)
        instance.start()
        lab.mark()
        return instance

    try:
        yield start
    finally:
        for instance in started:
            instance.end()
            if request.node.stash.get(FAILED, False):
                print(instance.last_words())
        if started:
            setup_rules(lab, "remove")
            lab.cut_connections()
