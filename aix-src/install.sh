#!/usr/bin/ksh
# Install hamnd from the unpacked bundle, without any network. Run as root, in its folder:
#   ./install.sh [--dry-run] [--guard NAME...]
# --guard   put the return guard before these subsystems at boot, instead of their lines in the
#           inittab: --guard xcatd named conserver
# Idempotent: a second run brings everything to the state of this bundle; configuration, journal and
# keys stay. Override for tests: PYTHON, HAMND_ROOT (a prefix), HAMND_BIN_DIR, HAMND_SBIN_DIR, SYSTEM.
HERE=$(cd "$(dirname "$0")" && pwd) || exit 1
ROOT=${HAMND_ROOT:-}
BIN=${HAMND_BIN_DIR:-/usr/bin}
SYSTEM=${SYSTEM:-$(uname -s)}
HOME_DIR=$ROOT/opt/hamnd
DRY=
GUARDED=

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

run() {
    if [ -n "$DRY" ]; then
        echo "would run: $*"
    else
        "$@" || fail "failed: $*"
    fi
}

while [ $# -gt 0 ]; do
    case $1 in
    --dry-run) DRY=yes; shift ;;
    --guard) shift; GUARDED=$*; set -- ;;
    *) fail "unknown option $1: ./install.sh [--dry-run] [--guard NAME...]" ;;
    esac
done

# What has to come from AIX and its Toolbox; everything that lacks is told at once.
PROBLEMS=
problem() {
    PROBLEMS="$PROBLEMS
  $*"
}

[ "$SYSTEM" = AIX ] || problem "this is $SYSTEM, not AIX: on Linux install the package"
[ "$(id -u)" -eq 0 ] || problem "it has to be run as root"
if [ -z "${PYTHON:-}" ]; then
    for ONE in /opt/freeware/bin/python3.12 /opt/freeware/bin/python3.13 /opt/freeware/bin/python3.11; do
        [ -x "$ONE" ] && PYTHON=$ONE && break
    done
fi
if [ -z "${PYTHON:-}" ] || [ ! -x "$PYTHON" ]; then
    problem "no Python 3.11 or newer: dnf install python3.12 (AIX Toolbox)"
elif ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    problem "$PYTHON is older than 3.11: dnf install python3.12 (AIX Toolbox)"
else
    for ONE in sqlite3 ssl venv ctypes zlib fcntl pwd grp; do
        "$PYTHON" -c "import $ONE" 2>/dev/null ||
            problem "$PYTHON has no module $ONE: dnf reinstall python3.12 (AIX Toolbox)"
    done
fi
for ONE in ssh perl rsync; do
    WHERE=
    for PLACE in "$BIN" /opt/freeware/bin; do
        [ -x "$PLACE/$ONE" ] && WHERE=$PLACE && break
    done
    [ -n "$WHERE" ] && continue
    case $ONE in
    ssh) problem "no ssh: install the fileset openssh.base" ;;
    perl) problem "no perl: install the fileset perl.rte (xCAT needs it too)" ;;
    rsync) problem "no rsync: dnf install rsync (AIX Toolbox)" ;;
    esac
done
[ -d "$HERE/wheels" ] || problem "$HERE/wheels is missing: unpack the whole bundle"
[ -z "$PROBLEMS" ] || fail "nothing was installed:$PROBLEMS"

run mkdir -p "$HOME_DIR/libexec" "$HOME_DIR/bin" "$ROOT/etc/hamnd" "$ROOT/usr/sbin"
if [ ! -x "$HOME_DIR/venv/bin/python" ]; then
    run "$PYTHON" -m venv --without-pip "$HOME_DIR/venv"
fi
# pip runs from its own wheel; nothing is looked up anywhere but in this folder.
set -- "$HERE"/wheels/pip-*.whl
PIP=$1
set --
for ONE in "$HERE"/wheels/*.whl; do
    case $ONE in */pip-*) ;; *) set -- "$@" "$ONE" ;; esac
done
run env PYTHONPATH="$PIP" "$HOME_DIR/venv/bin/python" -m pip --quiet --disable-pip-version-check \
    --no-cache-dir install --no-index --no-deps --force-reinstall "$@"
for ONE in hamnd hamnctl; do
    run ln -sf "$HOME_DIR/venv/bin/$ONE" "$HOME_DIR/bin/$ONE"
done
for ONE in hamnd-src hamn-boot hamn-tell hamn-rotate fence_hamnd_hmc src-register src-unregister uninstall.sh verify.sh sha256sum; do
    run cp "$HERE/$ONE" "$HOME_DIR/libexec/$ONE"
    run chmod 0755 "$HOME_DIR/libexec/$ONE"
done
if [ -f "$HERE/hamn-guard" ]; then
    run cp "$HERE/hamn-guard" "$ROOT/usr/sbin/hamn-guard"
    run chmod 0755 "$ROOT/usr/sbin/hamn-guard"
fi
if [ ! -f "$ROOT/etc/hamnd/hamnd.toml" ]; then
    run cp "$HERE/hamnd.aix-guide.toml" "$ROOT/etc/hamnd/hamnd.toml.sample"
fi

# syslogd writes only into a file that is there, and reads its fields at tabs.
LOG=$ROOT/var/log/hamnd/syslog
CONF=$ROOT/etc/syslog.conf
run mkdir -p "$ROOT/var/log/hamnd"
run touch "$LOG"
if [ -f "$CONF" ] && ! grep -q '^local6\.' "$CONF"; then
    if [ -n "$DRY" ]; then
        echo "would add to $CONF: local6.info $LOG"
    else
        cp -p "$CONF" "$CONF.before-hamnd" || fail "cannot keep a copy of $CONF"
        printf 'local6.info\t%s\n' "$LOG" >>"$CONF" || fail "cannot write $CONF"
        "$BIN/refresh" -s syslogd || echo "install.sh: syslogd was not refreshed: refresh -s syslogd" >&2
    fi
fi

# The logs are turned over from root's crontab, which is never replaced by less than it was.
ROTATE="7 * * * * /opt/hamnd/libexec/hamn-rotate"
TABLE=$ROOT/var/hamnd/crontab.new
run mkdir -p "$ROOT/var/hamnd"
if [ -n "$DRY" ]; then
    echo "would add to root's crontab, unless it is there: $ROTATE"
elif "$BIN/crontab" -l >"$TABLE" 2>"$TABLE.said" || grep -q 0481-103 "$TABLE.said"; then
    if ! grep -q hamn-rotate "$TABLE"; then
        echo "$ROTATE" >>"$TABLE"
        "$BIN/crontab" "$TABLE" || echo "install.sh: root's crontab was not changed: add $ROTATE" >&2
    fi
else
    echo "install.sh: root's crontab cannot be read: add $ROTATE" >&2
fi
rm -f "$TABLE" "$TABLE.said"

set --
[ -z "$DRY" ] || set -- --dry-run
# shellcheck disable=SC2086  # names of subsystems, a word each
[ -z "$GUARDED" ] || set -- "$@" --guard $GUARDED
if [ -n "$DRY" ]; then
    HAMND_WRAPPER=$HERE/hamnd-src "$HERE/src-register" "$@" || exit 1
else
    HAMND_WRAPPER=$HOME_DIR/libexec/hamnd-src "$HOME_DIR/libexec/src-register" "$@" || exit 1
    "$HOME_DIR/bin/hamnd" --version || fail "hamnd does not start"
    echo "Next: /etc/hamnd/hamnd.toml (see hamnd.toml.sample); /opt/hamnd/bin/hamnctl check-config"
    echo "/etc/hamnd/hamnd.toml --here; /opt/hamnd/libexec/verify.sh; startsrc -s hamnd"
fi
