#!/usr/bin/env bash
# Fuzzes the dissectors and the inspector. See usage() below and docs/fuzzing.md.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib/install.sh
. "$here/lib/install.sh"
repository=$(cd "$here/.." && pwd)
cd "$repository"
all=(wire tls quic dns http http2 socks replay inspector list config control)

usage() {
  cat <<END_OF_USAGE
usage: fuzz.sh [OPTIONS] [ENTRY...] | fuzz.sh asan | --help

Builds the fuzzers (FUZZ=1, libFuzzer, overflow checks and assertions on), makes first inputs from the fixtures, and
fuzzes each entry in turn: ${all[*]} (default all).

  --seconds S     each entry (default 300)
  --timeout S     an input that takes longer is a finding (default 2); on a busy machine use more
  --minimise      afterwards keeps only the inputs that add coverage
  --directory D   inputs, findings and logs (default .build/fuzz-work); what was found by earlier runs is used again

Findings are copied to Tests/PacketInspectTests/FuzzRegressions as ENTRY-KIND-HASH, where FuzzRegressionTests runs them
from then on. The last lines say executions, coverage and findings by entry; the exit status is 1 if there are findings.

  asan            runs the unit tests with the address sanitizer instead, C shims included. Leaks are not looked for:
                  the Swift runtime's own would be reported.
END_OF_USAGE
}

seconds=300 timeout=2 minimise=0 directory=$repository/.build/fuzz-work asan=0
entries=()
while [[ $# -gt 0 ]]; do
  case $1 in
  --help | -h) usage && exit 0 ;;
  --seconds | --timeout)
    [[ $# -ge 2 && $2 =~ ^[1-9][0-9]{0,5}$ ]] || die "$1 needs a whole number"
    case $1 in
    --seconds) seconds=$2 ;;
    --timeout) timeout=$2 ;;
    esac
    shift 2
    ;;
  --directory)
    [[ $# -ge 2 ]] || die "--directory needs a value"
    directory=$(realpath -m -- "$2")
    shift 2
    ;;
  --minimise) minimise=1 && shift ;;
  asan) asan=1 && shift ;;
  *)
    [[ " ${all[*]} " == *" $1 "* ]] || die "unknown option or entry $1 (try --help)"
    entries+=("$1")
    shift
    ;;
  esac
done
[[ ${#entries[@]} -gt 0 ]] || entries=("${all[@]}")

install_packages "${PACKAGES_BUILD[@]}"
find_swift
trap 'give_back_build "$repository"; give_back "$directory"' EXIT

if [[ $asan -eq 1 ]]; then
  ASAN_OPTIONS=detect_leaks=0 swift test --sanitize=address --scratch-path .build/asan --disable-xctest \
    --skip LiveTests </dev/null
  exit
fi

mkdir -p "$directory"
printf 'Building the fuzzers (the first time takes minutes)\n' >&2
if ! FUZZ=1 swift build -c release --product Fuzz --scratch-path .build/fuzz --sanitize=fuzzer \
  -Xswiftc -assert-config -Xswiftc Debug -Xswiftc -enable-testing >"$directory/build.log" 2>&1 </dev/null; then
  grep -m5 error "$directory/build.log" >&2 || tail -n5 "$directory/build.log" >&2
  die "the build failed"
fi
fuzzer=$repository/.build/fuzz/release/Fuzz
# Else the Swift runtime takes the signals of a trap, and libFuzzer saves nothing.
export SWIFT_BACKTRACE=enable=no
FUZZ_CAPTURES=Tests/PacketInspectTests/Fixtures FUZZ_SEEDS=$directory/seeds "$fuzzer" >&2
# What people write, from what the repository has of it: the example (once more with its comments as keys), a list in each
# format, the documented requests.
mkdir -p "$directory/seeds/config" "$directory/seeds/list" "$directory/seeds/control"
cp config/example.yaml "$directory/seeds/config/example"
sed -E 's/^( *)# ?/\1/' config/example.yaml >"$directory/seeds/config/uncommented"
number=0
for list in config/lists/*; do
  for format in '\000' '\001' '\002'; do
    number=$((number + 1))
    { printf '%b' "$format" && cat "$list"; } >"$directory/seeds/list/$number"
  done
done
while IFS= read -r request; do
  number=$((number + 1))
  printf '%s' "$request" >"$directory/seeds/control/$number"
done < <(grep '^{' docs/control.md)

# Longest input by entry: about the largest thing that it reads in earnest.
longest() {
  case $1 in
  http | tls) echo 20000 ;;
  replay | inspector | list) echo 16384 ;;
  *) echo 4096 ;;
  esac
}

fuzz() {
  local entry=$1 status=0 log=$directory/$1.log
  mkdir -p "$directory/corpus/$entry" "$directory/findings/$entry"
  FUZZ_ENTRY=$entry nice -n 10 "$fuzzer" -max_total_time="$seconds" -timeout="$timeout" -report_slow_units=2 \
    -rss_limit_mb=2048 -max_len="$(longest "$entry")" -print_final_stats=1 \
    -artifact_prefix="$directory/findings/$entry/" "$directory/corpus/$entry" "$directory/seeds/$entry" \
    >"$log" 2>&1 </dev/null || status=$?
  if [[ $minimise -eq 1 ]]; then
    rm -rf "$directory/least" && mkdir "$directory/least"
    FUZZ_ENTRY=$entry nice -n 10 "$fuzzer" -merge=1 "$directory/least" "$directory/corpus/$entry" \
      "$directory/seeds/$entry" >>"$log" 2>&1 </dev/null &&
      rm -rf "$directory/corpus/$entry" && mv "$directory/least" "$directory/corpus/$entry"
  fi
  return "$status"
}

summary=() found=0
for entry in "${entries[@]}"; do
  printf 'Fuzzing %s for %d s\n' "$entry" "$seconds" >&2
  status=0
  fuzz "$entry" || status=$?
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$directory/$entry.log" | tail -n1)
  coverage=$(grep -ao 'cov: [0-9]*' "$directory/$entry.log" | tail -n1 || true)
  count=0
  for artifact in "$directory/findings/$entry"/*; do
    [[ -f $artifact ]] || continue
    name=$(basename "$artifact")
    cp "$artifact" "Tests/PacketInspectTests/FuzzRegressions/$entry-${name:0:24}"
    count=$((count + 1)) found=1
  done
  [[ $status -eq 0 ]] || found=1
  summary+=("$entry: ${executions:-unknown} executions, ${coverage:-cov: unknown} edges, $count findings, status $status")
done
printf '%s\n' "${summary[@]}"
[[ $found -eq 0 ]]
