"""Reading a configuration: defaults, unknown keys, types, everything at once."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamnd.core.policy import Policy
from hamnd.model.names import FenceGrade
from hamnd.model.site import Db2Site, Paths, Platform, Services, SshSite, Transport
from hamnd.settings import Loaded, load
from tests.unit.settings.configs import MINIMAL, QUIET, changed


def lines(loaded: Loaded) -> list[str]:
    return [problem.line() for problem in loaded.problems]


def test_a_whole_configuration_has_nothing_to_say() -> None:
    loaded = load(QUIET)
    assert lines(loaded) == []
    assert loaded.site is not None
    assert loaded.policy is not None


def test_defaults_are_those_of_the_model() -> None:
    """The table of keys and the model's own defaults say the same."""
    loaded = load(MINIMAL)
    assert loaded.site is not None
    assert loaded.policy == Policy()
    assert loaded.site.db2 == Db2Site("XCATDB", "xcatdb")
    assert loaded.site.ssh == SshSite()
    assert loaded.site.services == Services()
    assert loaded.site.paths == Paths()
    assert loaded.site.primary.xcatd_port == 3001
    assert loaded.site.fence.minimum is FenceGrade.AGENT_OFF


def test_aix_has_its_own_defaults() -> None:
    loaded = load(changed('"linux"', '"aix"'))
    assert loaded.site is not None
    assert loaded.site.platform is Platform.AIX
    assert loaded.site.ssh.transport is Transport.OPENSSH
    assert loaded.site.operators == "system"
    assert loaded.site.services.dhcp is False
    assert loaded.site.paths.socket == "/var/run/hamnd/hamnd.sock"


def test_values_reach_site_and_policy() -> None:
    text = (
        QUIET
        + "[plan.timeouts]\npromote = 300\n[journal]\nreserve_mib = 32\ntimeout_s = 3\n"
        + "[tools]\nping = '/opt/stand-in/ping'\n[fence.options]\nlanplus = true\nipport = 623\n"
        + "[witnesses]\nmin = 1\n[watch]\nreach_interval_s = 0.5\n"
    )
    loaded = load(text)
    assert lines(loaded) == []
    assert loaded.site is not None
    assert loaded.policy is not None
    assert loaded.policy.step_timeout_s("promote", 60.0) == 300.0
    assert loaded.policy.reach_interval_s == 0.5
    assert loaded.policy.witnesses_min == 1
    assert loaded.site.journal_reserve_mib == 32
    assert loaded.journal_timeout_s == 3.0
    assert loaded.site.tool("ping") == "/opt/stand-in/ping"
    assert dict(loaded.site.fence.options) == {"lanplus": "1", "ipport": "623"}


def test_one_witness_must_answer_as_soon_as_one_is_configured() -> None:
    with_witness, without = load(QUIET).policy, load(MINIMAL).policy
    assert with_witness is not None
    assert without is not None
    assert (with_witness.witnesses_min, without.witnesses_min) == (1, 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            changed('node = "mn2"', 'node = "mn2"\nclustre = "a"'),
            'error: clustre: is an unknown key; did you mean "cluster"?',
        ),
        (
            QUIET + "[watch]\ndown_after = 5\n",
            'error: watch.down_after: is an unknown key; did you mean "down_after_s"?',
        ),
        (
            QUIET + "[wach]\ndown_after_s = 5\n",
            'error: wach: is an unknown key; did you mean "watch"?',
        ),
        (
            changed('name = "sn01"', 'name = "sn01"\nzone = 22'),
            "error: witness[0].zone: is an unknown key; known here: name, address, ssh_port, user",
        ),
        (
            QUIET + "[plan.timeouts]\npromte = 300\n",
            'error: plan.timeouts.promte: is an unknown key; did you mean "promote"?',
        ),
        (
            changed('platform = "linux"', 'platform = "linux"\nttl_s = 5'),
            'error: ttl_s: is an unknown key; did you mean "plan.ttl_s"?',
        ),
    ],
)
def test_unknown_keys_name_the_nearest_known_one(text: str, expected: str) -> None:
    refused = load(text)
    assert (refused.site, refused.policy) == (None, None)
    start, _, hint = expected.rpartition("; ")
    (line,) = lines(refused)
    assert line.startswith(start)
    assert line.endswith(hint)


@pytest.mark.parametrize(
    ("old", "new", "start"),
    [
        ("prefix = 16", 'prefix = "16"', 'identity.address[0].prefix = "16": is a text'),
        ("prefix = 16", "prefix = true", "identity.address[0].prefix = true: is true or false"),
        (
            "prefix = 16",
            "prefix = 2026-01-01",
            "identity.address[0].prefix = 2026-01-01: is a",
        ),
        ('"10.1.0.3"', '"mn1"', 'primary.address = "mn1": is not an IPv4 or IPv6 address'),
        ('"10.1.0.3"', '"10.1.0.300"', 'primary.address = "10.1.0.300": is not an IPv4'),
        ('"10.1.0.3"', "10", "primary.address = 10: is an integer, not a text"),
        ('"linux"', '"Linux"', 'platform = "Linux": is not one of the known words'),
        ('"XCATDB"', '"XCATDATABASE"', 'replication.db2.database = "XCATDATABASE": has the wrong'),
        ('"XCATDB"', '"X; rm"', 'replication.db2.database = "X; rm": has the wrong form'),
        ('"xcatdb"', '"-xcatdb"', 'replication.db2.instance_owner = "-xcatdb": has the wrong form'),
        ('"/usr/sbin/fence_ipmilan"', '"fence_ipmilan"', "fence.agent"),
        ('"/usr/sbin/fence_ipmilan"', '"/a\\nb"', "fence.agent"),
        ("[network]", "[[network]]", "network: is a list, not a table"),
        ("[[witness]]", "[witness]", "witness: is not a list of tables; write [[witness]]"),
        ('gateway = "10.1.0.1"', "", "network.gateway: is required and missing"),
        ('node = "mn2"\n', "", "node: is required and missing"),
        ("[network]\n", "[watch]\nprobe_timeout_s = nan\n[network]\n", "watch.probe_timeout_s"),
        ("[network]\n", "[watch]\ndown_after_s = inf\n[network]\n", "watch.down_after_s"),
        ("[network]\n", "[metrics]\nlisten = 'localhost:9745'\n[network]\n", "metrics.listen"),
        ("[network]\n", "[tools]\nping = 'ping -n'\n[network]\n", "tools.ping"),
        ("[network]\n", "[tools]\nping = './ping'\n[network]\n", "tools.ping"),
        ("[network]\n", "[tools]\npath = '/usr/bin:bin'\n[network]\n", "tools.path"),
        ("[network]\n", f"[paths]\nsocket = '/{'s' * 107}'\n[network]\n", "paths.socket"),
    ],
)
def test_a_wrong_value_is_refused_where_it_stands(old: str, new: str, start: str) -> None:
    refused = load(changed(old, new))
    assert (refused.site, refused.policy) == (None, None)
    assert [line for line in lines(refused) if line.startswith(f"error: {start}")], lines(refused)


def test_all_problems_come_at_once() -> None:
    text = (
        changed('"10.1.0.3"', '"nowhere"').replace("prefix = 16", "prefix = 99")
        + "[watch]\ndown_after_s = 2\nprobe_timeout_s = 3\nunheard_of = 1\n"
    )
    assert [problem.path for problem in load(text).errors] == [
        "primary.address",
        "watch.unheard_of",
        "identity.address[0].prefix",
        "watch.down_after_s",
        "watch.probe_timeout_s",
    ]


def test_text_that_is_not_toml_is_one_problem_with_its_line() -> None:
    refused = load('node = "mn2"\nplatform = linux\n')
    assert [problem.is_error for problem in refused.problems] == [True]
    assert "line 2" in lines(refused)[0]


@pytest.mark.parametrize("place", ["fence.options", "fence.secret_files"])
def test_a_secret_written_into_the_file_is_never_shown(place: str) -> None:
    """Somebody writes the password itself: the refusal must not carry it into a log (law 7)."""
    refused = load(QUIET + f'[{place}]\npassword = "hunter2"\n')
    assert refused.site is None
    assert refused.errors[0].path == f"{place}.password"
    assert "hunter2" not in "".join(map(str, refused.problems))


def test_a_secret_under_an_unknown_key_is_never_shown() -> None:
    refused = load(changed("[fence]", '[fence]\npassword = "hunter2"'))
    assert refused.site is None
    assert "hunter2" not in "".join(map(str, refused.problems))


def test_a_finding_as_json_has_every_part() -> None:
    problem = load(QUIET + "[watch]\ndown_after_s = 2\n").errors[0]
    assert problem.as_json() == {
        "severity": "error",
        "path": "watch.down_after_s",
        "value": "2",
        "problem": "is below three reach rounds (3 × 1 s = 3 s): one lost packet could look like a "
        "death",
        "allowed": "at least 3 seconds",
        "hint": "raise it, or lower watch.reach_interval_s to 0.67",
    }


_SCALARS = st.one_of(
    st.booleans(),
    st.integers(-5, 10**12),
    st.floats(),
    st.text(max_size=8),
    st.just([1]),
    st.just({}),
)


@given(st.data())
def test_any_value_in_any_place_gives_problems_and_never_an_exception(data: st.DataObject) -> None:
    """A reader is total: a strange file is refused with words, never with a traceback."""
    raw = tomllib.loads(QUIET)
    place: dict[str, object] | list[object] = raw
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else [0]))
        inner = place[key]  # type: ignore[index,call-overload]
        if isinstance(inner, dict | list) and data.draw(st.booleans()):
            place = inner
            continue
        place[key] = data.draw(_SCALARS)  # type: ignore[index,call-overload]
        break
    loaded = load_raw(raw)
    assert (loaded.site is None) == bool(loaded.errors)


def load_raw(raw: dict[str, object]) -> Loaded:
    """Load what TOML would have given; a text is written for it."""
    return load(as_toml(raw))


def as_toml(raw: dict[str, object]) -> str:
    """Write a TOML text that gives these values."""
    return "".join(f"{_quoted(key)} = {_value(value)}\n" for key, value in raw.items())


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _quoted(value)
        case list():
            return "[" + ", ".join(_value(item) for item in value) + "]"
        case dict():
            return "{" + ", ".join(f"{_quoted(k)} = {_value(v)}" for k, v in value.items()) + "}"
        case float() | int():
            return repr(value)
        case _:
            raise AssertionError(value)


def _quoted(text: str) -> str:
    escaped = (
        c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08X}"
        for c in text.encode("utf-8", "replace").decode()
    )
    return '"' + "".join(escaped) + '"'
