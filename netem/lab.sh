#!/usr/bin/env bash
# netem/lab.sh [--links A,B] [--columns A,B] [--workloads A,B] [--passes N]
#     [--messages N] [--seconds N] [--retries N] [--quick] [--jobs N] [--out DIR]
# netem/lab.sh --fair [--links A,B] [--pairs A+B,C+D] [--seconds N] [--jobs N] [--out DIR]
#
# This project's transports beside TCP, QUIC, KCP and ENet on bad links, each
# link in a kernel of its own; with --fair two flows at once on the same link.
# See lab/README.md.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
readonly here

die() {
    printf 'lab: %s\n' "$1" >&2
    exit 2
}

usage() {
    die "usage: $(sed -n '2,4s/^# *//p' "${BASH_SOURCE[0]}")"
}

# --- What to do -------------------------------------------------------------

subcommand='link'
links=
jobs=1
out=$here/lab/out
series=()

if [[ ${1:-} == --fair ]]; then
    subcommand=fair
    shift
fi
while (($# > 0)); do
    if [[ $1 == --quick && $subcommand == link ]]; then
        series+=(--passes 1 --messages 2000)
        shift
        continue
    fi
    (($# > 1)) || die "$1 needs a value"
    case $subcommand:$1 in
        *:--links) links=$2 ;;
        *:--jobs) jobs=$2 ;;
        *:--out) out=$2 ;;
        *:--seconds | fair:--pairs) series+=("$1" "$2") ;;
        link:--columns | link:--workloads | link:--passes | link:--messages | link:--retries)
            series+=("$1" "$2")
            ;;
        *) usage ;;
    esac
    shift 2
done

declare -A core_of=()
scratch=$(mktemp -d)
# shellcheck disable=SC2317 # the trap calls it
clean_up() {
    # run.sh ends its kernel itself.
    ((${#core_of[@]} == 0)) || kill "${!core_of[@]}" 2>/dev/null || true
    wait
    rm -rf -- "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# write_bottlenecks: links that lose nothing but what their queue cannot hold, and
# their names. A BDP is rate x round trip: what is under way when none waits.
write_bottlenecks() {
    local mbit rtt_ms bdp name
    while read -r mbit rtt_ms; do
        for bdp in 0.5 1 2 4; do
            name=${mbit}Mbit-${rtt_ms}ms-${bdp}BDP
            jq -n --argjson mbit "$mbit" --argjson rtt "$rtt_ms" --argjson bdp "$bdp" \
                '{delay_ms: ($rtt / 2), rate_mbit: $mbit, queue_kbytes: ($mbit * $rtt / 8 * $bdp)}' \
                >"$scratch/$name.json"
            printf '%s\n' "$name"
        done
    done <<<$'50 40\n20 100'
}

if [[ $subcommand == fair ]]; then
    bottlenecks=$(write_bottlenecks)
    links=${links:-${bottlenecks//$'\n'/,}}
else
    links=${links:-L0,L1,L2,L3,L4,L5,L6,L7,L8}
fi

# profile LINK: its file, of those here or of those beside run.sh.
profile() {
    local file
    for file in "$1" "$scratch/$1.json" "$here/lab/links/$1.json" "$here/profiles/$1.json"; do
        if [[ -f $file ]]; then
            realpath -- "$file"
            return
        fi
    done
    die "no link $1"
}

files=()
for link in ${links//,/ }; do
    file=$(profile "$link")
    files+=("$file")
done

# --- Each link in a kernel of its own ---------------------------------------

cargo build --release --manifest-path "$here/lab/Cargo.toml"
# Who builds again meanwhile does not change what is measured.
cp -- "${CARGO_TARGET_DIR:-$here/lab/target}/release/lab" "$scratch/lab"
readonly lab=$scratch/lab
mkdir -p -- "$out"
out=$(realpath -- "$out")

# measure FILE CORE
measure() {
    local command=("$lab" "$subcommand" --link "$1" --out "$out" "${series[@]}")
    if [[ $1 == */loopback.json ]]; then
        exec "${command[@]}"
    fi
    # The bursts of a profile last for a time, and a person's lines are about so far apart, copies and
    # acknowledgements between them; those of our own links are of so many packets.
    if [[ $1 == "$here"/profiles/* ]]; then
        export NETEM_PACKET_MS=${NETEM_PACKET_MS:-10}
    fi
    NETEM_CPU=$2 exec "$here/run.sh" "$1" -- "${command[@]}"
}

status=0
cores=()
for ((core = 0; core < jobs; core++)); do cores+=("$core"); done

# await_one: the next that ends, and its core is free again.
await_one() {
    local ended
    wait -n -p ended "${!core_of[@]}" || status=$?
    cores+=("${core_of[$ended]}")
    unset "core_of[$ended]"
}

for file in "${files[@]}"; do
    ((${#cores[@]} > 0)) || await_one
    core=${cores[0]}
    cores=("${cores[@]:1}")
    measure "$file" "$core" &
    core_of[$!]=$core
done
while ((${#core_of[@]} > 0)); do await_one; done

"$lab" report "$out" --markdown "$out/report.md" --json "$out/report.json" --svg "$out/report.svg"
exit "$status"
