"""Live tests of the cgroup slots: what marks them, and what happens when a cgroup is made anew (root needed)."""

import contextlib
import json
import os
import shutil
import socket
import sys
import textwrap
import time

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rules_support as lab
from rules_support import run

HOST = f"cgt-{os.getpid()}"  # two runs at once do not meet
FIRE_AND_FORGET = 1000  # no more than the kernel's queue takes at once
SO_RCVBUFFORCE = 33

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("ip", "nsenter", "iptables", "conntrack"))),
    reason="needs root, iproute2, util-linux, iptables and conntrack",
)

# Each datagram from a socket of its own that is closed before anyone can ask for it.
SENDER = textwrap.dedent(
    """
    import os, socket, sys
    open(sys.argv[1] + "/cgroup.procs", "w").write("0")
    for n in range(int(sys.argv[3])):
        s = socket.socket(socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET, socket.SOCK_DGRAM)
        s.sendto(b"forget %d;" % n, (sys.argv[2], 7000))
        s.close()
    """
)
DESTINATIONS = ("192.0.2.9", "2001:db8:9::9")


@pytest.fixture(scope="module")
def root():
    found = next((line.split()[1] for line in open("/proc/mounts") if line.split()[2] == "cgroup2"), None)
    if not found:
        pytest.skip("no cgroup v2 tree is mounted")
    return found


@pytest.fixture
def tree(root):
    """A cgroup with two sessions below it."""
    top = f"{root}/{HOST}"
    made = [top, f"{top}/agent-web-1", f"{top}/agent-web-2"]
    try:
        for directory in made:
            os.mkdir(directory)
        yield made
    finally:
        for directory in reversed(made):
            take_away(directory)


def take_away(directory):
    for _ in range(100):
        try:
            os.rmdir(directory)
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.02)


@pytest.fixture
def host():
    """A namespace from which datagrams leave for nowhere."""
    try:
        lab.add_namespace(HOST)
        run("ip", "link", "add", "cgt0", "type", "veth", "peer", "name", "cgt1", ns=HOST)
        for device in ("cgt0", "cgt1"):
            run("ip", "link", "set", device, "up", ns=HOST)
        for address, network in (("192.0.2.1/24", "192.0.2.9"), ("2001:db8:9::1/64", "2001:db8:9::9")):
            nodad = ("nodad",) if ":" in address else ()
            run("ip", "addr", "add", address, "dev", "cgt0", *nodad, ns=HOST)
            run("ip", "neigh", "add", network, "lladdr", "02:00:00:00:00:09", "dev", "cgt0", ns=HOST)
        yield HOST
    finally:
        lab.del_namespace(HOST)


@pytest.fixture(params=("nft", "legacy"))
def setup(request, host, tmp_path, tree):
    """Runs the script in the namespace, for one backend."""
    if not shutil.which(f"iptables-{request.param}"):
        pytest.skip(f"no iptables-{request.param}")
    probe = run(f"iptables-{request.param}", "-A", "OUTPUT", "-m", "cgroup", "--path", HOST, ns=host, check=False)
    if probe.returncode:
        pytest.skip(f"xt_cgroup is unusable here: {probe.stderr.strip()}")
    run(f"iptables-{request.param}", "-D", "OUTPUT", "-m", "cgroup", "--path", HOST, ns=host)

    def call(command, *argv, check=True, path=None):
        env = dict(os.environ, NFQ_EGRESSD_RUN_DIR=str(tmp_path))
        if path:
            env["PATH"] = f"{path}:{env['PATH']}"
        return run(lab.SCRIPT, command, "--backend", request.param, *argv, ns=host, check=check, env=env)

    call.backend = request.param
    yield call
    call("remove", check=False)


@pytest.fixture
def responder(host):
    with contextlib.closing(lab.Responder(host)) as answering:
        answering._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        yield answering


def slots_of(responder, cgroup, count=1, wait=5.0):
    """The slots of the packets that a process in a cgroup sends, in both families."""
    responder.seen.clear()
    for destination in DESTINATIONS:
        run("/usr/bin/python3", "-c", SENDER, cgroup, destination, str(count), ns=HOST)
    end = time.monotonic() + wait
    while len(packets(responder)) < count * len(DESTINATIONS) and time.monotonic() < end:
        time.sleep(0.02)
    return [packet.slot for packet in packets(responder)]


def packets(responder):
    return [packet for packet in list(responder.seen) if b"forget" in packet.data]


def status(setup):
    return json.loads(setup("status", "--json", check=False).stdout)


def test_every_datagram_of_a_closed_socket_carries_its_slot(setup, responder, tree):
    setup("install", "--cgroup", tree[1], "--cgroup", tree[2], "--on-failure", "open")
    for slot in (1, 2):
        assert slots_of(responder, tree[slot], FIRE_AND_FORGET) == [slot] * FIRE_AND_FORGET * 2


def test_a_cgroup_made_anew_gets_its_rule_again(setup, responder, tree):
    setup("install", "--cgroup", tree[1], "--cgroup", tree[2], "--on-failure", "open")
    assert slots_of(responder, tree[1]) == [1, 1]
    take_away(tree[1])
    os.mkdir(tree[1])
    # How it shows: the rules are listed as before, and match nothing.
    assert slots_of(responder, tree[1], wait=0.5) == []
    found = status(setup)
    assert not found["complete"]
    assert [problem["what"] for problem in found["problems"]] == [
        f"cgroup /{HOST}/agent-web-1 was made anew, and its rule still means the old one: "
        "what is sent from it is not inspected"
    ]
    assert [(c["slot"], c["condition"]) for c in found["cgroups"]] == [(1, "anew"), (2, "present")]

    setup("repair")
    assert slots_of(responder, tree[1]) == [1, 1]
    assert slots_of(responder, tree[2]) == [2, 2]
    found = status(setup)
    assert found["complete"] and found["cgroups"][0]["id"] == os.stat(tree[1]).st_ino
    assert "nothing changed" in setup("repair").stdout


def test_installing_again_mends_it_too(setup, responder, tree):
    options = ("--cgroup", tree[1], "--on-failure", "open")
    setup("install", *options)
    take_away(tree[1])
    os.mkdir(tree[1])
    assert "installed" in setup("install", *options).stdout
    assert slots_of(responder, tree[1]) == [1, 1]


def test_a_cgroup_that_is_gone_keeps_its_slot_through_a_repair(setup, responder, tree):
    setup("install", "--cgroup", tree[1], "--cgroup", tree[2], "--on-failure", "open", "--exempt", "198.51.100.0/24")
    before = status(setup)["options"]
    take_away(tree[1])
    take_away(tree[2])
    os.mkdir(tree[2])
    found = status(setup)
    assert [c["condition"] for c in found["cgroups"]] == ["gone", "anew"]
    done = setup("repair", check=False)
    assert done.returncode == 1 and "there is no cgroup" in done.stderr
    assert slots_of(responder, tree[2]) == [2, 2], "the other one is mended, and is still the second"
    found = status(setup)
    assert found["options"] == before
    assert [c["condition"] for c in found["cgroups"]] == ["gone", "present"]
    os.mkdir(tree[1])
    assert [c["condition"] for c in status(setup)["cgroups"]] == ["anew", "present"]
    setup("repair")
    assert slots_of(responder, tree[1]) == [1, 1]
    assert status(setup)["complete"]


def test_a_failing_install_puts_back_what_there_was_without_the_rules_of_gone_cgroups(setup, responder, tree, tmp_path):
    setup("install", "--cgroup", tree[1], "--cgroup", tree[2], "--on-failure", "open")
    take_away(tree[1])
    name = f"ip6tables-{setup.backend}-restore"
    shim = tmp_path / "bin" / name
    shim.parent.mkdir()
    shim.write_text(
        '#!/bin/bash\ninput=$(cat)\nif [[ $input == *"*mangle"*br7* ]]; then echo failed >&2; exit 1; fi\n'
        f'exec {shutil.which(name)} "$@" <<<"$input"\n'
    )
    shim.chmod(0o755)
    done = setup("install", "--interface", "br7", check=False, path=shim.parent)
    assert done.returncode == 1 and "everything put back" in done.stderr and "could not" not in done.stderr
    assert slots_of(responder, tree[2]) == [2, 2]


def test_a_repair_needs_something_to_repair(setup):
    done = setup("repair", check=False)
    assert done.returncode == 1 and "nothing is recorded" in done.stderr
    done = setup("repair", "--queues", "3", check=False)
    assert done.returncode == 64 and "belongs to install" in done.stderr
