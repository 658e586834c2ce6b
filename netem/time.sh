# shellcheck shell=bash
# For sourcing: the time in microseconds, and sleep that starts no process.

# now NAME: into that variable.
now() {
    printf -v "$1" %s "${EPOCHREALTIME/[.,]/}"
}

# A process of its own would outlast who sleeps, and takes as long to start as a
# line in user-mode-linux. Where bash 5.2 has traps that exit it aborts if they do
# so from within `read -t`; those set $stopping.
sleep_until() {
    local left seconds
    [[ -z ${stopping:-} ]] || exit "$stopping"
    [[ -n ${never:-} ]] || exec {never}<> <(:)
    now left
    left=$(($1 - left))
    ((left > 0)) || return 0
    printf -v seconds '%d.%06d' $((left / 1000000)) $((left % 1000000))
    LC_ALL=C read -rt "$seconds" -u "$never" || true
    [[ -z ${stopping:-} ]] || exit "$stopping"
}
