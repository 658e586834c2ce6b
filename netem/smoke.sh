#!/usr/bin/env bash
# netem/smoke.sh: does everybody hear every line, once and in order, over links
# that lose 10 and 30 percent? See README.md. NODE=... tests another binary.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
node=${NODE:-$here/../target/release/node}
readonly here node
readonly lines=50 pause=0.04 patience=45

# heard LISTENER SPEAKER: what one heard from the other, as it came.
heard() {
    jq -r --arg from "$2" \
        'select(.event == "message" and .from == $from) | .text' "$work/$1.out"
}

# speak NAME OTHER: the lines, then silence until the other was heard.
speak() {
    local line deadline=$((SECONDS + patience))
    for line in $(seq "$lines"); do
        printf '%s %d\n' "$1" "$line"
        sleep "$pause"
    done
    until (($(grep -c "\"from\":\"$2\"" "$work/$1.out") >= lines)); do
        ((SECONDS < deadline)) || break
        sleep 0.1
    done
    # A line that comes twice comes within this.
    sleep 1
}

# talk NAMESPACE NAME OTHER OPTIONS...: one who speaks and listens, by the end.
talk() {
    local namespace=$1 name=$2 other=$3 status=0
    shift 3
    : >"$work/$name.out"
    speak "$name" "$other" | ip netns exec "$namespace" "$node" --name "$name" \
        --data-dir "$work/$name" --json "$@" >"$work/$name.out" 2>"$work/$name.err" || status=$?
    echo "$status" >"$work/$name.status"
}

# verdict NAME OTHER: what went wrong for one of two, a line each.
verdict() {
    local name=$1 other=$2 status
    status=$(<"$work/$name.status")
    [[ $status == 0 ]] || echo "$name ended with status $status"
    heard "$name" "$other" >"$work/$name.heard" || echo "$name wrote something else than JSON"
    seq -f "$other %g" "$lines" | cmp -s - "$work/$name.heard" || {
        echo "$name heard of $lines: $(wc -l <"$work/$name.heard")," \
            "different ones: $(sort -u "$work/$name.heard" | wc -l)"
    }
}

# --reconnect: at 30 % some first dials take longer than the time they have,
# and without it that is the end.
star() {
    ip netns exec "$NETEM_A" "$node" --role server --listen "$NETEM_ADDR_A:4224" \
        --data-dir "$work/server" >"$work/server.out" 2>"$work/server.err" &
    local server=$!
    talk "$NETEM_B" alice bob --role client --server "$NETEM_ADDR_A:4224" --reconnect &
    local one=$!
    talk "$NETEM_B" bob alice --role client --server "$NETEM_ADDR_A:4224" --reconnect &
    wait "$one" $!
    kill "$server"
    wait "$server" || echo "the server ended with status $?" >>"$work/wrong"
}

mesh() {
    talk "$NETEM_A" alice bob --role peer --listen "$NETEM_ADDR_A:4225" &
    local one=$!
    talk "$NETEM_B" bob alice --role peer --listen "$NETEM_ADDR_B:4225" \
        --peers "$NETEM_ADDR_A:4225" &
    wait "$one" $!
}

# One row of the table, and below it what went wrong.
case_of() {
    local shape=$1 from to
    work=$all/$shape
    mkdir "$work"
    : >"$work/wrong"
    from=$(date +%s%N)
    case $shape in
        star) star ;;
        mesh) mesh ;;
    esac
    to=$(date +%s%N)
    { verdict alice bob; verdict bob alice; } >>"$work/wrong"
    local result=ok
    [[ ! -s $work/wrong ]] || result=FAILED
    printf '%-10s %-5s %-4s %8d.%d  %s\n' "$NETEM_PROFILE" "$shape" tcp \
        $(((to - from) / 1000000000)) $(((to - from) / 100000000 % 10)) "$result"
    [[ $result == ok ]] && return
    sed 's/^/    /' "$work/wrong"
    tail -n 5 "$work"/*.err "$work"/*.out >&2
    return 1
}

if [[ ${1:-} == --on-this-link ]]; then
    all=$(mktemp -d)
    trap 'rm -rf -- "$all"' EXIT
    failed=0
    for shape in star mesh; do case_of "$shape" || failed=1; done
    exit "$failed"
fi

[[ -x $node ]] || {
    echo "smoke: no $node: cargo build --release" >&2
    exit 2
}
printf '%-10s %-5s %-4s %10s  %s\n' link shape over seconds result
failed=0
for profile in lossy10 lossy30; do
    "$here/run.sh" "$profile" -- "$here/smoke.sh" --on-this-link || failed=1
done
exit "$failed"
