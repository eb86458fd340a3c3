"""systemd-resolved in the middle: an agent of this host asks its stub at 127.0.0.53.

It runs without systemd: in the lab's host namespace, with a mount namespace that has a /run, a configuration and a
user list of its own. Nothing of the machine's own resolver is touched. The program is the installed one, or the one
that scripts/test.sh has unpacked: installing Debian's package would make it the machine's resolver.
"""

import os
import pathlib
import shutil
import subprocess

import pytest
from attribution_support import (
    agent_in_cgroup,
    cgroup_root,
    host_daemon,
    in_host,
    made_cgroups,
    run_in_host,
    sessions_below,
)
from conftest import REPOSITORY, RESOLVERS, at, end_process, wait_until

STUB = "127.0.0.53"
UPSTREAM = RESOLVERS[0]
UNPACKED = pathlib.Path(REPOSITORY) / ".build/unpacked/resolved"
PLACES = ("lib/systemd/systemd-resolved", "usr/lib/systemd/systemd-resolved")
# Into its cgroup, then behind mounts that end with it.
LAUNCH = """
set -e
echo 0 >"$1/cgroup.procs"
mount --make-rprivate /
mount --bind "$2/passwd" /etc/passwd
mount --bind "$2/group" /etc/group
[ -d /etc/systemd ] || { echo "there is no /etc/systemd to mount over" >&2; exit 1; }
mount --bind "$2/etc" /etc/systemd
mount -t tmpfs none /run
mkdir -p /run/systemd
exec "$3"
"""


def find_program():
    """systemd-resolved, and where its libraries are; a skip that says what is missing."""
    for base in (pathlib.Path("/"), UNPACKED):
        for place in PLACES:
            if (base / place).exists():
                libraries = [str(path) for path in base.glob("usr/lib/*-linux-gnu/systemd")]
                libraries += [str(path) for path in base.glob("lib/*-linux-gnu/systemd")]
                return base / place, {} if base == pathlib.Path("/") else {"LD_LIBRARY_PATH": ":".join(libraries)}
    pytest.skip("systemd-resolved is neither installed nor unpacked (scripts/test.sh unpacks it)")


def with_user(path, line, target):
    """A copy of passwd or group that has the program's user."""
    text = pathlib.Path(path).read_text(encoding="utf-8")
    if "systemd-resolve:" not in text:
        text = text.rstrip("\n") + f"\n{line}\n"
    target.write_text(text, encoding="utf-8")
    target.chmod(0o644)


@pytest.fixture
def cgroups():
    """Two cgroups: the agent's and the resolver's."""
    top = cgroup_root() / f"nfqresolved-{os.getpid()}"
    made = [top, top / "agent-research-s1", top / "resolved"]
    with made_cgroups(*made):
        yield made


@pytest.fixture
def resolved(lab, cgroups, tmp_path):
    """It, answering at its stub's address."""
    program, environment = find_program()
    with_user("/etc/passwd", "systemd-resolve:x:991:991::/:/usr/sbin/nologin", tmp_path / "passwd")
    with_user("/etc/group", "systemd-resolve:x:991:", tmp_path / "group")
    settings = tmp_path / "etc"
    settings.mkdir()
    words = ["Cache=no", "LLMNR=no", "MulticastDNS=no", "DNSSEC=no", "DNSOverTLS=no", "FallbackDNS="]
    (settings / "resolved.conf").write_text("\n".join(["[Resolve]", f"DNS={UPSTREAM}", *words, ""]))
    for directory in (settings, tmp_path):
        directory.chmod(0o755)
    log = tmp_path / "resolved.log"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            in_host("unshare", "--mount", "sh", "-c", LAUNCH, "sh", cgroups[2], tmp_path, program),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(os.environ, SYSTEMD_LOG_TARGET="console", **environment),
        )
    try:
        wait_until(lambda: process.poll() is not None or listens(), 10, "the stub listens")
        assert process.poll() is None, f"systemd-resolved ended: {log.read_text(errors='replace')}"
        yield process
    finally:
        end_process(process)


def listens():
    """Whether somebody listens at the stub's address."""
    return f"{STUB}%lo:53" in run_in_host("ss", "-Hlun").stdout


def upstream_questions(running, name):
    """What was asked of the internet's resolver about a name."""
    return running.questions(name, dest_ip=UPSTREAM)


@pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("nsenter", "unshare", "ss"))),
    reason="needs root, util-linux and iproute2",
)
@pytest.mark.parametrize("rules", ["two cgroups", "all output"])
def test_the_stubs_upstream_question_is_the_askers_and_its_answer_corroborates(lab, resolved, cgroups, tmp_path, rules):
    top, agent, resolver = cgroups
    options = ["--cgroup", agent, "--cgroup", resolver] if rules == "two cgroups" else ["--cgroup", agent, "--all-output"]
    directory = tmp_path / "daemon"
    directory.mkdir()
    with host_daemon(lab, directory, options, sessions=sessions_below(top)) as running:
        for transport, name, last in (("udp", "dest11.com", 11), ("tcp", "dest12.com", 12)):
            (answer,) = agent_in_cgroup(lab, agent, "ask", STUB, transport, name, "A")
            assert answer["outcome"] == "ok", answer
            asked = running.wait_for(event_type="dns", dns__type="request", dest_ip=STUB)
            assert (asked["egress"]["session"], asked["egress"]["attribution"]) == ("s1", "cgroup")
            wait_until(lambda: upstream_questions(running, name), 5, "the upstream question's event")
            for event in upstream_questions(running, name):
                assert (at(event, "egress__session"), at(event, "egress__via")) == ("s1", "resolver")
            # The stub is nobody whom the daemon trusts; what it was told is what counts.
            address = f"93.184.217.{last}"
            answer = agent_in_cgroup(lab, agent, "tls", address, name)
            assert answer["outcome"] == "ok", answer
            hello = running.wait_for(event_type="tls", tls__sni=name)
            assert at(hello, "egress__destination__evidence") == "sni"
            assert at(hello, "egress__session") == "s1"
        assert running.destinations("s1") == {"dest11.com", "dest12.com"}
        others = {name: used for name, used in running.sessions().items() if name != "s1"}
        assert all(session["budget"]["used"] == 0 for session in others.values()), others
    assert resolved.poll() is None
