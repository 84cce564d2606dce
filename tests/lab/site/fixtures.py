"""What the lab's tests share: the decision to skip, and labs that are up.

Owns the marks and fixtures. Import them by name into a test module. MUST NOT fall back to anything
simulated where a lab cannot be made: such a test is skipped and says why.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.lab.site.faults import Faults
from tests.lab.site.hosts import Lab
from tests.lab.site.needs import absent, missing

MUST_RUN = "HAMND_LAB_MUST_RUN"
"""Set where a skipped lab is a failure, as in continuous integration."""


def needs_lab(*programs: str) -> pytest.MarkDecorator:
    """Return the mark that skips a test where no lab with these programs can be made."""
    return _skips_for(missing(*programs))


def needs(*programs: str) -> pytest.MarkDecorator:
    """Return the mark that skips a test where one of these programs is not installed."""
    return _skips_for(absent(*programs))


def _skips_for(reason: str | None) -> pytest.MarkDecorator:
    if reason and os.environ.get(MUST_RUN):
        raise RuntimeError(f"the lab must run here, but it {reason}")
    return pytest.mark.skipif(reason is not None, reason=f"skipped: {reason}")


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A whole lab of one test's own."""
    with Lab() as one:
        yield one


@pytest.fixture
def faults(lab: Lab) -> Faults:
    """The faults of that lab."""
    return Faults(lab)
