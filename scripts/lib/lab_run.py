"""One run of the daemon in the lab of scripts/lab.sh, and the options of the programs that make one."""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

SCRIPTS = pathlib.Path(__file__).resolve().parents[1]
BUILT = [SCRIPTS.parent / f".build/{mode}/nfq-egressd" for mode in ("release", "debug")]
PATIENCE = 20.0


def end(process, patience=PATIENCE):
    """SIGTERM, then SIGKILL, of a process that this program started; True if it ended by itself in time."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return False
    return True


class LabRun:
    """The lab, raised for one run: with all that was started in it, it is gone afterwards."""

    def __init__(self, prefix, work):
        self.prefix, self.work = prefix, work
        self.directory = pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / "nfq-egressd-lab" / prefix
        self.started = []

    def __enter__(self):
        try:
            self._lab("up", stdout=subprocess.DEVNULL)
        except BaseException:
            self._lab("down")
            raise
        return self

    def __exit__(self, *_):
        for process in self.started:
            end(process)
        self._lab("down")

    def _lab(self, *words, **options):
        subprocess.run([SCRIPTS / "lab.sh", "--prefix", self.prefix, *words], stdin=subprocess.DEVNULL, check=True, **options)

    def inside(self, namespace, *words):
        """The words that run a program in a namespace, as the process itself."""
        return ["ip", "netns", "exec", f"{self.prefix}-{namespace}", *map(str, words)]

    def start(self, namespace, *words, **options):
        """Starts a program in a namespace."""
        process = subprocess.Popen(self.inside(namespace, *words), stdin=subprocess.DEVNULL, **options)
        self.started.append(process)
        return process

    def start_daemon(self, program, configuration):
        """Installs the rules for the lab's agent, starts the daemon and waits until it has its queue."""
        rules = [SCRIPTS / "iptables-setup.sh", "install", "--source", "10.88.0.0/24", "--source", "fd00:88::/64", "--input", "--queues", "0"]
        subprocess.run(
            self.inside("host", *rules), env={**os.environ, "NFQ_EGRESSD_RUN_DIR": str(self.work / "rules")},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True,
        )
        (self.work / "config.yaml").write_text(json.dumps(configuration))
        with open(self.work / "daemon.log", "wb") as log:
            daemon = self.start("host", program, "run", "--config", self.work / "config.yaml", stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE
        while not self._is_bound():
            if daemon.poll() is not None or time.monotonic() > deadline:
                fail(f"the daemon does not start: {(self.work / 'daemon.log').read_text()[-500:]}")
            time.sleep(0.05)
        return daemon

    def _is_bound(self):
        """Whether queue 0 has a listener that asks for packets (copy mode is the fourth column)."""
        table = self.inside("host", "cat", "/proc/net/netfilter/nfnetlink_queue")
        rows = subprocess.run(table, capture_output=True, text=True, check=False).stdout.splitlines()
        return any(row.split()[0] == "0" and row.split()[3] != "0" for row in rows if row.strip())

    def events(self):
        """All events; the daemon must have ended, for it writes the last of them then."""
        return [json.loads(line) for line in (self.work / "eve.json").read_text().splitlines()]


def configuration_for(work, addresses, **more):
    """A configuration of defaults with these sessions by source address."""
    return {
        "mode": "enforce",
        "agentTypes": {"research": {}},
        "sessions": {"addresses": [{"source": source, "session": name, "agentType": "research"} for source, name in addresses]},
        "control": {"socket": str(work / "control.sock"), "group": "root"},
        "store": {"path": "none"},
        "events": {"path": str(work / "eve.json")},
        **more,
    }


def fail(text):
    """Ends the program with one clear line."""
    sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {text}")


def parser_for(usage):
    """A parser with the options that every such program has."""
    parser = argparse.ArgumentParser(description=usage, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--daemon", type=pathlib.Path, default=next((path for path in BUILT if path.exists()), BUILT[0]))
    parser.add_argument("--markdown", type=pathlib.Path)
    parser.add_argument("--events", type=pathlib.Path)
    return parser


def options_of(parser):
    """What was given, once it is clear that there can be a run."""
    options = parser.parse_args()
    if os.geteuid() != 0:
        fail("needs root: run it with sudo")
    if not options.daemon.exists():
        fail(f"{options.daemon} is not there; build it with 'swift build -c release'")
    return options


def publish(lines, options):
    """Prints the report, and writes it where that was asked for."""
    print("\n".join(lines))
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n")
