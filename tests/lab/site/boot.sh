#!/bin/bash
# PID 1 of one lab host: makes its file system, its name and its addresses, starts sshd, then waits.
# Called by hosts.py inside namespaces of its own (mount, uts, ipc, net, pid) below the keeper's.
#   $1 name   $2 folder of its disk   $3 folder with what all hosts get   $4 places to bind, in pairs
#   $5... interface=address/prefix
set -e
name=$1 disk=$2 given=$3 places=$4
shift 4
mount --make-rprivate /
mkdir -p "$disk/upper" "$disk/work" "$disk/root"
R=$disk/root
# "index=off,xino=off": a host that lost its power left this disk mounted in a namespace that dies.
mount -t overlay overlay -o "lowerdir=/,upperdir=$disk/upper,workdir=$disk/work,index=off" "$R"
bash "$(dirname "$0")/install.sh" "$name" "$disk" "$R" "$given"
mount -t proc proc "$R/proc"
mount -t sysfs -o ro sysfs "$R/sys"
mount -t tmpfs -o mode=755 tmpfs "$R/run"
# The machine's kernel goes on; for its programs a host that boots has booted.
cat /proc/sys/kernel/random/uuid >"$R/run/boot_id"
mount --bind "$R/run/boot_id" "$R/proc/sys/kernel/random/boot_id"
mount -t tmpfs -o mode=1777 tmpfs "$R/tmp"
mount -t tmpfs -o mode=755 tmpfs "$R/dev"
for d in null zero full random urandom tty; do : >"$R/dev/$d"; mount --bind "/dev/$d" "$R/dev/$d"; done
mkdir -p "$R"/dev/{pts,shm,net} "$R"/run/{sshd,lock,postgresql,mysqld,named,lab}
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$R/dev/pts"
ln -s pts/ptmx "$R/dev/ptmx"
ln -s /proc/self/fd "$R/dev/fd"
ln -s /proc/self/fd/0 "$R/dev/stdin"
ln -s /proc/self/fd/1 "$R/dev/stdout"
ln -s /proc/self/fd/2 "$R/dev/stderr"
mount -t tmpfs -o mode=1777 tmpfs "$R/dev/shm"
mount --bind "$given" "$R/lab"
mount -o remount,bind,ro "$R/lab"
for place in $places; do
  from=${place%%:*} to=${place#*:}
  if [ -d "$from" ]; then mkdir -p "$R$to"; else mkdir -p "$(dirname "$R$to")"; : >>"$R$to"; fi
  mount --bind "$from" "$R$to"
  mount -o remount,bind,ro "$R$to"
done
for u in postgres:postgresql mysql:mysqld bind:named; do chown "${u%:*}" "$R/run/${u#*:}" 2>/dev/null || :; done
hostname "$(cat "$R/etc/hostname")"
cd "$R"
pivot_root . oldroot
umount -l /oldroot
cd /
# A killed machine left these; pids are small here and soon used again.
rm -f /var/lib/postgresql/*/*/postmaster.pid /var/lab/*/postmaster.pid
# What its own network file says counts, as on any host that was given another address.
own=$(sed -n 's/^ *address //p' /etc/network/interfaces 2>/dev/null | head -n 1)
[ -z "$own" ] || set -- "eth0=$own" "${@:2}"
ip link set lo up
# The wires are plugged in from outside, late on a busy machine; whoever boots this gives up at last.
for pair in "$@"; do
  interface=${pair%%=*}
  until [ -e "/sys/class/net/$interface" ]; do sleep .01; done
  ip link set "$interface" up
  ip addr add "${pair#*=}" dev "$interface" nodad 2>/dev/null || ip addr add "${pair#*=}" dev "$interface"
done
[ "$name" = gw ] || ip route add default via "$(cat /lab/gateway)" 2>/dev/null || :
/usr/sbin/sshd -f /lab/sshd_config -h /etc/ssh/lab_host_key
# What the host itself starts at boot ("enabled"): in the order of its names, each in the background.
for start in /etc/lab/boot.d/*; do
  if [ -x "$start" ]; then "$start" >>/var/lab/boot.log 2>&1 </dev/null & fi
done
: >/run/lab/ready
# Process 1 only reaps: what is started here from outside leaves its orphans to it.
exec -a init perl -e '$0 = "init"; $SIG{TERM} = "IGNORE"; while (1) { sleep 1 if wait() == -1 }'
