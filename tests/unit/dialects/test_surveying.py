"""What a routing table says of the gateway, odd routes included."""

from __future__ import annotations

import pytest

from hamnd.dialects.surveying import parse_gateway


@pytest.mark.parametrize(
    ("text", "gateway"),
    [
        (
            "default via 9.114.47.126 dev eth0 proto dhcp metric 100\n",
            "9.114.47.126",
        ),
        ("default proto static via 9.114.47.126 dev eth0\n", "9.114.47.126"),
        ("default nexthop via 9.114.47.126 dev eth0 weight 1\n", "9.114.47.126"),
        ("default dev ppp0 scope link\n", None),
        ("default dev ppp0\ndefault via 9.114.47.126 dev eth0 metric 9\n", "9.114.47.126"),
        ("unreachable default dev lo metric 4294967295 error -101\n", None),
        ("default via inet6 fe80::1 dev eth0\n", None),
        ("default via\ndefault\n\n", None),
        (
            "default      9.114.47.126       UG        1    123 en1    -   -\n",
            "9.114.47.126",
        ),
        ("default            link#4             UC        1    123 en1      -      -\n", None),
    ],
)
def test_only_an_address_is_a_gateway(text: str, gateway: str | None) -> None:
    assert parse_gateway(text) == gateway
