#!/usr/bin/env bash
# netem/partition.sh [OPTIONS]: cuts the network in two while everybody talks.
# Has everybody heard everything, once and in order, soon after it is whole
# again? See README.md.
set -euo pipefail
export LC_ALL=C

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
node=${NODE:-$here/../target/release/node}
readonly here node
# Everybody together says 20 lines a second: before the cut, through it, and
# until well after.
readonly pause=50000 # microseconds
# What a packet stands for in a burst of loss: about so much is said.
export NETEM_PACKET_MS=${NETEM_PACKET_MS:-10}
readonly before=3 after=12 to_meet=120 to_hear=60 to_end=170 # seconds
# shellcheck source-path=SCRIPTDIR source=kernel.sh
. "$here/kernel.sh"
# shellcheck source-path=SCRIPTDIR source=options.sh
. "$here/options.sh"

usage() {
    cat <<'USAGE'
netem/partition.sh [OPTIONS]
  --profile NAME            the link, from profiles/ or a path       (lossy10)
  --topology "star mesh"    what they are linked to                  (star mesh)
  --transport "tcp udp"     over what                                (tcp udp)
  --nodes N                 how many, 4 to 8; a star's server is one (4)
  --cuts "SECONDS..."       how long the network is cut              (10 45)
  --within SECONDS          after which all must be heard            (10)
  --logs DIR                keeps there what everybody heard and complained of
NODE=path tests another binary; RUST_LOG=debug with --logs says more.
USAGE
}

profile=lossy10 topology='star mesh' transport='tcp udp' nodes=4 cuts='10 45' within=10 logs=''

check_options() {
    each topology 'star|mesh'
    each transport 'tcp|udp'
    each nodes '[4-8]' 'from 4 to 8'
    each cuts '[1-9][0-9]{0,3}' 'a number of seconds'
    each within '[1-9][0-9]{0,3}' 'a number of seconds'
    check_node
}

# --- On the link ------------------------------------------------------------

every_cut() {
    local kind carrier cut failed=0 rows=0
    # shellcheck source-path=SCRIPTDIR source=conversation.sh
    . "$here/conversation.sh"
    all=$(mktemp -d)
    trap 'end_conversation; rm -rf -- "$all"' EXIT
    for kind in $topology; do
        for carrier in $transport; do
            for cut in $cuts; do
                row "$kind" "$carrier" "$cut" || failed=1
            done
        done
    done
    return "$failed"
}

# row TOPOLOGY TRANSPORT CUT: and below it what went wrong.
row() {
    local healed=0 end wrong late='' result=ok
    work=$all/$((++rows))-$1-$2-$3
    mkdir "$work"
    "$1" "$2" "$nodes"
    if all_here "$to_meet"; then
        talk "$before"
        between_halves add
        talk "$3"
        now healed
        between_halves del
        talk "$after"
        all_heard "$to_hear" || late="not everything was heard $to_hear s after the last line"
        now end
        # A line that comes twice comes within this.
        sleep_until $((end + 1000000))
    else
        late="not everybody was there after $to_meet s"
    fi
    hang_up "$to_end"
    wrong=$(printf '%s' "${late:+$late$'\n'}"; verdict; too_late "$healed")
    [[ -z $wrong ]] || result=FAILED
    printf '%-8s %-9s %5d %5d s  %-7s %s\n' "$1" "$2" "$nodes" "$3" "$result" "$(times_to_heal "$healed")"
    end_conversation
    [[ -z $logs ]] || keep_as "$logs/${work##*/}"
    [[ $result == ok ]] || { complaints "$wrong"; return 1; }
}

talk() {
    local until at
    now at
    until=$((at + $1 * 1000000))
    while ((at < until)); do say "$pause"; now at; done
}

# between_halves add|del: the router drops what the first half and the second
# send each other, and says so to nobody.
between_halves() {
    local one other
    for ((one = 0; one < nodes / 2; one++)); do
        for ((other = nodes / 2; other < nodes; other++)); do
            printf "rule $1 from %s to %s blackhole\n" \
                "${addresses[one]}" "${addresses[other]}" "${addresses[other]}" "${addresses[one]}"
        done
    done | ip -n "$NETEM_ROUTER" -batch -
}

# healing HEALED: of each, how many seconds after that it had heard what was said
# before; "never" if it has not.
healing() {
    awk -v healed="$1" -v people="${speakers[*]}" '
        FNR == 1 { me = FILENAME; sub(/.*\//, "", me); sub(/\.heard$/, "", me) }
        $1 == "message" && $5 < healed { heard[me]++; said[$3, $4]; if ($2 > last[me]) last[me] = $2 }
        END {
            n = split(people, all, " ")
            # Everybody hears the others; each line is heard of by all but one.
            for (line in said) { split(line, part, SUBSEP); own[part[1]]++; lines++ }
            for (i = 1; i <= n; i++) {
                late = (last[all[i]] - healed) / 1000000
                if (healed == 0 || heard[all[i]] < lines - own[all[i]]) print all[i], "never"
                else printf "%s %.1f\n", all[i], (late > 0 ? late : 0)
            }
        }
    ' "${heard[@]}"
}

times_to_heal() {
    healing "$1" | paste -sd ' '
}

too_late() {
    healing "$1" | awk -v within="$within" '
        $2 == "never" || $2 > within { print $1 " had not heard everything " within " s after the cut" }'
}

# --- The link ---------------------------------------------------------------

trap 'exit 130' INT
trap 'exit 143' TERM HUP
read_options 'profile topology transport nodes cuts within logs' "$@"
check_options
if [[ -n $on_this_link ]]; then
    every_cut
    exit
fi
printf 'link: %s\n%-8s %-9s %5s %7s  %-7s %s\n' "$profile" \
    topology transport nodes cut result 'seconds until all was heard'
running=
trap '[[ -z $running ]] || { kill "$running"; wait "$running"; } 2>/dev/null || true' EXIT
NETEM_ENDS=$nodes "$here/run.sh" "$profile" -- "$here/partition.sh" --on-this-link --topology "$topology" \
    --transport "$transport" --nodes "$nodes" --cuts "$cuts" --within "$within" --logs "$logs" &
wait_for $!
