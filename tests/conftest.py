"""Fixtures that every folder of tests may use.

Owns the paths of the checkout. Must not hold anything that one folder alone needs.
"""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def checkout() -> Path:
    """Top folder of this checkout."""
    return Path(__file__).resolve().parent.parent
