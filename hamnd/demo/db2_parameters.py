"""The database configuration of a simulated node: of a pair, and of a database before it is one.

Owns names, values and labels of GET DB CFG (db2-hadr.md §8). MUST NOT know what they do to HADR.
"""

from __future__ import annotations

from collections.abc import Mapping

from hamnd.demo.db2_node import Layout, NodeConfig, PairConfig

ARCHIVE = "DISK:/var/lib/db2/archive/"

ALONE: Mapping[str, str] = {
    "LOGARCHMETH1": "OFF",
    "LOGINDEXBUILD": "OFF",
    "INDEXREC": "SYSTEM",
    "HADR_LOCAL_HOST": "",
    "HADR_LOCAL_SVC": "",
    "HADR_REMOTE_HOST": "",
    "HADR_REMOTE_SVC": "",
    "HADR_REMOTE_INST": "",
    "HADR_TIMEOUT": "120",
    "HADR_TARGET_LIST": "",
    "HADR_SYNCMODE": "NEARSYNC",
    "HADR_SPOOL_LIMIT": "AUTOMATIC(0)",
    "HADR_REPLAY_DELAY": "0",
    "HADR_PEER_WINDOW": "0",
    "HADR_SSL_LABEL": "",
    "HADR_SSL_HOST_VAL": "OFF",
}
"""What CREATE DATABASE leaves behind."""

LABELS: Mapping[str, str] = {
    "LOGARCHMETH1": "First log archive method",
    "LOGINDEXBUILD": "Log pages during index build",
    "INDEXREC": "Index re-creation time and redo index build",
    "HADR_LOCAL_HOST": "HADR local host name",
    "HADR_LOCAL_SVC": "HADR local service name",
    "HADR_REMOTE_HOST": "HADR remote host name",
    "HADR_REMOTE_SVC": "HADR remote service name",
    "HADR_REMOTE_INST": "HADR instance name of remote server",
    "HADR_TIMEOUT": "HADR timeout value",
    "HADR_TARGET_LIST": "HADR target list",
    "HADR_SYNCMODE": "HADR log write synchronization mode",
    "HADR_SPOOL_LIMIT": "HADR spool log data limit (4KB)",
    "HADR_REPLAY_DELAY": "HADR log replay delay (seconds)",
    "HADR_PEER_WINDOW": "HADR peer window duration (seconds)",
    "HADR_SSL_LABEL": "HADR SSL certificate label",
    "HADR_SSL_HOST_VAL": "HADR SSL Hostname Validation",
}

NEEDED = (
    "HADR_LOCAL_HOST",
    "HADR_LOCAL_SVC",
    "HADR_REMOTE_HOST",
    "HADR_REMOTE_SVC",
    "HADR_REMOTE_INST",
)
"""Without one of them HADR does not start: SQL1768N 8 (§8.1)."""

SINCE: Mapping[str, Layout] = {
    "HADR_TARGET_LIST": Layout.V10_1,
    "HADR_SPOOL_LIMIT": Layout.V10_1,
    "HADR_REPLAY_DELAY": Layout.V10_1,
    "HADR_SSL_LABEL": Layout.V11_1,
    "HADR_SSL_HOST_VAL": Layout.V11_5,
}
"""Parameters that older releases do not have."""


def of_pair(config: PairConfig, node: NodeConfig) -> dict[str, str]:
    """Return the configuration of a node of a working pair."""
    partner = config.standby if node == config.primary else config.primary
    return {
        **ALONE,
        "LOGARCHMETH1": ARCHIVE,
        "LOGINDEXBUILD": "ON",
        "HADR_LOCAL_HOST": node.address,
        "HADR_LOCAL_SVC": node.service,
        "HADR_REMOTE_HOST": partner.address,
        "HADR_REMOTE_SVC": partner.service,
        "HADR_REMOTE_INST": config.instance,
        "HADR_TIMEOUT": str(config.hadr_timeout_s),
        "HADR_TARGET_LIST": f"{partner.name}:{partner.service}",
        "HADR_SYNCMODE": config.sync_mode.value,
        "HADR_SPOOL_LIMIT": f"AUTOMATIC({config.spool_limit_pages})",
        "HADR_PEER_WINDOW": str(config.peer_window_s),
    }


def has(layout: Layout, parameter: str) -> bool:
    """Whether a release has a parameter."""
    return layout.number >= SINCE.get(parameter, layout).number
