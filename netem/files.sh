#!/usr/bin/env bash
# netem/files.sh [OPTIONS]: a file from one client through the server to another,
# each behind a bad link. What share of the link does it get? See README.md.
set -euo pipefail
export LC_ALL=C

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
node=${NODE:-$here/../target/release/node}
readonly here node
readonly to_meet=60 to_end=60 # seconds
# The receiver has the file in memory.
export NETEM_MEMORY=${NETEM_MEMORY:-2G}
# shellcheck source-path=SCRIPTDIR source=kernel.sh
. "$here/kernel.sh"
# shellcheck source-path=SCRIPTDIR source=options.sh
. "$here/options.sh"

usage() {
    cat <<'USAGE'
netem/files.sh [OPTIONS]
  --transport "tcp udp"  over what                               (tcp udp)
  --mib N                how long the file is                    (256)
  --mbit N               what the link carries                   (100)
  --delay MS             how long a packet takes                 (10)
  --profile NAME         another link, from profiles/ or a path
  --within SECONDS       how long it may take                    (600)
  --logs DIR             keeps there what everybody heard and complained of
NODE=path tests another binary; RUST_LOG=debug with --logs says more.
USAGE
}

transport='tcp udp' mib=256 mbit=100 delay=10 profile='' within=600 logs='' file=''

check_options() {
    each transport 'tcp|udp'
    each mib '[1-9][0-9]{0,3}' 'from 1 to 9999'
    each mbit '[1-9][0-9]{0,3}' 'from 1 to 9999'
    each delay '[0-9]{1,3}' 'from 0 to 999'
    each within '[1-9][0-9]{0,3}' 'a number of seconds'
    check_node
}

# --- On the link ------------------------------------------------------------

# row TRANSPORT: and below it what went wrong.
row() {
    local carrier=$1 start refused wrong='' result=ok
    work=$all/$carrier
    mkdir "$work"
    star "$carrier" 3
    if all_here "$to_meet"; then
        printf '/send %s cat\n' "$file" >&"${mouths[0]}"
        until_true "$to_meet" is_offered || true
        now start
        printf '/accept 1\n' >&"${mouths[1]}"
        until_true "$within" is_over || wrong="not there after $within s"$'\n'
        refused=$(why_not)
        wrong+=${refused:+$refused$'\n'}
        printf '/stats\n' >&"${mouths[0]}"
    else
        wrong="not everybody was there after $to_meet s"$'\n'
    fi
    is_same || wrong+='what came is not what was sent'$'\n'
    hang_up "$to_end"
    wrong+=$(verdict)
    [[ -z $wrong ]] || result=FAILED
    printf '%-9s %s  %s\n' "$carrier" "$(figures "${start:-0}")" "$result"
    end_conversation
    [[ -z $logs ]] || keep_as "$logs/$carrier"
    rm -rf -- "$work/cat"
    [[ $result == ok ]] || { complaints "$wrong"; return 1; }
}

is_offered() { grep -q '^offer ' "$work/cat.heard"; }

is_over() { grep -qE '^transfer .*"state":"(done|failed)"' "$work/ben.heard"; }

why_not() { sed -n 's/^transfer .*"state":"failed".*"message":"\([^"]*\)".*/\1/p' "$work/ben.heard"; }

is_same() { cmp -s "$file" "$work/cat/downloads/${file##*/}"; }

# Seconds, Mbit/s and their share of the link.
figures() {
    awk -v start="$1" -v mbit="$mbit" -v bits=$((mib * 8388608)) '
        $1 == "transfer" && /"state":"done"/ { end = $2 }
        END {
            seconds = (end - start) / 1000000
            if (end) printf "%8.1f %8.1f %6.0f %%", seconds, bits / seconds / 1000000, bits / seconds / mbit / 10000
        }
    ' "$work/ben.heard"
}

# --- The link ---------------------------------------------------------------

trap 'exit 130' INT
trap 'exit 143' TERM HUP
read_options 'transport mib mbit delay profile within logs file' "$@"
check_options
if [[ -n $on_this_link ]]; then
    every_transport
    exit
fi
running=
scratch=$(mktemp -d)
trap '[[ -z $running ]] || { kill "$running"; wait "$running"; } 2>/dev/null || true; rm -rf -- "$scratch"' EXIT
printf '{"delay_ms": %d, "rate_mbit": %d}\n' "$delay" "$mbit" >"$scratch/link.json"
head -c "$((mib * 1048576))" /dev/urandom >"$scratch/file"
printf 'link: %s\n%d MiB\n%-9s %8s %8s %8s\n' "${profile:-$(<"$scratch/link.json")}" "$mib" \
    transport seconds Mbit/s share
NETEM_ENDS=3 "$here/run.sh" "${profile:-$scratch/link.json}" -- "$here/files.sh" --on-this-link \
    --file "$scratch/file" --transport "$transport" --mib "$mib" --mbit "$mbit" --within "$within" --logs "$logs" &
wait_for $!
