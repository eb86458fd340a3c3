#!/usr/bin/env bash
# Plays an adversary's tricks against the daemon, live, and writes down what happened. See usage() below.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib/install.sh
. "$here/lib/install.sh"
repository=$(cd "$here/.." && pwd)
cd "$repository"

usage() {
  cat <<'END_OF_USAGE'
usage: evasion.sh [--quick] | --help      (as root)

Builds the daemon, runs test_evasion.py, test_smuggling.py and test_browser.py of Tests/live in the lab's network
namespaces, and writes docs/evasion.md: each trick, what was sent, what happened, and whether ordinary clients were hurt.

  --quick   leaves out the tests that take more than ten seconds each

The exit status is 1 if a trick worked or an ordinary client was hurt; docs/evasion.md then says which.
END_OF_USAGE
}

selection=()
case ${1:-} in
'') ;;
--quick) selection=(-m 'not slow') ;;
--help | -h) usage && exit 0 ;;
*) die "unknown option $1 (try --help)" ;;
esac
[[ $# -le 1 ]] || die "one option at most (try --help)"

need_root
install_packages "${PACKAGES_BUILD[@]}" "${PACKAGES_RUN[@]}" "${PACKAGES_LAB[@]}" "${PACKAGES_TEST[@]}" \
  "${PACKAGES_CAPTURE[@]}"
find_swift
have_nfqueue

work=$(mktemp -d)
finish() {
  local status=$?
  rm -rf "$work"
  give_back_build "$repository"
  give_back "$repository/docs/evasion.md"
  exit "$status"
}
trap finish EXIT

if ! swift build --product nfq-egressd >"$work/build.log" 2>&1 </dev/null; then
  grep -m5 error "$work/build.log" >&2 || tail -n5 "$work/build.log" >&2
  die "the build failed"
fi
prepare_post_quantum "$repository" || true # the tests that need them say so
prepare_quic "$repository" || true
prepare_browser || true

PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m pytest -p no:cacheprovider -q -rs \
  Tests/live/test_evasion.py Tests/live/test_smuggling.py Tests/live/test_browser.py "${selection[@]}" --junitxml "$work/report.xml" </dev/null || true
[[ -s $work/report.xml ]] || die "the tests left no report"
commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
status=0
/usr/bin/python3 -B "$here/lib/evasion_table.py" "$work/report.xml" "$commit" >"$work/evasion.md" || status=1
[[ -s $work/evasion.md ]] || die "the report could not be read"
cp "$work/evasion.md" docs/evasion.md
printf 'docs/evasion.md is written\n'
[[ $status -eq 0 ]]
