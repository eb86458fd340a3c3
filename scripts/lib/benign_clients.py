"""The clients of scripts/benign.py: pip, git, apt, headless Chromium, curl, and Python as this file itself.

usage: benign_clients.py TARGETS      (sends the targets of a file, one "HOST TARGET" a line)
"""

import http.client
import math
import os
import pathlib
import shutil
import subprocess
import sys
import threading

from benign_files import PORT

HOSTS = {"pip": "dest1.com", "git": "dest2.com", "apt": "dest3.com", "chromium": "dest4.com"}
FIRST = 10  # the first lab name of the written kinds


def run_pip(agent, work, names):
    for number in range(3):
        agent(
            "/usr/bin/env", "pip", "download", "-q", "--disable-pip-version-check", "--no-cache-dir", "--no-deps", "--trusted-host", HOSTS["pip"],
            "--index-url", f"http://{HOSTS['pip']}:{PORT}/simple/", "-d", work / f"pip-{number}", *names,
        )


def run_git(agent, work, _):
    for number in range(3):
        agent("git", "clone", "-q", f"http://{HOSTS['git']}:{PORT}/work.git", work / f"clone-{number}")


def run_apt(agent, work, components):
    base = work / "apt"
    for place in ("lists/partial", "cache/archives/partial", "etc/apt.conf.d", "etc/preferences.d", "download"):
        (base / place).mkdir(parents=True)
    (base / "status").write_text("")
    (base / "sources.list").write_text(f"deb [trusted=yes arch=amd64] http://{HOSTS['apt']}:{PORT}/debian stable {' '.join(components)}\n")
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
            "--timeout=60000", "--dump-dom", f"http://{HOSTS['chromium']}:{PORT}/site/{page}.html",
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
        (sys.executable, "-B", __file__, work / "python.txt"),
    ]


RUNS = {"pip": run_pip, "git": run_git, "apt": run_apt, "chromium": run_chromium}


def run_client(command, name):
    """Runs a client to its end; what went wrong is told, and does not stop the others."""
    environment = {**os.environ, "HOME": "/nonexistent", "GIT_CONFIG_GLOBAL": "/dev/null", "PIP_CONFIG_FILE": "/dev/null"}
    for name in [name for name in environment if name.lower().endswith("_proxy") or name.startswith("PIP_INDEX")]:
        del environment[name]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
    )
    try:
        _, error = process.communicate(timeout=900)
    except subprocess.TimeoutExpired:
        process.kill()
        _, error = process.communicate()
        error += b"took longer than a quarter of an hour"
    if process.returncode != 0:
        last = error.decode(errors="replace").strip().splitlines()[-1:] or [""]
        print(f"benign.py: {name} ended with {process.returncode}: {last[0][:200]}", file=sys.stderr)


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


if __name__ == "__main__":
    as_python(sys.argv[1])
