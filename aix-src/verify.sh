#!/usr/bin/ksh
# What hamnd takes from documents about AIX, looked at on a real host. It only reads, and prints
#   holds / DOES NOT HOLD / not known    for each; send the output to whoever looks after hamnd.
# Run as root on either node: verify.sh [INTERFACE]. Exit 0: nothing that was looked at fails.
# Override for tests: HAMND_BIN_DIR, HAMND_SBIN_DIR, PYTHON.
INTERFACE=${1:-en0}
BIN=${HAMND_BIN_DIR:-/usr/bin}
SBIN=${HAMND_SBIN_DIR:-/usr/sbin}
PYTHON=${PYTHON:-/opt/hamnd/venv/bin/python}
LC_ALL=C
LANG=C
export LC_ALL LANG
FAILED=0

tell() {
    case $1 in
    0) WORD="holds" ;;
    1) WORD="DOES NOT HOLD"; FAILED=$((FAILED + 1)) ;;
    *) WORD="not known" ;;
    esac
    printf '%-14s %s\n' "$WORD" "$2"
    [ -z "${3:-}" ] || printf '%s\n' "$3" | sed -n '1,4s/^/               | /p'
}

# Text that has to match a pattern of grep -E.
expect() {
    if [ -z "$3" ]; then
        tell 2 "$1"
    elif printf '%s\n' "$3" | grep -Eq "$2"; then
        tell 0 "$1"
    else
        tell 1 "$1" "$3"
    fi
}

echo "hamnd: facts about AIX that were taken from documents ($(uname -s) $(uname -n))"
expect "oslevel -s prints base-TL-SP-week" '^[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9]{4}$' "$("$BIN/oslevel" -s 2>&1)"
expect "lssrc: name first, status last" '^ *syslogd .* active *$' "$("$BIN/lssrc" -s syslogd 2>&1)"
TEXT=$("$BIN/lssrc" -s hamnd-none 2>&1)
CODE=$?
expect "lssrc: 0513-085 for what is not defined" '0513-085' "$TEXT"
test "$CODE" -eq 1
tell $? "lssrc: exit 1 for what is not defined" "exit $CODE"
expect "lssrc -S: 20 fields, contact among them" '^#subsysname:.*:contact:' "$("$BIN/lssrc" -S -s syslogd 2>&1)"
expect "lsitab -a lists every entry" '^init:2:initdefault:' "$("$SBIN/lsitab" -a 2>&1)"
! "$SBIN/lsitab" hamnd-none >/dev/null 2>&1
tell $? "lsitab: exit other than 0 for an entry that is not there"
expect "the entry rctcpip brings TCP/IP up" '^rctcpip:' "$("$SBIN/lsitab" rctcpip 2>&1)"
expect "ifconfig -a: masks in hex" 'inet [0-9.]+ netmask 0x[0-9a-f]{8}' "$("$SBIN/ifconfig" -a 2>&1)"
expect "netstat -in: hardware addresses with dots" 'link#[0-9]+ +([0-9a-f]{1,2}\.){5}[0-9a-f]{1,2} ' "$("$BIN/netstat" -in 2>&1)"
expect "mktcpip -S: columns have names" '^#host:addr:mask:.*gateway:.*type:' "$("$SBIN/mktcpip" -S "$INTERFACE" 2>&1)"
expect "lsattr: bootup_option is no" '^no$' "$("$SBIN/lsattr" -El inet0 -a bootup_option -F value 2>&1)"
expect "lsattr: netaddr and netmask, one a line" '^[0-9.]+$' "$("$SBIN/lsattr" -El "$INTERFACE" -a netaddr -a netmask -F value 2>&1)"
TEXT=$("$SBIN/lsattr" -El "$INTERFACE" -a alias4 -F value 2>&1)
CODE=$?
test "$CODE" -eq 0
tell $? "lsattr: alias4 lists lasting aliases, ADDRESS,MASK each" "exit $CODE: $TEXT"
expect "arp -an: (address) at hardware" '\([0-9.]+\) at ' "$("$SBIN/arp" -an 2>&1)"
GATEWAY=$("$BIN/netstat" -rn 2>/dev/null | awk '$1 == "default" { print $2; exit }')
OWN=$("$SBIN/lsattr" -El "$INTERFACE" -a netaddr -F value 2>/dev/null)
if [ -n "$GATEWAY" ] && [ -n "$OWN" ]; then
    "$SBIN/ping" -n -c 1 -w 2 -S "$OWN" "$GATEWAY" >/dev/null 2>&1
    tell $? "ping -n -c 1 -w 2 -S reaches the gateway, exit 0"
fi
! "$SBIN/ping" -n -c 1 -w 2 192.0.2.1 >/dev/null 2>&1
tell $? "ping: exit other than 0 when nobody answers"
"$BIN/errpt" -J AIXIF_ARP_DUP_ADDR >/dev/null 2>&1
tell $? "errpt -J AIXIF_ARP_DUP_ADDR is a known label"
"$BIN/errpt" -J AIXIF_ARP_DUP_ADDR -s "$(date +%m%d%H%M%y)" >/dev/null 2>&1
tell $? "errpt -s MMDDhhmmYY is understood"
expect "who -b: system boot Mon DD hh:mm" 'system boot +[A-Z][a-z][a-z] +[0-9]+ [0-9][0-9]:[0-9][0-9]' "$("$BIN/who" -b 2>&1)"
NAME=$("$BIN/hostname")
expect "host NAME: is, and the address" "^[^ ]+ is [0-9.]+" "$("$BIN/host" "$NAME" 2>&1)"
expect "host: 0827-801 for a name that is not there" '0827-801' "$("$BIN/host" hamnd-none 2>&1)"
for WORD in hostname uname; do
    case $WORD in hostname) NAME=$("$BIN/hostname") ;; uname) NAME=$("$BIN/uname" -n) ;; esac
    expect "$WORD and the ODM agree" "^$("$SBIN/lsattr" -El inet0 -a hostname -F value 2>/dev/null)\$" "$NAME"
done
expect "crontab -l USER is understood" '.' "$("$BIN/crontab" -l root 2>&1 | sed -n 1p)"
perl -MPOSIX=setsid -MDigest::SHA=sha256_hex -e 'exit 0' 2>/dev/null
tell $? "perl has POSIX::setsid and Digest::SHA"
if "$SBIN/lsnim" -l >/dev/null 2>&1; then
    expect "lsnim -l: NAME: and indented attributes" '^ +class .*=' "$("$SBIN/lsnim" -l 2>&1)"
else
    tell 2 "lsnim -l (this host is no NIM server)"
fi
if [ -x "$PYTHON" ]; then
    TEXT=$("$PYTHON" - 2>&1 <<'END'
import resource, select, socket, sys
told = {
    "sys.platform is aix": sys.platform == "aix",
    "no SO_PEERCRED": not hasattr(socket, "SO_PEERCRED"),
    "poll is there": hasattr(select, "poll"),
    "at most 65536 descriptors": resource.getrlimit(resource.RLIMIT_NOFILE)[0] <= 65536,
}
for what, is_so in told.items():
    print(int(not is_so), what)
END
    )
    printf '%s\n' "$TEXT" | while read -r CODE WHAT; do tell "$CODE" "Python: $WHAT"; done
fi
echo "Not looked at, because it would change something: whether startsrc -e survives a respawn; whether"
echo "exit 0 triggers -R; mktcpip with a second default route; an identity swap under HANIM."
[ "$FAILED" -eq 0 ]
