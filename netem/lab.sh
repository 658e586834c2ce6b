#!/usr/bin/env bash
# netem/lab.sh [--links A,B] [--columns A,B] [--workloads A,B] [--passes N]
#     [--messages N] [--seconds N] [--quick] [--jobs N] [--out DIR]
#
# This project's transports beside TCP, QUIC, KCP and ENet on bad links, each
# link in a kernel of its own. See lab/README.md.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
readonly here
lab=${CARGO_TARGET_DIR:-$here/lab/target}/release/lab
readonly lab

die() {
    printf 'lab: %s\n' "$1" >&2
    exit 2
}

# --- What to do -------------------------------------------------------------

links=L0,L1,L2,L3,L4,L5,L6,L7,L8
jobs=1
out=$here/lab/out
series=()

while (($# > 0)); do
    if [[ $1 == --quick ]]; then
        series+=(--passes 1 --messages 2000)
        shift
        continue
    fi
    (($# > 1)) || die "$1 needs a value"
    case $1 in
        --links) links=$2 ;;
        --jobs) jobs=$2 ;;
        --out) out=$2 ;;
        --columns | --workloads | --passes | --messages | --seconds) series+=("$1" "$2") ;;
        *) die "usage: $(sed -n '2,3s/^# //p' "${BASH_SOURCE[0]}")" ;;
    esac
    shift 2
done

# profile LINK: its file, of those here or of those beside run.sh.
profile() {
    local file
    for file in "$1" "$here/lab/links/$1.json" "$here/profiles/$1.json"; do
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

running=()
end_all() {
    # Each ends its kernel itself.
    ((${#running[@]} == 0)) || kill "${running[@]}" 2>/dev/null || true
    wait
}
trap end_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# worker N: every file whose turn it is, on core N.
worker() {
    local index status=0 child=
    trap '[[ -z $child ]] || kill "$child" 2>/dev/null; wait; exit 143' TERM
    for ((index = $1; index < ${#files[@]}; index += jobs)); do
        NETEM_CPU=$1 "$here/run.sh" "${files[index]}" -- \
            "$lab" link --link "${files[index]}" --out "$out" "${series[@]}" &
        child=$!
        wait "$child" || status=$?
        child=
    done
    return "$status"
}

cargo build --release --manifest-path "$here/lab/Cargo.toml"
mkdir -p -- "$out"
out=$(realpath -- "$out")
for ((job = 0; job < jobs; job++)); do
    worker "$job" &
    running+=($!)
done
status=0
for pid in "${running[@]}"; do
    wait "$pid" || status=$?
done
running=()
exit "$status"
