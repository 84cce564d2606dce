"""Every specimen of db2-hadr.md, with the JSON document that hamnctl prints for it beside it.

Rewrite the documents with HAMND_REWRITE_SAMPLES=1, then read the diff: that is the test.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from hamnd.dialects.db2.clp import parse_clp
from hamnd.dialects.db2.config import parse_db_cfg
from hamnd.dialects.db2.db2pd import parse_db2pd
from hamnd.dialects.db2.snapshot import parse_snapshot
from hamnd.views.parsed import db_config_document, hadr_document

SAMPLES = Path(__file__).resolve().parents[3] / "samples" / "db2"
TEXTS = sorted(SAMPLES.rglob("*.txt"))

PARSERS: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "db2pd": lambda text: hadr_document(parse_db2pd(text)),
    "snapshot": lambda text: hadr_document(parse_snapshot(text)),
    "dbcfg": lambda text: db_config_document(parse_db_cfg(text)),
}


def clp(path: Path, text: str) -> dict[str, Any]:
    """The exit code is part of a message's file name: takeover-done.rc0.txt."""
    reply = asdict(parse_clp(text, int(path.stem.rpartition(".rc")[2])))
    del reply["text"]
    return reply


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_sample_reads_as_recorded(path: Path) -> None:
    text = path.read_bytes().decode(errors="replace")
    kind = path.parent.name
    found = clp(path, text) if kind == "clp" else PARSERS[kind](text)
    document = json.dumps(found, indent=1) + "\n"
    golden = path.with_suffix(".json")
    if os.environ.get("HAMND_REWRITE_SAMPLES"):
        golden.write_text(document)
    assert document == golden.read_text()


def test_samples_are_there() -> None:
    assert len(TEXTS) > 50
