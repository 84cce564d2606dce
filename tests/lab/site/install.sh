#!/bin/bash
# Gives a lab host's new disk what is its own: names, keys, no job and no policy of the machine's.
#   $1 name   $2 folder of its disk   $3 its root   $4 folder with what all hosts get
set -e
name=$1 disk=$2 R=$3 given=$4
mkdir -p "$R"/{proc,sys,dev,run,tmp,oldroot,lab,install,tftpboot,etc/xcat,var/lab}
# Users of the hosts need the way to the programs, whoever owns it on the machine.
while read -r folder; do chmod o+x "$R$folder"; done <"$given/ways"
[ ! -e "$disk/installed" ] || exit 0
echo "$name" >"$R/etc/hostname"
cp "$given/hosts" "$R/etc/hosts"
rm -f "$R/etc/resolv.conf"; cp "$given/resolv.conf" "$R/etc/resolv.conf"
tr -d - </proc/sys/kernel/random/uuid >"$R/etc/machine-id"
: >"$R/etc/xCATMN"
rm -rf "$R/root/.ssh"; mkdir -m 700 "$R/root/.ssh"
cp "$given/keys/$name" "$R/root/.ssh/id_ed25519"
cp "$given/keys/$name.pub" "$R/root/.ssh/id_ed25519.pub"
cp "$given/keys/authorized_keys" "$given/keys/known_hosts" "$R/root/.ssh/"
printf 'StrictHostKeyChecking yes\nConnectTimeout 3\nBatchMode yes\n' >"$R/root/.ssh/config"
chmod 600 "$R"/root/.ssh/*
: >"$R/root/.bashrc"; : >"$R/root/.profile"
cp "$given/keys/host-$name" "$R/etc/ssh/lab_host_key"
chmod 600 "$R/etc/ssh/lab_host_key"
rm -f "$R"/var/spool/cron/crontabs/* "$R"/usr/sbin/policy-rc.d
: >"$disk/installed"
