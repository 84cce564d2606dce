"""`hamnd init` does not wait for name servers that are dead."""

from __future__ import annotations

from threading import Event

from hamnd.daemon.survey import resolved


def test_a_name_that_nobody_resolves_in_time_is_left_out() -> None:
    never = Event()

    def resolve(name: str) -> str:
        if name == "hangs":
            never.wait()
        if name == "nobody":
            raise OSError
        return "9.114.47.103"

    names = ("aixmn1", "hangs", "nobody", "hangs")
    assert resolved(names, resolve, 0.2) == {"aixmn1": "9.114.47.103"}
    never.set()
