"""Answers of two MariaDB servers as their reports bring them home; made like the real samples.

Owns what may differ from a pair in Peer. Must not know what the engine makes of it.
"""

from __future__ import annotations

from hamnd.model.work import Report
from tests.unit.core.builders import WALL, report

SEMI_SYNC = {
    "rpl_semi_sync_master_enabled": "ON",
    "rpl_semi_sync_master_wait_point": "AFTER_SYNC",
    "rpl_semi_sync_master_wait_no_slave": "ON",
    "rpl_semi_sync_master_timeout": "30000",
    "Rpl_semi_sync_master_status": "ON",
    "Rpl_semi_sync_master_clients": "1",
    "Rpl_semi_sync_master_wait_sessions": "0",
}
ROW = {
    "Connection_name": "",
    "Slave_IO_State": "Waiting for master to send event",
    "Master_Host": "9.114.47.103",
    "Master_Log_File": "bin.000001",
    "Read_Master_Log_Pos": "5000",
    "Relay_Master_Log_File": "bin.000001",
    "Slave_IO_Running": "Yes",
    "Slave_SQL_Running": "Yes",
    "Exec_Master_Log_Pos": "5000",
    "Last_IO_Errno": "0",
    "Last_IO_Error": "",
    "Last_SQL_Errno": "0",
    "Last_SQL_Error": "",
    "Master_Server_Id": "1",
    "Using_Gtid": "Slave_Pos",
    "Gtid_IO_Pos": "0-1-50",
    "SQL_Delay": "0",
    "Slave_SQL_Running_State": "Slave has read all relay log; waiting for more updates",
    "Slave_received_heartbeats": "7",
    "Slave_heartbeat_period": "1.000",
}


def table(head: str, rows: list[tuple[str, ...]]) -> str:
    return "\n".join([head, *("\t".join(one) for one in rows)]) + "\n"


def told(sent: float, variables: dict[str, str], more: str) -> Report:
    """A report that brought an answer home a tenth of a second after it was asked."""
    common = {"version": "10.11.19-MariaDB", "server_id": "1", "log_bin": "ON", "Uptime": "100000"}
    text = table("hamnd\tat", [("server", f"{WALL + sent}")])
    text += table("Variable_name\tValue", list((common | variables).items()))
    return report(sent=sent, stdout=text + more)


def primary(sent: float = 0.0, gtid: str = "0-1-50", size: int = 5000, **changes: str) -> Report:
    """A primary that waits for its replica."""
    return primary_that(changes, sent, gtid, size)


def primary_that(
    changes: dict[str, str], sent: float = 0.0, gtid: str = "0-1-50", size: int = 5000
) -> Report:
    """A primary with other variables or counters."""
    variables = {"read_only": "OFF", "gtid_binlog_pos": gtid, "gtid_slave_pos": "", **SEMI_SYNC}
    logs = table("Log_name\tFile_size", [("bin.000001", str(size))])
    return told(sent, variables | {"gtid_current_pos": gtid} | changes, logs)


def replica(sent: float = 1.0, variables: dict[str, str] | None = None, **row: str) -> Report:
    """Its replica, which has everything."""
    return replica_that(row, sent, variables)


def replica_that(
    row: dict[str, str], sent: float = 1.0, variables: dict[str, str] | None = None
) -> Report:
    """A replica with other columns of SHOW ALL REPLICAS STATUS, and other variables."""
    own = {"read_only": "ON", "gtid_binlog_pos": "0-1-50", "gtid_slave_pos": "0-1-50"}
    own |= {"gtid_current_pos": "0-1-50", "Rpl_semi_sync_slave_status": "ON"}
    values = ROW | row
    shown = table("\t".join(values), [tuple(values.values())])
    return told(sent, own | (variables or {}), shown)
