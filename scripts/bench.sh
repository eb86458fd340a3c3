#!/usr/bin/env bash
# Measures what inspection costs, beside the same work in plain C. See usage() below and docs/performance.md.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib/install.sh
. "$here/lib/install.sh"
repository=$(cd "$here/.." && pwd)

usage() {
  cat <<'END'
usage: bench.sh [core | worst | attribution | lists | live | all] [OPTIONS] | --help

  core    nanoseconds and heap allocations a packet in the inspector alone, and the same parsers in C
  worst   what each packet of captures, of the fuzzers' inputs and of some made to be slow costs by itself, beside the
          median one; needs no root where the packages are there
  attribution
          microseconds that the first packet of a flow costs more by each kind of attribution, and a later one; what
          is asked of the kernel about sockets needs root, and is left out by name without
  lists   deny-lists of ten thousand to five million names: making and opening their snapshots, lookups beside C, and
          (as root, where packets can be queued) memory and connections while a daemon reloads them; some minutes
  live    packets and TLS connections a second through a real queue behind the real rules, in network namespaces of
          its own (as root): nfq-egressd and a C loop that only accepts, in turns
  all     all of them (default; live is left out, with a line that says so, where packets cannot be queued)

  --captures DIR    worst: captures below this folder (default: the fixtures)
  --fuzz-inputs DIR worst: inputs of the entry inspector (default: what scripts/fuzz.sh has found here so far)
  --repetitions N   core, attribution: repetitions of each measurement (default 101); lists: a fifth of them
  --pairs N         live: pairs of runs, one of each program (default 15)
  --seconds S       live: length of each of the three tests of a run (default 2)
  --json FILE       also writes every sample there

Installs what is missing, builds, prints a table of medians with 95 % intervals, and leaves nothing behind but the
build. Nothing here passes or fails by time.
END
}

part=all repetitions=101 pairs=15 seconds=2 json=''
captures=$repository/Tests/PacketInspectTests/Fixtures inputs=$repository/.build/fuzz-work/corpus/inspector
whole_number() {
  [[ $2 =~ ^[1-9][0-9]{0,4}$ ]] || die "$1 needs a whole number from 1 to 99999"
}
while [[ $# -gt 0 ]]; do
  case $1 in
  core | worst | attribution | lists | live | all) part=$1 && shift ;;
  --help | -h) usage && exit 0 ;;
  --repetitions | --pairs | --seconds | --json | --captures | --fuzz-inputs)
    [[ $# -ge 2 ]] || die "$1 needs a value"
    case $1 in
    --captures | --fuzz-inputs)
      [[ -d $2 ]] || die "$1: $2 is no folder"
      if [[ $1 == --captures ]]; then captures=$(realpath -- "$2"); else inputs=$(realpath -- "$2"); fi
      ;;
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
[[ $part == core || $part == worst || $part == attribution ]] || needed+=("${PACKAGES_RUN[@]}")
if [[ $part == live ]]; then need_root; fi
install_packages "${needed[@]}"
find_swift
if [[ $part == live ]]; then
  have_nfqueue
elif [[ $part == all ]] && ! have_nfqueue; then
  complain "live is left out, only the core and attribution are measured"
  part=unprivileged
fi
wants() { [[ $part == "$1" || $part == all || ($part == unprivileged && $1 != live) ]]; }

prefix=nfqbench-$$
work=$(mktemp -d)
runner='' cgroup=''
finish() {
  local status=$? name
  trap '' INT TERM
  if [[ -n $runner ]] && kill -TERM "$runner" 2>/dev/null; then wait "$runner" || true; fi
  if [[ -n $cgroup && -d $cgroup ]]; then rmdir "$cgroup" || true; fi
  for name in agent host net sockets; do
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
if wants core || wants worst || wants lists; then BENCH=1 build CoreBench; fi
if wants core; then arguments+=(--core "$binaries/CoreBench"); fi
if wants worst; then
  arguments+=(--worst "$binaries/CoreBench" --captures "$captures")
  if [[ -d $inputs ]]; then arguments+=(--fuzz-inputs "$inputs"); fi
fi
if wants lists; then
  arguments+=(--lists "$binaries/CoreBench")
  if is_root && have_nfqueue; then
    arguments+=(--lists-live)
  else
    complain "left out (needs root and NFQUEUE): what a running daemon takes to reload lists"
  fi
fi
if wants live; then arguments+=(--live); fi
if wants live || wants lists; then
  build nfq-egressd
  arguments+=(--daemon "$binaries/nfq-egressd")
  for program in accept_loop question_blaster hello_client byte_server; do
    cc -O2 -o "$work/$program" "$here/bench/live-c/$program.c" || die "$program.c does not compile"
  done
fi

# What is measured is inside the daemon's program, which only a test can reach: a test of its own, built apart.
attribution_tests() {
  (cd "$repository" && BENCH=1 swift "$1" -c release --scratch-path .build/bench -Xswiftc -enable-testing "${@:2}")
}

measure_attribution() {
  local root='' settings=(env "ATTRIBUTION_SAMPLES=$work/attribution.json" "ATTRIBUTION_REPETITIONS=$repetitions")
  printf 'Building AttributionBench (the first time takes many minutes)\n' >&2
  attribution_tests build --build-tests >"$work/build.log" 2>&1 </dev/null || {
    grep -m5 'error' "$work/build.log" >&2 || tail -n5 "$work/build.log" >&2
    die "the build failed"
  }
  root=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
  if is_root && [[ -n $root ]] && mkdir "$root/$prefix" 2>/dev/null; then
    cgroup=$root/$prefix
    ip netns add "$prefix-sockets"
    ip -n "$prefix-sockets" link set lo up
    settings+=(ATTRIBUTION_SOCKETS=1)
  else
    complain "left out (needs root and a cgroup v2 tree): control group by sock_diag, rule's slot, one question to sock_diag"
  fi
  printf 'Measuring attribution, %s repetitions\n' "$repetitions" >&2
  (
    if [[ -n $cgroup ]]; then
      echo "$BASHPID" >"$cgroup/cgroup.procs"
      # Not "ip netns exec": its fresh /sys hides the control groups.
      settings=(nsenter "--net=/run/netns/$prefix-sockets" "${settings[@]}")
    fi
    cd "$repository"
    BENCH=1 "${settings[@]}" swift test --skip-build --disable-xctest -c release --scratch-path .build/bench \
      -Xswiftc -enable-testing --filter AttributionBench >"$work/attribution.log" 2>&1 </dev/null
  ) || {
    grep -m5 -E 'error|recorded an issue' "$work/attribution.log" >&2 || tail -n5 "$work/attribution.log" >&2
    die "attribution could not be measured"
  }
  arguments+=(--attribution "$work/attribution.json")
}
if wants attribution; then measure_attribution; fi
if [[ -n $json ]]; then arguments+=(--json "$json"); fi

# In the background, so that a signal to this script is acted on at once.
/usr/bin/python3 -B "$here/bench/bench.py" "${arguments[@]}" &
runner=$!
if wait "$runner"; then runner=''; else
  status=$?
  runner=''
  exit "$status"
fi
