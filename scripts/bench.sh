#!/usr/bin/env bash
# Measures what inspection costs, beside the same work in plain C. See usage() below and docs/performance.md.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib/install.sh
. "$here/lib/install.sh"
repository=$(cd "$here/.." && pwd)

usage() {
  cat <<'END'
usage: bench.sh [core | live | all] [OPTIONS] | --help

  core    nanoseconds and heap allocations a packet in the inspector alone, and the same parsers in C
  live    packets and TLS connections a second through a real queue behind the real rules, in network namespaces of
          its own (as root): nfq-egressd and a C loop that only accepts, in turns
  all     both (default; live is left out, with a line that says so, where packets cannot be queued)

  --repetitions N   core: repetitions of each measurement (default 101)
  --pairs N         live: pairs of runs, one of each program (default 15)
  --seconds S       live: length of each of the three tests of a run (default 2)
  --json FILE       also writes every sample there

Installs what is missing, builds, prints a table of medians with 95 % intervals, and leaves nothing behind but the
build. Nothing here passes or fails by time.
END
}

part=all repetitions=101 pairs=15 seconds=2 json=''
whole_number() {
  [[ $2 =~ ^[1-9][0-9]{0,4}$ ]] || die "$1 needs a whole number from 1 to 99999"
}
while [[ $# -gt 0 ]]; do
  case $1 in
  core | live | all) part=$1 && shift ;;
  --help | -h) usage && exit 0 ;;
  --repetitions | --pairs | --seconds | --json)
    [[ $# -ge 2 ]] || die "$1 needs a value"
    case $1 in
    --repetitions) whole_number "$1" "$2" && repetitions=$2 ;;
    --pairs) whole_number "$1" "$2" && pairs=$2 ;;
    --seconds) [[ $2 =~ ^[0-9]+(\.[0-9]+)?$ && $2 != 0 ]] || die "--seconds needs a number" && seconds=$2 ;;
    --json) json=$(realpath -m -- "$2") ;;
    esac
    shift 2
    ;;
  *) die "unknown option $1 (try --help)" ;;
  esac
done

needed=("${PACKAGES_BUILD[@]}" publicsuffix python3 gcc libc6-dev)
[[ $part == core ]] || needed+=("${PACKAGES_RUN[@]}")
if [[ $part == live ]]; then need_root; fi
install_packages "${needed[@]}"
find_swift
if [[ $part == live ]]; then
  have_nfqueue
elif [[ $part == all ]] && ! have_nfqueue; then
  complain "live is left out, only the core is measured"
  part=core
fi

prefix=nfqbench-$$
work=$(mktemp -d)
runner=''
finish() {
  local status=$? name
  trap '' INT TERM
  if [[ -n $runner ]] && kill -TERM "$runner" 2>/dev/null; then wait "$runner" || true; fi
  for name in agent host net; do
    if [[ -e /run/netns/$prefix-$name ]]; then ip netns del "$prefix-$name" 2>/dev/null || true; fi
  done
  rm -rf "$work"
  give_back_build "$repository"
  if [[ -n $json ]]; then give_back "$json"; fi
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

build() {
  printf 'Building %s (the first time takes minutes)\n' "$1" >&2
  if ! (cd "$repository" && swift build -c release --product "$1") >"$work/build.log" 2>&1 </dev/null; then
    grep -m5 'error' "$work/build.log" >&2 || tail -n5 "$work/build.log" >&2
    die "the build failed"
  fi
}

arguments=(--prefix "$prefix" --work "$work" --scripts "$here" --programs "$work"
  --repetitions "$repetitions" --pairs "$pairs" --seconds "$seconds")
binaries=$(cd "$repository" && swift build -c release --show-bin-path)
if [[ $part != live ]]; then
  BENCH=1 build CoreBench
  arguments+=(--core "$binaries/CoreBench")
fi
if [[ $part != core ]]; then
  build nfq-egressd
  arguments+=(--daemon "$binaries/nfq-egressd")
  for program in accept_loop question_blaster hello_client byte_server; do
    cc -O2 -o "$work/$program" "$here/bench/live-c/$program.c" || die "$program.c does not compile"
  done
fi
if [[ -n $json ]]; then arguments+=(--json "$json"); fi

# In the background, so that a signal to this script is acted on at once.
/usr/bin/python3 -B "$here/bench/bench.py" "${arguments[@]}" &
runner=$!
if wait "$runner"; then runner=''; else
  status=$?
  runner=''
  exit "$status"
fi
