#!/usr/bin/env bash
# The lab: an agent, its host and an internet, each a network namespace of this machine. See usage() below.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib/install.sh
. "$here/lib/install.sh"

usage() {
  cat <<'END'
usage: lab.sh up | down | status | exec NAMESPACE COMMAND... | --help      (as root)

Three network namespaces, joined by veth, cut off from every real network:

  agent     10.88.0.7, fd00:88::7                    default route: host
  host      10.88.0.1, fd00:88::1 (agents0)          forwards; this is where nfq-egressd and its rules belong
            93.184.216.2, 2606:2800:220:1::2 (uplink0)
  internet  93.184.216.0/24, 2606:2800:220:1::/64    unbound at .53 / ::53, a lying one at .54 / ::54,
            93.184.217.0/24, 2606:2800:221::/48      nginx on all addresses (80, 443, HTTP/2 in the clear on 8081),
                                                     CONNECT proxy at .20 (3128); unbound at .53 also over TLS (853)

The addresses look public because nfq-egressd judges only external destinations; they exist nowhere but in here.
All names are in scripts/lib/lab.zone, and dest1.com to dest60.com; everything else is NXDOMAIN. The host has a
resolver of its own at 10.88.0.1 and fd00:88::1, which asks the internet's.

  up        raises the lab (does nothing if it is whole; a broken one is replaced)
  down      ends the lab's processes and removes its namespaces; also after a failed `up`
  status    says what is there; exit 0 only if the lab is whole
  exec      runs a command in agent, host or internet; CURL_CA_BUNDLE and SSL_CERT_FILE name the lab's authority

  --prefix P   namespaces P-agent ... instead of nfqlab-agent ..., so that several labs can stand side by side
               (first argument, or NFQLAB_PREFIX)

Keys, configuration and logs are in ${TMPDIR:-/tmp}/nfq-egressd-lab/PREFIX: ca.pem, nginx-access.json (what the
servers saw), unbound-*.log (what the resolvers were asked), connect-proxy.out (what the proxy was asked).
END
}

readonly destinations=60 first_server=10 last_server=40
prefix=${NFQLAB_PREFIX:-nfqlab}

while [[ ${1:-} == --prefix* ]]; do
  case $1 in
  --prefix=*) prefix=${1#*=} && shift ;;
  --prefix)
    [[ $# -ge 2 ]] || die "--prefix needs a value"
    prefix=$2
    shift 2
    ;;
  *) die "unknown option $1 (try --help)" ;;
  esac
done
prefix=${prefix%-}
[[ $prefix =~ ^[a-z][a-z0-9-]{0,31}$ ]] || die "bad prefix '$prefix': small letters, digits and hyphens"

base=${TMPDIR:-/tmp}/nfq-egressd-lab
lab=$base/$prefix
agent=$prefix-agent host=$prefix-host internet=$prefix-internet
namespaces=("$agent" "$host" "$internet")

in_namespace() {
  local namespace=$1
  shift
  ip netns exec "$namespace" "$@"
}

# --- processes -------------------------------------------------------------------------------------------------------

# When a process started: with its id, that names it for good. Fails for one that has ended, reaped or not.
start_time() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  stat=${stat##*) }
  [[ $stat != [ZX]* ]] || return 1
  cut -d' ' -f20 <<<"$stat"
}

# launch NAME NAMESPACE COMMAND...: starts a process of its own session, recorded before anything can go wrong.
launch() {
  local name=$1 namespace=$2 started
  shift 2
  setsid ip netns exec "$namespace" "$@" >"$lab/$name.out" 2>&1 </dev/null &
  started=$(start_time $!) || die "$name does not start: $(tail -n1 "$lab/$name.out")"
  printf '%s %s %s\n' $! "$started" "$name" >>"$lab/processes"
}

process_lives() {
  [[ $(start_time "$1") == "$2" ]]
}

end_processes() {
  [[ -f $lab/processes ]] || return 0
  local pid started name try
  while read -r pid started name; do
    if process_lives "$pid" "$started"; then kill "$pid" 2>/dev/null || true; fi
  done <"$lab/processes"
  while read -r pid started name; do
    for ((try = 0; try < 40; try++)); do
      process_lives "$pid" "$started" || continue 2
      sleep 0.05
    done
    complain "$name ($pid) does not end by itself: killed"
    kill -9 "$pid" 2>/dev/null || true
  done <"$lab/processes"
}

# --- up --------------------------------------------------------------------------------------------------------------

make_directory() {
  if [[ -e $base || -L $base ]]; then
    [[ -d $base && ! -L $base && -O $base ]] || die "$base exists and is not ours"
  else
    mkdir -m 755 "$base"
  fi
  mkdir -m 755 "$lab"
}

make_namespaces() {
  local namespace
  for namespace in "${namespaces[@]}"; do
    ip netns add "$namespace"
    in_namespace "$namespace" sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0 \
      net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.accept_ra=0
    ip -n "$namespace" link set lo up
    mkdir -p "/etc/netns/$namespace"
    printf 'nameserver 93.184.216.53\noptions timeout:2 attempts:2\n' >"/etc/netns/$namespace/resolv.conf"
    # The machine's own resolver answers over a Unix socket, which no network namespace stops: DNS packets only.
    printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"/etc/netns/$namespace/nsswitch.conf"
    printf '127.0.0.1 localhost\n::1 localhost\n' >"/etc/netns/$namespace/hosts"
  done
  # Fixed Ethernet addresses: captures differ only where they must.
  ip -n "$agent" link add eth0 address 02:00:00:00:00:07 type veth peer name agents0 address 02:00:00:00:00:01 netns "$host"
  ip -n "$host" link add uplink0 address 02:00:00:00:01:02 type veth peer name eth0 address 02:00:00:00:01:01 netns "$internet"
  ip -n "$agent" -batch - <<'END'
link set eth0 up
addr add 10.88.0.7/24 dev eth0
addr add fd00:88::7/64 dev eth0 nodad
route add default via 10.88.0.1
route add default via fd00:88::1
END
  ip -n "$host" -batch - <<'END'
link set agents0 up
link set uplink0 up
addr add 10.88.0.1/24 dev agents0
addr add fd00:88::1/64 dev agents0 nodad
addr add 93.184.216.2/24 dev uplink0
addr add 2606:2800:220:1::2/64 dev uplink0 nodad
route add default via 93.184.216.1
route add default via 2606:2800:220:1::1
END
  in_namespace "$host" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
  {
    local n
    printf 'link set eth0 up\n'
    for n in 1 53 54 $(seq $first_server $last_server); do
      printf 'addr add 93.184.216.%d/24 dev eth0\naddr add 2606:2800:220:1::%d/64 dev eth0 nodad\n' "$n" "$n"
    done
    printf 'addr add 2606:2800:220:1:32::1/64 dev eth0 nodad\n'
    printf 'route add 10.88.0.0/24 via 93.184.216.2\nroute add fd00:88::/64 via 2606:2800:220:1::2\n'
    printf 'route add local 93.184.217.0/24 dev lo\nroute add local 2606:2800:221::/48 dev lo\n'
    # What is not here is refused, not swallowed.
    printf 'route add unreachable default\nroute add unreachable ::/0 metric 1\n'
  } | ip -n "$internet" -batch -
  in_namespace "$internet" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

# One authority, one key for all servers; each site has a certificate of its own.
make_certificates() {
  local directory=$lab/tls
  mkdir -m 700 "$directory"
  {
    openssl ecparam -name prime256v1 -genkey -noout -out "$directory/ca.key"
    openssl ecparam -name prime256v1 -genkey -noout -out "$directory/server.key"
    openssl req -x509 -new -key "$directory/ca.key" -days 30 -subj "/CN=nfq-egressd lab authority" -out "$lab/ca.pem" \
      -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
  } 2>"$lab/openssl.log"
  chmod 644 "$lab/ca.pem"
  local names='' n
  for ((n = 1; n <= destinations; n++)); do names+=" dest$n.com"; done
  make_certificate docs docs-site.org www.docs-site.org
  make_certificate api api-service.com v2.api-service.com
  make_certificate github alice.github.io bob.github.io
  make_certificate news static.news-site.com
  make_certificate paste evil-paste.com
  make_certificate denied denied.net sub.denied.net
  make_certificate listed listed-address.com
  make_certificate proxy proxy-service.net
  # shellcheck disable=SC2086  # a list of words
  make_certificate dest $names
}

make_certificate() {
  local site=$1 name alternatives=''
  shift
  for name in "$@"; do alternatives+=,DNS:$name; done
  printf '%s %s\n' "$site" "$*" >>"$lab/sites"
  openssl req -new -key "$lab/tls/server.key" -subj "/CN=$1" 2>>"$lab/openssl.log" |
    openssl x509 -req -CA "$lab/ca.pem" -CAkey "$lab/tls/ca.key" -set_serial "0x$(openssl rand -hex 8)" -days 30 \
      -extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\n' "${alternatives#,}") \
      -out "$lab/tls/$site.pem" 2>>"$lab/openssl.log"
}

make_zones() {
  local n
  {
    cat "$here/lib/lab.zone"
    printf '\n'
    for ((n = 1; n <= destinations; n++)); do
      printf 'dest%d.com. A 93.184.217.%d\ndest%d.com. AAAA 2606:2800:221:%d::1\n' "$n" "$n" "$n" "$n"
    done
  } >"$lab/true.zone"
  # The lying resolver: an allowed name's address is the denied site's.
  sed -e '/^docs-site\.org\..* HTTPS /d' \
    -e 's/^\(docs-site\.org\. *A  *\).*/\193.184.216.15/' \
    -e 's/^\(docs-site\.org\. *AAAA  *\).*/\12606:2800:220:1::15/' "$lab/true.zone" >"$lab/false.zone"
}

# start_unbound NAMESPACE NAME CONFIGURATION: a resolver with its own files; the machine's /etc/unbound is not read.
start_unbound() {
  local namespace=$1 name=$2 configuration=$lab/unbound-$2.conf
  {
    cat <<END
server:
  directory: "$lab"
  pidfile: ""
  logfile: "$lab/unbound-$name.log"
  use-syslog: no
  log-queries: yes
  username: ""
  chroot: ""
  module-config: "iterator"
  num-threads: 1
  qname-minimisation: no
  access-control: 0.0.0.0/0 allow
  access-control: ::/0 allow
remote-control:
  control-enable: no
END
    cat
  } >"$configuration"
  launch "unbound-$name" "$namespace" unbound -d -c "$configuration"
}

start_resolvers() {
  local name last
  local tls="  interface: 93.184.216.53@853
  tls-service-pem: \"$lab/tls/docs.pem\"
  tls-service-key: \"$lab/tls/server.key\""
  for name in true false; do
    last=53
    [[ $name == true ]] || last=54 tls=''
    start_unbound "$internet" "$name" <<END
server:
$tls
  interface: 93.184.216.$last
  interface: 2606:2800:220:1::$last
auth-zone:
  name: "."
  zonefile: "$lab/$name.zone"
  for-upstream: yes
  for-downstream: no
END
  done
  start_unbound "$host" host <<'END'
server:
  interface: 10.88.0.1
  interface: fd00:88::1
  do-not-query-localhost: no
forward-zone:
  name: "."
  forward-addr: 93.184.216.53
END
}

start_servers() {
  mkdir "$lab/www" "$lab/nginx"
  head -c 4194304 /dev/zero >"$lab/www/bulk"
  {
    cat <<END
daemon off;
master_process off;
pid $lab/nginx.pid;
error_log $lab/nginx-error.log warn;
events { worker_connections 4096; }
http {
  log_format seen escape=json '{"time":"\$time_iso8601","client":"\$remote_addr","server":"\$server_addr",'
    '"port":"\$server_port","host":"\$host","sni":"\$ssl_server_name","request":"\$request","status":"\$status",'
    '"connection":"\$connection","number":"\$connection_requests","tls":"\$ssl_protocol"}';
  access_log $lab/nginx-access.json seen;
  server_tokens off;
  default_type text/plain;
  client_header_timeout 180s;
  keepalive_timeout 60s;
  client_body_temp_path $lab/nginx/body;
  proxy_temp_path $lab/nginx/proxy;
  fastcgi_temp_path $lab/nginx/fastcgi;
  uwsgi_temp_path $lab/nginx/uwsgi;
  scgi_temp_path $lab/nginx/scgi;
  ssl_certificate_key $lab/tls/server.key;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_tickets off;
END
    local site names default=default_server only='ipv6only=on '
    while read -r site names; do
      cat <<END
  server {
    listen 80${default:+ $default};
    listen [::]:80${only:+ $only}${default};
    listen 443 ssl http2${default:+ $default};
    listen 8081 http2${default:+ $default};
    listen [::]:443 ssl http2 ${only}${default};
    server_name $names;
    ssl_certificate $lab/tls/$site.pem;
    location / { return 200 "$site \$request_method \$host\n"; }
    location /bulk { root $lab/www; }
  }
END
      default='' only=''
    done <"$lab/sites"
    printf '}\n'
  } >"$lab/nginx.conf"
  launch nginx "$internet" nginx -e "$lab/nginx-error.log" -p "$lab/nginx" -c "$lab/nginx.conf"
  launch connect-proxy "$internet" /usr/bin/python3 "$here/lib/connect_proxy.py" \
    93.184.216.20 3128 2606:2800:220:1::20 3128
}

answers() {
  in_namespace "$agent" dig +short +time=1 +tries=1 @"$1" api-service.com A 2>/dev/null | grep -qx 93.184.216.11
}

wait_until_ready() {
  local server
  for ((try = 0; try < 20; try++)); do
    if answers 93.184.216.53 && answers 2606:2800:220:1::53 && answers 93.184.216.54 && answers 10.88.0.1 &&
      in_namespace "$agent" curl -s -o /dev/null --max-time 2 --cacert "$lab/ca.pem" https://api-service.com/ &&
      in_namespace "$agent" curl -6 -s -o /dev/null --max-time 2 http://dest1.com/ &&
      in_namespace "$internet" ss -Hltn 'sport = 3128' | grep -q 93.184.216.20; then
      return 0
    fi
    sleep 0.2
  done
  for server in 93.184.216.53 2606:2800:220:1::53 93.184.216.54 10.88.0.1; do
    answers "$server" || die "the resolver at $server does not answer: $(last_words)"
  done
  die "the servers do not answer: $(last_words)"
}

# The last complaint of whatever did not start.
last_words() {
  cat "$lab"/*.out "$lab"/*-error.log "$lab"/unbound-*.log 2>/dev/null | grep -i -m1 -E 'error|fatal|emerg' ||
    printf 'no reason known'
}

up() {
  install_packages "${PACKAGES_LAB[@]}"
  if whole; then
    printf 'The lab %s is up already.\n' "$prefix"
    return 0
  fi
  down
  trap 'complain "the lab could not be raised"; down' EXIT
  make_directory
  make_namespaces
  make_certificates
  make_zones
  start_resolvers
  start_servers
  wait_until_ready
  touch "$lab/complete"
  trap - EXIT
  printf 'The lab %s is up: %s\n' "$prefix" "$lab"
}

# --- down, status, exec ----------------------------------------------------------------------------------------------

namespace_exists() {
  [[ -e /run/netns/$1 ]]
}

down() {
  local namespace
  end_processes
  for namespace in "${namespaces[@]}"; do
    if namespace_exists "$namespace"; then ip netns del "$namespace"; fi
    rm -rf "/etc/netns/$namespace"
  done
  rmdir /etc/netns 2>/dev/null || true
  if [[ -d $lab && ! -L $lab && -O $lab ]]; then rm -rf "$lab"; fi
  rmdir "$base" 2>/dev/null || true
}

whole() {
  [[ -f $lab/complete ]] || return 1
  local namespace pid started name
  for namespace in "${namespaces[@]}"; do namespace_exists "$namespace" || return 1; done
  while read -r pid started name; do
    process_lives "$pid" "$started" || return 1
  done <"$lab/processes"
}

status() {
  local namespace pid started name
  for namespace in "${namespaces[@]}"; do
    if namespace_exists "$namespace"; then
      printf '%-24s present\n' "$namespace"
    else
      printf '%-24s absent\n' "$namespace"
    fi
  done
  if [[ -f $lab/processes ]]; then
    while read -r pid started name; do
      if process_lives "$pid" "$started"; then
        printf '%-24s running (%s)\n' "$name" "$pid"
      else
        printf '%-24s ended\n' "$name"
      fi
    done <"$lab/processes"
  fi
  whole
}

run_inside() {
  local name=${1:-}
  case $name in
  agent | host | internet) ;;
  *) die "exec wants agent, host or internet, and a command" ;;
  esac
  shift
  [[ $# -gt 0 ]] || die "exec $name: no command given"
  namespace_exists "$prefix-$name" || die "the lab $prefix is not up"
  exec ip netns exec "$prefix-$name" env CURL_CA_BUNDLE="$lab/ca.pem" SSL_CERT_FILE="$lab/ca.pem" "$@"
}

case ${1:-} in
up | down | status)
  [[ $# -eq 1 ]] || die "$1 takes no arguments (--prefix comes first)"
  need_root
  "$1"
  ;;
exec)
  need_root
  shift
  run_inside "$@"
  ;;
--help | -h | help) usage ;;
'') usage >&2 && exit 64 ;;
*) die "unknown command $1 (try --help)" ;;
esac
