# shellcheck shell=bash disable=SC2154 # $node and $work are the sourcing script's
# For sourcing, by a command of run.sh: a conversation of nodes, each in a
# namespace of its own, and the judgement on it. One process says the lines of
# everybody, so they are spaced as told and their times are of one clock.
#
# Expects $node, and $work: a new directory. A line is "NUMBER TIME"; what a
# node prints becomes, in $work/NAME.heard,
#   message TIME NAME NUMBER TIME   a line; the first time is when it was heard
#   EVENT TIME {...}                anything else

# shellcheck source-path=SCRIPTDIR source=time.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/time.sh"

readonly people=(ann ben cat dan eve fay gus hal)
readonly port=4224
# Seconds that who has no more to say waits for its lines to be taken. Over TCP at
# 30 % loss the last may take more than a minute: each loss doubles the next wait.
readonly linger=150
read -ra namespaces <<<"$NETEM_NAMES"
read -ra addresses <<<"$NETEM_ADDRS"

speakers=() heard=() mouths=() said=0 server=

# A signal ends it between two sleeps.
stopping=
trap 'stopping=130' INT
trap 'stopping=143' TERM HUP
# Who has ended early is found out in the end.
trap '' PIPE

# --- Who is there -----------------------------------------------------------

# star TRANSPORT NODES: a server at the first end, clients at the others. In memory: a
# disk that syncs holds up the whole of a user-mode kernel, and it is links that are tried.
star() {
    local transport=$1 nodes=$2 end
    {
        ip netns exec "${namespaces[0]}" "$node" --role server --history memory --transport "$transport" \
            --listen "${addresses[0]}:$port" --data-dir "$work/server" \
            >"$work/server.out" 2>"$work/server.err" </dev/null && status=0 || status=$?
        echo "$status" >"$work/server.status"
    } 2>/dev/null &
    server=${namespaces[0]}
    # --reconnect: without it a client gives up after three dials without an
    # answer, and over TCP at 30 % loss one dial in seven comes to nothing.
    for ((end = 1; end < nodes; end++)); do
        person "$end" --role client --history memory --transport "$transport" --server "${addresses[0]}:$port" --reconnect
    done
    open_mouths
}

# mesh TRANSPORT NODES: peers that are told of the first only.
mesh() {
    local transport=$1 nodes=$2 end first=(--peers "${addresses[0]}:$port")
    person 0 --role peer --transport "$transport" --listen "${addresses[0]}:$port"
    for ((end = 1; end < nodes; end++)); do
        person "$end" --role peer --transport "$transport" --listen "${addresses[end]}:$port" "${first[@]}"
    done
    open_mouths
}

# person END OPTIONS...: somebody who hears from now on.
person() {
    local end=$1 name=${people[$1]}
    shift
    mkfifo "$work/$name.says"
    : >"$work/$name.heard"
    {
        ip netns exec "${namespaces[end]}" "$node" --name "$name" --data-dir "$work/$name" --json \
            --linger "$linger" "$@" \
            <"$work/$name.says" 2>"$work/$name.err" | stamp >"$work/$name.heard" 2>>"$work/$name.err"
        echo "${PIPESTATUS[*]}" >"$work/$name.status"
    } 2>/dev/null &
    speakers+=("$name")
    heard+=("$work/$name.heard")
}

stamp() {
    jq --unbuffered -r '(now * 1000000 | floor) as $now
        | if .event == "message" then "message \($now) \(.from) \(.text)" else "\(.event) \($now) \(.)" end'
}

# Only when all have been started: none may hold the others' inputs open.
open_mouths() {
    local name fd
    for name in "${speakers[@]}"; do
        exec {fd}>"$work/$name.says"
        mouths+=("$fd")
    done
}

# all_here SECONDS: waits until everybody sees everybody.
all_here() {
    until_true "$1" everybody_sees_everybody
}

everybody_sees_everybody() {
    awk -v people="${speakers[*]}" '
        function field(name) { # the string of that name in $0
            return match($0, "\"" name "\":\"[^\"]*\"") \
                ? substr($0, RSTART + length(name) + 4, RLENGTH - length(name) - 5) : ""
        }
        function look(who) { sees[FILENAME, who] = 1 }
        $1 == "joined" && match($0, /"users":\[[^]]*\]/) {
            n = split(substr($0, RSTART + 9, RLENGTH - 10), users, ",")
            for (i = 1; i <= n; i++) { gsub(/"/, "", users[i]); look(users[i]) }
        }
        $1 == "presence" && field("change") == "join" { look(field("name")) }
        $1 == "presence" && field("change") ~ /^(leave|lost)$/ { sees[FILENAME, field("name")] = 0 }
        END {
            n = split(people, all, " ")
            for (i = 1; i < ARGC; i++) for (j = 1; j <= n; j++) if (!sees[ARGV[i], all[j]]) exit 1
        }
    ' "${heard[@]}"
}

# --- What is said -----------------------------------------------------------

# say PAUSE: a line of everybody, each PAUSE microseconds after the one before.
say() {
    local end at time
    now at
    ((++said))
    for end in "${!mouths[@]}"; do
        now time
        printf '%d %d\n' "$said" "$time" >&"${mouths[end]}" || true
        sleep_until $((at += $1))
    done 2>/dev/null
}

# all_heard SECONDS: waits until everybody heard as many lines as the others said.
all_heard() {
    until_true "$1" everything_heard
}

everything_heard() {
    awk -v each=$((said * (${#speakers[@]} - 1))) -v people=${#speakers[@]} '
        $1 == "message" && ++count[FILENAME] == each { done++ }
        END { exit done < people }
    ' "${heard[@]}"
}

until_true() {
    local deadline=$((SECONDS + $1)) at
    until "$2"; do
        ((SECONDS < deadline)) || return 1
        now at
        sleep_until $((at + 300000))
    done
}

# --- The end ----------------------------------------------------------------

# hang_up SECONDS: nobody has more to say; waits until all have ended.
hang_up() {
    local fd
    for fd in "${mouths[@]}"; do exec {fd}>&-; done
    mouths=()
    until_true "$1" everybody_gone || true
    # shellcheck disable=SC2046 # nobody else is there
    [[ -z $server ]] || kill $(ip netns pids "$server") 2>/dev/null || true
    until_true 10 server_gone || true
}

everybody_gone() {
    local name
    for name in "${speakers[@]}"; do [[ -s $work/$name.status ]] || return; done
}

server_gone() {
    [[ -z $server || -s $work/server.status ]]
}

# Whoever is left in these namespaces, so that the next conversation begins anew.
end_conversation() {
    local fd namespace pids
    for fd in "${mouths[@]}"; do exec {fd}>&-; done
    for namespace in "${namespaces[@]}"; do
        # run.sh may have removed it before this is told to end.
        pids=$(ip netns pids "$namespace" 2>/dev/null) || true
        # shellcheck disable=SC2086 # one word a process
        [[ -z $pids ]] || kill -KILL $pids 2>/dev/null || true
    done
    wait 2>/dev/null
    speakers=() heard=() mouths=() said=0 server=
}

# --- The judgement ----------------------------------------------------------

# verdict: what went wrong, a line each.
verdict() {
    local name status
    for name in "${speakers[@]}"; do
        status=$(cat "$work/$name.status" 2>/dev/null) || status='nothing: it did not end'
        [[ $status == "0 0" ]] || echo "$name ended with ${status% *}"
    done
    if [[ -n $server ]]; then
        status=$(cat "$work/server.status" 2>/dev/null) || status='nothing: it did not end'
        [[ $status == 0 ]] || echo "the server ended with $status"
    fi
    once_and_in_order
}

once_and_in_order() {
    awk -v people="${speakers[*]}" -v said="$said" '
        FNR == 1 { me = FILENAME; sub(/.*\//, "", me); sub(/\.heard$/, "", me) }
        $1 == "gap" { print me " was shown a gap: " $0 }
        $1 != "message" { next }
        index(" " people " ", " " $3 " ") == 0 || $3 == me || $4 < 1 || $4 > said || NF != 5 {
            print me " heard what nobody said: " $0
            next
        }
        {
            if ((me, $3, $4) in heard) twice[me, $3]++
            else { heard[me, $3, $4]; count[me, $3]++ }
            if ($4 < last[me, $3]) disorder[me, $3]++
            last[me, $3] = $4
        }
        END {
            n = split(people, all, " ")
            for (i = 1; i <= n; i++) for (j = 1; j <= n; j++) if (i != j) {
                pair = all[i] SUBSEP all[j]
                if (count[pair] + 0 == said && !twice[pair] && !disorder[pair]) continue
                printf "%s heard of %s: %d of %d lines, %d twice, %d after a later one; the last: %d\n",
                    all[i], all[j], count[pair], said, twice[pair], disorder[pair], last[pair]
            }
        }
    ' "${heard[@]}"
}

# latencies: from the saying to the hearing, "P50 P99" in ms.
latencies() {
    awk '$1 == "message" { printf "%.1f\n", ($2 - $5) / 1000 }' "${heard[@]}" | sort -n | awk '
        { all[NR] = $1 }
        END { if (NR) print all[int(NR * 0.5 + 0.5)], all[int(NR * 0.99 + 0.99)]; else print "-", "-" }'
}

# complaints WRONG: what went wrong, and of each program its last words.
complaints() {
    local file
    printf '%s\n' "$1" | sed 's/^/    /'
    for file in "$work"/*.err; do
        # The first line says what it is.
        tail -n +2 "$file" | tail -n 3 | sed "s/^/    ${file##*/}: /"
    done
}

# keep_as DIR: what everybody heard and complained of.
keep_as() {
    mkdir -p -- "$1"
    cp -r -- "$work"/*.heard "$work"/*.err "$work"/*.out "$1" 2>/dev/null || true
}
