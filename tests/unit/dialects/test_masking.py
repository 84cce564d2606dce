"""What of a foreign command line may be shown."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hamnd.dialects.cron import Names
from hamnd.dialects.masking import masked

NAMES = Names(frozenset({"aixmn2"}), frozenset({"aixmn1", "9.114.47.103"}))


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("0 2 * * * rsync -az aixmn1:/install /", "0 2 * * * rsync -az aixmn1:/install /"),
        ("@daily scp root@aixmn1:/etc/hosts /etc", "@daily scp root@aixmn1:/etc/hosts /etc"),
        ("1 2 * * mon PGPASSWORD=x pg_restore /t", "1 2 * * mon PGPASSWORD=*** pg_restore /t"),
        ("1 2 * * * mysql -phidden --password=x", "1 2 * * * mysql -p*** --password=***"),
        ("1 2 * * * mysql --password x -u y", "1 2 * * * mysql --password *** -u ***"),
        ("1 2 * * * lftp sftp://a:b@aixmn1/x", "1 2 * * * lftp ***@aixmn1/x"),
        ("1 2 * * * rsync a:p@ss@aixmn1:/x /", "1 2 * * * rsync ***@aixmn1:/x /"),
        ("1 2 * * * db2 connect user u using p", "1 2 * * * db2 connect user *** using ***"),
        ("sh -c 'A=\"b c\" scp aixmn1:/ /'", "sh -c 'A=*** ***\" scp aixmn1:/ /'"),
        ("secret1 secret2 secret3 secret4 secret5 rsync", "*** rsync"),
        ("", ""),
    ],
)  # fmt: skip
def test_what_is_known_to_be_harmless_is_shown_and_nothing_else(line: str, shown: str) -> None:
    assert masked(line, NAMES, has_schedule=True) == shown


@settings(deadline=None)
@given(
    st.text("abcdefghijkmnopqstuvwxyzABC0123456789-_.!@:$%", min_size=9, max_size=20),
    st.sampled_from(
        ["X={}", "-p{}", "-p {}", "--password={}", "--password {}", "{}", "a:{}@aixmn1:/x", "'{}'",
         "rsync://a:{}@aixmn1/m", "--header 'X: {}'", "\"{} {}\"", "-uadmin:{}", "user a using {}"]
    ),
)  # fmt: skip
def test_a_secret_in_any_place_is_hidden(secret: str, place: str) -> None:
    assume("aixmn" not in secret and not secret.startswith("-"))
    line = f"0 5 * * * rsync -az {place.format(secret, secret)} aixmn1:/install /"

    assert secret not in masked(line, NAMES, has_schedule=True)
    assert secret not in masked(line.removeprefix("0 5 * * * "), NAMES)


@settings(deadline=None)
@given(st.text())
def test_any_text_can_be_masked(text: str) -> None:
    assert len(masked(text, NAMES, has_schedule=True)) <= 161
