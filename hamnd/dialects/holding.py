"""Holding a node's xcatd off: the one writer of databases that copy, also after a boot.

Owns the argv on either platform, by what is there (systemd, or AIX's controller and inittab:
xcat-hamn.md §10). Must not know why (core.replication).
"""

from __future__ import annotations

from hamnd.dialects.linux import STARTS
from hamnd.model.site import Site
from hamnd.model.work import Action, Exec, Look

_HOLD = r"""
unit=$1 systemctl=$2
if command -v "$systemctl" >/dev/null 2>&1; then
"$systemctl" disable "$unit" && "$systemctl" stop "$unit" || exit 1
elif command -v stopsrc >/dev/null 2>&1; then
rmitab "$unit" 2>/dev/null; stopsrc -s "$unit" >/dev/null; n=0
while told=$(lssrc -s "$unit") && [ "$n" -lt 60 ]; do
case $told in *active*) sleep 1; n=$((n + 1)) ;; *) break ;; esac
done
case $told in *inoperative*) ;; *) echo "$unit was not seen to stop: $told" >&2; exit 1 ;; esac
else echo "neither systemctl nor stopsrc is on $(uname -n)" >&2; exit 1
fi
echo "$unit is stopped and does not start at boot"
""".lstrip("\n")
"""Nobody writes into the tables any more (AIX: xcat-hamn.md §10). Arguments: UNIT SYSTEMCTL"""

_HELD = (
    STARTS
    + r"""
unit=$1 systemctl=$2
if command -v "$systemctl" >/dev/null 2>&1; then
told=$("$systemctl" is-active "$unit")
case $told in inactive|failed|unknown) ;;
"") echo "$systemctl does not tell whether $unit runs" >&2; exit 2 ;;
*) echo "$unit runs on $(uname -n): $told" >&2; exit 1 ;;
esac
if starts "$systemctl" "$unit"; then
echo "$unit starts at boot on $(uname -n)" >&2; exit 1
fi
else
told=$(lssrc -s "$unit") && lines=$(lsitab -a) && [ -n "$lines" ] ||
{ echo "lssrc or lsitab does not tell of $unit" >&2; exit 2; }
case $told in *inoperative*) ;; *) echo "$unit runs on $(uname -n)" >&2; exit 1 ;; esac
if printf '%s\n' "$lines" | grep -q "^$unit:"; then
echo "$unit starts at boot on $(uname -n)" >&2; exit 1
fi
fi
echo "$unit neither runs nor starts at boot"
""".lstrip("\n")
)
"""Prove what `_HOLD` did. Arguments: UNIT SYSTEMCTL"""

_RELEASE = r"""
unit=$1 systemctl=$2
if command -v "$systemctl" >/dev/null 2>&1; then
"$systemctl" enable "$unit" && "$systemctl" start "$unit"
else mkitab "$unit:2:once:/usr/bin/startsrc -s $unit" 2>/dev/null; startsrc -s "$unit"
fi
""".lstrip("\n")
"""Take back what `_HOLD` did. Arguments: UNIT SYSTEMCTL"""


def hold(site: Site, host: str) -> Action:
    """Return the action that ends a node's xcatd, and keeps it from starting at boot."""
    return Action(_xcatd(site, host, _HOLD))


def is_held(site: Site, host: str) -> Look:
    """Return the look that proves what `hold` did."""
    return Look(
        _xcatd(site, host, _HELD),
        reads="copies.ready",
        expects=f"{site.services.xcatd} neither runs on {host} nor starts there at boot",
    )


def release(site: Site, host: str) -> Action:
    """Return the way back from `hold`."""
    return Action(_xcatd(site, host, _RELEASE))


def _xcatd(site: Site, host: str, program: str) -> Exec:
    words = (site.services.xcatd, site.tool("systemctl"))
    return Exec(host, ("sh", "-c", program, "hamnd-xcatd", *words))
