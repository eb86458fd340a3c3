#!/usr/bin/env bash
# Installs, removes and checks the rules that send agents' packets to nfq-egressd.
# docs/rules.md explains every rule.
set -euo pipefail

readonly PROG=iptables-setup.sh
readonly PREFIX=NFQ-EGRESSD
readonly MANGLE_CHAINS="$PREFIX-FORWARD $PREFIX-OUTPUT $PREFIX-INPUT $PREFIX-AGENT $PREFIX-QUEUE $PREFIX-BACKSTOP"
readonly FILTER_CHAINS="$PREFIX-VERDICT"
readonly MANGLE_BASES="FORWARD OUTPUT INPUT POSTROUTING"
readonly FILTER_BASES="FORWARD OUTPUT INPUT"
readonly RUN_DIR=${NFQ_EGRESSD_RUN_DIR:-/run/nfq-egressd}
readonly ACCT=/proc/sys/net/netfilter/nf_conntrack_acct
readonly MAX_SLOTS=63 # six slot bits, and zero means "none"

# Where this script is, without links: for the daemon, which runs it to repair the rules.
own_path() {
  readlink -f -- "${BASH_SOURCE[0]}"
}

usage() {
  cat <<'TXT'
Usage: iptables-setup.sh install OPTIONS | repair | remove | status [--json] | --help

Sends agents' packets to nfq-egressd (NFQUEUE) and acts on its verdicts, IPv4 and IPv6 alike.

Whose packets (install needs at least one; all but --all-output may be repeated):
  --interface IF        agents behind this interface (a bridge, a veth; veth+ for all that begin so)
  --source CIDR         agents with these addresses (IPv4 or IPv6)
  --cgroup PATH         local agents in this cgroup v2; the n-th one gets slot n (1..63) in the mark
  --all-output          every packet that this host itself sends (DNS on loopback included, the rest of it not)
  --input               also what forwarded agents send to this host itself, all ports (DNS always is)
  --exempt CIDR         destinations that are not inspected (their DNS is); may be repeated

How:
  --queues N[-M]        queue number, or a range of queues balanced by address pair (default 0)
  --on-failure open|closed
                        what happens while no daemon listens: open lets packets go on, closed drops
                        them (default closed)
  --mark-mask MASK      eight contiguous bits of packet mark and connmark that are ours (default 0xff000000)
  --backend auto|nft|legacy
                        which iptables to use (default auto: the one that "iptables" is)
  --dry-run             print the commands and change nothing (install, repair and remove)

install   puts the rules in; a second time it changes nothing, with other options it replaces them;
          when a step fails everything is put back as it was
repair    install once more with the recorded options: to be run when a cgroup of --cgroup was made anew
          (its rule still means the old one). A cgroup that is not there keeps its slot and has no rule
          until the next repair; then, and only then, it exits 1 with the rest mended
remove    takes out what install put in, and nothing else
status    exit 0 when every rule is there and in its place, else 1, with a line on each fault and its mend

Exit: 0 done, 1 failed or not so, 64 usage. State is kept in /run/nfq-egressd (NFQ_EGRESSD_RUN_DIR changes it).
TXT
}

die() { printf '%s: %s\n' "$PROG" "$*" >&2; exit 1; }
bad_usage() { printf '%s: %s (see --help)\n' "$PROG" "$*" >&2; exit 64; }
warn() { printf '%s: warning: %s\n' "$PROG" "$*" >&2; }
say() { printf '%s\n' "$*"; }

# ---------------------------------------------------------------- options

command="" recalling=no
interfaces=() sources=() cgroups=() exempts=()
missing_cgroups=() # of `cgroups`, those that have no rule because they are not there (repair)
all_output=no input=no queues=0 on_failure=closed mask_text=0xff000000 backend=auto dry_run=no json=no

is_ipv4() {
  local octet IFS=.
  [[ $1 =~ ^[0-9]{1,3}(\.[0-9]{1,3}){3}$ ]] || return 1
  for octet in $1; do ((10#$octet <= 255)) || return 1; done
}

is_ipv6() {
  local address=$1 groups=0 part compressed=no
  if [[ $address == *.* ]]; then # an embedded IPv4 tail stands for two groups
    is_ipv4 "${address##*:}" || return 1
    address=${address%:*}:0:0
  fi
  [[ $address =~ ^[0-9a-fA-F:]{2,}$ && $address == *:* && $address != *:::* ]] || return 1
  if [[ $address == *::* ]]; then
    compressed=yes
    [[ ${address#*::} != *::* ]] || return 1
  fi
  [[ $address != :* || $address == ::* ]] || return 1
  [[ $address != *: || $address == *:: ]] || return 1
  local IFS=:
  for part in $address; do
    [[ -z $part ]] && continue
    ((${#part} <= 4)) || return 1
    groups=$((groups + 1))
  done
  if [[ $compressed == yes ]]; then ((groups <= 7)); else ((groups == 8)); fi
}

# Prints the family of an address or CIDR; fails when it is neither.
family_of() {
  local address=${1%%/*} length=""
  [[ $1 == */* ]] && length=${1#*/}
  [[ $1 != */* || $length =~ ^[0-9]{1,3}$ ]] || return 1
  if is_ipv4 "$address"; then
    ((10#${length:-32} <= 32)) || return 1
    echo 4
  elif is_ipv6 "$address"; then
    ((10#${length:-128} <= 128)) || return 1
    echo 6
  else
    return 1
  fi
}

contains() {
  local wanted=$1 item
  shift
  for item in "$@"; do [[ $item == "$wanted" ]] && return 0; done
  return 1
}

add_interface() {
  [[ $1 =~ ^[A-Za-z0-9_.:@][A-Za-z0-9_.:@-]{0,14}\+?$ && ${#1} -le 15 ]] || bad_usage "--interface: '$1' is no interface name"
  [[ $1 != lo ]] || bad_usage "--interface: lo is not an agents' interface; use --cgroup or --all-output for local agents"
  contains "$1" "${interfaces[@]}" || interfaces+=("$1")
}

add_source() {
  family_of "$1" >/dev/null || bad_usage "--source: '$1' is no IPv4 or IPv6 CIDR"
  contains "$1" "${sources[@]}" || sources+=("$1")
}

add_exempt() {
  family_of "$1" >/dev/null || bad_usage "--exempt: '$1' is no IPv4 or IPv6 CIDR"
  [[ ! $1 =~ /0+$ ]] || bad_usage "--exempt: '$1' would exempt everything"
  contains "$1" "${exempts[@]}" || exempts+=("$1")
}

# A cgroup is named as the kernel names it, relative to the root of the v2 hierarchy.
add_cgroup() {
  local path=$1 root
  root=$(cgroup_root)
  [[ -n $root && $path == "$root"/* ]] && path=${path#"$root"}
  path=${path#/} path=${path%/}
  [[ -n $path ]] || bad_usage "--cgroup: '$1' is the root; use --all-output"
  [[ ! $path =~ [[:cntrl:]\"\\[:space:]] && $path != *..* ]] || bad_usage "--cgroup: '$1' is no cgroup path"
  ((${#path} < 512)) || bad_usage "--cgroup: the path is longer than the 511 bytes that xt_cgroup takes"
  contains "$path" "${cgroups[@]}" || cgroups+=("$path")
  ((${#cgroups[@]} <= MAX_SLOTS)) || bad_usage "--cgroup: more than $MAX_SLOTS (six slot bits)"
}

cgroup_root() {
  awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts
}

parse_options() {
  while (($#)); do
    local option=$1 value=""
    case $option in
      --interface=* | --source=* | --cgroup=* | --queues=* | --on-failure=* | --mark-mask=* | --exempt=* | --backend=*)
        value=${option#*=} option=${option%%=*} ;;
      --interface | --source | --cgroup | --queues | --on-failure | --mark-mask | --exempt | --backend)
        (($# >= 2)) || bad_usage "$option needs a value"
        value=$2
        shift ;;
    esac
    shift
    case $option in
      --help | -h) usage; exit 0 ;;
      --backend)
        [[ $value =~ ^(auto|nft|legacy)$ ]] || bad_usage "--backend: '$value' is not auto, nft or legacy"
        backend=$value ;;
      --json) [[ $command == status ]] || bad_usage "--json belongs to status"; json=yes ;;
      --dry-run) [[ $command != status ]] || bad_usage "--dry-run belongs to install, repair and remove"; dry_run=yes ;;
      --interface | --source | --cgroup | --queues | --on-failure | --mark-mask | --exempt | --all-output | --input)
        [[ $command == install || $recalling == yes ]] || bad_usage "$option belongs to install"
        case $option in
          --interface) add_interface "$value" ;;
          --source) add_source "$value" ;;
          --cgroup) add_cgroup "$value" ;;
          --exempt) add_exempt "$value" ;;
          --all-output) all_output=yes ;;
          --input) input=yes ;;
          --queues) queues=$value ;;
          --mark-mask) mask_text=$value ;;
          --on-failure)
            [[ $value =~ ^(open|closed)$ ]] || bad_usage "--on-failure: '$value' is not open or closed"
            on_failure=$value ;;
        esac ;;
      *) bad_usage "unknown option '$option'" ;;
    esac
  done
}

# Derives the marks and the queue target from the options.
settle_options() {
  [[ $mask_text =~ ^(0[xX][0-9a-fA-F]{1,8}|[1-9][0-9]{0,9})$ ]] || bad_usage "--mark-mask: '$mask_text' is no 32-bit number"
  local value=$((mask_text)) shift_bits=0
  ((value > 0 && value <= 0xffffffff)) || bad_usage "--mark-mask: '$mask_text' is no 32-bit mask"
  while (((value >> shift_bits & 1) == 0)); do shift_bits=$((shift_bits + 1)); done
  ((value == 0xff << shift_bits)) || bad_usage "--mark-mask: '$mask_text' is not eight contiguous bits"
  slot_shift=$((shift_bits + 2))
  mask=$(hex "$value")
  state_mask=$(hex $((3 << shift_bits)))
  pass=$(hex $((1 << shift_bits)))
  deny_flow=$(hex $((2 << shift_bits)))
  deny_any=$deny_flow/$deny_flow # the upper state bit is set in deny-flow and deny-packet alike
  slot_mask=$(hex $((0x3f << slot_shift)))

  [[ $queues =~ ^[0-9]{1,5}(-[0-9]{1,5})?$ ]] || bad_usage "--queues: '$queues' is not N or N-M"
  local first=$((10#${queues%-*})) last=$((10#${queues#*-}))
  ((first <= last && last <= 65535)) || bad_usage "--queues: '$queues' is no range within 0..65535"
  if ((first == last)); then
    queues=$first
    queue_target="NFQUEUE --queue-num $first"
  else
    queues=$first-$last
    queue_target="NFQUEUE --queue-balance $first:$last"
  fi
  [[ $on_failure == closed ]] || queue_target+=" --queue-bypass"
  ((${#interfaces[@]} + ${#sources[@]} + ${#cgroups[@]})) || [[ $all_output == yes ]] ||
    bad_usage "install needs --interface, --source, --cgroup or --all-output"
  [[ $input == no ]] || ((${#interfaces[@]} + ${#sources[@]})) ||
    bad_usage "--input needs --interface or --source: it is about forwarded agents"
}

hex() { printf '0x%x' "$1"; }

# The options in one canonical line, as a shell would take them.
canonical_options() {
  local item out=""
  for item in "${interfaces[@]}"; do out+=" --interface $(printf %q "$item")"; done
  for item in "${sources[@]}"; do out+=" --source $item"; done
  for item in "${cgroups[@]}"; do out+=" --cgroup $(printf %q "/$item")"; done
  for item in "${exempts[@]}"; do out+=" --exempt $item"; done
  [[ $all_output == no ]] || out+=" --all-output"
  [[ $input == no ]] || out+=" --input"
  printf '%s' "${out# } --queues $queues --on-failure $on_failure --mark-mask $mask"
}

# ---------------------------------------------------------------- the rules

of_family() { # FAMILY CIDR...: those of that family
  local family=$1 item
  shift
  for item in "$@"; do [[ $(family_of "$item") != "$family" ]] || printf '%s\n' "$item"; done
}

# Both transports of DNS. PORT is --dport or --sport.
dns_rules() { # CHAIN SELECTOR PORT TARGET...
  local chain=$1 selector=$2 port=$3
  shift 3
  printf -- '-A %s %s-p udp -m udp %s 53 %s\n' "$chain" "$selector" "$port" "$*"
  printf -- '-A %s %s-p tcp -m tcp %s 53 %s\n' "$chain" "$selector" "$port" "$*"
}

# Answers that this host gives to agents. A reset is none, and the reset that a denied question gets
# from our own REJECT must not need a verdict.
host_answer_rules() { # SELECTOR
  printf -- '-A %s %s-p udp -m udp --sport 53 -g %s\n' "$PREFIX-OUTPUT" "$1" "$PREFIX-QUEUE"
  printf -- '-A %s %s-p tcp -m tcp --sport 53 ! --tcp-flags RST RST -g %s\n' "$PREFIX-OUTPUT" "$1" "$PREFIX-QUEUE"
}

# Neighbour discovery is the ARP of IPv6, and ARP never comes here.
neighbour_rules() { # CHAIN
  local type
  for type in 133 135 136; do printf -- '-A %s -p ipv6-icmp -m icmp6 --icmpv6-type %s -j RETURN\n' "$1" "$type"; done
}

forward_rules() { # FAMILY
  local chain=$PREFIX-FORWARD item
  printf -- '-A %s -j MARK --set-xmark 0x0/%s\n' "$chain" "$mask"
  for item in "${interfaces[@]}"; do printf -- '-A %s -i %s -g %s\n' "$chain" "$item" "$PREFIX-AGENT"; done
  for item in $(of_family "$1" "${sources[@]}"); do printf -- '-A %s -s %s -g %s\n' "$chain" "$item" "$PREFIX-AGENT"; done
  for item in "${interfaces[@]}"; do dns_rules "$chain" "-o $item " --sport "-g $PREFIX-QUEUE"; done
  for item in $(of_family "$1" "${sources[@]}"); do dns_rules "$chain" "-d $item " --sport "-g $PREFIX-QUEUE"; done
}

output_rules() { # FAMILY
  local chain=$PREFIX-OUTPUT item slot=0
  printf -- '-A %s -j MARK --set-xmark 0x0/%s\n' "$chain" "$mask"
  for item in "${interfaces[@]}"; do host_answer_rules "-o $item "; done
  for item in $(of_family "$1" "${sources[@]}"); do host_answer_rules "-d $item ! -o lo "; done
  [[ $all_output == yes ]] || ((${#cgroups[@]})) || return 0
  if [[ $all_output == yes ]]; then
    # What answers a forwarded agent stays on this host: our own REJECT's resets among it.
    for item in "${interfaces[@]}"; do printf -- '-A %s -o %s -m conntrack --ctdir REPLY -j RETURN\n' "$chain" "$item"; done
    for item in $(of_family "$1" "${sources[@]}"); do
      printf -- '-A %s -d %s ! -o lo -m conntrack --ctdir REPLY -j RETURN\n' "$chain" "$item"
    done
    [[ $1 == 4 ]] || neighbour_rules "$chain"
  fi
  for item in "${cgroups[@]}"; do
    slot=$((slot + 1))
    ! contains "$item" "${missing_cgroups[@]}" || continue
    printf -- '-A %s -m cgroup --path %s -j MARK --set-xmark %s/%s\n' "$chain" "$item" "$(hex $((slot << slot_shift)))" "$slot_mask"
  done
  [[ $all_output == yes ]] || printf -- '-A %s -m mark --mark 0x0/%s -j RETURN\n' "$chain" "$slot_mask"
  ((${#cgroups[@]} == 0)) || dns_rules "$chain" "-m mark ! --mark 0x0/$slot_mask " --dport \
    "-j CONNMARK --save-mark --nfmask $slot_mask --ctmask $slot_mask"
  dns_rules "$chain" "-o lo " --dport "-g $PREFIX-QUEUE"
  printf -- '-A %s -o lo -j RETURN\n' "$chain"
  printf -- '-A %s -g %s\n' "$chain" "$PREFIX-AGENT"
}

input_rules() { # FAMILY
  local chain=$PREFIX-INPUT item
  printf -- '-A %s -j MARK --set-xmark 0x0/%s\n' "$chain" "$mask"
  if [[ $all_output == yes ]]; then
    dns_rules "$chain" "-m conntrack --ctdir REPLY " --sport "-g $PREFIX-QUEUE"
  elif ((${#cgroups[@]})); then
    dns_rules "$chain" "" --sport "-j CONNMARK --restore-mark --nfmask $slot_mask --ctmask $slot_mask"
    printf -- '-A %s -m mark ! --mark 0x0/%s -g %s\n' "$chain" "$slot_mask" "$PREFIX-QUEUE"
  fi
  if [[ $input == yes ]]; then
    [[ $1 == 4 ]] || neighbour_rules "$chain"
    for item in "${interfaces[@]}"; do printf -- '-A %s -i %s -g %s\n' "$chain" "$item" "$PREFIX-AGENT"; done
    for item in $(of_family "$1" "${sources[@]}"); do printf -- '-A %s -s %s ! -i lo -g %s\n' "$chain" "$item" "$PREFIX-AGENT"; done
  else
    for item in "${interfaces[@]}"; do dns_rules "$chain" "-i $item " --dport "-g $PREFIX-QUEUE"; done
    for item in $(of_family "$1" "${sources[@]}"); do dns_rules "$chain" "-s $item ! -i lo " --dport "-g $PREFIX-QUEUE"; done
  fi
}

# A match for UDP whose payload does not begin with a QUIC long header (RFC 8999: the top bit of the
# first byte, the only bit that no version may move). What is too short to tell, or stands behind IPv6
# extension headers, does not match and so keeps being queued.
short_header_match() { # FAMILY KIND
  case $1-$2 in
    4-u32) printf '%s' '-m u32 --u32 "0>>22&0x3C@8>>24&0x80=0"' ;;
    6-u32) printf '%s' '-m u32 --u32 "4>>8&0xFF=17&&48>>24&0x80=0"' ;;
    4-bpf) printf '%s' '-m bpf --bytecode "5,177 0 0 0,80 0 0 8,69 1 0 128,6 0 0 1,6 0 0 0"' ;;
    6-bpf) printf '%s' '-m bpf --bytecode "6,48 0 0 6,21 0 3 17,48 0 0 48,69 1 0 128,6 0 0 1,6 0 0 0"' ;;
  esac
}

agent_rules() { # FAMILY UDP-KIND
  local chain=$PREFIX-AGENT item
  dns_rules "$chain" "" --dport "-g $PREFIX-QUEUE"
  printf -- '-A %s -m conntrack --ctstate INVALID -j DROP\n' "$chain"
  for item in $(of_family "$1" "${exempts[@]}"); do printf -- '-A %s -d %s -j RETURN\n' "$chain" "$item"; done
  printf -- '-A %s -p tcp -m connmark --mark %s/%s -j RETURN\n' "$chain" "$pass" "$state_mask"
  [[ $2 == none ]] || printf -- '-A %s -p udp -m connmark --mark %s/%s %s -j RETURN\n' "$chain" "$pass" "$state_mask" \
    "$(short_header_match "$1" "$2")"
  printf -- '-A %s -m connmark --mark %s/%s -m conntrack --ctdir ORIGINAL -j MARK --set-xmark %s/%s\n' \
    "$chain" "$deny_flow" "$state_mask" "$deny_flow" "$state_mask"
  printf -- '-A %s -m mark --mark %s/%s -j RETURN\n' "$chain" "$deny_flow" "$state_mask"
  printf -- '-A %s -m connmark --mark %s/%s -j DROP\n' "$chain" "$deny_flow" "$state_mask"
  printf -- '-A %s -g %s\n' "$chain" "$PREFIX-QUEUE"
}

mangle_rules() { # FAMILY UDP-KIND
  forward_rules "$1"
  output_rules "$1"
  input_rules "$1"
  agent_rules "$1" "$2"
  printf -- '-A %s -j %s\n' "$PREFIX-QUEUE" "$queue_target"
  printf -- '-A %s -j DROP\n' "$PREFIX-BACKSTOP"
}

filter_rules() { # FAMILY
  local chain=$PREFIX-VERDICT prohibited=icmp-admin-prohibited
  [[ $1 == 4 ]] || prohibited=icmp6-adm-prohibited
  local save="-j CONNMARK --save-mark --nfmask $state_mask --ctmask $state_mask"
  printf -- '-A %s -m mark --mark %s/%s %s\n' "$chain" "$deny_flow" "$state_mask" "$save"
  printf -- '-A %s -m mark --mark %s/%s -m connmark --mark 0x0/%s %s\n' "$chain" "$pass" "$state_mask" "$state_mask" "$save"
  printf -- '-A %s -p tcp -m mark --mark %s -m conntrack --ctdir ORIGINAL -j REJECT --reject-with tcp-reset\n' "$chain" "$deny_any"
  printf -- '-A %s -m mark --mark %s -m conntrack --ctdir ORIGINAL -j REJECT --reject-with %s\n' "$chain" "$deny_any" "$prohibited"
  # The answering side of a flow, and what conntrack does not track: no reset is owed.
  printf -- '-A %s -m mark --mark %s -j DROP\n' "$chain" "$deny_any"
}

jump_rule() { # TABLE BASE: the rule without -A/-I BASE
  case $1-$2 in
    mangle-POSTROUTING) printf -- '-m mark --mark %s -j %s' "$deny_any" "$PREFIX-BACKSTOP" ;;
    mangle-*) printf -- '-j %s' "$PREFIX-$2" ;;
    filter-*) printf -- '-m mark ! --mark 0x0/%s -j %s' "$state_mask" "$PREFIX-VERDICT" ;;
  esac
}

chains_of() { if [[ $1 == mangle ]]; then echo "$MANGLE_CHAINS"; else echo "$FILTER_CHAINS"; fi; }
is_base() { [[ " $(bases_of "$1") " == *" $2 "* ]]; } # TABLE CHAIN
bases_of() { if [[ $1 == mangle ]]; then echo "$MANGLE_BASES"; else echo "$FILTER_BASES"; fi; }

# ---------------------------------------------------------------- iptables

families="4"
declare -A ipt save restore

# Finds the commands of the wanted backend and says which backend they are.
find_backend() {
  local wanted=$1 suffix="" family name version
  [[ $wanted == auto ]] || ! command -v "iptables-$wanted" >/dev/null || suffix=-$wanted
  [[ -e /proc/net/if_inet6 ]] && families="4 6"
  for family in $families; do
    name=iptables
    [[ $family == 4 ]] || name=ip6tables
    ipt[$family]=$name$suffix save[$family]=$name$suffix-save restore[$family]=$name$suffix-restore
    for name in "${ipt[$family]}" "${save[$family]}" "${restore[$family]}"; do
      command -v "$name" >/dev/null || die "$name not found: install the iptables package"
    done
  done
  version=$("${ipt[4]}" --version 2>&1) || die "${ipt[4]} does not run: ${version//$'\n'/ }"
  case $version in
    *nf_tables*) backend=nft ;;
    *) backend=legacy ;;
  esac
  [[ $wanted == auto || $wanted == "$backend" ]] || die "iptables-$wanted not found, and iptables is the $backend backend"
}

table_exists() { # FAMILY TABLE: without bringing it into being
  if [[ $backend == legacy ]]; then
    local names=/proc/net/ip_tables_names
    [[ $1 == 4 ]] || names=/proc/net/ip6_tables_names
    [[ -r $names ]] && grep -qx "$2" "$names"
  else
    # asked for one table by name, it shows the defaults of one that is not there
    grep -Eq "^\*$2\$|Table .$2. is incompatible" < <("${save[$1]}" 2>/dev/null)
  fi
}

# The table with counters, or nothing when there is no such table.
dump_table() { # FAMILY TABLE
  # only the legacy one loads what it is asked for
  [[ $backend == nft ]] || table_exists "$1" "$2" || return 0
  "${save[$1]}" -c -t "$2" 2>/dev/null # it warns of the other backend at every call
}

own_chains() { sed -n "s/^:\($PREFIX-[A-Z]*\) .*/\1/p"; }
own_rules() { sed -n "s/^\(\[[0-9:]*\] \)\{0,1\}\(-A $PREFIX-.*\)/\2/p"; }

# Jumps to our chains from all others: CHAIN POSITION LENGTH RULE, LENGTH being the rules in that chain.
own_jumps() {
  sed 's/^\[[0-9:]*\] //' | awk -v ours="^-[jg] $PREFIX-" -v own="^$PREFIX-" '
    $1 == "-A" && $2 !~ own {
      length_of[$2]++
      rule = ""; hit = 0
      for (i = 3; i <= NF; i++) {
        rule = rule (i > 3 ? " " : "") $i
        if (i < NF && ($i " " $(i + 1)) ~ ours) hit = 1
      }
      if (hit) { n++; base[n] = $2; position[n] = length_of[$2]; text[n] = rule }
    }
    END { for (i = 1; i <= n; i++) print base[i], position[i], length_of[base[i]], text[i] }'
}

# One transaction that makes our part of a table WANTED from whatever DUMP says is there now.
# WANTED: lines of ":CHAIN", "-A ..." and "-I ..."; empty takes our part out.
transaction() { # TABLE DUMP WANTED
  local table=$1 dump=$2 wanted=$3 base rule chain line body=""
  while read -r base _ _ rule; do
    [[ -n $base ]] || continue
    # someone else's own jump goes only with the chain that it leads to
    [[ -z $wanted ]] || is_base "$table" "$base" || continue
    body+="-D $base $rule"$'\n'
  done < <(own_jumps <<<"$dump")
  while read -r line; do
    chain=${line#-A } chain=${chain%% *}
    [[ -z $line ]] || grep -qx ":$chain" <<<"$wanted" || body+="-D $chain 1"$'\n'
  done < <(own_rules <<<"$dump")
  for chain in $(own_chains <<<"$dump"); do
    grep -qx ":$chain" <<<"$wanted" || body+="-X $chain"$'\n'
  done
  [[ -n $body$wanted ]] || return 0
  printf '*%s\n' "$table"
  sed -n 's/^:.*/& - [0:0]/p' <<<"$wanted"
  printf '%s' "$body"
  grep -v '^:' <<<"$wanted" | sed '/^$/d' || true
  printf 'COMMIT\n'
}

wanted_part() { # FAMILY TABLE UDP-KIND: what install makes
  local chain base
  for chain in $(chains_of "$2"); do printf ':%s\n' "$chain"; done
  if [[ $2 == mangle ]]; then mangle_rules "$1" "$3"; else filter_rules "$1"; fi
  for base in $(bases_of "$2"); do
    if [[ $base == POSTROUTING ]]; then
      printf -- '-A %s %s\n' "$base" "$(jump_rule "$2" "$base")"
    else
      printf -- '-I %s 1 %s\n' "$base" "$(jump_rule "$2" "$base")"
    fi
  done
}

# Rules without those of cgroups that are there no more: such a rule matches nothing, and cannot be made again.
without_gone_cgroups() {
  local line path root
  root=$(cgroup_root)
  while IFS= read -r line; do
    path=$(sed -n 's/.* --path "\{0,1\}\([^" ]*\).*/\1/p' <<<"$line")
    [[ -n $path && ! -d $root/$path ]] || printf '%s\n' "$line"
  done
}

# What a dump holds of ours, in the form of wanted_part: for putting it back.
held_part() { # TABLE DUMP
  local base position rule
  own_chains <<<"$2" | sed 's/^/:/'
  own_rules <<<"$2" | without_gone_cgroups
  while read -r base position _ rule; do
    [[ -z $base ]] || ! is_base "$1" "$base" || printf -- '-I %s %s %s\n' "$base" "$position" "$rule"
  done < <(own_jumps <<<"$2")
}

failure="" # what iptables said when a step failed
run_restore() { # FAMILY TRANSACTION
  local output
  [[ -n $2 ]] || return 0
  if [[ $dry_run == yes ]]; then
    printf "%s --noflush --wait=10 <<'RULES'\n%s\nRULES\n" "${restore[$1]}" "$2"
    return 0
  fi
  output=$("${restore[$1]}" --noflush --wait=10 <<<"$2" 2>&1) && return 0
  local number
  number=$(sed -n 's/.*line:\{0,1\} \([0-9]*\).*/\1/p' <<<"$output" | head -n 1)
  failure="${restore[$1]}: $(grep -v '^#' <<<"$output" | head -n 1 || true)"
  [[ -z $number ]] || failure+=" [$(sed -n "${number}p" <<<"$2")]"
  return 1
}

# ---------------------------------------------------------------- state

state_file=""
declare -A absent=()  # "4 mangle" or "4 mangle FORWARD": not there before install
declare -A udp_kind=([4]=u32 [6]=u32)
acct_before="" state_backend="" state_options="" state_rules="" state_cgroups="" state_found=no

locate_state() {
  state_file=$RUN_DIR/rules.$(stat -Lc %i /proc/self/ns/net)
}

boot_id() { cat /proc/sys/kernel/random/boot_id; }

load_state() {
  [[ -r $state_file ]] || return 0
  grep -qx "boot $(boot_id)" "$state_file" || return 0 # another boot's: nothing of it can be there
  local key rest
  while read -r key rest; do
    case $key in
      backend) state_backend=$rest ;;
      options) state_options=$rest ;;
      acct) acct_before=$rest ;;
      absent) absent[$rest]=1 ;;
      udp) udp_kind[${rest% *}]=${rest#* } ;;
      cgroup) state_cgroups+=$rest$'\n' ;;
      rule) state_rules+=$rest$'\n' ;;
    esac
  done <"$state_file"
  state_found=yes
}

store_state() { # whole: with the rules as iptables lists them
  local family table item temporary
  [[ $dry_run == no ]] || return 0
  temporary=$state_file.new
  {
    printf 'boot %s\nscript %s\nbackend %s\noptions %s\nacct %s\n' "$(boot_id)" "$(own_path)" "$backend" "$(canonical_options)" \
      "$acct_before"
    for item in "${!absent[@]}"; do printf 'absent %s\n' "$item"; done
    for family in $families; do printf 'udp %s %s\n' "$family" "${udp_kind[$family]}"; done
    for item in "${cgroups[@]}"; do printf 'cgroup %s %s\n' "${cgroup_ids[$item]:-0}" "$item"; done
    if [[ ${1:-} == whole ]]; then
      for family in $families; do
        for table in filter mangle; do
          item=$(dump_table "$family" "$table")
          own_rules <<<"$item" | sed "s/^/rule $family $table /"
        done
      done
    fi
  } >"$temporary" && mv "$temporary" "$state_file"
}

# Which cgroups the rules will mean. Noted before the rules are made: a cgroup that is made anew in between is then
# told as such, and not taken for the one that its rule means.
declare -A cgroup_ids=()
note_cgroups() {
  local item
  for item in "${cgroups[@]}"; do cgroup_ids[$item]=$(cgroup_inode "$item"); done
}

cgroup_inode() {
  local root
  root=$(cgroup_root)
  { [[ -n $root ]] && stat -c %i "$root/$1" 2>/dev/null; } || echo 0
}

anything_of_ours() {
  local family table
  for family in $families; do
    for table in filter mangle; do
      [[ -z $(dump_table "$family" "$table" | own_chains) ]] || return 0
    done
  done
  return 1
}

# Base chains that are there (nft backend; legacy tables always have all of theirs).
base_chains_there() { # FAMILY TABLE
  local name=ip
  [[ $1 == 4 ]] || name=ip6
  nft list chains "$name" 2>/dev/null | awk -v table="$2" '$1 == "table" { here = ($3 == table) } here && $1 == "chain" { print $2 }'
}

# Notes what install is about to bring into being, so that remove can take it away again.
note_absent() {
  local family table base there
  for family in $families; do
    for table in filter mangle; do
      table_exists "$family" "$table" || absent["$family $table"]=1
      [[ $backend == nft ]] || continue
      if [[ -n ${absent["$family $table"]:-} ]]; then
        there=""
      elif command -v nft >/dev/null; then
        there=$(base_chains_there "$family" "$table")
      else
        continue
      fi
      for base in $(bases_of "$table"); do
        grep -qx "$base" <<<"$there" || absent["$family $table $base"]=1
      done
    done
  done
}

# Takes away the base chains and tables that install brought into being and that nobody else uses now.
drop_empty() {
  local family table base dump name
  for family in $families; do
    for table in mangle filter; do
      table_exists "$family" "$table" || continue
      if [[ $backend == legacy ]]; then
        [[ -z ${absent["$family $table"]:-} ]] ||
          say "note: the kernel keeps the ${save[$family]%-save} table $table, which was not loaded before; the legacy backend cannot unload it"
        continue
      fi
      dump=$(dump_table "$family" "$table")
      for base in $(bases_of "$table"); do
        [[ -n ${absent["$family $table $base"]:-} ]] || continue
        grep -q "^:$base ACCEPT " <<<"$dump" || continue
        ! grep -q "^\[[0-9:]*\] -A $base " <<<"$dump" || continue
        # refused when someone has just put a rule in
        "${ipt[$family]}" -w 10 -t "$table" -X "$base" 2>/dev/null || true
      done
      [[ -n ${absent["$family $table"]:-} ]] || continue
      name=ip
      [[ $family == 4 ]] || name=ip6
      if ! command -v nft >/dev/null; then
        say "note: nft not found, so the empty table $name $table stays"
      elif [[ $(nft list table "$name" "$table" 2>/dev/null | grep -cv '^[[:space:]]*$') == 2 ]]; then # its two braces
        nft delete table "$name" "$table" 2>/dev/null || true
      fi
    done
  done
}

set_acct() { # VALUE
  if [[ $dry_run == yes ]]; then
    say "sysctl -w net.netfilter.nf_conntrack_acct=$1"
    return 0
  fi
  printf '%s\n' "$1" 2>/dev/null >"$ACCT" || { failure="cannot set net.netfilter.nf_conntrack_acct=$1"; return 1; }
}

# ---------------------------------------------------------------- status

problems=() mends=()
problem() { problems+=("$1"); mends+=("$2"); }

declare -A count=()
rule_packets() { # DUMP PATTERN: packets counted by the rules of ours that match
  sed -n "s/^\[\([0-9]*\):[0-9]*\] -A $PREFIX-$2.*/\1/p" <<<"$1" | awk '{ n += $1 } END { print n + 0 }'
}

check_table() { # FAMILY TABLE MEND
  local family=$1 table=$2 mend=$3 dump base line position length where="IPv$1 $2" jumps wanted got
  dump=$(dump_table "$family" "$table")
  jumps=$(own_jumps <<<"$dump")
  for base in $(bases_of "$table"); do
    line=$(grep "^$base " <<<"$jumps" | head -n 1 || true)
    if [[ -z $line ]]; then
      problem "$where $base: our jump is missing" "$mend"
      continue
    fi
    read -r _ position length _ <<<"$line"
    if [[ $base == POSTROUTING ]]; then
      ((position == length)) || problem "$where $base: the backstop is rule $position of $length, not the last" "$mend"
    else
      ((position == 1)) || problem "$where $base: position lost, our jump is rule $position of $length, below '$(first_rule "$dump" "$base")'" "$mend"
    fi
  done
  [[ $state_found == yes && -n $state_rules ]] || return 0
  wanted=$(sed -n "s/^$family $table //p" <<<"$state_rules")
  got=$(own_rules <<<"$dump")
  [[ $wanted != "$got" ]] || return 0
  local faults=0
  while read -r line; do
    case $line in
      "<"*) problem "$where: missing: ${line#< }" "$mend"; faults=1 ;;
      ">"*) problem "$where: not ours: ${line#> }" "$mend"; faults=1 ;;
    esac
  done < <(diff <(printf '%s\n' "$wanted") <(printf '%s\n' "$got") || true)
  ((faults)) || problem "$where: our rules differ from what install made" "$mend"
}

first_rule() { # DUMP BASE
  sed -n "s/^\[[0-9:]*\] \(-A $2 .*\)/\1/p" <<<"$1" | head -n 1
}

inspect() {
  local family table dump mend="$PROG install $state_options" inode path
  [[ $state_found == yes ]] || mend="$PROG install with your options"
  if ! anything_of_ours; then
    problem "no rules of ours in the $backend backend" "$mend"
    [[ $state_found == no || $state_backend == "$backend" ]] || problems[0]+=" (they were installed in $state_backend)"
    return 0
  fi
  [[ $state_found == yes ]] || problem "nothing is recorded about these rules in $RUN_DIR, so they cannot be compared" "$mend"
  for family in $families; do
    for table in filter mangle; do check_table "$family" "$table" "$mend"; done
    dump=$(dump_table "$family" mangle)
    count[$family.queued]=$(rule_packets "$dump" "QUEUE -j NFQUEUE")
    count[$family.backstop]=$(rule_packets "$dump" "BACKSTOP ")
    count[$family.invalid]=$(rule_packets "$dump" "AGENT .*INVALID")
    dump=$(dump_table "$family" filter)
    count[$family.rejected]=$(rule_packets "$dump" "VERDICT .*-j REJECT")
    ((count[$family.backstop] == 0)) ||
      problem "IPv$family: the backstop dropped ${count[$family.backstop]} denied packets that filter let by" \
        "see what stands above our jump in filter; then $mend"
    [[ ${udp_kind[$family]} != none ]] || count[$family.udpPass]=no
  done
  [[ $(cat "$ACCT" 2>/dev/null) == 1 ]] || problem "net.netfilter.nf_conntrack_acct is not 1" "sysctl -w net.netfilter.nf_conntrack_acct=1"
  while read -r inode path; do
    [[ -n $inode ]] || continue
    case $(cgroup_condition "$inode" "$path") in
      gone) problem "cgroup /$path is gone; one that is made there later is not inspected until a repair" \
        "make it, then $PROG repair" ;;
      anew) problem "cgroup /$path was made anew, and its rule still means the old one: what is sent from it is not inspected" \
        "$PROG repair" ;;
    esac
  done <<<"$state_cgroups"
}

# The listing shows a rule's path, not the cgroup that it means, so the ids tell.
cgroup_condition() { # RECORDED-INODE PATH: present, gone or anew
  local now
  now=$(cgroup_inode "$2")
  if [[ $now == 0 ]]; then
    echo gone
  elif [[ $now == "$1" ]]; then
    echo present
  else
    echo anew
  fi
}

json_text() {
  local text=${1//\\/\\\\}
  text=${text//\"/\\\"}
  printf '"%s"' "${text//[[:cntrl:]]/ }"
}

counters_json() { # FAMILY
  local key separator=""
  for key in queued invalid rejected backstop; do
    printf '%s"%s":%s' "$separator" "$key" "${count[$1.$key]:-0}"
    separator=,
  done
}

status_json() {
  local family i separator="" slot=0 inode path
  printf '{"complete":%s,"backend":"%s","recorded":%s,"options":%s,' "$([[ ${#problems[@]} == 0 ]] && echo true || echo false)" \
    "$backend" "$([[ $state_found == yes ]] && echo true || echo false)" "$(json_text "$state_options")"
  printf '"queues":%s,"onFailure":%s,"markMask":%s,' "$(json_text "$(option_of queues)")" "$(json_text "$(option_of on-failure)")" \
    "$(json_text "$(option_of mark-mask)")"
  printf '"conntrackAccounting":%s,"families":{' "$([[ $(cat "$ACCT" 2>/dev/null) == 1 ]] && echo true || echo false)"
  for family in $families; do
    printf '%s"ipv%s":{"udpPass":%s,"counters":{%s}}' "$separator" "$family" \
      "$([[ ${udp_kind[$family]} == none ]] && echo false || echo true)" "$(counters_json "$family")"
    separator=,
  done
  printf '},"cgroups":['
  separator=""
  while read -r inode path; do
    [[ -n $inode ]] || continue
    slot=$((slot + 1))
    printf '%s{"slot":%s,"path":%s,"id":%s,"condition":"%s"}' "$separator" "$slot" "$(json_text "/$path")" "$inode" \
      "$(cgroup_condition "$inode" "$path")"
    separator=,
  done <<<"$state_cgroups"
  printf '],"problems":['
  separator=""
  for i in "${!problems[@]}"; do
    printf '%s{"what":%s,"mend":%s}' "$separator" "$(json_text "${problems[$i]}")" "$(json_text "${mends[$i]}")"
    separator=,
  done
  printf ']}\n'
}

option_of() { sed -n "s/.*--$1 \([^ ]*\).*/\1/p" <<<"$state_options"; }

do_status() {
  local family i
  load_state
  inspect
  if [[ $json == yes ]]; then
    status_json
  else
    [[ $state_found == no ]] || say "options: $state_options"
    say "backend: $backend"
    for family in $families; do
      [[ -z ${count[$family.queued]:-} ]] || say "IPv$family: queued ${count[$family.queued]}, invalid dropped ${count[$family.invalid]}, rejected ${count[$family.rejected]}, backstop ${count[$family.backstop]}"
      [[ ${udp_kind[$family]} != none || $state_found == no ]] || say "IPv$family: UDP is never passed (this kernel has neither xt_u32 nor xt_bpf)"
    done
    for i in "${!problems[@]}"; do printf 'fault: %s; mend: %s\n' "${problems[$i]}" "${mends[$i]}"; done
    ((${#problems[@]})) || say "complete"
  fi
  ((${#problems[@]} == 0))
}

# ---------------------------------------------------------------- install

declare -A before=()  # "4 mangle": the dump at the start
applied=()            # "4 mangle": begun so far, in order
acct_now=0 acct_changed=no previous_state="" installing=no

apply_part() { # FAMILY TABLE
  local family=$1 table=$2 kind first_failure=""
  local kinds=${udp_kind[$family]}
  [[ $table != mangle ]] || kinds="u32 bpf none"
  [[ $dry_run == no ]] || kinds=u32
  applied+=("$family $table") # before it is done: a signal may come in the midst of it
  for kind in $kinds; do
    udp_kind[$family]=$kind
    if run_restore "$family" "$(transaction "$table" "${before["$family $table"]}" "$(wanted_part "$family" "$table" "$kind")")"; then
      [[ $kind != none || $table != mangle ]] ||
        warn "IPv$family: this kernel has neither xt_u32 nor xt_bpf: UDP flows are never passed, every datagram goes to the queue"
      return 0
    fi
    # Which rule the kernel refused is not said reliably; only a try without the match tells.
    first_failure=${first_failure:-$failure}
  done
  failure=$first_failure
  return 1
}

install_steps() {
  local family table
  for table in filter mangle; do # what acts first, what queues last
    for family in $families; do apply_part "$family" "$table" || return 1; done
    [[ $table == filter ]] || continue
    if [[ $acct_now != 1 ]]; then
      acct_changed=yes
      set_acct 1 || return 1
    fi
  done
  [[ $dry_run == yes ]] && return 0
  store_state whole || { failure="cannot write $state_file"; return 1; }
  load_state
  problems=() mends=()
  for family in $families; do
    for table in filter mangle; do check_table "$family" "$table" "" || return 1; done
  done
  ((${#problems[@]} == 0)) || { failure="not as it should be afterwards: ${problems[0]}"; return 1; }
}

rollback() {
  local i entry family table kept=$failure
  for ((i = ${#applied[@]} - 1; i >= 0; i--)); do
    entry=${applied[i]} family=${entry% *} table=${entry#* }
    run_restore "$family" "$(transaction "$table" "$(dump_table "$family" "$table")" "$(held_part "$table" "${before[$entry]}")")" ||
      warn "could not put IPv$family $table back: $failure"
  done
  [[ $acct_changed == no ]] || set_acct "$acct_now" || warn "$failure"
  if [[ -n $previous_state ]]; then
    printf '%s\n' "$previous_state" >"$state_file"
  else
    drop_empty
    rm -f "$state_file" "$state_file.new"
  fi
  failure=$kept
}

# Marks of others that write into our bits.
warn_of_overlap() {
  local family dump mark value bits
  for family in $families; do
    dump=$("${save[$family]}" 2>/dev/null | grep -v "$PREFIX-" || true)
    while read -r mark; do
      value=${mark%/*} bits=0xffffffff
      [[ $mark != */* ]] || bits=${mark#*/}
      (((value | bits) & mask)) || continue
      warn "a rule of someone else sets mark $mark (IPv$family), which touches our bits $mask: choose another --mark-mask"
      return 0
    done < <(grep -oE -- '--set-x?mark 0x[0-9a-f]+(/0x[0-9a-f]+)?' <<<"$dump" | awk '{ print $2 }' | sort -u)
  done
}

warn_of_surprises() {
  local item first=${queues%-*} four=0 six=0
  for item in "${interfaces[@]}"; do
    [[ $item == *+ ]] || grep -qF " $item:" <(sed 's/^/ /; s/^ */ /' /proc/net/dev) || warn "there is no interface $item (yet)"
  done
  for item in "${sources[@]}"; do if [[ $(family_of "$item") == 4 ]]; then four=1; else six=1; fi; done
  ((${#interfaces[@]})) || ((four == six)) ||
    warn "sources of one family only: what the agents send in the other is not queued"
  [[ $families == "4 6" ]] || warn "this kernel has no IPv6: IPv4 rules only"
  grep -Eqs "^ *$first " /proc/net/netfilter/nfnetlink_queue ||
    warn "nothing listens on queue $first yet: until nfq-egressd runs, agents' packets are $([[ $on_failure == open ]] && echo "let by unseen" || echo dropped)"
  warn_of_overlap
  warn_of_other_backend
}

# Rules of the other backend are filtered too, but status and position 1 know nothing of them.
warn_of_other_backend() {
  local other=legacy names
  [[ $backend == nft ]] || other=nft
  command -v "iptables-$other-save" >/dev/null || return 0
  if [[ $other == legacy ]]; then
    names=$(cat /proc/net/ip_tables_names 2>/dev/null || true)
    [[ -n $names ]] || return 0
  fi
  [[ -z $("iptables-$other-save" 2>/dev/null | grep "^-A" | head -n 1 || true) ]] ||
    warn "there are rules in the $other backend as well; ours go into $backend"
}

check_cgroups() {
  local root path
  root=$(cgroup_root)
  [[ -n $root ]] || return 0
  for path in "${cgroups[@]}"; do
    [[ ! -d $root/$path ]] || continue
    [[ $command == repair ]] ||
      die "--cgroup: there is no cgroup /$path under $root (it must exist when its rule is made)"
    missing_cgroups+=("$path")
    warn "there is no cgroup /$path: its slot stays without a rule until the next repair"
  done
}

# Takes the options from the record of the last install. Nothing of it is evaluated, and all of it is checked as if
# it came from the command line.
recall_options() {
  load_state
  [[ $state_found == yes ]] || die "nothing is recorded in $RUN_DIR: run '$PROG install' with your options"
  local -a words=() kept=()
  local index path
  read -ra words <<<"$state_options"
  for ((index = 0; index < ${#words[@]}; index++)); do
    # Paths stand there as a shell would take them, and as they are in lines of their own.
    if [[ ${words[index]} == --cgroup ]]; then index=$((index + 1)); else kept+=("${words[index]}"); fi
  done
  while read -r _ path; do [[ -z $path ]] || kept+=(--cgroup "/$path"); done <<<"$state_cgroups"
  recalling=yes
  parse_options "${kept[@]}"
  settle_options
  absent=() state_cgroups="" state_rules="" # do_install reads them again
}

do_repair() {
  do_install
  ((${#missing_cgroups[@]} == 0)) || exit 1
}

do_install() {
  local family table
  local options
  options=$(canonical_options)
  check_cgroups
  load_state
  if anything_of_ours; then
    [[ $state_found == no || $state_backend == "$backend" ]] ||
      die "installed in the $state_backend backend: run '$PROG remove --backend $state_backend' first"
    if [[ $state_found == yes && $state_options == "$options" ]]; then
      inspect
      # The backstop's counter is history, not a fault of the rules; a cgroup that is gone cannot be mended here.
      local i live=0
      for i in "${problems[@]}"; do
        [[ $i == *"the backstop dropped"* || $i == "cgroup "*" is gone; "* ]] || live=1
      done
      if ((live == 0)); then
        say "already installed; nothing changed"
        return 0
      fi
    fi
    [[ ! -r $state_file ]] || previous_state=$(cat "$state_file")
  else
    [[ $state_found == no || $state_backend == "$backend" ]] || other_backend_is_clean
    # nothing of ours is here: what an earlier install noted no longer holds
    absent=() acct_before="" state_found=no
  fi
  state_rules="" state_cgroups=""
  note_cgroups
  for family in $families; do
    for table in filter mangle; do before["$family $table"]=$(dump_table "$family" "$table"); done
  done
  note_absent
  [[ -e $ACCT ]] || [[ $dry_run == yes ]] || modprobe nf_conntrack 2>/dev/null || true
  acct_now=$(cat "$ACCT" 2>/dev/null || echo 0)
  acct_before=${acct_before:-$acct_now}
  [[ $dry_run == yes ]] || store_state || die "cannot write $state_file"
  [[ $dry_run == yes ]] || warn_of_surprises
  installing=yes
  if ! install_steps; then
    installing=no
    rollback
    die "nothing installed, everything put back: $failure"
  fi
  installing=no
  [[ $dry_run == yes ]] || say "installed: $options"
}

other_backend_is_clean() {
  local dump
  dump=$("iptables-$state_backend-save" 2>/dev/null || true)
  [[ $dump != *":$PREFIX-"* ]] ||
    die "installed in the $state_backend backend: run '$PROG remove --backend $state_backend' first"
}

interrupted() {
  trap '' INT TERM HUP
  if [[ $installing == yes ]]; then
    rollback
    die "interrupted: nothing installed, everything put back"
  fi
  exit 1
}

# ---------------------------------------------------------------- remove

do_remove() {
  local family table failed=no base rule
  load_state
  if ! anything_of_ours && [[ $state_found == no ]]; then
    say "not installed; nothing changed"
    return 0
  fi
  for table in mangle filter; do # what queues first
    for family in $families; do
      local dump
      dump=$(dump_table "$family" "$table")
      while read -r rule; do
        [[ -z $rule || -z $state_rules ]] || grep -qxF -- "$family $table $rule" <<<"$state_rules" ||
          warn "someone else put this into a chain of ours, and it goes with it: $rule"
      done < <(own_rules <<<"$dump")
      while read -r base _ _ rule; do
        [[ -z $base ]] || is_base "$table" "$base" ||
          warn "someone else's rule led to a chain of ours, and it goes with it: -A $base $rule"
      done < <(own_jumps <<<"$dump")
      run_restore "$family" "$(transaction "$table" "$dump" "")" || { failed=yes; warn "$failure"; }
    done
  done
  [[ $failed == no ]] || die "not everything could be removed; what is left is still in force"
  if [[ $state_found == yes && -n $acct_before && $(cat "$ACCT" 2>/dev/null) == 1 && $acct_before != 1 ]]; then
    set_acct "$acct_before" || warn "$failure"
  fi
  [[ $dry_run == no ]] || return 0
  drop_empty
  rm -f "$state_file"
  say "removed"
}

# ---------------------------------------------------------------- main

main() {
  case ${1:-} in
    --help | -h | help) usage; exit 0 ;;
    install | repair | remove | status) command=$1 ;;
    "") bad_usage "say install, repair, remove or status" ;;
    *) bad_usage "unknown command '$1'" ;;
  esac
  shift
  parse_options "$@"
  [[ $command != install ]] || settle_options
  ((EUID == 0)) || die "must be root to $([[ $command == status ]] && echo read || echo change) the rules"
  local wanted=$backend
  locate_state
  if [[ $wanted == auto && $command != install && -r $state_file ]]; then
    wanted=$(sed -n 's/^backend //p' "$state_file") # look where install put them
  fi
  find_backend "$wanted"
  if [[ $command != status && $dry_run == no ]]; then
    mkdir -p "$RUN_DIR" || die "cannot make $RUN_DIR"
    exec 9>"$RUN_DIR/rules.lock"
    flock -w 30 9 || die "another $PROG is at work"
    trap interrupted INT TERM HUP
  fi
  [[ $command != repair ]] || recall_options
  "do_$command"
}

main "$@"
