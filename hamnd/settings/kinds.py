"""The kinds of value a configuration key can have.

Owns reading one TOML value: type, form and range. Must not know any key, relation or file.
A reader returns the value in the form that the model wants, or raises `Unfit`.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from hamnd.dialects.schedule import NoSchedule, parse_schedule


class Unfit(ValueError):
    """The value cannot be used: what is wrong with it, and a hint."""

    def __init__(self, problem: str, hint: str = "") -> None:
        """Say what is wrong, and what would help."""
        super().__init__(problem)
        self.problem = problem
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Kind:
    """How to read one value, and in words what is allowed."""

    allowed: str
    read: Callable[[Any], Any]


_NAMES = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "a table",
}


def type_name(value: object) -> str:
    """Return the TOML word for a value's type."""
    return _NAMES.get(type(value), "a date or time")


def _text_of(value: Any) -> str:
    if not isinstance(value, str):
        raise Unfit(f"is {type_name(value)}, not a text", "put it in quotation marks")
    if any(ord(character) < 32 for character in value):
        raise Unfit("contains a line break or another control character")
    return value


def nearest(word: str, words: tuple[str, ...]) -> str:
    """Return the known word that was probably meant, or nothing."""
    close = get_close_matches(word.lower(), words, n=1, cutoff=0.6)
    return close[0] if close else ""


def matching(pattern: str, allowed: str) -> Kind:
    """Return the kind of texts that match a pattern as a whole."""
    compiled = re.compile(pattern, re.ASCII)

    def read(value: Any) -> str:
        text = _text_of(value)
        if not text:
            raise Unfit("is empty")
        if not compiled.fullmatch(text):
            raise Unfit("has the wrong form")
        return text

    return Kind(allowed, read)


def choice(*words: str, refused: dict[str, str] | None = None) -> Kind:
    """Return the kind with a closed vocabulary; `refused` words get a sentence of their own."""

    def read(value: Any) -> str:
        text = _text_of(value)
        if text in words:
            return text
        if refused and text in refused:
            raise Unfit(refused[text])
        meant = nearest(text, words)
        raise Unfit("is not one of the known words", f'did you mean "{meant}"?' if meant else "")

    return Kind(" | ".join(f'"{word}"' for word in words), read)


def seconds(low: float, high: float) -> Kind:
    """Return the kind of durations in seconds, both limits included."""

    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Unfit(f"is {type_name(value)}, not a number of seconds")
        if not low <= value <= high:  # a NaN compares false and lands here too
            raise Unfit("is out of range")
        return float(value)

    return Kind(f"{low:g} to {high:g} seconds", read)


def count(low: int, high: int, unit: str = "") -> Kind:
    """Return the kind of integers, both limits included."""

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise Unfit(f"is {type_name(value)}, not an integer")
        if not low <= value <= high:
            raise Unfit("is out of range")
        return value

    return Kind(f"{low} to {high}" + (f" {unit}" if unit else ""), read)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Unfit(f"is {type_name(value)}, not true or false", "without quotation marks")
    return value


def _address(value: Any) -> str:
    text = _text_of(value)
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        hint = "" if re.fullmatch(r"[\d.]*|.*:.*", text) else "a name may depend on the dead node"
        raise Unfit("is not an IPv4 or IPv6 address", hint) from None


def _absolute(value: Any) -> str:
    text = _text_of(value)
    if not text.startswith("/"):
        raise Unfit("is not an absolute path", "it must not depend on a current directory")
    return text


def _mount_point(value: Any) -> str:
    text = _absolute(value)
    if re.search(r"[\s\\]", text):
        raise Unfit("holds a blank or a backslash", "a table of mounts spells them otherwise")
    plain = posixpath.normpath(text)
    if text != plain:
        raise Unfit("is not spelled as a table of mounts does", f'write "{plain}"')
    return text


def _program(value: Any) -> str:
    text = _text_of(value)
    if not text:
        raise Unfit("is empty")
    if re.search(r"\s", text):
        raise Unfit("contains blanks: this names a program, not a command line")
    if "/" in text and not text.startswith("/"):
        raise Unfit("is a relative path", "use the bare name or an absolute path")
    return text


def _search_path(value: Any) -> str:
    text = _text_of(value)
    wrong = [part for part in text.split(":") if not part.startswith("/")]
    if wrong:
        raise Unfit(f'holds "{wrong[0]}", which is not an absolute directory')
    return text


def _socket_path(value: Any) -> str:
    text = _absolute(value)
    if len(text.encode()) > SOCKET_PATH_MAX:
        raise Unfit(f"is {len(text.encode())} bytes long", "the kernel cuts longer socket names")
    return text


def _listen(value: Any) -> str:
    text = _text_of(value)
    if not text:
        return ""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):(\d{1,5})", text)
    if not match:
        raise Unfit("is not address:port", 'for example "127.0.0.1:9745" or "[::1]:9745"')
    _address(match[1] or match[2])
    if not 1 <= int(match[3]) <= 65535:
        raise Unfit("has a port outside 1 to 65535")
    return text


def _option(value: Any) -> str:
    """Read a fence agent's option: agents take text, so numbers and flags are spelled for them."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int):
        return str(value)
    return _text_of(value)


def list_of(kind: Kind) -> Kind:
    """Return the kind of lists whose every item is of a kind."""

    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise Unfit(f"is {type_name(value)}, not a list", "put it in [ ]")
        items = []
        for item in value:
            try:
                items.append(kind.read(item))
            except Unfit as unfit:
                raise Unfit(f"holds {item!r}, which {unfit.problem}", unfit.hint) from None
        return tuple(items)

    return Kind(f"a list of: {kind.allowed}", read)


def _command(value: Any) -> tuple[str, ...]:
    """Read an exact argv; a line of shell is one only as ["sh", "-c", "…"], spelled out."""
    words: tuple[str, ...] = list_of(text).read(value)
    if not words:
        raise Unfit("is empty")
    _program(words[0])
    return words


def _schedule(value: Any) -> str:
    text = _text_of(value)
    try:
        parse_schedule(text)
    except NoSchedule as wrong:
        raise Unfit(str(wrong), 'for example "*/5 * * * *"') from None
    return text


def _schedule_or_never(value: Any) -> str:
    return "" if value == "" else str(_schedule(value))


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unfit(f"is {type_name(value)}, not a number")
    if not 0.0 <= value <= 1.0:
        raise Unfit("is out of range")
    return float(value)


SOCKET_PATH_MAX = 107
"""Bytes of a unix socket's name on Linux: sun_path is 108 with its final zero byte (unix(7))."""


def _divisor_of_a_minute(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unfit(f"is {type_name(value)}, not an integer")
    if value and (value < 5 or 60 % value):
        raise Unfit("does not divide a minute")
    return value


divisor_of_a_minute = Kind("0, or 5, 6, 10, 12, 15, 20, 30 or 60 seconds", _divisor_of_a_minute)
flag = Kind("true | false", _flag)
text = Kind("a text without line breaks", _text_of)
address = Kind("an IPv4 or IPv6 address", _address)
absolute_path = Kind("an absolute path", _absolute)
mount_point = Kind("an absolute path as mount shows it", _mount_point)
program = Kind("a program's bare name or absolute path", _program)
search_path = Kind("absolute directories joined by colons", _search_path)
socket_path = Kind(f"an absolute path of at most {SOCKET_PATH_MAX} bytes", _socket_path)
listen_address = Kind('address:port, or "" for off', _listen)
agent_option = Kind("a text, an integer, true or false", _option)
command = Kind("a list of texts: program, then its arguments", _command)
schedule = Kind(
    "five fields as in crontab(5), or seconds and those; in this host's own time", _schedule
)
schedule_or_never = Kind(
    'as in crontab(5), in this host\'s own time, or "" for never', _schedule_or_never
)
share = Kind("0 to 1", _share)
port = count(1, 65535)
node_name = matching(
    r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?", "a host name: letters, digits, - and ."
)
interface = matching(r"[A-Za-z0-9_.@:-]{1,15}", "an interface name of at most 15 characters")
unix_name = matching(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?", "a user or group name of this system")
label = matching(r"[A-Za-z0-9_.:/-]{1,64}", "letters, digits and _ . : / -, at most 64")
database = matching(r"[A-Za-z@#$][A-Za-z0-9@#$_]{0,7}", "a Db2 database alias, 1 to 8 characters")
pg_database = matching(
    r"[A-Za-z_][A-Za-z0-9_$.-]{0,62}", "a database or role name, 1 to 63 characters"
)
sql_name = matching(
    r"[A-Za-z_][A-Za-z0-9_$.-]{0,63}", "a database or user name, 1 to 64 characters"
)
owner = matching(
    r"[A-Za-z_][A-Za-z0-9_.-]{0,31}:[A-Za-z_][A-Za-z0-9_.-]{0,31}", "user:group of this system"
)
unit = matching(r"[A-Za-z0-9_.@:-]{1,128}", "the name of a service unit or subsystem")
