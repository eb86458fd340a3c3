#!/usr/bin/env bash
# All tests: style, unit, fixtures, and the live ones where the kernel can queue packets. See usage() below.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib/install.sh
. "$here/lib/install.sh"
cd "$here/.."

usage() {
  cat <<'END'
usage: test.sh [--unit | --live] [--help]      (as root for the live tests)

Installs the Debian packages that are missing (as root), builds, and runs

  style    swift format lint --strict, shellcheck
  unit     the Swift tests, fixtures included
  live     the Swift tests that need a queue, in a network namespace of their own, and Tests/live (pytest) in the lab

  --unit   style and unit only
  --live   live only

The live tests need root and NFQUEUE in the kernel. Where either is missing they are reported as skipped, each by its
name. The last line is `N passed, N failed, N skipped` over all parts; the exit status is 1 if anything failed.
END
}

want_unit=1 want_live=1
case ${1:-} in
'') ;;
--unit) want_live=0 ;;
--live) want_unit=0 ;;
--help | -h) usage && exit 0 ;;
*) die "unknown option $1 (try --help)" ;;
esac
[[ $# -le 1 ]] || die "one option at most (try --help)"

passed=0 failed=0 skipped=0
reports=$(mktemp -d)
namespace=nfqtest-$$
finish() {
  local status=$?
  if [[ -e /run/netns/$namespace ]]; then ip netns del "$namespace"; fi
  rm -rf "$reports"
  give_back_build "$PWD"
  exit "$status"
}
trap finish EXIT

heading() {
  printf '\n== %s\n' "$1"
}

add() {
  passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

# check NAME COMMAND...: one test that is a command.
check() {
  local name=$1
  shift
  if "$@"; then
    printf 'passed  %s\n' "$name"
    add 1 0 0
  else
    printf 'FAILED  %s\n' "$name"
    add 0 1 0
  fi
}

# Adds a JUnit report; STATUS is what the test program ended with, so that a crash is never a success.
add_report() {
  local report=$1 status=$2 counts
  counts=$("$here/lib/count_results.py" "$report")
  # shellcheck disable=SC2086  # three numbers
  add $counts
  if [[ $status -ne 0 && $counts == *' 0 '* ]]; then
    printf 'FAILED  %s: ended with status %s\n' "$(basename "$report" .xml)" "$status"
    add 0 1 0
  fi
}

# Adds each line of stdin as a test that was skipped for a reason.
add_skipped() {
  local name
  while read -r name; do
    printf 'SKIPPED %s: %s\n' "$name" "$1"
    add 0 0 1
  done
}

summary() {
  printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
  [[ $failed -eq 0 ]]
}

lint_shell() {
  local -a files
  mapfile -t files < <(find scripts .ci -type f \( -name '*.sh' -o -path .ci/run \) | sort)
  shellcheck -x "${files[@]}"
}

run_style() {
  heading "Style"
  check "swift format lint --strict" swift format lint --strict -r Sources Tests Package.swift
  check "shellcheck" lint_shell
}

run_unit() {
  heading "Unit tests and fixtures"
  local status=0
  swift test --skip-build --disable-xctest --skip LiveTests --xunit-output "$reports/unit.xml" \
    >"$reports/unit.log" 2>&1 </dev/null || status=$?
  # All of it when something is wrong, else the sum.
  if [[ $status -eq 0 ]]; then tail -n1 "$reports/unit.log"; else grep -vE '^(◇|✔)' "$reports/unit.log" || true; fi
  add_report "$reports/unit.xml" "$status"
}

live_swift_names() {
  swift test list --skip-build 2>/dev/null </dev/null | grep LiveTests || true
}

live_python_names() {
  PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m pytest -p no:cacheprovider --collect-only -q Tests/live 2>/dev/null \
    </dev/null | grep '::' || true
}

# Why the live tests cannot run here; nothing if they can.
live_obstacle() {
  local message
  if message=$(have_nfqueue 2>&1); then return 0; fi
  printf '%s' "${message#*: }"
}

run_live() {
  heading "Live tests"
  local obstacle status=0
  obstacle=$(live_obstacle)
  if [[ -n $obstacle ]]; then
    add_skipped "$obstacle" < <(live_swift_names)
    if /usr/bin/python3 -c 'import pytest' 2>/dev/null; then
      add_skipped "$obstacle" < <(live_python_names)
    else
      # Without pytest nobody knows the parameters: each function is one test.
      add_skipped "$obstacle" < <(sed -n 's/^def \(test_[a-z0-9_]*\).*/Tests\/live::\1/p' Tests/live/test_*.py)
    fi
    return 0
  fi

  if [[ -n $(live_swift_names) ]]; then
    ip netns add "$namespace"
    ip -n "$namespace" link set lo up
    # not "ip netns exec": it mounts /sys anew, which hides the cgroups
    # One suite after the other: they share the namespace, and rules that leave take the packets of every queue along.
    timeout 600 nsenter --net="/run/netns/$namespace" env NFQ_LIVE=1 swift test --skip-build --disable-xctest --no-parallel --filter LiveTests \
      --xunit-output "$reports/live-swift.xml" >"$reports/live-swift.log" 2>&1 </dev/null || status=$?
    if [[ $status -eq 0 ]]; then tail -n1 "$reports/live-swift.log"; else grep -vE '^(◇|✔)' "$reports/live-swift.log" || true; fi
    add_report "$reports/live-swift.xml" "$status"
    ip netns del "$namespace"
  fi

  prepare_post_quantum "$PWD" || true # their tests say by themselves that they were skipped
  prepare_quic "$PWD" || true
  prepare_browser || true
  # Not installed: they would take over the machine's own resolver and rules.
  [[ -x /usr/lib/systemd/systemd-resolved || -x /lib/systemd/systemd-resolved ]] ||
    unpack_packages "$PWD" resolved systemd-resolved libsystemd-shared || true
  command -v dockerd >/dev/null || unpack_packages "$PWD" docker docker.io containerd || true
  command -v iodine >/dev/null && command -v dns2tcpc >/dev/null ||
    unpack_packages "$PWD" tunnels iodine dns2tcp || true
  status=0
  PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m pytest -p no:cacheprovider -q -rs Tests/live \
    --junitxml "$reports/live.xml" </dev/null || status=$?
  add_report "$reports/live.xml" "$status"
}

packages=("${PACKAGES_BUILD[@]}" "${PACKAGES_RUN[@]}" shellcheck)
if is_root && [[ $want_live -eq 1 ]]; then packages+=("${PACKAGES_LAB[@]}" "${PACKAGES_TEST[@]}" "${PACKAGES_CAPTURE[@]}"); fi
install_packages "${packages[@]}"
find_swift

if [[ $want_unit -eq 1 ]]; then run_style; fi
heading "Build"
if ! swift build --build-tests >"$reports/build.log" 2>&1 </dev/null; then
  grep -E 'error|warning' "$reports/build.log" || tail -n20 "$reports/build.log"
  printf 'FAILED  build\n'
  add 0 1 0
  summary
  exit 1
fi
tail -n1 "$reports/build.log"
if [[ $want_unit -eq 1 ]]; then run_unit; fi
if [[ $want_live -eq 1 ]]; then run_live; fi
summary
