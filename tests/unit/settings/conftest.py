"""The flag that rewrites the committed sample; its diff is then read before it is committed.

Owns the flag's fixture. Must not know the sample.
"""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def rewrite_sample() -> bool:
    """Whether HAMND_REWRITE=sample asks for the committed sample to be written anew."""
    return os.environ.get("HAMND_REWRITE") == "sample"
