#!/usr/bin/env bash
# netem/virtual-kernel.sh [SOURCE] [DIRECTORY]
#
# Builds a user-mode-linux whose time is virtual, for NETEM_KERNEL. SOURCE is a
# tree or archive of Linux, by default what Debian's linux-source put in
# /usr/src; DIRECTORY gets the kernel, by default target/netem.
# See README.md.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
readonly here
# shellcheck source-path=SCRIPTDIR source=kernel.sh
. "$here/kernel.sh"

(($# <= 2)) || die "usage: $(sed -n '2s/^# *//p' "${BASH_SOURCE[0]}")"
for tool in make bison flex bc; do need "$tool" "$tool"; done
need cc gcc

source=${1:-}
if [[ -z $source ]]; then
    source=$(printf '%s\n' /usr/src/linux-source-*.tar.* | sort -V | tail -n 1)
fi
[[ -e $source ]] || die "no source of Linux: apt-get install linux-source, or name a tree or an archive"

directory=${2:-$here/../target/netem}
mkdir -p -- "$directory"
directory=$(realpath -- "$directory")
if [[ -f $source ]]; then
    mkdir -p -- "$directory/source"
    tar -xf "$source" -C "$directory/source" --strip-components 1
    source=$directory/source
fi
grep -qs UML_TIME_TRAVEL_SUPPORT "$source/arch/um/Kconfig" || die "$source is no Linux that has virtual time"

# No modules, no disks: what run.sh and the programs it runs ask of a kernel.
fragment=$(mktemp)
trap 'rm -f -- "$fragment"' EXIT
for option in \
    UML_TIME_TRAVEL_SUPPORT 64BIT PRINTK BUG MULTIUSER CC_OPTIMIZE_FOR_PERFORMANCE \
    HOSTFS PROC_FS PROC_SYSCTL SYSFS TMPFS SHMEM DEVTMPFS FILE_LOCKING INOTIFY_USER \
    TTY UNIX98_PTYS SSL NULL_CHAN TTY_CHAN STDERR_CONSOLE HW_RANDOM UML_RANDOM \
    BINFMT_ELF BINFMT_SCRIPT POSIX_TIMERS HIGH_RES_TIMERS NO_HZ_IDLE \
    FUTEX EPOLL SIGNALFD TIMERFD EVENTFD AIO ADVISE_SYSCALLS MEMBARRIER SYSVIPC \
    NAMESPACES UTS_NS PID_NS NET_NS \
    NET UNIX PACKET INET IPV6 INET_DIAG IP_ADVANCED_ROUTER IP_MULTIPLE_TABLES \
    NETDEVICES NET_CORE VETH NET_SCHED NET_SCH_NETEM NET_SCH_TBF NET_SCH_FQ NET_SCH_FQ_CODEL \
    TCP_CONG_ADVANCED TCP_CONG_CUBIC TCP_CONG_BBR DEFAULT_CUBIC; do
    printf 'CONFIG_%s=y\n' "$option"
done >"$fragment"

build() {
    make -C "$source" ARCH=um O="$directory/build" "$@"
}
mkdir -p -- "$directory/build"
KCONFIG_ALLCONFIG=$fragment build allnoconfig >/dev/null
for option in UML_TIME_TRAVEL_SUPPORT HOSTFS NET_NS VETH NET_SCH_NETEM NET_SCH_TBF; do
    grep -q "^CONFIG_$option=y" "$directory/build/.config" || die "this Linux cannot be built with $option"
done
build -s -j "$(nproc)" linux
cp -- "$directory/build/linux" "$directory/linux"
printf '%s: %s\n' "$("$directory/linux" --version)" "$directory/linux"
