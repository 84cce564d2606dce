"""AIX: what its own tools are called with and what they print (aix.md; [U] facts decide nothing).

Owns where those tools lie. Must not know any of them, each has its module: `src` (subsystems),
`inittab`, `interfaces`, `tcpip` (mktcpip, ODM, names), `nim`, `software` (oslevel, lslpp).
"""

from __future__ import annotations

from collections.abc import Mapping

from hamnd.model.site import Site

PROGRAMS: Mapping[str, str] = {
    "lssrc": "/usr/bin/lssrc",
    "startsrc": "/usr/bin/startsrc",
    "stopsrc": "/usr/bin/stopsrc",
    "lsitab": "lsitab",
    "mkitab": "mkitab",
    "chitab": "chitab",
    "rmitab": "rmitab",
    "telinit": "telinit",
    "ifconfig": "ifconfig",
    "netstat": "netstat",
    "arp": "arp",
    "mktcpip": "/usr/sbin/mktcpip",
    "chdev": "chdev",
    "lsattr": "lsattr",
    "hostname": "hostname",
    "uname": "uname",
    "setuname": "setuname",
    "errpt": "errpt",
    "errlogger": "errlogger",
    "oslevel": "oslevel",
    "lslpp": "lslpp",
    "lsnim": "/usr/sbin/lsnim",
    "nim": "/usr/sbin/nim",
    "nim_master_setup": "nim_master_setup",
    "m_mkspot": "/usr/lpp/bos.sysmgt/nim/methods/m_mkspot",
    "m_restore_db": "/usr/lpp/bos.sysmgt/nim/methods/m_restore_db",
    "nimnodeset": "nimnodeset",
    "mkdsklsnode": "mkdsklsnode",
}
"""Each program as it is started: by its path where a source tells it, else found on tools.path."""


def program(site: Site, name: str) -> str:
    """Return what the site calls this program, or where AIX has it."""
    return site.tools.get(name, PROGRAMS[name])


def one_line(script: str) -> str:
    """Return a script as one line: its lines end where sh needs no separator but a blank."""
    return script.replace("\n", " ").rstrip()
