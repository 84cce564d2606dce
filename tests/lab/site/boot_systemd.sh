#!/bin/bash
# A lab host with a real systemd as its process 1: the same disk, names, keys and addresses as boot.sh
# gives, then systemd-nspawn (lab.md §8). Called by hosts.py with boot.sh's arguments; ends when the
# host has powered off.
set -e
name=$1 disk=$2 given=$3 places=$4
shift 4
mount --make-rprivate /
mount -t proc proc /proc
mkdir -p "$disk/upper" "$disk/work" "$disk/root"
R=$disk/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$disk/upper,workdir=$disk/work,index=off" "$R"
if [ ! -e "$disk/installed" ]; then
  # Nothing of what this machine has enabled: a host starts what its own story enables.
  rm -f "$R"/etc/systemd/system/*.wants/* "$R"/etc/rc?.d/* "$R"/etc/init.d/*
  for unit in getty.target systemd-logind.service systemd-timesyncd.service; do
    ln -sf /dev/null "$R/etc/systemd/system/$unit"
  done
  cp "$(dirname "$0")"/units/*.service "$R/etc/systemd/system/"
  mkdir -p "$R/etc/systemd/system/multi-user.target.wants"
  for unit in "$(dirname "$0")"/units/*.service; do
    ln -s "../${unit##*/}" "$R/etc/systemd/system/multi-user.target.wants/${unit##*/}"
  done
fi
bash "$(dirname "$0")/install.sh" "$name" "$disk" "$R" "$given"
hostname "$name"
ip link set lo up
# The wires are plugged in from outside, late on a busy machine; whoever boots this gives up at last.
for pair in "$@"; do
  interface=${pair%%=*}
  until ip link show dev "$interface" >/dev/null 2>&1; do sleep .01; done
  ip link set "$interface" up
  ip addr add "${pair#*=}" dev "$interface" nodad 2>/dev/null || ip addr add "${pair#*=}" dev "$interface"
done
ip route add default via "$(cat "$given/gateway")" 2>/dev/null || :
# systemd-nspawn takes a network namespace by a file of its own, and wants a /run and a pure cgroup v2.
: >"$disk/net"
mount --bind /proc/self/ns/net "$disk/net"
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd /run/lock
umount -l /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
binds=(--bind-ro="$given:/lab")
for place in $places; do binds+=(--bind-ro="$place"); done
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
# Not "exec": process 1 of these namespaces has to reap what nspawn leaves.
systemd-nspawn -q -D "$R" --machine="$name" --boot --register=no --keep-unit --console=pipe \
  --network-namespace-path="$disk/net" --capability=CAP_NET_ADMIN,CAP_NET_RAW,CAP_SYS_ADMIN \
  --hostname="$name" --resolv-conf=off --timezone=off --link-journal=no "${binds[@]}"
