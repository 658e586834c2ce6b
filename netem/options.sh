# shellcheck shell=bash disable=SC2034,SC2154 # $on_this_link, $node, $here and $transport are the sourcing script's
# For sourcing: command lines of the scripts that let many nodes talk.

# read_options NAMES ARGUMENTS...: each --NAME VALUE into the variable NAME. With
# --on-this-link the script is in run.sh already.
read_options() {
    local names=" $1 " script
    script=$(basename -- "$0")
    on_this_link=''
    shift
    while (($# > 0)); do
        case $1 in
            --on-this-link) on_this_link=yes ;;
            --help) usage; exit ;;
            *)
                [[ $1 == --* && $names == *" ${1#--} "* ]] || die "$1: no such option; see $script --help"
                (($# > 1)) || die "$1: of what? See $script --help"
                printf -v "${1#--}" %s "$2"
                shift
                ;;
        esac
        shift
    done
}

# each NAME PATTERN [WHY]: every word of that variable must look like that.
each() {
    local word
    for word in ${!1}; do [[ $word =~ ^($2)$ ]] || die "--$1: $word${3:+ is not $3}"; done
}

check_node() {
    [[ -x $node ]] || die "no $node: cargo build --release"
}

# every_transport: the script's row of each, with room for its files in $all.
every_transport() {
    local carrier failed=0
    # shellcheck source-path=SCRIPTDIR source=conversation.sh
    . "$here/conversation.sh"
    all=$(mktemp -d)
    trap 'end_conversation; rm -rf -- "$all"' EXIT
    for carrier in $transport; do
        row "$carrier" || failed=1
    done
    return "$failed"
}
