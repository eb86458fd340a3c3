# shellcheck shell=bash
# What scripts/test.sh, scripts/demo.sh, scripts/lab.sh and scripts/capture-fixtures.sh share: installing missing
# Debian packages, finding Swift, and asking whether this machine can queue packets. Sourced, never run.
#
# Every function either succeeds silently or prints one line that says what is missing, and returns 1.

# Debian packages by what they are for; each script asks for the sets that it needs.
# shellcheck disable=SC2034  # read by the scripts that source this file
PACKAGES_BUILD=(libnetfilter-queue-dev libmnl-dev libpsl-dev libssl-dev libcurl4-openssl-dev libsqlite3-dev libc6-dev pkg-config git ca-certificates)
# shellcheck disable=SC2034
PACKAGES_RUN=(publicsuffix iptables iproute2 procps conntrack kmod)
# shellcheck disable=SC2034
PACKAGES_LAB=(iproute2 iptables procps kmod ethtool unbound nginx-light openssl curl bind9-dnsutils python3)
# shellcheck disable=SC2034
PACKAGES_TEST=(knot-dnsutils prometheus systemd python3-pytest nftables shellcheck podman crun runc netavark aardvark-dns busybox-static)
# shellcheck disable=SC2034
PACKAGES_CAPTURE=(tcpdump python3-venv)

complain() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die() {
  complain "$@"
  exit 1
}

is_root() {
  [[ $EUID -eq 0 ]]
}

need_root() {
  is_root || {
    complain "needs root: run it with sudo"
    return 1
  }
}

# Prints those of its arguments that are Debian packages not installed here.
missing_packages() {
  local package
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || printf '%s\n' "$package"
  done
}

# Installs what is missing of its arguments. The packages' own services (unbound, nginx, podman) are neither started
# nor enabled: lab and tests run these programs themselves, inside their namespaces.
install_packages() {
  local -a missing
  command -v dpkg-query >/dev/null || {
    complain "this is no Debian: install the equivalents of $* yourself"
    return 1
  }
  mapfile -t missing < <(missing_packages "$@" | sort -u)
  [[ ${#missing[@]} -gt 0 ]] || return 0
  is_root || {
    complain "missing packages: ${missing[*]} (run it with sudo, or apt-get install them)"
    return 1
  }
  printf 'Installing %s\n' "${missing[*]}" >&2
  local log policy=/usr/sbin/policy-rc.d ours=0 status=0
  log=$(mktemp)
  if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    ours=1
  fi
  if [[ -z ${PACKAGE_LISTS_UPDATED:-} ]]; then
    apt-get update -qq </dev/null >"$log" 2>&1 || true # an unreachable extra source must not stop us
    PACKAGE_LISTS_UPDATED=1
  fi
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" \
    </dev/null >>"$log" 2>&1 || status=$?
  [[ $ours -eq 0 ]] || rm -f "$policy"
  if [[ -d /run/systemd/system ]]; then
    local package
    for package in "${missing[@]}"; do
      case $package in
      unbound) systemctl disable --quiet unbound.service >/dev/null 2>&1 || true ;;
      nginx-light) systemctl disable --quiet nginx.service >/dev/null 2>&1 || true ;;
      caddy) systemctl disable --quiet caddy.service >/dev/null 2>&1 || true ;;
      podman)
        systemctl disable --quiet podman.socket podman.service podman-restart.service podman-auto-update.timer \
          >/dev/null 2>&1 || true
        ;;
      esac
    done
  fi
  if [[ $status -ne 0 ]]; then
    complain "apt-get install ${missing[*]} failed: $(grep -m1 '^E: ' "$log" || tail -n1 "$log")"
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
}

# Puts the files of Debian packages into a directory, without installing them: what their installation would do to the
# machine (a resolver of its own, a runtime's service) is not wanted. Their dependencies are not looked after. Done
# once; REPOSITORY NAME PACKAGE... makes .build/unpacked/NAME.
unpack_packages() {
  local target=$1/.build/unpacked/$2 fetched log
  shift 2
  [[ ! -d $target ]] || return 0
  if ! command -v dpkg-deb >/dev/null || ! command -v apt-get >/dev/null; then
    complain "this is no Debian: $* cannot be unpacked"
    return 1
  fi
  fetched=$(mktemp -d) log=$(mktemp)
  # apt's own user must be able to write there.
  chmod 755 "$fetched"
  mkdir -p "$target.new"
  if ! (cd "$fetched" && apt-get download -qq "$@" >"$log" 2>&1 </dev/null); then
    complain "apt-get download $* failed: $(grep -m1 '^E: ' "$log" || tail -n1 "$log")"
    rm -rf "$fetched" "$log" "$target.new"
    return 1
  fi
  local package
  for package in "$fetched"/*.deb; do dpkg-deb -x "$package" "$target.new"; done
  rm -rf "$fetched" "$log"
  mv "$target.new" "$target"
}

# The home directory of who started us, also through sudo.
invoking_home() {
  getent passwd "${SUDO_USER:-$(id -un)}" | cut -d: -f6
}

# Puts a working `swift` (6.2 or newer) on PATH. sudo resets PATH, so the usual places are searched, among them the
# invoking user's swiftly.
find_swift() {
  local home swiftly directory found='' version
  home=$(invoking_home)
  swiftly=${SWIFTLY_HOME_DIR:-$home/.local/share/swiftly}
  local -a candidates=()
  if command -v swift >/dev/null; then candidates+=("$(dirname "$(command -v swift)")"); fi
  candidates+=("${SWIFTLY_BIN_DIR:-$swiftly/bin}")
  for directory in "$swiftly"/toolchains/*/usr/bin /opt/swift/usr/bin /opt/swift*/usr/bin /usr/local/swift/usr/bin \
    /usr/share/swift/usr/bin /usr/libexec/swift/*/bin /usr/local/bin /usr/bin; do
    candidates+=("$directory")
  done
  for directory in "${candidates[@]}"; do
    [[ -x $directory/swift ]] || continue
    # swiftly's proxies find their toolchain by the home directory of who installed them.
    version=$(SWIFTLY_HOME_DIR=$swiftly SWIFTLY_BIN_DIR=${SWIFTLY_BIN_DIR:-$swiftly/bin} \
      "$directory/swift" --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n1) || true
    [[ -n $version ]] || continue
    found="$found $version"
    if [[ ${version%%.*} -gt 6 || (${version%%.*} -eq 6 && ${version#*.} -ge 2) ]]; then
      if [[ $directory == "$swiftly"/* ]]; then
        export SWIFTLY_HOME_DIR=$swiftly SWIFTLY_BIN_DIR=${SWIFTLY_BIN_DIR:-$swiftly/bin}
      fi
      export PATH="$directory:$PATH"
      return 0
    fi
  done
  if [[ -n $found ]]; then
    complain "Swift 6.2 or newer is needed; found:$found"
  else
    complain "no Swift found: install 6.2 or newer (https://www.swift.org/install/linux) or put it on PATH"
  fi
  return 1
}

# Succeeds if packets can be queued here: namespaces can be made, and both families take an NFQUEUE rule. It is tried
# in a namespace of its own; nothing of the machine's firewall is touched.
have_nfqueue() {
  need_root || return 1
  local tool
  for tool in ip iptables ip6tables; do
    command -v "$tool" >/dev/null || {
      complain "$tool is not installed (packages iproute2, iptables)"
      return 1
    }
  done
  modprobe -q nfnetlink_queue 2>/dev/null || true # built in, or not ours to load: the probe below decides
  local probe=nfqprobe-$$ reason=''
  if ! ip netns add "$probe" 2>/dev/null; then
    complain "this root cannot make network namespaces (a container without CAP_SYS_ADMIN and CAP_NET_ADMIN?)"
    return 1
  fi
  if ! ip netns exec "$probe" iptables -w -t mangle -A OUTPUT -j NFQUEUE --queue-num 0 >/dev/null 2>&1; then
    reason="the kernel takes no NFQUEUE rule (xt_NFQUEUE, nft_compat)"
  elif ! ip netns exec "$probe" ip6tables -w -t mangle -A OUTPUT -j NFQUEUE --queue-num 0 >/dev/null 2>&1; then
    reason="the kernel takes no NFQUEUE rule for IPv6"
  elif ! ip netns exec "$probe" test -e /proc/net/netfilter/nfnetlink_queue; then
    reason="the kernel has no nfnetlink_queue"
  fi
  ip netns del "$probe"
  [[ -z $reason ]] || {
    complain "$reason"
    return 1
  }
}

# Makes .build/fixture-venv with curl_cffi: BoringSSL as Chrome uses it, the one client here that sends a post-quantum
# hello. From PyPI, by pip.
prepare_post_quantum() {
  local venv=$1/.build/fixture-venv
  [[ -x $venv/bin/python ]] && "$venv/bin/python" -c 'import curl_cffi' 2>/dev/null && return 0
  rm -rf "$venv"
  mkdir -p "$1/.build"
  if ! /usr/bin/python3 -m venv "$venv" >/dev/null 2>&1 || ! "$venv/bin/pip" install -q 'curl_cffi>=0.11,<1' >/dev/null 2>&1; then
    rm -rf "$venv"
    complain "curl_cffi cannot be installed from PyPI (no post-quantum client)"
    return 1
  fi
}

# Makes .build/quic-venv with aioquic: an HTTP/3 client and server. From PyPI, by pip.
prepare_quic() {
  local venv=$1/.build/quic-venv
  [[ -x $venv/bin/python ]] && "$venv/bin/python" -c 'import aioquic' 2>/dev/null && return 0
  rm -rf "$venv"
  mkdir -p "$1/.build"
  if ! /usr/bin/python3 -m venv "$venv" >/dev/null 2>&1 || ! "$venv/bin/pip" install -q 'aioquic>=1.2,<2' >/dev/null 2>&1; then
    rm -rf "$venv"
    complain "aioquic cannot be installed from PyPI (no HTTP/3 client)"
    return 1
  fi
}

# A browser and a server of HTTP/3. What they need is large: where it does not come in a few minutes, they are gone
# without, and their tests say that they were skipped.
prepare_browser() {
  local -a missing
  command -v dpkg-query >/dev/null || return 1
  mapfile -t missing < <(missing_packages chromium caddy)
  [[ ${#missing[@]} -gt 0 ]] || return 0
  is_root || return 1
  printf 'Fetching %s\n' "${missing[*]}" >&2
  timeout 300 apt-get install -y -qq --no-install-recommends --download-only "${missing[@]}" >/dev/null 2>&1 </dev/null || {
    complain "${missing[*]} cannot be fetched (no HTTP/3 in a browser)"
    return 1
  }
  install_packages "${missing[@]}"
}

# Gives what root made under a path back to who called sudo.
give_back() {
  [[ $EUID -eq 0 && -n ${SUDO_UID:-} && -n ${SUDO_GID:-} && -e $1 ]] || return 0
  find "$1" -xdev -user 0 -exec chown -h "$SUDO_UID:$SUDO_GID" {} +
}

# The same for what a build in this repository made, so that the next unprivileged one can write there. Swift's package
# manager keeps a lock in the temporary directory besides, named after the path.
give_back_build() {
  local repository=$1 lock
  give_back "$repository/.build"
  give_back "$repository/Package.resolved"
  for lock in "${TMPDIR:-/tmp}/${repository//\//_}_.build"*.lock; do
    if [[ -f $lock && ! -L $lock ]]; then give_back "$lock"; fi
  done
}
