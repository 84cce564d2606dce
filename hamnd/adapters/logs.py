"""Configures structlog, once, for the whole process.

Owns the shape of log lines: one JSON object per line on standard error, or readable lines when that
is a terminal. Must not know who logs what. Events are constant snake_case phrases; data are keys.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog

NARRATORS = ("transitions", "apscheduler", "asyncssh", "aiohttp.access")
"""Libraries that tell at INFO what they do; only their warnings are wanted."""


def configure_logs(
    level: str = "info", stream: TextIO | None = None, *, cache: bool = True
) -> None:
    """Send all logging, structlog's and the standard library's, through one formatter.

    Args:
        level: least level shown: debug, info, warning, error or critical.
        stream: where lines go; standard error by default.
        cache: keep bound loggers (tests switch it off: captured logs need fresh ones).

    Raises:
        ValueError: `level` is none of these words.
    """
    stream = sys.stderr if stream is None else stream
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"unknown log level {level!r}")
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: list[structlog.typing.Processor]
    if stream.isatty():
        # Never with local variables: a secret may be among them (design law 7).
        renderer = [
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        ]
    else:
        renderer = [
            structlog.processors.ExceptionRenderer(
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
            ),
            structlog.processors.JSONRenderer(sort_keys=False, default=str),
        ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.PositionalArgumentsFormatter()],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in tuple(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(number)
    for name in NARRATORS:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=cache,
    )
