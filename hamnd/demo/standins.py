"""Which stand-in answers which program of the simulated site, Db2's own programs apart.

Owns the table. MUST NOT know how a request arrives (`world`).
"""

from __future__ import annotations

from hamnd.demo import standins_net as net
from hamnd.demo import standins_system as system
from hamnd.demo import standins_xcat as xcat
from hamnd.demo.answers import StandIn
from hamnd.demo.standins_aix import STAND_INS as AIX_STAND_INS

__all__ = ["AIX_STAND_INS", "STAND_INS"]

STAND_INS: dict[str, StandIn] = {
    "ping": net.ping,
    "ip": net.ip,
    "arping": net.arping,
    "dig": net.dig,
    "host": net.host,
    "getent": net.getent,
    "ssh": net.ssh,
    "systemctl": system.systemctl,
    "crontab": system.crontab,
    "ps": system.ps,
    "poweroff": system.poweroff,
    "halt": system.poweroff,
    "reboot": system.poweroff,
    "shutdown": system.poweroff,
    "fence_demo": system.fence_demo,
    "fence_demo_rights": system.fence_demo_rights,
    "rpm": xcat.rpm,
    "lsxcatd": xcat.lsxcatd,
    "mkdef": xcat.mkdef,
    "chdef": xcat.chdef,
    "lsdef": xcat.lsdef,
    "rmdef": xcat.rmdef,
    "tabdump": xcat.tabdump,
    "makedns": xcat.makedns,
    "makedhcp": xcat.makedhcp,
    "makeconservercf": xcat.makeconservercf,
}
