"""What the simulated `db2`, `db2start`, `db2stop` and `db2gcf` print, letter by letter.

Owns message texts, their folding at 78 visible characters and the exit codes that go with them
(db2-hadr.md §8). MUST NOT know the state of a pair: callers say which message to print. The texts
of db2pd are in `db2_texts_pd`, those of GET SNAPSHOT and GET DB CFG in `db2_texts_reports`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import IntFlag

FOLD_AT = 78


class Exit(IntFlag):
    """Exit codes of the command line processor (db2-hadr.md §8); several calls are OR-ed."""

    OK = 0
    NO_ROW = 1
    WARNING = 2
    ERROR = 4
    SYSTEM = 8


MESSAGES = {
    "DB20000I": "The {command} command completed successfully.",
    "DB21024I": "This command is asynchronous and may not be effective immediately.",
    "DB21056W": "Directory changes may not be effective until the directory cache is refreshed.",
    "DB21061E": "Command line environment not initialized.",
    "SQL0100W": (
        "No row was found for FETCH, UPDATE or DELETE; or the result of a query is an empty table."
        "  SQLSTATE=02000"
    ),
    "SQL0104N": (
        'An unexpected token "{token}" was found following "BEGIN-OF-STATEMENT".  Expected tokens'
        ' may include:  "<values>".  SQLSTATE=42601'
    ),
    "SQL0204N": '"{name}" is an undefined name.  SQLSTATE=42704',
    "SQL1013N": (
        'The database alias name or database name "{database}" could not be found.  SQLSTATE=42705'
    ),
    "SQL1024N": "A database connection does not exist.  SQLSTATE=08003",
    "SQL1025N": "The database manager was not stopped because databases are still active.",
    "SQL1026N": "The database manager is already active.",
    "SQL1032N": "No start database manager command was issued.  SQLSTATE=57019",
    "SQL1035N": (
        "The operation failed because the specified database cannot be connected to in the mode"
        " requested.  SQLSTATE=57019"
    ),
    "SQL1063N": "DB2START processing was successful.",
    "SQL1064N": "DB2STOP processing was successful.",
    "SQL1117N": (
        'A connection to or activation of database "{database}" cannot be made because of'
        " ROLL-FORWARD PENDING.  SQLSTATE=57019"
    ),
    "SQL1224N": (
        "The database manager is not able to accept new requests, has terminated all requests in"
        " progress, or has terminated the specified request because of an error or a forced"
        " interrupt.  SQLSTATE=55032"
    ),
    "SQL1363W": (
        "One or more of the parameters submitted for immediate modification were not changed"
        " dynamically. For these configuration parameters, the database must be shutdown and"
        " reactivated before the configuration parameter changes become effective."
    ),
    "SQL1490W": (
        "Activate database is successful, however, the database has already been activated on one"
        " or more nodes."
    ),
    "SQL1494W": (
        "Activate database is successful, however, there is already a connection to the database."
    ),
    "SQL1495W": (
        "Deactivate database is successful, however, there is still a connection to the database."
    ),
    "SQL1496W": "Deactivate database is successful, but the database was not activated.",
    "SQL1611W": "No data was returned by Database System Monitor.",
    "SQL1767N": "Start HADR cannot complete. Reason code = {reason}.",
    "SQL1768N": "Unable to start HADR. Reason code = {reason}.",
    "SQL1769N": "Stop HADR cannot complete. Reason code = {reason}.",
    "SQL1770N": "Takeover HADR cannot complete. Reason code = {reason}.",
    "SQL1773N": (
        "The statement or command requires functionality that is not supported on a read-enabled"
        " HADR standby database."
    ),
    "SQL1776N": "The command cannot be issued on an HADR database. Reason code = {reason}.",
    "SQL1777N": "HADR is already started.",
    "SQL1116N": (
        'A connection to or activation of database "{database}" cannot be made because of BACKUP'
        " PENDING.  SQLSTATE=57019"
    ),
    "SQL2036N": 'The path for the file or device "{path}" is not valid.',
    "SQL2413N": (
        "Online backup is not allowed because the database is not recoverable or a backup pending"
        " condition is in effect."
    ),
    "SQL2540W": (
        'Restore is successful, however a warning "2539" was encountered during Database Restore'
        " while processing in No Interrupt mode."
    ),
    "SQL2542N": (
        "No match for a database image file was found based on the source database alias"
        ' "{database}" and timestamp "{stamp}" provided.'
    ),
    "SQL6031N": ('Error in the db2nodes.cfg file at line number "1".  Reason code "{reason}".'),
}
OLD_MESSAGES = {"SQL1035N": "The database is currently in use.  SQLSTATE=57019"}
"""Wording of 9.x where it differs (db2-hadr.md §8, row backup)."""

CHINESE = {"DB20000I": "{command} 命令成功完成。"}
"""Messages as a server in a Chinese locale prints them: the id stays, the sentence does not."""


def fold(text: str, width: int = FOLD_AT) -> str:
    """Fold one message at `width` visible characters; each break leaves its blank behind."""
    lines: list[str] = []
    while len(text) > width:
        cut = text.rfind(" ", 1, width + 1)
        if cut <= 0:
            break
        while text[cut - 1 : cut] == " ":
            cut -= 1
        lines.append(text[:cut] + " ")
        text = text[cut:].lstrip(" ")
    return "\n".join([*lines, text])


def message(identifier: str, is_old: bool = False, language: str = "C", **facts: str) -> str:
    """Return one folded message with its final newline, e.g. `SQL1777N  HADR is ...`."""
    sentence = MESSAGES[identifier]
    if is_old:
        sentence = OLD_MESSAGES.get(identifier, sentence)
    if not speaks_english(language):
        sentence = CHINESE.get(identifier, sentence)
    if "reason" in facts:
        facts["reason"] = facts["reason"] if identifier == "SQL6031N" else f'"{facts["reason"]}"'
    return fold(f"{identifier}  {sentence.format(**facts)}") + "\n"


def speaks_english(language: str) -> bool:
    """Whether a value of LC_ALL or LANG asks for the untranslated texts."""
    return language.partition(".")[0].partition("_")[0] in ("", "C", "POSIX", "en")


def exit_code(identifier: str) -> Exit:
    """Return the exit code of a call that printed this message: by its last letter."""
    if identifier in ("SQL1063N", "SQL1064N"):
        return Exit.OK  # an "N" that is success (db2-hadr.md §8)
    if identifier == "SQL0100W":
        return Exit.NO_ROW
    return {"I": Exit.OK, "W": Exit.WARNING, "E": Exit.ERROR, "N": Exit.ERROR}[identifier[-1]]


def member_line(clock: float, identifier: str) -> str:
    """Return the unfolded first line of db2start and db2stop: time, member, return, message."""
    stamp = datetime.fromtimestamp(clock, UTC).strftime("%m/%d/%Y %H:%M:%S")
    return f"{stamp}     0   0   {identifier}  {MESSAGES[identifier]}\n"


def connection(database: str, instance: str, release: str) -> str:
    """Return the block that a successful CONNECT prints."""
    return (
        "\n   Database Connection Information\n\n"
        f" Database server        = DB2/LINUXX8664 {release}.0\n"
        f" SQL authorization ID   = {instance.upper()}\n"
        f" Local database alias   = {database}\n\n"
    )


def gcf_status(instance: str, available: bool) -> str:
    """Return what `db2gcf -s` prints: Available, or Operable for installed but not started."""
    state = "Available" if available else "Operable"
    return f"\nInstance  : {instance}\nDB2 State : {state}\n"


def table(column: str, values: list[str], bare: bool) -> str:
    """Return a result set of one column; `bare` is the CLP's -x, rows without any heading."""
    if bare:
        return "".join(f"{value}\n" for value in values)
    width = max([len(column), 11, *(len(value) for value in values)])
    rows = "".join(f"{value:<{width}}\n" for value in values)
    return f"\n{column:<{width}}\n{'-' * width}\n{rows}\n  {len(values)} record(s) selected.\n\n"


def level(release: str, instance: str) -> str:
    """Return what db2level prints, folded as it is on a terminal."""
    major, _, minor = release.partition(".")
    code = f"SQL{int(major):02d}{int(minor):02d}0"
    first = (
        f'DB21085I  This instance or install (instance name, where applicable: "{instance}") uses'
        f' "64" bits and DB2 code release "{code}" with level identifier "06010104".'
    )
    tokens = (
        f'Informational tokens are "DB2 v{release}.0.0", "s2603140900", "DYN2603140900AMD64", and'
        ' Fix Pack "0".'
    )
    return f'{fold(first)}\n{fold(tokens)}\nProduct is installed at "/opt/ibm/db2".\n\n'


def backup_stamp(clock: float) -> str:
    """Return the timestamp of a backup image, e.g. 20260314113005."""
    return f"{datetime.fromtimestamp(clock, UTC):%Y%m%d%H%M%S}"
