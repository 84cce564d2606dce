#!/usr/bin/ksh
# Remove hamnd. Run as root: uninstall.sh [--dry-run] [--anyway]
# It disturbs no database, daemon or address. Configuration, journal and reports stay: they are what
# is left of a takeover. What the guard had replaced in the inittab is put back.
# Override for tests: HAMND_ROOT (a prefix), HAMND_BIN_DIR, HAMND_SBIN_DIR.
ROOT=${HAMND_ROOT:-}
BIN=${HAMND_BIN_DIR:-/usr/bin}
LIBEXEC=$ROOT/opt/hamnd/libexec
DRY=
for ONE in "$@"; do
    [ "$ONE" != --dry-run ] || DRY=yes
done

if [ -x "$LIBEXEC/src-unregister" ]; then
    "$LIBEXEC/src-unregister" "$@" || exit 1
fi
if [ -n "$DRY" ]; then
    echo "would remove: $ROOT/opt/hamnd $ROOT/usr/sbin/hamn-guard, the line of local6 in syslog.conf,"
    echo "and the line of hamn-rotate in root's crontab"
    exit 0
fi
CONF=$ROOT/etc/syslog.conf
if [ -f "$CONF" ] && grep -q "^local6\.info.*/var/log/hamnd/syslog" "$CONF"; then
    grep -v "^local6\.info.*/var/log/hamnd/syslog" "$CONF" >"$CONF.hamnd" && cat "$CONF.hamnd" >"$CONF"
    rm -f "$CONF.hamnd"
    "$BIN/refresh" -s syslogd
fi
TABLE=$ROOT/var/hamnd/crontab.new
if "$BIN/crontab" -l >"$TABLE" 2>/dev/null && grep -q hamn-rotate "$TABLE"; then
    grep -v hamn-rotate "$TABLE" >"$TABLE.less"
    "$BIN/crontab" "$TABLE.less" || echo "uninstall.sh: take hamn-rotate out of root's crontab" >&2
fi
rm -f "$TABLE" "$TABLE.less"
rm -f "$ROOT/usr/sbin/hamn-guard"
rm -rf "$ROOT/opt/hamnd"
echo "hamnd is removed; /etc/hamnd and /var/hamnd stay"
