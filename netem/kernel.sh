# shellcheck shell=bash
# For sourcing: runs a command as root on a kernel that has sch_netem. Where the
# running kernel has none, or $NETEM_KERNEL names another, that is
# user-mode-linux, which is booted for it.

die() {
    printf 'netem: %s\n' "$1" >&2
    exit "${2:-2}"
}

need() {
    command -v "$1" >/dev/null || die "$1 is missing: apt-get install $2"
}

has_netem() {
    [[ -z ${NETEM_KERNEL:-} || -n ${NETEM_IN_UML:-} ]] || return 1
    # In a namespace without a name, gone with the command.
    ((EUID == 0)) && unshare --net sh -c \
        'ip link add x0 type veth peer name x1 && tc qdisc add dev x0 root netem' 2>/dev/null
}

running=

# wait_for PID: its status; a signal comes through at once.
wait_for() {
    local status=0
    running=$1
    wait "$running" || status=$?
    running=
    return "$status"
}

remove_kernel() {
    if [[ -n $running ]]; then
        # It leads a group of its own, but for its first moment.
        { kill -KILL -- "-$running" || kill -KILL "$running"; wait "$running"; } 2>/dev/null || true
    fi
    rm -rf -- "$scratch"
}

# What goes before the kernel's name: its core, and, where the time is real, the
# right to it before others.
pin() {
    pinned=()
    [[ -n ${NETEM_CPU:-} ]] || return 0
    need taskset util-linux
    taskset -c "$NETEM_CPU" true 2>/dev/null || die "NETEM_CPU: there is no core $NETEM_CPU"
    pinned=(taskset -c "$NETEM_CPU")
    [[ -n $virtual ]] || ! chrt -f 10 true 2>/dev/null || pinned+=(chrt -f 10)
}

# What it is told: where its time can be virtual, it is. Programs then take none
# of it, and nobody waits: the clock goes on to when something is due.
choose_kernel() {
    local known
    kernel=(linux.uml)
    if [[ -n ${NETEM_KERNEL:-} ]]; then
        [[ -x $NETEM_KERNEL ]] || die "NETEM_KERNEL: $NETEM_KERNEL is no kernel"
        kernel=("$(realpath -- "$NETEM_KERNEL")")
    fi
    command -v "${kernel[0]}" >/dev/null || die "this kernel has no sch_netem$(
        ((EUID == 0)) || echo ' for you (not root)'), and user-mode-linux is missing:
    apt-get install user-mode-linux"
    known=$("${kernel[0]}" --help 2>/dev/null)
    virtual=
    if [[ $known == *time-travel=inf-cpu* ]]; then
        virtual=1
        kernel+=(time-travel=inf-cpu)
    fi
    # Twice as fast as ptrace, and guards nothing we do not trust.
    [[ $known != *seccomp=* ]] || kernel+=(seccomp=auto)
}

# run_in_uml COMMAND...: the status is COMMAND's, 125 if the kernel did not get there.
run_in_uml() {
    local beside preload='' status='' pinned kernel virtual
    beside=$(dirname -- "${BASH_SOURCE[0]}")
    choose_kernel
    pin
    scratch=$(mktemp -d)
    trap remove_kernel EXIT
    if grep -qw amx_tile /proc/cpuinfo; then
        command -v cc >/dev/null || die 'a C compiler is missing: apt-get install gcc libc6-dev'
        cc -O2 -shared -fPIC -o "$scratch/registers.so" "$beside/uml-registers.c" -ldl
        preload=$scratch/registers.so
    fi
    export -p >"$scratch/environment"
    printf '%q ' "$@" >"$scratch/command"
    write_init >"$scratch/init"

    # The host's files are its root; console 1 is our stdout, 2 our stderr.
    LD_PRELOAD=$preload setsid "${pinned[@]}" "${kernel[@]}" mem="${NETEM_MEMORY:-1G}" quiet \
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
    printf 'scratch=%q\ndirectory=%q\nvirtual=%q\n' "$scratch" "$PWD" "$virtual"
    cat <<'INIT'
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mountpoint -q /dev || mount -t devtmpfs dev /dev
mkdir -p /dev/shm /dev/pts
[[ -e /dev/fd ]] || ln -s /proc/self/fd /dev/fd
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
    export TMPDIR=/dev/shm NETEM_IN_UML=1 NETEM_VIRTUAL_TIME="$virtual"
    cd "$directory" || exit
    eval "exec $(cat "$scratch/command")"
) </dev/null >/dev/tty1 2>/dev/tty2
echo $? >"$scratch/status"
stty -F /dev/tty1 raw
stty -F /dev/tty2 raw
halt -f -p
INIT
}
