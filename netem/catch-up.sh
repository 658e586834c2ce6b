#!/usr/bin/env bash
# netem/catch-up.sh [OPTIONS]: somebody was away while much was said, and comes
# back over a bad link. How fast is it there, and does talk wait for it? See
# README.md.
set -euo pipefail
export LC_ALL=C

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
node=${NODE:-$here/../target/release/node}
readonly here node
readonly writers=4 line=200 record=60 # bytes of a line, and of a record beside it
readonly pause=50000                  # microseconds between two lines while it comes
readonly to_meet=60 to_end=60         # seconds
# shellcheck source-path=SCRIPTDIR source=kernel.sh
. "$here/kernel.sh"
# shellcheck source-path=SCRIPTDIR source=options.sh
. "$here/options.sh"

usage() {
    cat <<'USAGE'
netem/catch-up.sh [OPTIONS]
  --transport "tcp udp"  over what                                  (tcp udp)
  --lines N              how many were said meanwhile               (100000)
  --rooms N              in how many rooms                          (20)
  --mbit N               what the link carries                      (20)
  --delay MS             how long a packet takes                    (25)
  --loss PERCENT         how many packets get lost                  (0)
  --within SECONDS       how long it may take                       (600)
  --logs DIR             keeps there what everybody heard and complained of
NODE=path tests another binary; RUST_LOG=debug with --logs says more.
USAGE
}

transport='tcp udp' lines=100000 rooms=20 mbit=20 delay=25 loss=0 within=600 logs='' prepared=''

check_options() {
    each transport 'tcp|udp'
    each lines '[1-9][0-9]{0,6}' 'from 1 to 9999999'
    each rooms '[1-9]|[1-5][0-9]' 'from 1 to 59'
    each mbit '[1-9][0-9]{0,3}' 'from 1 to 9999'
    each delay '[0-9]{1,3}' 'from 0 to 999'
    each loss '[0-9]{1,2}' 'from 0 to 99'
    each within '[1-9][0-9]{0,3}' 'a number of seconds'
    check_node
}

room_names() {
    seq -f r%g -s , "$rooms"
}

# --- What was said, on this machine -----------------------------------------

# In $prepared: the data of a server, and what somebody has of its rooms who left
# before anything was said.
prepare() {
    local server address writer status=0
    "$node" --role server --json --listen 127.0.0.1:0 --transport tcp --data-dir "$prepared/server" \
        >"$prepared/said" 2>"$prepared/server.err" </dev/null &
    server=$!
    until address=$(jq -r 'select(.event == "listening").addr' "$prepared/said") && [[ -n $address ]]; do
        sleep 0.1
    done
    client ben "$(room_names),live" --history "$prepared/ben.db" </dev/null >/dev/null
    local writing=()
    for ((writer = 1; writer <= writers; writer++)); do
        what_was_said | client "w$writer" r1 --history none --linger 600 >/dev/null &
        writing+=($!)
    done
    for writer in "${writing[@]}"; do wait "$writer" || status=$?; done
    kill -INT "$server"
    wait "$server" || status=$?
    ((status == 0)) || die 'nothing could be said'
}

# client NAME ROOMS OPTIONS...
client() {
    local name=$1 where=$2
    shift 2
    "$node" --role client --transport tcp --server "$address" --name "$name" --room "$where" --json \
        --data-dir "$prepared/$name" "$@" 2>>"$prepared/server.err"
}

# By one of them: some lines in each room, then again.
what_was_said() {
    awk -v lines="$((lines / writers))" -v rooms="$rooms" -v line="$line" 'BEGIN {
        while (length(filler) < line) filler = filler "the quick brown fox "
        while (said < lines) for (room = 1; room <= rooms && said < lines; room++) {
            print "/join r" room
            for (i = 0; i < 50 && said < lines; i++) print substr(++said " " filler, 1, line)
        }
    }'
}

# --- On the link ------------------------------------------------------------

# row TRANSPORT: and below it what went wrong.
row() {
    local carrier=$1 at wrong result=ok
    work=$all/$carrier
    cp -r "$prepared" "$work"
    serve_history "$carrier"
    person 2 --role client --history none --transport "$carrier" --server "${addresses[0]}:$port" --room live
    open_mouths
    until_true "$to_meet" is_cat_here || true
    talk_until 1000000 false
    come_back "$carrier"
    talk_until $((within * 1000000)) is_there
    printf '/stats\n' >&"$last_words"
    now at
    sleep_until $((at + 2000000))
    exec {last_words}>&-
    hang_up "$to_end"
    wrong=$(judge)
    [[ -z $wrong ]] || result=FAILED
    printf '%-9s %s %s  %s\n' "$carrier" "$(rates)" "$(delays)" "$result"
    end_conversation
    [[ -z $logs ]] || keep_as "$logs/$carrier"
    [[ $result == ok ]] || { complaints "$wrong"; return 1; }
}

serve_history() {
    {
        ip netns exec "${namespaces[0]}" "$node" --role server --transport "$1" \
            --listen "${addresses[0]}:$port" --data-dir "$work/server" \
            >"$work/server.out" 2>"$work/server.err" </dev/null && status=0 || status=$?
        echo "$status" >"$work/server.status"
    } 2>/dev/null &
    server=${namespaces[0]}
}

# Nobody speaks as the one who was away.
come_back() {
    person 1 --role client --history "$work/ben.db" --transport "$1" --server "${addresses[0]}:$port" \
        --room "live,$(room_names)"
    exec {last_words}>"$work/ben.says"
}

is_cat_here() { grep -q '^joined ' "$work/cat.heard"; }

is_there() { (($(grep -c '^message [0-9]* w' "$work/ben.heard") >= lines)); }

# talk_until MICROSECONDS CONDITION: at most so long.
talk_until() {
    local at until
    now at
    until=$((at + $1))
    while ((at < until)) && { ((said % 20)) || ! "$2"; }; do say "$pause"; now at; done
}

# --- The judgement ----------------------------------------------------------

# What went wrong, a line each.
judge() {
    awk -v lines="$lines" '
        $1 == "gap" { print "a gap was shown: " $0 }
        $1 == "message" && $3 ~ /^w/ { if (seen[$3, $4]++) twice++; else heard++ }
        END {
            if (heard != lines || twice) print heard + 0 " of " lines " lines were heard, " twice + 0 " twice"
        }
    ' "$work/ben.heard"
}

# Seconds; the share of the rate that was lines with their records, and all that came.
rates() {
    awk -v mbit="$mbit" -v each="$((line + record))" '
        $1 == "joined" && !began { began = $2 }
        $1 == "message" && $3 ~ /^w/ { heard++; end = $2 }
        $1 == "stats" && match($0, /"bytes_received":[0-9]+/) { bytes = substr($0, RSTART + 17, RLENGTH - 17) }
        END {
            seconds = (end - began) / 1000000
            whole = seconds * mbit * 10000 / 8
            if (whole) printf "%8.1f %9.0f %% %6.0f %%", seconds, heard * each / whole, bytes / whole
        }
    ' "$work/ben.heard"
}

# How much later than the way takes live lines came meanwhile: half of them, 99 of 100, all.
delays() {
    awk -v way=$((2 * delay)) '
        $1 == "joined" && !began { began = $2 }
        $1 == "message" && $3 ~ /^w/ { end = $2 }
        $1 == "message" && $3 == "cat" { said[++n] = $5; late[n] = ($2 - $5) / 1000 - way }
        END { for (i = 1; i <= n; i++) if (said[i] > began && said[i] < end) printf "%.1f\n", late[i] }
    ' "$work/ben.heard" | sort -n | awk '
        { all[NR] = $1 }
        END { if (NR) printf "%6d %8.1f %8.1f %8.1f", NR, all[int(NR * 0.5 + 0.5)], all[int(NR * 0.99 + 0.99)], all[NR] }'
}

# --- The link ---------------------------------------------------------------

trap 'exit 130' INT
trap 'exit 143' TERM HUP
read_options 'transport lines rooms mbit delay loss within logs prepared' "$@"
check_options
if [[ -n $on_this_link ]]; then
    every_transport
    exit
fi
running=
prepared=$(mktemp -d)
trap '[[ -z $running ]] || { kill "$running"; wait "$running"; } 2>/dev/null || true; rm -rf -- "$prepared"' EXIT
prepare
printf '{"delay_ms": %d, "rate_mbit": %d, "loss_percent": %d}\n' "$delay" "$mbit" "$loss" >"$prepared/link.json"
printf 'link: %s\n%d lines in %d rooms\n%-9s %8s %11s %8s %6s %8s %8s %8s\n' "$(<"$prepared/link.json")" \
    "$lines" "$rooms" transport seconds 'lines/rate' 'all/rate' live 'p50 ms' 'p99 ms' 'most ms'
NETEM_ENDS=3 "$here/run.sh" "$prepared/link.json" -- "$here/catch-up.sh" --on-this-link --prepared "$prepared" \
    --transport "$transport" --lines "$lines" --rooms "$rooms" --mbit "$mbit" --delay "$delay" \
    --within "$within" --logs "$logs" &
wait_for $!
