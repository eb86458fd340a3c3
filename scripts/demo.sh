#!/usr/bin/env bash
# Shows the daemon at work, in the lab. See usage() below.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib/install.sh
. "$here/lib/install.sh"
repository=$(cd "$here/.." && pwd)

usage() {
  cat <<'END'
usage: demo.sh [--keep-events FILE] [--help]      (as root)

Installs what is missing, builds nfq-egressd, raises the lab (three network namespaces; nothing of this machine's own
network is touched), installs the rules, runs the daemon under a small policy, makes real requests as an agent would,
and shows beside each what the client saw, what was decided, and why. Leaves nothing behind.

  --keep-events FILE   copies the daemon's events there at the end
END
}

keep=''
while [[ $# -gt 0 ]]; do
  case $1 in
  --keep-events)
    [[ $# -ge 2 ]] || die "--keep-events needs a file"
    keep=$2
    shift 2
    ;;
  --help | -h) usage && exit 0 ;;
  *) die "unknown option $1 (try --help)" ;;
  esac
done

prefix=nfqdemo-$$
lab=${TMPDIR:-/tmp}/nfq-egressd-lab/$prefix
need_root
install_packages "${PACKAGES_BUILD[@]}" "${PACKAGES_RUN[@]}" "${PACKAGES_LAB[@]}"
find_swift
have_nfqueue

work=$(mktemp -d)
daemon=''

in_host() {
  NFQ_EGRESSD_RUN_DIR=$work/run "$here/lab.sh" --prefix "$prefix" exec host "$@"
}

end_daemon() {
  [[ -n $daemon ]] || return 0
  kill -TERM "$daemon" 2>/dev/null || true
  local try
  for ((try = 0; try < 100; try++)); do
    kill -0 "$daemon" 2>/dev/null || break
    sleep 0.05
  done
  kill -KILL "$daemon" 2>/dev/null || true
  wait "$daemon" 2>/dev/null || true
  daemon=''
}

finish() {
  local status=$?
  trap '' INT TERM
  end_daemon
  if [[ -e /run/netns/$prefix-host ]]; then in_host "$here/iptables-setup.sh" remove >/dev/null 2>&1 || true; fi
  "$here/lab.sh" --prefix "$prefix" down
  if [[ -n $keep && -f $work/eve.json ]]; then cp "$work/eve.json" "$keep"; fi
  rm -rf "$work"
  give_back_build "$repository"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

step() {
  printf '%s\n' "$1"
}

step "Building (the first time takes minutes)"
if ! (cd "$repository" && swift build -c release --product nfq-egressd) >"$work/build.log" 2>&1 </dev/null; then
  grep -m5 'error' "$work/build.log" >&2 || tail -n5 "$work/build.log" >&2
  die "the build failed"
fi
binary=$(cd "$repository" && swift build -c release --show-bin-path)/nfq-egressd

step "Raising the lab"
"$here/lab.sh" --prefix "$prefix" up >/dev/null

cat >"$work/denied-names.txt" <<'END'
# Known exits for stolen data.
evil-paste.com
denied.net
END
cat >"$work/denied-addresses.txt" <<'END'
93.184.216.32/29
2606:2800:220:1:32::/80
END
cat >"$work/config.yaml" <<END
mode: enforce
queues: {first: 0, count: 1}
onFailure: {daemonAbsent: closed}
trustedResolvers: ["93.184.216.53", "2606:2800:220:1::53"]
denyLists:
  - {name: names, path: $work/denied-names.txt, format: domains, action: reject}
  - {name: addresses, path: $work/denied-addresses.txt, format: cidr, action: reject}
agentTypes:
  research:
    budget: {destinations: 9, window: session, onReach: hold, warnAt: 0.8}
sessions:
  addresses:
    - {source: 10.88.0.7, session: demo-1, agentType: research}
    - {source: "fd00:88::7", session: demo-1, agentType: research}
control: {socket: $work/control.sock, group: root}
store: {path: none}
events: {path: $work/eve.json}
END

step "Installing the rules and starting the daemon"
in_host "$here/iptables-setup.sh" install --source 10.88.0.0/24 --source fd00:88::/64 --input --queues 0 \
  --on-failure closed >"$work/rules.log" 2>&1 || die "the rules could not be installed: $(tail -n1 "$work/rules.log")"
ip netns exec "$prefix-host" "$binary" run --config "$work/config.yaml" >"$work/daemon.log" 2>&1 </dev/null &
daemon=$!

# The fourth column is the copy mode: not 0 once a listener asks for packets.
queue_bound() {
  in_host cat /proc/net/netfilter/nfnetlink_queue | awk '$1 == 0 && $4 != 0 { found = 1 } END { exit !found }'
}
for ((try = 0; try < 100; try++)); do
  if queue_bound; then break; fi
  kill -0 "$daemon" 2>/dev/null || die "the daemon ended: $(tail -n1 "$work/daemon.log")"
  sleep 0.05
done
queue_bound || die "the daemon does not take its queue: $(tail -n1 "$work/daemon.log")"

seen_before=$(stat -c %s "$lab/nginx-access.json") # by the lab's own check that it is up
printf '\nThe policy: session demo-1 (type research) may reach 9 destinations, then new ones are held;\n'
printf 'two deny-lists, one of names (evil-paste.com, denied.net), one of addresses (93.184.216.32/29).\n'
/usr/bin/python3 -B "$here/lib/demo_traffic.py" "$prefix" "$lab/ca.pem" "$work/eve.json"

end_daemon
printf '\nWhat the web servers of the lab saw\n'
seen=$(tail -c "+$((seen_before + 1))" "$lab/nginx-access.json" | sed -n 's/.*"host":"\([^"]*\)".*/\1/p')
sort <<<"$seen" | uniq -c | sort -rn
if grep -qE '^(.*\.)?(evil-paste\.com|denied\.net|listed-address\.com|dest[34]\.com)$' <<<"$seen"; then
  die "a denied or held request reached a server"
fi
printf 'Nothing that was denied or held is among it.\n'
