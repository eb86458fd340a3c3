#!/usr/bin/env bash
# Makes the packet fixtures again, in the lab, with real clients and real servers. See usage() below.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib/install.sh
. "$here/lib/install.sh"
fixtures=$here/../Tests/PacketInspectTests/Fixtures

usage() {
  cat <<'END'
usage: capture-fixtures.sh [CASE...] | --list | --help      (as root)

Raises a lab of its own (scripts/lab.sh), runs each case's client in the agent's namespace against the lab's servers,
and writes what passed between host and internet to Tests/PacketInspectTests/Fixtures/CASE/in.pcap. Without CASE all
are made. The post-quantum case uses curl_cffi (BoringSSL) from PyPI, in .build/fixture-venv, the QUIC cases aioquic in
.build/quic-venv.

A new capture gives new events. Write them beside it, and read the difference before committing it:
  UPDATE_FIXTURES=1 swift test --filter FixtureTests
END
}

# --- the cases: a function each; it runs with the lab up and the capture running -------------------------------------

in_agent() {
  "$here/lab.sh" --prefix "$prefix" exec agent timeout 20 "$@"
}

# curl as a user runs it: names by DNS, both record types asked for. Without HTTP/2 the captures stay small.
fetch() {
  in_agent curl -fsS --http1.1 -o /dev/null "$@"
}

hand_made() {
  in_agent /usr/bin/python3 "$here/lib/lab_clients.py" "$@"
}

question() {
  in_agent dig +tries=1 "$@" >/dev/null
}

case_tls12() { fetch -4 --tls-max 1.2 https://docs-site.org/; }
case_tls13() { fetch -4 --tlsv1.3 https://api-service.com/; }
case_tls13_ipv6() { fetch -6 --tlsv1.3 https://alice.github.io/; }
case_tls12_ipv6() { fetch -6 --tls-max 1.2 https://dest7.com/; }
case_tls_no_sni() {
  # The name is in the certificate only; no DNS went before.
  printf 'GET / HTTP/1.0\r\n\r\n' | in_agent openssl s_client -quiet -noservername -connect 93.184.216.11:443 >/dev/null 2>&1
}
case_tls_records() { hand_made records docs-site.org docs-site.org "$lab/ca.pem" 1 3 60 100; }
case_tls_records_in_name() { hand_made in-name docs-site.org docs-site.org "$lab/ca.pem"; }
case_tls_small_segments() { hand_made segments docs-site.org docs-site.org "$lab/ca.pem" 24; }
case_tls13_post_quantum() {
  local python=$here/../.build/fixture-venv/bin/python
  in_agent "$python" -c '
import sys
from curl_cffi import requests
answer = requests.get("https://docs-site.org/", impersonate="chrome", verify=sys.argv[1], timeout=10)
sys.exit(answer.status_code != 200)' "$lab/ca.pem"
}
case_tls_uncorroborated() { fetch -4 --resolve docs-site.org:443:93.184.216.10 https://docs-site.org/; }
case_tls_false_name() {
  # A claimed name that leads elsewhere: the resolver says .10, the client goes to .15.
  question -4 docs-site.org A
  fetch -4 -k --resolve docs-site.org:443:93.184.216.15 https://docs-site.org/
}
case_tls_denied_name() { fetch -4 https://sub.denied.net/; }
case_tls_denied_address() {
  fetch -4 https://listed-address.com/
  fetch -6 https://listed-address.com/
}
case_http_denied_second_request() {
  question -4 api-service.com A
  hand_made sequence 93.184.216.11 'GET /1 HTTP/1.1\r\nHost: api-service.com\r\n\r\n' \
    'GET /2 HTTP/1.1\r\nHost: evil-paste.com\r\n\r\n'
}
case_dns_udp() {
  question docs-site.org A
  question docs-site.org AAAA
  question docs-site.org HTTPS
  question @2606:2800:220:1::53 api-service.com AAAA
}
case_dns_cname() {
  question static.news-site.com A
  question static.news-site.com AAAA
}
case_dns_nxdomain() { question no-such-site.com A; }
case_dns_tcp() {
  question +tcp docs-site.org A
  question +tcp +keepopen static.news-site.com A api-service.com AAAA
}
case_dns_lying_resolver() {
  question @93.184.216.54 docs-site.org A
  fetch -4 -k --resolve docs-site.org:443:93.184.216.15 https://docs-site.org/
}
case_http_host() { fetch -4 http://docs-site.org/guide/start; }
case_http_ipv6() { fetch -6 http://static.news-site.com/today; }
case_http_no_host() { hand_made raw 93.184.216.10 'GET / HTTP/1.0\r\n\r\n'; }
case_http_absolute_form() { fetch -4 -x http://proxy-service.net:80 http://api-service.com/status; }
case_http_connect() { fetch -4 -p -x http://proxy-service.net:3128 https://docs-site.org/; }
case_http2_clear() { in_agent curl -4 -fsS --http2-prior-knowledge -o /dev/null http://docs-site.org:8081/guide; }
case_http2_clear_denied_later() {
  # Three requests on one connection: the second by what the first left in the table, the third to a denied name.
  question -4 docs-site.org A
  hand_made http2 93.184.216.10 docs-site.org docs-site.org sub.denied.net
}
case_http_connect_fronting() {
  # The proxy is asked for one site, the hello inside is another's.
  fetch -4 -p -x http://proxy-service.net:3128 --connect-to docs-site.org:443:api-service.com:443 https://docs-site.org/
}
case_http_pipelined() {
  question -4 alice.github.io A
  question -4 bob.github.io A
  hand_made raw 93.184.216.12 'GET /1 HTTP/1.1\r\nHost: alice.github.io\r\n\r\n' \
    'GET /2 HTTP/1.1\r\nHost: bob.github.io\r\n\r\n' 'GET /3 HTTP/1.1\r\nHost: alice.github.io\r\n\r\n'
}
case_http_keepalive() {
  question -4 api-service.com A
  hand_made keepalive 93.184.216.11 api-service.com
}

# quic MODE VERSIONS ADDRESS NAME...: an HTTP/3 client, and for its time a server in the internet's namespace.
quic() {
  local mode=$1 python=$here/../.build/quic-venv/bin/python log=$work/quic.log server status=0 try
  shift
  rm -f "$log"
  ip netns exec "$prefix-internet" "$python" -B "$here/lib/quic_peer.py" "$mode" "$lab/tls/docs.pem" \
    "$lab/tls/server.key" "$log" "$2" >"$work/quic.out" 2>&1 &
  server=$!
  for ((try = 0; try < 100; try++)); do
    if [[ -s $log ]]; then break; fi
    sleep 0.05
  done
  in_agent "$python" -B "$here/lib/quic_peer.py" get "$@" >/dev/null || status=$?
  kill "$server"
  wait "$server" || true
  return "$status"
}

case_quic_v1() {
  question -4 docs-site.org A
  quic serve 1 93.184.216.10 docs-site.org
}
case_quic_v2_ipv6() {
  question -4 docs-site.org AAAA
  quic serve 2 2606:2800:220:1::10 docs-site.org
}
case_quic_upgrade() {
  question -4 docs-site.org A
  quic serve 1+2 93.184.216.10 docs-site.org
}
case_quic_two_datagrams() {
  question -4 docs-site.org A
  quic serve 1,large 93.184.216.10 docs-site.org
}
case_quic_retry() {
  question -4 docs-site.org A
  quic retry 1 93.184.216.10 docs-site.org
}
case_quic_second_connection() {
  # One socket, one address, two names; the second is denied.
  question -4 docs-site.org A
  quic serve 1 93.184.216.10 docs-site.org sub.denied.net
}

# ---------------------------------------------------------------------------------------------------------------------

cases() {
  declare -F | sed -n 's/^declare -f case_//p' | tr _ -
}

# Whole packets with true checksums: what a card would put on a wire, not what a veth hands over.
wire_like() {
  local end
  for end in "agent eth0" "host agents0" "host uplink0" "internet eth0"; do
    # shellcheck disable=SC2086  # two words
    set -- $end
    ip netns exec "$prefix-$1" ethtool -K "$2" tx off rx off tso off gso off gro off sg off >/dev/null
  done
}

capture() {
  local name=$1 pcap pid try
  pcap=$fixtures/$name/in.pcap
  ip netns exec "$prefix-host" tcpdump -q -U -n --immediate-mode -s 0 -Z root -i uplink0 -w "$work/in.pcap" 'tcp or udp' 2>"$work/tcpdump.log" &
  pid=$!
  for ((try = 0; try < 100; try++)); do
    if grep -q 'listening on' "$work/tcpdump.log"; then break; fi
    sleep 0.02
  done
  "case_${name//-/_}" || {
    kill "$pid"
    die "$name: the client failed"
  }
  sleep 0.2 # the last FINs and answers
  kill -INT "$pid"
  wait "$pid" || die "$name: tcpdump failed: $(tail -n1 "$work/tcpdump.log")"
  [[ $(stat -c %s "$work/in.pcap") -gt 24 ]] || die "$name: nothing was captured"
  mkdir -p "$fixtures/$name"
  mv "$work/in.pcap" "$pcap"
  chmod 644 "$pcap"
  printf '%-24s %6d bytes\n' "$name" "$(stat -c %s "$pcap")"
}

case ${1:-} in
--help | -h) usage && exit 0 ;;
--list) cases && exit 0 ;;
-*) die "unknown option $1 (try --help)" ;;
esac

chosen=("$@")
[[ ${#chosen[@]} -gt 0 ]] || mapfile -t chosen < <(cases)
for name in "${chosen[@]}"; do
  declare -F "case_${name//-/_}" >/dev/null || die "no such case: $name (try --list)"
done
need_root
install_packages "${PACKAGES_LAB[@]}" "${PACKAGES_CAPTURE[@]}"
if [[ " ${chosen[*]} " == *post-quantum* ]]; then prepare_post_quantum "$here/.."; fi
if [[ " ${chosen[*]} " == *' quic-'* ]]; then prepare_quic "$here/.."; fi

prefix=nfqcapture-$$
lab=${TMPDIR:-/tmp}/nfq-egressd-lab/$prefix
work=$(mktemp -d)
finish() {
  "$here/lab.sh" --prefix "$prefix" down
  rm -rf "$work"
  give_back "$fixtures"
  give_back "$here/../.build/fixture-venv"
  give_back "$here/../.build/quic-venv"
}
trap finish EXIT
"$here/lab.sh" --prefix "$prefix" up
wire_like
for name in "${chosen[@]}"; do capture "$name"; done
