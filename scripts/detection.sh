#!/usr/bin/env bash
# Simulates agent sessions, benign and attacked, as packets, and tells what the inspector flags. See usage() and docs/detection.md.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib/install.sh
. "$here/lib/install.sh"
repository=$(cd "$here/.." && pwd)

usage() {
  cat <<'END'
usage: detection.sh [OPTIONS] | cost | --help

  --seeds tuning|evaluation|FIRST
                              which sessions (default evaluation: none of them was ever tuned on)
  --sessions N                benign sessions, of five types in turn (default 2000)
  --attacks N                 attacked sessions a row (default 100)
  --mix-sessions N            sessions a row of the shifts of the mix (default 200)
  --tables LIST               of benign, attacks, mix (all three), and habits: benign sessions of other habits too
  --concentration K, --rate A, --distance D, --gap S, --beacon-minutes M
                              other settings than the defaults
  --explain yes               the summary of every flag on a benign session, and what sessions consist of
  cost                        nanoseconds for a counted contact and for a request's target

Builds what it needs, prints tables with 95 % intervals, and leaves nothing behind but the build. The same seeds give the
same figures on any machine; only `cost` depends on it.
END
}

case ${1-} in
--help | -h) usage && exit 0 ;;
esac
install_packages "${PACKAGES_BUILD[@]}" libc6-dev
find_swift
log=$(mktemp)
finish() {
  local status=$?
  rm -f "$log"
  give_back_build "$repository"
  exit "$status"
}
trap finish EXIT
printf 'Building DetectionBench (the first time takes minutes)\n' >&2
if ! (cd "$repository" && BENCH=1 swift build -c release --product DetectionBench) >"$log" 2>&1 </dev/null; then
  grep -m5 'error' "$log" >&2 || tail -n5 "$log" >&2
  die "the build failed"
fi
binaries=$(cd "$repository" && swift build -c release --show-bin-path)
"$binaries/DetectionBench" "$@"
