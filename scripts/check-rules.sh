#!/usr/bin/env bash
# Looks whether the rules are still there and in their place, and puts them back when they are not. See usage() below.
set -euo pipefail

usage() {
  cat <<'END'
usage: check-rules.sh [--help]

Asks `iptables-setup.sh status`, beside this script. When something is wrong (a firewall was reloaded, a runtime put its
own rule above ours) it says what, as an alert for the journal, and repairs the rules with their recorded options.

Exit: 0 the rules are right, or right again; 1 they cannot be repaired.
END
}

case ${1:-} in
'') ;;
--help | -h) usage && exit 0 ;;
*) printf 'check-rules.sh: unknown option %s (try --help)\n' "$1" >&2 && exit 64 ;;
esac

# The journal reads a leading <N> as the priority: 1 is alert, 5 is notice.
say() {
  printf '<%s>check-rules.sh: %s\n' "$1" "$2" >&2
}

setup=$(dirname "$(readlink -f -- "${BASH_SOURCE[0]}")")/iptables-setup.sh
if faults=$("$setup" status 2>&1); then exit 0; fi
say 1 "the rules were changed by something else: $(tr '\n' ';' <<<"$faults")"
if ! told=$("$setup" repair 2>&1); then
  say 1 "they cannot be repaired: $(tr '\n' ';' <<<"$told")"
  exit 1
fi
if ! faults=$("$setup" status 2>&1); then
  say 1 "they are still wrong after a repair: $(tr '\n' ';' <<<"$faults")"
  exit 1
fi
say 5 "the rules are right again"
