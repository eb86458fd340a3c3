"""Fixtures of the live tests of scripts/iptables-setup.sh (root needed)."""

import contextlib
import errno
import json
import os
import shutil
import socket

import pytest

import rules_support as lab
from rules_support import HOST, NET, NET4, NET6, run

TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM
AT_ONCE = 0.2  # seconds
ICMP_ERRORS = (errno.EHOSTUNREACH, errno.EACCES, errno.ECONNREFUSED, errno.EPERM)
FAMILIES = {"IPv4": NET4, "IPv6": NET6}

needs_iptables = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("ip", "nsenter", "iptables-nft", "iptables-legacy", "conntrack"))),
    reason="needs root, iproute2, util-linux, iptables and conntrack",
)


@pytest.fixture
def run_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("rules-run")


@pytest.fixture
def setup(run_dir):
    """Runs the script in a namespace."""

    def call(*argv, ns=HOST, check=True, path=None):
        env = dict(os.environ, NFQ_EGRESSD_RUN_DIR=str(run_dir))
        if path:
            env["PATH"] = f"{path}:{env['PATH']}"
        return run(lab.SCRIPT, *argv, ns=ns, check=check, env=env)

    return call


@pytest.fixture
def namespace():
    """Makes bare namespaces and takes them away again."""
    made = []

    def make(name):
        made.append(lab.PREFIX + name)
        lab.add_namespace(lab.PREFIX + name)
        return lab.PREFIX + name

    yield make
    for name in made:
        lab.del_namespace(name)


@pytest.fixture(scope="module")
def path():
    """agent - host - net with an echo server at the far end."""
    try:
        lab.build_path()
        with contextlib.closing(lab.Echo(NET, (53, 8080))) as server:
            lab.await_path()
            yield server
    finally:
        lab.destroy_path()


@pytest.fixture
def rules(path, setup):
    """Installs rules on the host, with a responder unless told otherwise; removes them afterwards."""
    with contextlib.ExitStack() as stack:

        def install(*argv, responder=True, shims=None):
            if responder:
                answer = lab.Responder(HOST)
                stack.callback(answer.close)
            stack.callback(run, "conntrack", "-F", ns=HOST, check=False)
            stack.callback(setup, "remove")
            setup("install", *argv, path=shims)
            path.heard.clear()
            return answer if responder else None

        yield install


def counters(setup):
    families = json.loads(setup("status", "--json", check=False).stdout)["families"]
    return {
        name: sum(f["counters"][name] for f in families.values())
        for name in ("queued", "invalid", "rejected", "backstop")
    }


def shim(directory, command, test):
    """A command that fails where the shell test (on "$input") says so and else is the real one."""
    real = shutil.which(command)
    target = directory / command
    target.write_text(
        f'#!/bin/bash\ninput=$(cat)\nif {test}; then echo "$0: line 1 failed (shim)" >&2; exit 1; fi\n'
        f'exec {real} "$@" <<<"$input"\n'
    )
    target.chmod(0o755)
