#!/usr/bin/env bash
# Keeps deny-lists fresh: fetches those that have changed, checks them, puts them in place in one step.
# docs/lists.md explains it.
set -euo pipefail

readonly PROG=update-lists.sh
readonly DEFAULT_SOURCES=/etc/nfq-egressd/list-sources.conf
readonly DEFAULT_STATE=/var/lib/nfq-egressd/list-updates

usage() {
  cat <<'TXT'
Usage: update-lists.sh [OPTIONS] [NAME...] | --help

Fetches the lists of a table of sources (all of them, or those named), each only when the server says that it has
changed (ETag, Last-Modified). What comes is checked: its size, its syntax by the daemon's own reader, how many
entries it has. Only then it replaces the list, in one step; otherwise the last good list stays and a line says why.
When any list was replaced its snapshot is made and the daemon told to reload.

The table has a line a list, fields separated by blanks, # begins a comment:

  NAME  FORMAT  FILE  URL  [OPTION...]

  NAME     the list's name in the configuration (denyLists[].name)
  FORMAT   domains, hosts or cidr
  FILE     where the list is: the absolute path that denyLists[].path stands for
  URL      https://, http:// or file://
  OPTION   min=N        entries it must have at least (default 1)
           max=N        entries it may have at most (default 16000000)
           bytes=N      bytes it may have at most (default 536870912)
           shrink=P     it may lose P per cent of its entries at most (default 50)
           grow=P       it may gain P per cent at most (default 300)

  --sources FILE        the table (default /etc/nfq-egressd/list-sources.conf)
  --config FILE         the daemon's configuration, to make snapshots for (default /etc/nfq-egressd/config.yaml;
                        none: make none, the daemon makes them when it reloads)
  --daemon PROGRAM      nfq-egressd (default: the one on the path)
  --state DIR           ETags and numbers of entries of the last good lists (default /var/lib/nfq-egressd/list-updates)
  --reload COMMAND      run by the shell when a list was replaced (default: systemctl kill -s HUP nfq-egressd.service,
                        where that is active; none: nothing)
  --timeout SECONDS     for each list (default 300)
  --force               fetch although nothing has changed, and take a list however it shrank or grew

A list that is up to date is touched, so that its age says when it was last known to be.

Exit: 0 every list is up to date, 1 some list could not be fetched or was refused, 64 usage.
TXT
}

complain() { printf '%s: %s\n' "$PROG" "$*" >&2; }
die() { complain "$*"; exit 1; }
bad_usage() { complain "$* (see --help)"; exit 64; }
say() { printf '%s\n' "$*"; }

sources=$DEFAULT_SOURCES config=/etc/nfq-egressd/config.yaml daemon=nfq-egressd state=$DEFAULT_STATE
reload='' timeout=300 force=no wanted=()
while (($#)); do
  case $1 in
  --help | -h) usage && exit 0 ;;
  --force) force=yes && shift ;;
  --sources | --config | --daemon | --state | --reload | --timeout)
    (($# >= 2)) || bad_usage "$1 needs a value"
    case $1 in
    --sources) sources=$2 ;;
    --config) config=$2 ;;
    --daemon) daemon=$2 ;;
    --state) state=$2 ;;
    --reload) reload=$2 ;;
    --timeout)
      [[ $2 =~ ^[1-9][0-9]{0,5}$ ]] || bad_usage "--timeout: '$2' is no number of seconds"
      timeout=$2
      ;;
    esac
    shift 2
    ;;
  -*) bad_usage "unknown option $1" ;;
  *) wanted+=("$1") && shift ;;
  esac
done

command -v curl >/dev/null || die "curl is not there; install it"
command -v "$daemon" >/dev/null || die "$daemon is not there; name it with --daemon"
[[ -r $sources ]] || die "$sources cannot be read; write the table of sources, or name it with --sources"

install -d -m 0700 -- "$state"
# One at a time: a run of the timer and one by hand would write the same files.
exec 9>"$state/lock"
flock -n 9 || die "another run is going on"

work=''
finish() { [[ -z $work ]] || rm -rf "$work"; }
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
work=$(mktemp -d "$state/run.XXXXXX")

failures=0 replaced=()
refuse() {
  complain "list $1: $2; the last good list stays"
  failures=$((failures + 1))
}

is_number() { [[ $1 =~ ^[0-9]{1,12}$ ]]; }

# What curl says of a failure, in a line.
reason() {
  local text
  text=$(tr -d '\r' <"$work/error" | sed -n 's/^curl: //p' | tail -n1)
  printf '%s' "${text:-curl ended with $1}"
}

# The value of a header of the last answer; nothing when there is none, or one that no header should be.
header() {
  tr -d '\r' <"$work/headers" | awk -v wanted="$1:" '
    /^HTTP\// { value = "" }
    tolower($1) == wanted { value = substr($0, length($1) + 2) }
    END { if (length(value) < 512) print value }'
}

update() {
  local name=$1 format=$2 file=$3 url=$4 option minimum=1 maximum=16000000 bytes=536870912 shrink=50 grow=300
  for option in "${@:5}"; do
    is_number "${option#*=}" || { refuse "$name" "option $option is no name=number" && return; }
    case $option in
    min=*) minimum=${option#*=} ;;
    max=*) maximum=${option#*=} ;;
    bytes=*) bytes=${option#*=} ;;
    shrink=*) shrink=${option#*=} ;;
    grow=*) grow=${option#*=} ;;
    *) refuse "$name" "unknown option $option" && return ;;
    esac
  done
  [[ $file == /* ]] || { refuse "$name" "$file is no absolute path" && return; }
  [[ $url =~ ^(https?|file):// ]] || { refuse "$name" "$url is no https://, http:// or file:// address" && return; }

  local known="$state/$name" conditions=() etag='' changed='' entries=0
  # What is remembered is of this address and of the file as it was left.
  if [[ -f $known && -f $file && $force == no ]]; then
    local of='' size=''
    { IFS= read -r of && IFS= read -r size && IFS= read -r entries && IFS= read -r etag && IFS= read -r changed; } \
      <"$known" || true
    if [[ $of == "$url" && $size == "$(stat -c %s "$file")" ]] && is_number "$entries"; then
      if [[ -n $etag ]]; then conditions=(-H "If-None-Match: $etag"); fi
      if [[ -z $etag && -n $changed ]]; then conditions=(-H "If-Modified-Since: $changed"); fi
    else
      entries=0
    fi
  fi

  local status code
  : >"$work/list"
  : >"$work/headers"
  # Bytes that come without an announcement are cut by the limit of the shell, others refused by curl at once.
  if code=$(ulimit -f $((bytes / 1024 + 1)) && curl -sS --fail --location --proto '=https,http,file' \
    --proto-redir '=https,http' --max-redirs 5 --connect-timeout 30 --max-time "$timeout" --max-filesize "$bytes" \
    --compressed "${conditions[@]}" -D "$work/headers" -o "$work/list" -w '%{http_code}' -- "$url" 2>"$work/error"); then
    status=0
  else
    status=$?
  fi
  case $status in
  0) ;;
  63 | 153) refuse "$name" "it has more than $bytes bytes" && return ;;
  *) refuse "$name" "$(reason "$status")" && return ;;
  esac
  if [[ $code == 304 ]]; then
    touch -c -- "$file"
    say "list $name: unchanged"
    return
  fi
  (($(stat -c %s "$work/list") <= bytes)) || { refuse "$name" "it has more than $bytes bytes" && return; }
  if [[ -f $file ]] && cmp -s -- "$work/list" "$file"; then
    remember "$known" "$url" "$file" "$entries"
    touch -c -- "$file"
    say "list $name: unchanged"
    return
  fi

  local report
  if ! report=$("$daemon" deny compile --check "$work/list" --format "$format" --minimum "$minimum" \
    --maximum "$maximum" 2>"$work/error"); then
    refuse "$name" "$(head -n1 "$work/error" | sed "s|^$work/list|it|")"
    return
  fi
  local fresh
  fresh=$(sed -n 's/^.*: \([0-9][0-9]*\) entries.*/\1/p' <<<"$report")
  is_number "$fresh" || { refuse "$name" "$daemon did not say how many entries it has" && return; }
  if ((entries > 0)) && [[ $force == no ]]; then
    if ((fresh * 100 < entries * (100 - shrink))); then
      refuse "$name" "it has $fresh entries and had $entries: it shrank by more than $shrink % (--force takes it)"
      return
    fi
    if ((fresh * 100 > entries * (100 + grow))); then
      refuse "$name" "it has $fresh entries and had $entries: it grew by more than $grow % (--force takes it)"
      return
    fi
  fi

  # In the list's own directory, so that it takes its place in one step; with the rights of the one before.
  local next
  next=$(mktemp "${file%/*}/.${file##*/}.XXXXXX") || { refuse "$name" "${file%/*} cannot be written" && return; }
  if ! { cp -- "$work/list" "$next" && chmod 0644 "$next" && give_rights "$file" "$next" && sync -- "$next" &&
    mv -f -- "$next" "$file"; }; then
    rm -f -- "$next"
    refuse "$name" "$file cannot be replaced"
    return
  fi
  remember "$known" "$url" "$file" "$fresh"
  replaced+=("$name")
  say "list $name: $fresh entries, $entries before"
}

give_rights() {
  [[ -e $1 ]] || return 0
  chmod --reference="$1" -- "$2" && { chown --reference="$1" -- "$2" 2>/dev/null || true; }
}

remember() {
  printf '%s\n' "$2" "$(stat -c %s "$3")" "$4" "$(header etag)" "$(header last-modified)" >"$1.next"
  mv -f -- "$1.next" "$1"
}

seen=()
while read -r name format file url rest || [[ -n $name ]]; do
  [[ -n $name && $name != '#'* ]] || continue
  if ((${#wanted[@]})) && [[ " ${wanted[*]} " != *" $name "* ]]; then continue; fi
  seen+=("$name")
  if [[ ! $name =~ ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$ ]]; then
    refuse "'$name'" "no list can have this name"
  elif [[ ! $format =~ ^(domains|hosts|cidr)$ ]]; then
    refuse "$name" "'$format' is no format; use domains, hosts or cidr"
  elif [[ -z $url ]]; then
    refuse "$name" "its line in $sources has no address"
  else
    read -ra options <<<"${rest%%#*}"
    update "$name" "$format" "$file" "$url" "${options[@]}"
  fi
done <"$sources"
for name in "${wanted[@]}"; do
  [[ " ${seen[*]} " == *" $name "* ]] || refuse "$name" "$sources has no such list"
done

if ((${#replaced[@]})); then
  if [[ $config != none ]]; then
    # The daemon makes what is missing when it reloads; done here, it is ready sooner.
    "$daemon" deny compile --config "$config" "${replaced[@]}" || complain "snapshots were not made; the daemon will"
  fi
  if [[ -z $reload ]]; then
    if command -v systemctl >/dev/null && systemctl is-active --quiet nfq-egressd.service; then
      systemctl kill -s HUP --kill-who=main nfq-egressd.service || { complain "the daemon was not told"; failures=1; }
    fi
  elif [[ $reload != none ]]; then
    bash -c "$reload" || { complain "the reload command failed: $reload"; failures=$((failures + 1)); }
  fi
fi
((failures == 0))
