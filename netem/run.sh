#!/usr/bin/env bash
# netem/run.sh PROFILE -- COMMAND...
#
# Runs COMMAND beside network namespaces joined by bad links. Uses the running
# kernel as root where it has sch_netem, else boots user-mode-linux.
# See README.md.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
readonly here router=sayagain-r
readonly udp_header=28 # bytes, IPv4's included
# shellcheck source-path=SCRIPTDIR source=kernel.sh
. "$here/kernel.sh"
# shellcheck source-path=SCRIPTDIR source=time.sh
. "$here/time.sh"

# --- The profile ------------------------------------------------------------

read_profile() {
    local file=$1 text words
    [[ $file == */* || $file == *.json ]] || file=$here/profiles/$file.json
    [[ -r $file ]] || die "no profile $1 (there are: $(profiles))"
    text=$(jq -r --argjson packet "${NETEM_PACKET_MS:-1}" -f "$here/profile.jq" "$file") \
        || die "$file is no profile"
    mapfile -t words <<<"$text"
    forth=${words[0]} forth_out=${words[1]} back=${words[2]} back_out=${words[3]:-}
    left_out=${words[4]:-}
}

profiles() {
    local file
    for file in "$here"/profiles/*.json; do basename "$file" .json; done | paste -sd ' '
}

# --- The ends ---------------------------------------------------------------

name_ends() {
    local number
    [[ ${NETEM_ENDS:-2} =~ ^[2-8]$ ]] || die "NETEM_ENDS=$NETEM_ENDS: from 2 to 8"
    ends=() addresses=()
    for ((number = 1; number <= ${NETEM_ENDS:-2}; number++)); do
        ends+=("sayagain-${letters:number-1:1}")
        addresses+=("10.64.$number.1")
    done
}
readonly letters=abcdefgh

# --- The links, on a kernel that has sch_netem ------------------------------

# shape DEVICE NETWORK RATE BURST MTU NETEM...: what the router does to a packet
# on its way out. On the sender's own device, losses would be local and TCP
# would know.
shape() {
    local device=$1 net=$2 rate=$3 burst=$4 mtu=$5
    shift 5
    # The route's, not the device's: that would hold for the other direction too.
    if ((mtu > 0 && mtu + udp_header < 1500)); then
        ip -n "$router" route replace "$net.0/24" dev "$device" src "$net.2" mtu $((mtu + udp_header))
    fi
    if [[ $rate == 0 ]]; then
        tc -n "$router" qdisc add dev "$device" root netem "$@"
        return
    fi
    # The rate is tbf's work: netem's own would put back in order what the jitter
    # reorders. tbf asks for a limit of its own and hands it to the queue it
    # starts with, which netem replaces.
    tc -n "$router" qdisc add dev "$device" root handle 1: \
        tbf rate "${rate}mbit" burst "$burst" limit 1000000
    tc -n "$router" qdisc add dev "$device" parent 1:1 handle 2: netem "$@"
}

# end NAMESPACE NUMBER SHAPE...: joins a namespace to the router, as
# 10.64.NUMBER.1; what goes there is shaped so.
end() {
    local name=$1 net=10.64.$2 device=to-${1#sayagain-} mac=02:00:00:00:0$2
    shift 2
    ip -n "$name" link add to-r address "$mac:01" type veth \
        peer name "$device" address "$mac:02" netns "$router"
    ip -n "$name" address add "$net.1/24" dev to-r
    ip -n "$router" address add "$net.2/24" dev "$device"
    # Else the kernel sends many segments as one, and one loss takes them all.
    ip -n "$name" link set to-r gso_max_segs 1
    ip -n "$router" link set "$device" gso_max_segs 1
    ip -n "$name" link set to-r up
    ip -n "$router" link set "$device" up
    # The link loses what programs send, not the kernel's questions.
    ip -n "$name" neighbour replace "$net.2" lladdr "$mac:02" dev to-r nud permanent
    ip -n "$router" neighbour replace "$net.1" lladdr "$mac:01" dev "$device" nud permanent
    ip -n "$name" route add default via "$net.2"
    shape "$device" "$net" "$@"
}

# black_out FIRST EVERY LENGTH ADDRESS...: for LENGTH microseconds of every EVERY
# the router drops what goes to those, and says so to nobody.
black_out() {
    local at every=$2 length=$3 first=$1
    now at
    ((at += first))
    shift 3
    while :; do
        sleep_until "$at"
        printf 'rule add to %s blackhole\n' "$@" | ip -n "$router" -batch -
        ((length < every)) || return 0
        sleep_until $((at + length))
        printf 'rule del to %s blackhole\n' "$@" | ip -n "$router" -batch -
        ((at += every))
    done
}

made=() black_outs=()

remove_links() {
    local name pids turn
    # shellcheck disable=SC2086 # one word a process, or none
    kill $running "${black_outs[@]}" 2>/dev/null || true
    for name in "${made[@]}"; do
        pids=$(ip netns pids "$name")
        # shellcheck disable=SC2086 # one word a process
        [[ -z $pids ]] || kill -KILL $pids 2>/dev/null || true
        ip netns delete "$name" || true
    done
    made=()
    # COMMAND was told first, and has two seconds to clean up after itself.
    for ((turn = 0; turn < 20; turn++)); do
        kill -0 "$running" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL "$running" 2>/dev/null || true
}

make_links() {
    local name number
    for name in "${ends[@]}" "$router"; do
        ! ip netns list | grep -q "^$name\\b" \
            || die "namespace $name exists: another run, or 'ip netns delete $name' first"
    done
    trap remove_links EXIT
    for name in "${ends[@]}" "$router"; do
        ip netns add "$name"
        made+=("$name")
        ip -n "$name" link set lo up
    done
    ip netns exec "$router" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
    # shellcheck disable=SC2086 # one word an argument
    {
        end "${ends[0]}" 1 $back
        for ((number = 2; number <= ${#ends[@]}; number++)); do
            end "${ends[number - 1]}" "$number" $forth
        done
        [[ -z $back_out ]] || { black_out $back_out "${addresses[0]}" & black_outs+=($!); }
        [[ -z $forth_out ]] || { black_out $forth_out "${addresses[@]:1}" & black_outs+=($!); }
    }
    [[ -z $left_out ]] || printf 'netem: %s: left out: %s\n' "$profile" "$left_out" >&2
}

run_directly() {
    make_links
    NETEM_PROFILE=$profile NETEM_ROUTER=$router NETEM_NAMES=${ends[*]} NETEM_ADDRS=${addresses[*]} \
        NETEM_A=${ends[0]} NETEM_B=${ends[1]} \
        NETEM_ADDR_A=${addresses[0]} NETEM_ADDR_B=${addresses[1]} "$@" <&0 &
    wait_for $!
}

# --- On which kernel --------------------------------------------------------

if (($# < 3)) || [[ $2 != -- ]]; then
    die "usage: netem/run.sh PROFILE -- COMMAND...   (profiles: $(profiles))"
fi
profile=$1
shift 2
need jq jq
need ip iproute2
need tc iproute2
trap 'exit 130' INT
trap 'exit 143' TERM HUP
read_profile "$profile"
name_ends
if has_netem; then
    run_directly "$@"
elif [[ -n ${NETEM_IN_UML:-} ]]; then
    die 'no sch_netem inside user-mode-linux either' 125
else
    run_in_uml "$here/run.sh" "$profile" -- "$@"
fi
