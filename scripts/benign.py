#!/usr/bin/python3
"""Sends ordinary requests of real clients through live rules and the daemon, and counts what is flagged.

usage: benign.py [--daemon PROGRAM] [--requests N] [--seed N] [--without KIND,...] [--markdown FILE] [--events FILE]
                                                                                                           (as root)

In the lab of scripts/lab.sh (namespaces of its own), all in the clear, where paths and queries can be read:

  pip, git, apt   download, clone and update from an index, a repository and an archive made for the run
  chromium        headless, over a site made for the run: hashed assets, data by fetch(), tracking pixels
  curl, Python    29 kinds of targets (scripts/lib/benign_requests.py) on connections that are kept

The servers' logs say how many requests arrived, the daemon's events how many it read and which it flagged. Values are
fresh from --seed (default: the clock), so a second run is a second sample. Flags of a kind are raised once an hour for
a session and destination; each kind of request has destinations of its own.

  --daemon     the daemon (default: .build/release/nfq-egressd, else .build/debug/nfq-egressd)
  --requests   how many curl and Python send together (default 30000)
  --without    clients to leave out: pip, git, apt, chromium
  --markdown   writes the table there as well
  --events     keeps the daemon's events there

Exit 0 when every request arrived, was read and none was flagged; 1 otherwise.
"""

import argparse
import collections
import hashlib
import http.client
import http.server
import importlib.util
import json
import math
import os
import pathlib
import shutil
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import zipfile

SCRIPTS = pathlib.Path(__file__).resolve().parent
REPOSITORY = SCRIPTS.parent
PREFIX = f"nfqbenign-{os.getpid()}"
FILES = 8080  # beside the lab's own server
KINDS_OF_FLAGS = ("encoded-path", "encoded-query", "encoded-host", "label-burst")
CLIENTS = {"pip": "dest1.com", "git": "dest2.com", "apt": "dest3.com", "chromium": "dest4.com"}
FIRST = 10  # the first lab name of the written kinds


def requests_module():
    """scripts/lib/benign_requests.py."""
    place = SCRIPTS / "lib/benign_requests.py"
    spec = importlib.util.spec_from_file_location("benign_requests", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- in the internet's namespace ---------------------------------------------------------------------------------------


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Serves files on kept connections."""

    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """A client that closes its connection is no error."""


def as_server(directory, log):
    """The internet's part: the files of pip, git, apt and the browser; one line of log a request."""
    out = open(log, "a", buffering=1)

    class Handler(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __init__(self, *arguments):
            super().__init__(*arguments, directory=directory)

        def do_GET(self):
            if urllib.parse.urlsplit(self.path).path.startswith("/data/"):
                body = b'{"items": []}'
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            else:
                super().do_GET()

        def log_request(self, code="-", size="-"):
            out.write(json.dumps({"host": (self.headers.get("Host") or "").partition(":")[0], "status": str(code)}) + "\n")

        def log_error(self, *arguments):
            pass

    Server(("", FILES), Handler).serve_forever()


# --- in the agent's namespace ------------------------------------------------------------------------------------------


def as_python(path):
    """Sends the targets of a file by sixteen threads, each with a connection a host."""
    lines = pathlib.Path(path).read_text().splitlines()
    threads = [threading.Thread(target=send_lines, args=(lines[start::16],)) for start in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def send_lines(lines):
    connections = {}
    for line in lines:
        host, _, target = line.partition(" ")
        for attempt in (1, 2):
            connection = connections.get(host) or http.client.HTTPConnection(host, 80, timeout=20)
            connections[host] = connection
            try:
                connection.request("GET", target, headers={"User-Agent": "python", "Accept": "*/*"})
                connection.getresponse().read()
                break
            except (http.client.HTTPException, OSError):
                connection.close()
                connections.pop(host)
                if attempt == 2:
                    raise


# --- what is served ----------------------------------------------------------------------------------------------------


def make_index(root, values):
    """A package index: simple/NAME/ pages whose links carry digests, as the public one has them."""
    names = [f"{values.word()}-{values.word()}-{number}" for number in range(25)]
    for name in names:
        flat = name.replace("-", "_")
        wheel = f"{flat}-1.0-py3-none-any.whl"
        place = root / "packages" / values.hex(2) / values.hex(2) / values.hex(60)
        place.mkdir(parents=True)
        with zipfile.ZipFile(place / wheel, "w") as archive:
            archive.writestr(f"{flat}.py", f"# {values.hex(40)}\n")
            archive.writestr(f"{flat}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            archive.writestr(f"{flat}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{flat}-1.0.dist-info/RECORD", "")
        digest = hashlib.sha256((place / wheel).read_bytes()).hexdigest()
        page = root / "simple" / name
        page.mkdir(parents=True)
        (page / "index.html").write_text(
            f'<!DOCTYPE html><html><body><a href="/{place.relative_to(root)}/{wheel}#sha256={digest}">{wheel}</a></body></html>'
        )
    return names


def make_repository(root, values):
    """A bare repository over dumb HTTP: an object a request, each named by its digest."""
    work = root.parent / "git-work"
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "gc.auto=0", "-C", str(work)]
    work.mkdir()
    subprocess.run(["git", "init", "-q", "-b", "main", str(work)], check=True)
    for commit in range(10):
        for number in range(20):
            (work / f"{values.word()}-{commit}-{number}.txt").write_text(values.hex(200))
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-q", "-m", values.words(2, 6, " ")], check=True)
    shutil.copytree(work / ".git", root / "work.git")
    subprocess.run(["git", "-C", str(root / "work.git"), "update-server-info"], check=True)


def make_archive(root, values):
    """An archive with by-hash indexes, as Debian's."""
    suite = root / "debian/dists/stable"
    components = [f"{values.word()}{number}" for number in range(12)]
    digests = []
    for component in components:
        place = suite / component / "binary-amd64"
        name = f"{component}-{values.word()}"
        pool = f"pool/{component}/{name[0]}/{name}/{name}_1.{values.number(0, 9)}-1+deb13u1_all.deb"
        package = root.parent / f"package-{component}"
        (package / "DEBIAN").mkdir(parents=True)
        control = f"Package: {name}\nVersion: 1.0\nArchitecture: all\nMaintainer: a <a@example.com>\nDescription: {values.hex(64)}\n"
        (package / "DEBIAN/control").write_text(control)
        (root / "debian" / pool).parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["dpkg-deb", "-b", str(package), str(root / "debian" / pool)], check=True, stdout=subprocess.DEVNULL)
        deb = (root / "debian" / pool).read_bytes()
        (place / "by-hash/SHA256").mkdir(parents=True)
        index = (control + f"Filename: {pool}\nSize: {len(deb)}\nSHA256: {hashlib.sha256(deb).hexdigest()}\n\n").encode()
        digest = hashlib.sha256(index).hexdigest()
        (place / "Packages").write_bytes(index)
        (place / "by-hash/SHA256" / digest).write_bytes(index)
        digests.append(f" {digest} {len(index)} {component}/binary-amd64/Packages")
    head = f"Origin: lab\nSuite: stable\nCodename: stable\nDate: Sat, 21 Nov 2026 10:00:00 UTC\nAcquire-By-Hash: yes\nArchitectures: amd64\nComponents: {' '.join(components)}\nSHA256:\n"
    (suite / "Release").write_text(head + "\n".join(digests) + "\n")
    return components


def make_site(root, values, kinds):
    """Pages with hashed assets, data and pixels."""
    site = root / "site"
    (site / "assets").mkdir(parents=True)
    pixel = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
    for page in range(3):
        tags = []
        for _ in range(40):
            name = f"assets/{values.word()}-{values.pick(values.hex(8), values.base64url(6), values.hex(64))}"
            kind = values.pick("js", "css", "gif")
            (site / f"{name}.{kind}").write_bytes({"js": b"let x = 1;", "css": b"body{}", "gif": pixel}[kind])
            source = f"/site/{name}.{kind}"
            tags.append({"js": f'<script type="module" src="{source}"></script>', "css": f'<link rel="stylesheet" href="{source}">', "gif": f'<img src="{source}">'}[kind])
        data = ["/data" + make(values) for _ in range(2) for make in kinds.values() if make is not kinds["OCSP"]]
        script = f"(async () => {{ for (const target of {json.dumps(data)}) await fetch(target); document.title = 'done'; }})();"
        (site / f"{page}.html").write_text(f"<!DOCTYPE html><title>x</title>{''.join(tags)}<script>{script}</script>")


# --- the clients ---------------------------------------------------------------------------------------------------------


def run_pip(agent, work, names):
    for number in range(3):
        agent(
            "/usr/bin/env", "pip", "download", "-q", "--disable-pip-version-check", "--no-cache-dir", "--no-deps", "--trusted-host", CLIENTS["pip"],
            "--index-url", f"http://{CLIENTS['pip']}:{FILES}/simple/", "-d", work / f"pip-{number}", *names,
        )


def run_git(agent, work, _):
    for number in range(3):
        agent("git", "clone", "-q", f"http://{CLIENTS['git']}:{FILES}/work.git", work / f"clone-{number}")


def run_apt(agent, work, components):
    base = work / "apt"
    for place in ("lists/partial", "cache/archives/partial", "etc/apt.conf.d", "etc/preferences.d", "download"):
        (base / place).mkdir(parents=True)
    (base / "status").write_text("")
    (base / "sources.list").write_text(f"deb [trusted=yes arch=amd64] http://{CLIENTS['apt']}:{FILES}/debian stable {' '.join(components)}\n")
    options = [
        f"Dir::State={base}", f"Dir::State::lists={base}/lists", f"Dir::State::status={base}/status", f"Dir::Cache={base}/cache",
        f"Dir::Etc::sourcelist={base}/sources.list", "Dir::Etc::sourceparts=-", "APT::Sandbox::User=root", "Acquire::Languages=none",
        "APT::Architecture=amd64", "APT::Architectures=amd64", "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
    ]
    words = [word for option in options for word in ("-o", option)]
    for _ in range(4):
        shutil.rmtree(base / "lists")
        (base / "lists/partial").mkdir(parents=True)
        agent("apt-get", "-qq", *words, "update")
    packages = [line.split()[1] for path in (base / "lists").glob("*Packages") for line in path.read_text().splitlines() if line.startswith("Package:")]
    agent("apt-get", "-qq", "-y", *words, "--download-only", "install", *packages)


def run_chromium(agent, work, _):
    for page in range(3):
        agent(
            "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", f"--user-data-dir={work}/profile", "--virtual-time-budget=60000",
            "--timeout=60000", "--dump-dom", f"http://{CLIENTS['chromium']}:{FILES}/site/{page}.html",
        )


def written(work, count, values, kinds):
    """The commands by which curl and Python send the written kinds, half of each."""
    lists = {"curl": [], "python": []}
    for number, make in enumerate(kinds.values()):
        host = f"dest{FIRST + number}.com"
        for turn in range(math.ceil(count / len(kinds))):
            lists["curl" if turn % 2 else "python"].append((host, make(values)))
    (work / "python.txt").write_text("".join(f"{host} {target}\n" for host, target in lists["python"]))
    (work / "curl.txt").write_text(
        "".join(f'url = "http://{host}{target}"\noutput = "/dev/null"\n' for host, target in lists["curl"])
    )
    return [
        ("curl", "-s", "-g", "--path-as-is", "--retry", "2", "-Z", "--parallel-max", "24", "-K", work / "curl.txt"),
        (sys.executable, "-B", __file__, "--as-python", work / "python.txt"),
    ]


# --- the run -------------------------------------------------------------------------------------------------------------


def lab(*words, **options):
    return subprocess.run([SCRIPTS / "lab.sh", "--prefix", PREFIX, *words], stdin=subprocess.DEVNULL, check=True, **options)


def inside(namespace, *words, **options):
    """Starts a program in a namespace of the lab; the process is the program itself."""
    return subprocess.Popen(["ip", "netns", "exec", f"{PREFIX}-{namespace}", *map(str, words)], stdin=subprocess.DEVNULL, **options)


def end(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def agent(*words):
    """Runs a client to its end; what went wrong is told, and does not stop the others."""
    environment = {**os.environ, "HOME": "/nonexistent", "GIT_CONFIG_GLOBAL": "/dev/null", "PIP_CONFIG_FILE": "/dev/null"}
    for name in [name for name in environment if name.lower().endswith("_proxy") or name.startswith("PIP_INDEX")]:
        del environment[name]
    process = inside("agent", *words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    try:
        _, error = process.communicate(timeout=900)
    except subprocess.TimeoutExpired:
        process.kill()
        _, error = process.communicate()
        error += b"took longer than a quarter of an hour"
    if process.returncode != 0:
        last = error.decode(errors="replace").strip().splitlines()[-1:] or [""]
        print(f"benign.py: {words[0]} ended with {process.returncode}: {last[0][:200]}", file=sys.stderr)


def configuration(work):
    return {
        "mode": "enforce",
        "trustedResolvers": ["93.184.216.53"],
        "agentTypes": {"research": {}},
        "sessions": {"addresses": [{"source": "10.88.0.7", "session": "benign", "agentType": "research"}]},
        "control": {"socket": str(work / "control.sock"), "group": "root"},
        "store": {"path": "none"},
        "events": {"path": str(work / "eve.json")},
    }


def is_bound():
    done = subprocess.run(
        ["ip", "netns", "exec", f"{PREFIX}-host", "cat", "/proc/net/netfilter/nfnetlink_queue"],
        capture_output=True, text=True, check=False,
    )
    return any(row.split()[0] == "0" and row.split()[3] != "0" for row in done.stdout.splitlines() if row.strip())


def run_all(options, work):
    """Runs every client; returns requests by host as the servers counted them, and the daemon's events."""
    module = requests_module()
    values = module.Values(options.seed)
    root = work / "files"
    root.mkdir(mode=0o755)
    os.chmod(work, 0o755)
    made = {"pip": make_index(root, values), "apt": make_archive(root, values), "git": make_repository(root, values)}
    make_site(root, values, module.KINDS)
    (work / "config.yaml").write_text(json.dumps(configuration(work)))
    started = []
    try:
        lab("up", stdout=subprocess.DEVNULL)
        log = pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / "nfq-egressd-lab" / PREFIX / "nginx-access.json"
        started.append(inside("internet", sys.executable, "-B", __file__, "--as-server", root, work / "server.log"))
        environment = {**os.environ, "NFQ_EGRESSD_RUN_DIR": str(work / "rules")}
        rules = [SCRIPTS / "iptables-setup.sh", "install", "--source", "10.88.0.0/24", "--input", "--queues", "0"]
        subprocess.run(
            ["ip", "netns", "exec", f"{PREFIX}-host", *map(str, rules)],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True,
        )
        with open(work / "daemon.log", "wb") as output:
            started.append(inside("host", options.daemon, "run", "--config", work / "config.yaml", stdout=output, stderr=output))
        deadline = time.monotonic() + 20
        while not is_bound():
            if started[-1].poll() is not None or time.monotonic() > deadline:
                sys.exit(f"benign.py: the daemon does not start: {(work / 'daemon.log').read_text()[-500:]}")
            time.sleep(0.05)
        before = len(log.read_text().splitlines())  # the lab's own test of readiness
        commands = written(work, options.requests, values, module.KINDS)
        beside = [threading.Thread(target=agent, args=command) for command in commands]
        for thread in beside:
            thread.start()
        for name, run in (("pip", run_pip), ("git", run_git), ("apt", run_apt), ("chromium", run_chromium)):
            if name not in options.without:
                run(agent, work, made.get(name))
        for thread in beside:
            thread.join()
        end(started[-1])  # the daemon ends its flows and writes the last of its events
        counted = collections.Counter(json.loads(line)["host"] for line in log.read_text().splitlines()[before:])
        served = work / "server.log"
        if served.exists():
            counted.update(json.loads(line)["host"] for line in served.read_text().splitlines())
        events = [json.loads(line) for line in (work / "eve.json").read_text().splitlines()]
        return counted, events
    finally:
        for process in started:
            end(process)
        lab("down")


def upper_bound(flagged, total):
    """The exact one-sided upper bound at 95 % of a share (Clopper and Pearson, 1934), by bisection."""
    if total == 0 or flagged >= total:
        return 1.0
    low, high = flagged / total, 1.0
    for _ in range(100):
        middle = (low + high) / 2
        terms = [
            math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1) + k * math.log(middle) + (total - k) * math.log1p(-middle)
            for k in range(flagged + 1)
        ] if 0 < middle < 1 else [-math.inf]
        low, high = (middle, high) if sum(map(math.exp, terms)) > 0.05 else (low, middle)
    return high


def report(counted, events):
    """The table as Markdown lines, and whether all is well."""
    names = {host: name for name, host in CLIENTS.items()}
    names |= {f"dest{FIRST + number}.com": name for number, name in enumerate(requests_module().KINDS)}
    flags, read, others = collections.defaultdict(collections.Counter), collections.Counter(), collections.Counter()
    for event in events:
        if event["event_type"] == "http":
            read[event["http"]["hostname"].partition(":")[0]] += 1
        elif event["event_type"] == "alert":
            flag = event["egress"]["flag"]
            if flag["kind"] in KINDS_OF_FLAGS:
                figures = flag.get("evidence", {})
                flags[figures.get("destination", figures.get("domain", "?"))][flag["kind"]] += 1
                print(f"benign.py: flagged: {json.dumps(flag)}", file=sys.stderr)
            else:
                others[flag["kind"]] += 1
    lines = ["| kind | sent by | requests (server's log) | read by the daemon | flagged |", "|---|---|---:|---:|---:|"]
    for host, name in names.items():
        if counted[host]:
            by = name if host in CLIENTS.values() else "curl, Python"
            found = ", ".join(f"{kind} {count}" for kind, count in flags[host].items()) or "0"
            lines.append(f"| {name} | {by} | {counted[host]} | {read[host]} | {found} |")
    total = sum(counted[host] for host in names)
    seen = sum(read[host] for host in names)
    flagged = sum(sum(kinds.values()) for kinds in flags.values())
    lines.append(f"| all | | {total} | {seen} | {flagged} |")
    lines += ["", f"Upper bound at 95 % of the share that is flagged: {100 * upper_bound(flagged, total):.4f} % (Clopper-Pearson)."]
    if others:
        lines.append("Other flags: " + ", ".join(f"`{kind}` {count}" for kind, count in sorted(others.items())) + ".")
    return lines, flagged == 0 and 0 < total <= seen


def main():
    if sys.argv[1:2] == ["--as-server"]:
        return as_server(*sys.argv[2:4])
    if sys.argv[1:2] == ["--as-python"]:
        return as_python(sys.argv[2])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    built = [REPOSITORY / f".build/{mode}/nfq-egressd" for mode in ("release", "debug")]
    parser.add_argument("--daemon", type=pathlib.Path, default=next((path for path in built if path.exists()), built[0]))
    parser.add_argument("--requests", type=int, default=30_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--without", type=lambda text: set(text.split(",")), default=set())
    parser.add_argument("--markdown", type=pathlib.Path)
    parser.add_argument("--events", type=pathlib.Path)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("benign.py: ended"))
    if os.geteuid() != 0:
        sys.exit("benign.py: needs root: run it with sudo")
    if not options.daemon.exists():
        sys.exit(f"benign.py: {options.daemon} is not there; build it with 'swift build -c release'")
    for program in ("pip", "git", "apt-get", "chromium"):
        if program.removesuffix("-get") not in options.without and not shutil.which(program):
            package = {"pip": "python3-pip", "apt-get": "apt"}.get(program, program)
            done = subprocess.run(["apt-get", "-qq", "install", "-y", package], stdin=subprocess.DEVNULL, capture_output=True, check=False)
            if done.returncode != 0:
                sys.exit(f"benign.py: {program} is missing and {package} cannot be installed; or leave it out with --without")
    with tempfile.TemporaryDirectory() as directory:
        work = pathlib.Path(directory)
        counted, events = run_all(options, work)
        if options.events:
            shutil.copy(work / "eve.json", options.events)
    lines, is_well = report(counted, events)
    lines.append(f"Seed {options.seed}.")
    print("\n".join(lines))
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n")
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
