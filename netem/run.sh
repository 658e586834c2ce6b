#!/usr/bin/env bash
# netem/run.sh PROFILE -- COMMAND...
#
# Runs COMMAND beside two network namespaces joined by a bad link. Uses the
# running kernel as root where it has sch_netem, else boots user-mode-linux.
# See README.md.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly a=sayagain-a b=sayagain-b router=sayagain-r
readonly udp_header=28 # bytes, IPv4's included

die() {
    printf 'netem: %s\n' "$1" >&2
    exit "${2:-2}"
}

need() {
    command -v "$1" >/dev/null || die "$1 is missing: apt-get install $2"
}

# --- The profile ------------------------------------------------------------

# For tc a burst is so many packets, not so long: the milliseconds one packet
# stands for.
readonly packet_ms=${NETEM_PACKET_MS:-1}

# Three lines: for each direction RATE BURST MTU NETEM..., and what is left out.
# shellcheck disable=SC2016 # jq's variables
readonly translate='
    def fail($when; $why): if $when then error($why) else . end;
    def known($names): (keys - $names) as $unknown
        | fail($unknown != []; "unknown field \($unknown[0])");
    def numbers: all(.[]; type == "number" and . >= 0) as $ok
        | fail($ok | not; "not a number from 0 up");
    def fields: ["delay_ms", "jitter_ms", "loss_percent", "burst_ms", "reorder_percent",
        "reorder_ms", "duplicate_percent", "corrupt_percent", "truncate_percent", "rate_mbit",
        "queue_ms", "queue_kbytes", "mtu", "rebind_every_ms"];
    def said: with_entries(select(.value != null));

    def checked:
        known(fields + ["jitter_order", "blackouts"])
        | (.blackouts // {} | said | known(["every_ms", "length_ms", "first_ms"]) | numbers) as $out
        | (del(.jitter_order, .blackouts) | numbers) as $stated
        | fail(.jitter_order // "keep" | IN("keep", "reorder") | not; "jitter_order: keep or reorder")
        | fail(has("queue_ms") and has("queue_kbytes"); "queue_ms and queue_kbytes")
        | fail(any(to_entries[]; (.key | endswith("_percent")) and .value > 100); "over 100 percent")
        | fail(.mtu // 1 | . < 1 or . > 65507 or . != floor; "mtu: a whole number from 1 to 65507")
        | ([fields[] | {key: ., value: 0}] | from_entries) + .
        | fail(.jitter_ms > .delay_ms; "jitter_ms over delay_ms")
        | fail(.reorder_ms > .delay_ms; "reorder_ms over delay_ms")
        | fail(.reorder_percent > 0 and .delay_ms == 0; "reorder_percent needs a delay_ms")
        | . + {stated: ($stated | keys), blackouts: ($out.length_ms // 0)};

    def loss: .loss_percent as $lost | (100 - $lost) as $kept
        | if .burst_ms == 0 or $lost == 0 or $kept == 0 then "loss \($lost)%"
          else ([1, $packet / .burst_ms, $kept / $lost] | min) as $ends
            | "loss gemodel \(100 * $ends * $lost / $kept)% \(100 * $ends)%" end;

    # In packets of 1500 bytes: what is under way, and the queue.
    def limit: (.rate_mbit / 12) as $per_ms
        | if .rate_mbit == 0 then 100000 else $per_ms * .delay_ms
            + if .stated | index("queue_ms") then $per_ms * .queue_ms
              elif .stated | index("queue_kbytes") then .queue_kbytes / 1.5
              else [100, $per_ms * 2 * .delay_ms] | max end
            | ceil + 1 end;

    def netem: "limit \(limit) delay \(.delay_ms)ms \(.jitter_ms)ms \(loss)"
        + " duplicate \(.duplicate_percent)% corrupt \(.corrupt_percent)%"
        + if .reorder_percent > 0 then " reorder \(.reorder_percent)%" else "" end
        # A rate of its own, however high, makes netem keep the order.
        + if .jitter_order == "keep" and .jitter_ms > 0 then " rate 100gbit" else "" end;

    def left_out: ["blackouts", "truncate_percent", "rebind_every_ms",
        (select(.reorder_percent > 0) | "reorder_ms")] - [to_entries[] | select(.value == 0) | .key];

    fail(type != "object"; "not an object") | said
    | (.back // {} | said) as $back | del(.back)
    | [., (if $back | has("queue_ms") or has("queue_kbytes") then del(.queue_ms, .queue_kbytes)
           else . end) + $back]
    | map(checked)
    | (.[] | "\(.rate_mbit) \([3028, .rate_mbit * 125 | ceil] | max) \(.mtu) \(netem)"),
      (map(left_out) | add | unique | join(", "))'

read_profile() {
    local file=$1 text words
    [[ $file == */* || $file == *.json ]] || file=$here/profiles/$file.json
    [[ -r $file ]] || die "no profile $1 (there are: $(profiles))"
    text=$(jq -r --argjson packet "$packet_ms" "$translate" "$file") || die "$file is no profile"
    mapfile -t words <<<"$text"
    forth=${words[0]} back=${words[1]} left_out=${words[2]:-}
}

profiles() {
    local file
    for file in "$here"/profiles/*.json; do basename "$file" .json; done | paste -sd ' '
}

# --- The link, on a kernel that has sch_netem -------------------------------

has_netem() {
    # In a namespace without a name, gone with the command.
    ((EUID == 0)) && unshare --net sh -c \
        'ip link add x0 type veth peer name x1 && tc qdisc add dev x0 root netem' 2>/dev/null
}

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

made=()
running=

remove_link() {
    local name pids
    [[ -z $running ]] || kill "$running" 2>/dev/null || true
    for name in "${made[@]}"; do
        pids=$(ip netns pids "$name")
        # shellcheck disable=SC2086 # one word a process
        [[ -z $pids ]] || kill -KILL $pids 2>/dev/null || true
        ip netns delete "$name" || true
    done
    made=()
}

run_directly() {
    local name
    for name in "$a" "$b" "$router"; do
        ! ip netns list | grep -q "^$name\\b" \
            || die "namespace $name exists: another run, or 'ip netns delete $name' first"
    done
    trap remove_link EXIT
    for name in "$a" "$b" "$router"; do
        ip netns add "$name"
        made+=("$name")
        ip -n "$name" link set lo up
    done
    ip netns exec "$router" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
    # shellcheck disable=SC2086 # one word an argument
    {
        end "$a" 1 $back
        end "$b" 2 $forth
    }
    [[ -z $left_out ]] || printf 'netem: %s: left out: %s\n' "$profile" "$left_out" >&2

    NETEM_PROFILE=$profile NETEM_A=$a NETEM_B=$b NETEM_ROUTER=$router \
        NETEM_ADDR_A=10.64.1.1 NETEM_ADDR_B=10.64.2.1 "$@" <&0 &
    wait_for $!
}

# wait_for PID: its status; a signal comes through at once.
wait_for() {
    local status=0
    running=$1
    wait "$running" || status=$?
    running=
    return "$status"
}

# --- The same, inside user-mode-linux ---------------------------------------

remove_kernel() {
    if [[ -n $running ]]; then
        { kill -KILL -- "-$running" && wait "$running"; } 2>/dev/null || true
    fi
    rm -rf -- "$scratch"
}

run_in_uml() {
    local preload='' status=''
    command -v linux.uml >/dev/null || die "this kernel has no sch_netem$(
        ((EUID == 0)) || echo ' for you (not root)'), and user-mode-linux is missing:
    apt-get install user-mode-linux"
    scratch=$(mktemp -d)
    trap remove_kernel EXIT
    if grep -qw amx_tile /proc/cpuinfo; then
        command -v cc >/dev/null || die 'a C compiler is missing: apt-get install gcc libc6-dev'
        cc -O2 -shared -fPIC -o "$scratch/registers.so" "$here/uml-registers.c" -ldl
        preload=$scratch/registers.so
    fi
    export -p >"$scratch/environment"
    printf '%q ' "$here/run.sh" "$profile" -- "$@" >"$scratch/command"
    write_init >"$scratch/init"

    # The host's files are its root; console 1 is our stdout, 2 our stderr.
    LD_PRELOAD=$preload setsid linux.uml mem="${NETEM_MEMORY:-1G}" quiet \
        uml_dir="$scratch" root=/dev/root rootfstype=hostfs rootflags=/ rw con=null \
        con0=null,fd:1 con1=null,fd:3 con2=null,fd:4 \
        init=/bin/bash -- "$scratch/init" 3>&1 4>&2 >"$scratch/boot" 2>&1 </dev/null &
    wait_for $! || true
    [[ ! -r $scratch/status ]] || status=$(<"$scratch/status")
    if [[ -z $status ]]; then
        cat "$scratch/boot" >&2
        die 'user-mode-linux did not get to the end' 125
    fi
    return "$status"
}

# What the kernel inside runs first.
write_init() {
    printf 'scratch=%q\ndirectory=%q\n' "$scratch" "$PWD"
    cat <<'INIT'
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mountpoint -q /dev || mount -t devtmpfs dev /dev
mkdir -p /dev/shm /dev/pts
mount -t tmpfs run /run
mount -t tmpfs shm /dev/shm
mount -t devpts pts /dev/pts
mkdir -p /run/modules/lib
ln -s /usr/lib/uml/modules /run/modules/lib/modules
for module in veth sch_netem sch_tbf; do modprobe -d /run/modules "$module"; done
for module in sch_fq tcp_bbr; do modprobe -q -d /run/modules "$module"; done
ip link set lo up
stty -F /dev/tty1 raw
stty -F /dev/tty2 raw
(
    . "$scratch/environment"
    export TMPDIR=/dev/shm NETEM_IN_UML=1
    cd "$directory" || exit
    eval "exec $(cat "$scratch/command")"
) </dev/null >/dev/tty1 2>/dev/tty2
echo $? >"$scratch/status"
stty -F /dev/tty1 raw
stty -F /dev/tty2 raw
halt -f -p
INIT
}

# --- Which of them ----------------------------------------------------------

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
if has_netem; then
    run_directly "$@"
elif [[ -n ${NETEM_IN_UML:-} ]]; then
    die 'no sch_netem inside user-mode-linux either' 125
else
    run_in_uml "$@"
fi
