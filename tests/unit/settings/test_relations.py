"""What must hold between keys, and the sentences that explain it."""

from __future__ import annotations

import pytest

from hamnd.settings import load
from tests.unit.settings.configs import MINIMAL, QUIET, changed


def test_a_short_hadr_timeout_warns_with_the_arithmetic_and_loads() -> None:
    loaded = load(changed('database = "XCATDB"', 'database = "XCATDB"\nhadr_timeout_s = 3'))
    assert loaded.site is not None
    assert loaded.errors == ()
    assert [problem.path for problem in loaded.warnings] == ["replication.db2.hadr_timeout_s"]
    assert (
        "HADR_TIMEOUT 3 with a 120 s peer window: each false disconnect freezes commits for up to "
        "123 s" in loaded.warnings[0].line()
    )


def test_down_after_at_exactly_three_rounds_is_allowed() -> None:
    assert load(QUIET + "[watch]\ndown_after_s = 3\n").errors == ()
    assert load(QUIET + "[watch]\ndown_after_s = 2.99\n").errors != ()


WATCH = "[watch]\n"
DB2 = 'database = "XCATDB"'


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        (QUIET + WATCH + "down_after_s = 2.5\n", "watch.down_after_s", "3 × 1 s = 3 s"),
        (QUIET + WATCH + "probe_timeout_s = 4\n", "watch.probe_timeout_s", "down_after_s (4 s)"),
        (
            QUIET + WATCH + "reach_suspicion_interval_s = 2\n",
            "watch.reach_suspicion_interval_s",
            "slow hamnd down",
        ),
        (
            QUIET + WATCH + "service_down_after_s = 3\n",
            "watch.service_down_after_s",
            "before a dead host",
        ),
        (QUIET + WATCH + "flap_window_s = 10\n", "watch.flap_window_s", "never be counted"),
        (QUIET + "[plan.timeouts]\nfence = 30\n", "plan.timeouts.fence", "3 × 20 s = 60 s"),
        (QUIET + "[paths]\nstate_dir = '/var/lib/'\n", "paths.state_dir", "of the system"),
        (QUIET + "[witnesses]\nmin = 2\n", "witnesses.min", "more than the 1 configured"),
        (changed('node = "mn2"', 'node = "mn3"'), "node", "neither the primary nor the standby"),
        (changed('name = "mn1"', 'name = "mn2"'), "standby.name", "primary's name too"),
        (changed('"10.1.0.3"', '"10.1.0.4"'), "standby.address", "primary's address too"),
        (changed('"10.1.0.1"', '"10.1.0.3"'), "network.gateway", "is the primary"),
        (changed('"10.1.0.1"', '"10.1.0.4"'), "network.gateway", "is the standby"),
        (changed('"10.1.0.1"', '"10.1.0.2"'), "network.gateway", "is the service address"),
        (changed('"10.1.0.2"', '"10.1.0.3"'), "identity.address[0].address", "belongs to no"),
        (changed('"10.1.0.2"', '"10.1.0.0"'), "identity.address[0].address", "network address"),
        (changed('"10.1.0.2"', '"10.1.255.255"'), "identity.address[0].address", "broadcast"),
        (changed("prefix = 16", "prefix = 33"), "identity.address[0].prefix", "longer than"),
        (
            changed("prefix = 16", 'prefix = 16\ngateway = "10.2.0.1"'),
            "identity.address[0].gateway",
            "is not in 10.1.0.0/16",
        ),
        (
            changed("prefix = 16", 'prefix = 16\ngateway = "fd00::1"'),
            "identity.address[0].gateway",
            "is not in 10.1.0.0/16",
        ),
        (changed('name = "sn01"', 'name = "mn1"'), "witness[0]", "third party"),
        (changed('"10.1.0.21"', '"10.1.0.3"'), "witness[0]", "third party"),
        (
            QUIET + '[[witness]]\nname = "sn01"\naddress = "10.1.0.22"\n',
            "witness[0].name",
            "listed twice",
        ),
        (MINIMAL + '[fence]\nminimum = "witnesses"\n', "fence.minimum", "nothing can ever"),
        (QUIET + '[fence.options]\naction = "off"\n', "fence.options.action", "given by hamnd"),
        (
            QUIET + '[fence.options]\nx = "1"\n[fence.secret_files]\nx = "/y"\n',
            "fence.options.x",
            "also set",
        ),
    ],
)
def test_a_contradiction_is_an_error(text: str, path: str, said: str) -> None:
    refused = load(text)
    assert (refused.site, refused.policy) == (None, None)
    found = {problem.path: problem.line() for problem in refused.errors}
    assert path in found, found
    assert said in found[path]


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        (
            changed(DB2, DB2 + "\npeer_window_s = 8"),
            "replication.db2.peer_window_s",
            "8 s - 4 s until PrimaryDown - 5 s margin = -1 s",
        ),
        (
            changed(DB2, DB2 + "\npeer_window_s = 60"),
            "replication.db2.peer_window_s",
            "leaves the operator 51 s",
        ),
        (
            changed(DB2, DB2 + "\npeer_window_s = 0"),
            "replication.db2.peer_window_s",
            "no takeover can be proven",
        ),
        (
            QUIET + "[watch]\nreplication_interval_s = 8\n",
            "watch.replication_interval_s",
            "min(60 / 4, 120 / 4, 30) = 15 s",
        ),
        (changed('agent = "/usr/sbin/fence_ipmilan"', ""), "fence.minimum", "no fence.agent"),
        (
            changed('agent = "/usr/sbin/fence_ipmilan"', 'minimum = "orderly"'),
            "fence.minimum",
            "nothing can shut",
        ),
        (
            changed('agent = "/usr/sbin/fence_ipmilan"', 'minimum = "operator"')
            + '[fence.options]\nip = "10.1.0.103"\n',
            "fence.options",
            "no effect",
        ),
        (
            changed("[fence]", "[fence]\nevidence_age_max_s = 10"),
            "fence.evidence_age_max_s",
            "below fence.timeout_s",
        ),
        (MINIMAL, "witness", "one vantage point"),
        (QUIET + "[witnesses]\nmin = 0\n", "witnesses.min", "ignores"),
        (
            changed('"linux"', '"aix"') + '[ssh]\ntransport = "asyncssh"\n',
            "ssh.transport",
            "no wheel for AIX",
        ),
    ],
)
def test_a_doubtful_choice_is_a_warning_and_loads(text: str, path: str, said: str) -> None:
    loaded = load(text)
    assert loaded.errors == ()
    assert loaded.site is not None
    found = {problem.path: problem.line() for problem in loaded.warnings}
    assert path in found, found
    assert said in found[path]


PG = changed('engine = "db2"', 'engine = "postgresql"').replace(
    '[replication.db2]\ndatabase = "XCATDB"\ninstance_owner = "xcatdb"\n',
    "[replication.postgresql]\n",
)


def test_a_postgresql_site_needs_no_option_of_its_own() -> None:
    loaded = load(PG)
    assert loaded.problems == ()
    assert loaded.site is not None
    assert loaded.policy is not None
    assert (loaded.site.engine, loaded.site.database_owner) == ("postgresql", "postgres")
    assert loaded.policy.gap_bytes_max == loaded.site.postgresql.gap_bytes_max


@pytest.mark.parametrize(
    ("option", "path", "said"),
    [
        ("sync_hold_s = 8", "replication.postgresql.sync_hold_s", "5 s since the last reading"),
        ('passfile = "/x"', "replication.postgresql.passfile", "peer authentication"),
    ],
)
def test_a_doubtful_choice_for_postgresql_is_a_warning(option: str, path: str, said: str) -> None:
    loaded = load(PG.replace("[replication.postgresql]\n", f"[replication.postgresql]\n{option}\n"))
    assert loaded.errors == ()
    assert [problem.path for problem in loaded.warnings] == [path]
    assert said in loaded.warnings[0].line()


def test_another_engines_options_are_refused_by_its_name() -> None:
    refused = load(PG + '[replication.db2]\ndatabase = "XCATDB"\n[tools]\ndb2 = "/opt/db2"\n')
    assert {problem.path for problem in refused.errors} == {"replication.db2", "tools.db2"}
    assert all("belongs to the engine db2" in problem.line() for problem in refused.errors)


def test_a_pair_on_loopback_is_allowed() -> None:
    """A simulated pair shares one host; addresses that all machines have prove nothing."""
    text = QUIET.replace('"10.1.0.3"', '"127.0.0.1"').replace('"10.1.0.21"', '"127.0.0.1"')
    assert load(text).errors == ()


def test_relations_over_a_broken_value_stay_silent() -> None:
    """One mistake is one problem."""
    refused = load(QUIET + '[watch]\ndown_after_s = "four"\n')
    assert [problem.path for problem in refused.problems] == ["watch.down_after_s"]


def test_two_networks_of_either_family_may_move() -> None:
    second = (
        '[[identity.address]]\ninterface = "eth2"\naddress = "fd00::2"\nprefix = 64\nname = "a"\n'
    )
    loaded = load(changed("[network]", second + "gateway = 'fe80::1'\n[network]"))
    assert loaded.errors == ()
    assert loaded.site is not None
    assert [address.address for address in loaded.site.identity] == ["10.1.0.2", "fd00::2"]


# The guide's way: the primary's own address moves.

GUIDES_WAY = changed('"service_address"', '"primary_address"')
CONSOLE = '"primary_address"\nconsole = "bmc-mn2, serial over LAN"'


def test_the_primarys_own_address_is_what_moves_in_the_guides_way() -> None:
    text = GUIDES_WAY.replace('"10.1.0.2"', '"10.1.0.3"').replace('"primary_address"', CONSOLE)
    loaded = load(text)
    assert loaded.errors == ()
    assert loaded.site is not None
    assert loaded.site.takes_primary_address
    assert loaded.site.identity_console == "bmc-mn2, serial over LAN"


def test_the_guides_way_needs_the_primarys_own_address_and_never_the_standbys() -> None:
    for address, said in (("10.1.0.2", "no table has it"), ("10.1.0.4", "is the standby's own")):
        refused = load(GUIDES_WAY.replace('"10.1.0.2"', f'"{address}"'))
        assert any(said in problem.line() for problem in refused.errors), address


def test_the_guides_way_without_a_console_warns_of_sessions_that_end() -> None:
    loaded = load(GUIDES_WAY.replace('"10.1.0.2"', '"10.1.0.3"'))
    assert loaded.errors == ()
    assert "identity.console" in [problem.path for problem in loaded.warnings]


def test_an_address_that_nobody_can_prove_is_warned_of() -> None:
    """On its network there is neither a router that answers nor a witness."""
    far = '[[identity.address]]\ninterface = "e"\naddress = "10.9.0.2"\nprefix = 24\nname = "a"\n'
    loaded = load(changed("[network]", far + "[network]"))
    assert loaded.errors == ()
    said = [one.line() for one in loaded.warnings if one.path == "identity.address[1].gateway"]
    assert said
    assert "nothing proves from outside that the address works" in said[0]
    known = load(changed("[network]", far + 'gateway = "10.9.0.1"\n[network]'))
    assert all(one.path != "identity.address[1].gateway" for one in known.warnings)


@pytest.mark.parametrize("limit", ["9", "601", '"60"'])
def test_the_limit_of_the_proof_is_bounded(limit: str) -> None:
    text = changed('mode = "service_address"', f'mode = "service_address"\nconfirm_s = {limit}')
    assert [one.path for one in load(text).errors] == ["identity.confirm_s"]


def with_spare(address: str) -> str:
    own = GUIDES_WAY.replace('"10.1.0.2"', '"10.1.0.3"')
    return own.replace('"primary_address"', f'"primary_address"\nspare = "{address}"')


def test_a_spare_address_is_near_the_primarys_own_and_nobodys() -> None:
    assert load(with_spare("10.1.0.9")).errors == ()
    for address, said in (
        ("10.1.0.3", "is the primary's own address"),
        ("10.1.0.4", "is the standby's own address"),
        ("192.0.2.1", "the primary's network"),
    ):
        refused = load(with_spare(address))
        assert any(said in problem.line() for problem in refused.errors), address


def test_without_a_spare_address_the_guides_way_warns_that_nothing_is_handed_over() -> None:
    loaded = load(GUIDES_WAY.replace('"10.1.0.2"', '"10.1.0.3"'))
    assert "identity.spare" in [problem.path for problem in loaded.warnings]
    assert "identity.spare" not in [one.path for one in load(with_spare("10.1.0.9")).warnings]


def test_a_spare_address_is_for_the_guides_way_alone() -> None:
    loaded = load(changed('"service_address"', '"service_address"\nspare = "10.1.0.9"'))
    assert loaded.site is not None
    assert loaded.site.identity_spare == ""
