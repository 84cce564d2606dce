"""One command as a node receives it, and the messages that answer it.

Owns `Call` and the three ways to answer: messages, success, a refusal. MUST NOT know any command.
"""

from __future__ import annotations

from dataclasses import dataclass

from hamnd.demo import db2_texts as texts
from hamnd.demo.db2_node import Node, PairConfig, Reply, Unverified


@dataclass(frozen=True, slots=True)
class Call:
    """One command as a node receives it. `words` are lower case, `text` is as typed.

    `session` stands for the shell that a CONNECT belongs to; `bare` is the CLP option -x.
    """

    node: Node
    text: str
    words: tuple[str, ...]
    at: float
    session: str = ""
    language: str = "C"
    bare: bool = False


def say(config: PairConfig, call: Call, *identifiers: str, **facts: str) -> Reply:
    """Print messages one after the other; the exit code is that of all of them."""
    code = texts.Exit.OK
    printed = ""
    for one in identifiers:
        is_old = config.layout.is_old
        printed += texts.message(one, is_old=is_old, language=call.language, **facts)
        code |= texts.exit_code(one)
    return Reply(printed, int(code))


def done(config: PairConfig, call: Call, command: str) -> Reply:
    """Print DB20000I for a command."""
    return say(config, call, "DB20000I", command=command)


def refuse(config: PairConfig, call: Call, identifier: str, unverified_reason: str) -> Reply:
    """Print a refusal whose reason code is only [U]: the number shows if it was asked for."""
    if Unverified.REASON_CODES in config.unverified:
        return say(config, call, identifier, reason=unverified_reason)
    sentence = texts.MESSAGES[identifier].partition(" Reason code")[0]
    return Reply(texts.fold(f"{identifier}  {sentence}") + "\n", 4)
