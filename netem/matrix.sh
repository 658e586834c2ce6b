#!/usr/bin/env bash
# netem/matrix.sh [OPTIONS]: does everybody hear every line, once and in order,
# on every link, over every transport, in a star and in a mesh? See README.md.
set -euo pipefail
export LC_ALL=C

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
node=${NODE:-$here/../target/release/node}
readonly here node
# Everybody together says 40 lines a second, which with all that goes with them
# fits 256 kbit/s.
readonly pause=25000 # microseconds
# To tc a burst of loss is so many packets. Where so much is said there is one in
# about 10 ms on each link.
export NETEM_PACKET_MS=${NETEM_PACKET_MS:-10}
# Seconds until all are there, until all is heard after the last line was said,
# and until all have ended. Over TCP at 30 % loss each takes its time.
readonly to_meet=120 to_hear=120 to_end=170
# shellcheck source-path=SCRIPTDIR source=kernel.sh
. "$here/kernel.sh"
# shellcheck source-path=SCRIPTDIR source=options.sh
. "$here/options.sh"

usage() {
    cat <<'USAGE'
netem/matrix.sh [OPTIONS]
  --profiles "NAME..."      links, from profiles/ or paths           (all of profiles/)
  --topologies "star mesh"  what they are linked to                  (star mesh)
  --transports "tcp udp"    over what                                (tcp udp)
  --nodes "N..."            how many, 2 to 8; a star's server is one (3 8)
  --lines N                 lines each of them says                  (50)
  --jobs N                  kernels at once                          (1)
  --logs DIR                keeps there what everybody heard and complained of
NODE=path tests another binary; RUST_LOG=debug with --logs says more.
USAGE
}

profiles=$(cd "$here/profiles" && for file in *.json; do echo "${file%.json}"; done)
topologies='star mesh' transports='tcp udp' nodes='3 8' lines=50 jobs=1 logs=''

check_options() {
    each topologies 'star|mesh'
    each transports 'tcp|udp'
    each nodes '[2-8]' 'from 2 to 8'
    each lines '[1-9][0-9]{0,2}' 'from 1 to 999'
    each jobs '[1-9]' 'from 1 to 9'
    check_node
}

# --- On one link ------------------------------------------------------------

every_cell() {
    local transport topology count failed=0 cells=0
    # shellcheck source-path=SCRIPTDIR source=conversation.sh
    . "$here/conversation.sh"
    all=$(mktemp -d)
    trap 'end_conversation; rm -rf -- "$all"' EXIT
    for count in $nodes; do
        for topology in $topologies; do
            for transport in $transports; do
                cell "$topology" "$transport" "$count" || failed=1
            done
        done
    done
    return "$failed"
}

# cell TOPOLOGY TRANSPORT NODES: a row, and below it what went wrong.
cell() {
    local from to wrong late='' line result=ok
    work=$all/$((++cells))-$1-$2-$3
    mkdir "$work"
    now from
    "$1" "$2" "$3"
    if all_here "$to_meet"; then
        for ((line = 0; line < lines; line++)); do say "$pause"; done
        all_heard "$to_hear" || late="not everything was heard $to_hear s after the last line"
        now to
        # A line that comes twice comes within this.
        sleep_until $((to + 1000000))
    else
        late="not everybody was there after $to_meet s"
    fi
    hang_up "$to_end"
    now to
    wrong=$(printf '%s' "${late:+$late$'\n'}"; verdict)
    [[ -z $wrong ]] || result=FAILED
    # shellcheck disable=SC2046,SC2183 # two words
    printf '%-11s %-8s %-9s %5d %7d.%d %9s %9s  %s\n' "$(basename "$NETEM_PROFILE" .json)" "$1" "$2" "$3" \
        $(((to - from) / 1000000)) $(((to - from) / 100000 % 10)) $(latencies) "$result"
    end_conversation
    [[ -z $logs ]] || keep_as "$logs/$(basename "$NETEM_PROFILE" .json)-${work##*/}"
    [[ $result == ok ]] || { complaints "$wrong"; return 1; }
}

# --- On all of them ---------------------------------------------------------

every_link() {
    local profile count started=0 failed=0 NETEM_ENDS=2
    for count in $nodes; do ((count <= NETEM_ENDS)) || NETEM_ENDS=$count; done
    export NETEM_ENDS
    # Where the links are this machine's own there is one of each name.
    if ((jobs > 1)) && has_netem; then jobs=1; fi
    printf '%-11s %-8s %-9s %5s %9s %9s %9s  %s\n' \
        link topology transport nodes seconds 'p50 ms' 'p99 ms' result
    trap stop EXIT
    for profile in $profiles; do
        if ((started >= jobs)); then wait -n || failed=1; fi
        "$here/run.sh" "$profile" -- "$here/matrix.sh" --on-this-link --topologies "$topologies" \
            --transports "$transports" --nodes "$nodes" --lines "$lines" --logs "$logs" &
        ((++started))
    done
    for ((; started > 0; started--)); do wait -n || (($? == 127)) || failed=1; done
    return "$failed"
}

stop() {
    local pids
    pids=$(jobs -pr)
    # shellcheck disable=SC2086 # one word a process
    [[ -z $pids ]] || { kill $pids; wait; }
}

trap 'exit 130' INT
trap 'exit 143' TERM HUP
read_options 'profiles topologies transports nodes lines jobs logs' "$@"
check_options
if [[ -n $on_this_link ]]; then every_cell; else every_link; fi
