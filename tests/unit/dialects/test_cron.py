"""The trap of the guide's §5.2: jobs that would overwrite the new active node."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hamnd.dialects import cron
from hamnd.dialects.cron import Names
from hamnd.dialects.editing import marked

AT_AIXMN2 = Names(
    own=frozenset({"aixmn2", "9.114.47.104", "localhost"}),
    partner=frozenset({"aixmn1", "9.114.47.103", "xcatmn", "9.114.47.110"}),
)

# The guide's own lines (xcat-hamn.md §2.2), as they stand in root's crontab.
GUIDE = """\
# xCAT HAMN
MAILTO=root
0 1 * * * rsync -az /etc/xcat/ca /etc/xcat/cert /etc/xcat/hostkeys PEER:/etc/xcat
0 1 * * * rsync -az $HOME/.xcat PEER:$HOME/
0 2 * * * rsync -az /install PEER:/
0 2 * * * rsync -az /etc/hosts /etc/resolv.conf PEER:/etc/
0 3 * * * pg_dump -F t -f /tmp/xcatdb.tar xcatdb
0 4 * * * scp /tmp/xcatdb.tar PEER:/tmp
0 5 * * * pg_restore -c -d xcatdb /tmp/xcatdb.tar
30 5 * * * rsync -Lprgotz $HOME/.ssh/id* PEER:$HOME/.ssh/
"""

TOKENS = [
    "rsync",
    "scp",
    "db2",
    "aixmn1:/",
    "/",
    "/install",
    "'restore'",
    "-az",
    ";",
    "|",
    ">",
    "<",
    "&",
    "2>&1",
    '"',
    "'",
    "$(",
    "\\",
]


def test_the_guides_pushes_to_the_partner_are_left_alone_but_its_restore_is_not() -> None:
    text = GUIDE.replace("PEER", "aixmn1")

    assert cron.dangerous_lines(text, AT_AIXMN2) == (
        "0 5 * * * pg_restore -c -d xcatdb /tmp/xcatdb.tar",
    )


def test_the_guides_copies_turned_into_pulls_are_all_dangerous() -> None:
    text = GUIDE.replace("PEER:", "").replace("rsync -az /", "rsync -az aixmn1:/")

    assert [line[:9] for line in cron.dangerous_lines(text, AT_AIXMN2)] == [
        "0 1 * * *",
        "0 2 * * *",
        "0 2 * * *",
        "0 5 * * *",
    ]


@pytest.mark.parametrize(
    "command",
    [
        "rsync -az aixmn1:/install /",
        "rsync -az -e 'ssh -p 22' root@aixmn1:/etc/xcat/ca /etc/xcat",
        "rsync -aze ssh aixmn1.cluster.net:/etc/xcat/cert /backup",
        "rsync -az 9.114.47.103::install /install",
        "rsync -az rsync://aixmn1/install /install >/var/log/pull.log 2>&1",
        "/usr/bin/nice -n 19 /usr/bin/rsync -az xcatmn:/install /",
        "flock -n /run/pull.lock -c 'rsync -az aixmn1:/install /'",
        'su - root -c "scp -p aixmn1:/etc/hosts /etc/hosts"',
        "cd /tmp && scp -q aixmn1:/tmp/xcatdb.tar . && echo ok",
        "scp -i /root/.ssh/id_rsa storage9:/export/hosts /etc/hosts",
        "rsync -a storage9:/export/install/ /install/ >/dev/null 2>&1",
        "rsync -a storage9:/export /",
        "ssh aixmn1 'tar -C / -cf - install' | tar -C / -xf -",
        "ssh root@aixmn1 cat /etc/hosts > /etc/hosts",
        "pg_restore -c -d xcatdb /tmp/xcatdb.tar",
        "/opt/xcat/sbin/restorexCATdb -p /dump",
        "perl /opt/xcat/sbin/restorexCATdb -p /dump",
        "su - xcatdb -c 'db2 restore database XCATDB from /backup'",
        "su - xcatdb -c 'db2 \"RESTORE DB XCATDB FROM /backup\"'",
        "db2 rollforward database xcatdb to end of logs",
        "sftp -b /root/get aixmn1",
        "for d in ca cert; do rsync -az aixmn1:/etc/xcat/$d /etc/xcat; done",
        "rsync -az aixmn1:/install / 'open quote",
        "psql -f /backup/xcatdb.sql xcatdb",
        "psql -X -qf /backup/xcatdb.sql xcatdb",
        "psql --file=/backup/xcatdb.sql -h localhost xcatdb",
        "psql -h aixmn1 -d xcatdb < /backup/xcatdb.sql",
        "su - postgres -c 'psql xcatdb' < /backup/xcatdb.sql",
        "sudo -u postgres psql xcatdb </backup/xcatdb.sql >/dev/null 2>&1",
        "PGPASSFILE=/root/.pgpass psql -d 'host=xcatmn dbname=xcatdb' -f dump.sql",
        "gunzip -c /backup/xcatdb.sql.gz | psql xcatdb",
        "zcat /backup/xcatdb.sql.gz | su - postgres -c 'psql -q xcatdb'",
        "psql xcatdb -c '\\i /backup/xcatdb.sql'",
        "cat site.csv | psql xcatdb -c 'COPY site FROM STDIN'",
        "mysql -u root xcatdb < /backup/xcatdb.sql",
        "mysql xcatdb -e 'source /backup/xcatdb.sql'",
        "gzip -dc dump.gz | /usr/bin/mariadb --host=localhost xcatdb",
        "mysqlimport xcatdb /backup/site.txt",
        "mariabackup --copy-back --target-dir=/backup/full",
        "sqlite3 /etc/xcat/site.sqlite < /backup/site.sql",
        "cd /etc/xcat && sqlite3 site.sqlite <site.sql",
        "sqlite3 /etc/xcat/site.sqlite '.restore /backup/site.sqlite'",
        "pg_basebackup -h aixmn1 -U replica -D /var/lib/pgsql/data -R",
        "pg_basebackup -d 'host=9.114.47.103 user=replica' -D /srv/pg",
        "pg_basebackup -D /var/lib/postgresql/15/main -h elsewhere",
    ],
)
def test_a_job_that_writes_onto_this_node_is_found(command: str) -> None:
    assert cron.writes_here(command, AT_AIXMN2) is not None


@pytest.mark.parametrize(
    "command",
    [
        "rsync -az /install aixmn1:/",
        "rsync -az /install aixmn1:/ 2>&1",
        "rsync -az /install backup9:/xcat >>/var/log/push 2>&1",
        "rsync -az /var/log/consoles /backup",
        "rsync -a storage9:/iso /srv/iso",
        "scp /tmp/xcatdb.tar root@aixmn1:/tmp",
        "ping -c 1 aixmn1 >/dev/null",
        "ssh aixmn1 uptime",
        "ssh aixmn1 uptime >/dev/null 2>&1",
        "ssh backup9 'rsync -az aixmn1:/install /install'",
        "pg_dump -F t -f /tmp/xcatdb.tar xcatdb",
        "dumpxCATdb -p /dump",
        "su - xcatdb -c 'db2 backup database XCATDB online to /backup'",
        "db2 connect to xcatdb",
        "/usr/lib/sa/sa1 1 1",
        "run-parts /etc/cron.hourly",
        "psql -c 'VACUUM ANALYZE' xcatdb </dev/null",
        "psql -At xcatdb -c 'SELECT count(*) FROM site' >/var/log/count",
        "psql -h reports9 -f /backup/xcatdb.sql",
        "mysql -h reports9.cluster.net stats < /backup/xcatdb.sql",
        "echo x | mysql xcatdb -e 'SHOW TABLES'",
        "mysqldump xcatdb > /backup/xcatdb.sql",
        "ps -ef | grep mysql",
        "sqlite3 /etc/xcat/site.sqlite .dump > /backup/site.sql",
        "sqlite3 /srv/app/own.db < /srv/app/clean.sql",
        "pg_basebackup -D /backup/base -Ft -z",
        "mariabackup --backup --target-dir=/backup/full",
        "",
    ],
)
def test_a_job_that_writes_elsewhere_or_only_reads_is_left_alone(command: str) -> None:
    assert cron.writes_here(command, AT_AIXMN2) is None


def test_comments_settings_users_and_percent_signs_are_read_as_cron_reads_them() -> None:
    text = (
        "#0 2 * * * root rsync -az aixmn1:/install /\n"
        "SHELL=/bin/sh\n"
        "@daily root rsync -az aixmn1:/install /\n"
        "*/5 0-6 1,15 * mon-fri root cat%rsync aixmn1:/install /\n"
    )

    lines = cron.read_crontab(text, has_user_field=True)

    assert [line.command for line in lines] == [
        None,
        None,
        "rsync -az aixmn1:/install /",
        "cat",
    ]


def test_dangerous_lines_are_numbered_and_harmless_once_they_are_marked() -> None:
    text = "# keep\nMAILTO=root\n0 2 * * * rsync -az aixmn1:/install /\n0 6 * * * /bin/true\n"

    assert cron.dangerous_numbers(text, AT_AIXMN2) == {3}
    disarmed = marked(text, frozenset({3}), cron.FUSE_MARK)
    assert cron.dangerous_lines(disarmed, AT_AIXMN2) == ()


@pytest.mark.parametrize(
    "command",
    [
        "rsync 'x@hunter2@aixmn1:/x' /install",
        "sftp 'anna:hunter2@aixmn1'",
        "lftp sftp://anna:hunter2@aixmn1/",
        "ssh anna:hunter2@aixmn1 cat /x | tar xf -",
    ],
)
def test_why_a_line_is_dangerous_tells_no_account(command: str) -> None:
    why = cron.writes_here(command, AT_AIXMN2)

    assert why is not None
    assert "aixmn1" in why
    assert "hunter2" not in why


@pytest.mark.parametrize(
    ("argv", "is_writer"),
    [
        ("rsync -az aixmn1:/install /", True),
        ("rsync --server -logDtprze.iLsfxC . /install", True),
        ("/usr/bin/rsync --server --sender -logDtprze.iLsfxC . /install", False),
        ("scp -t /etc/hosts", True),
        ("scp -f /etc/hosts", False),
        ("/usr/bin/perl /opt/xcat/sbin/restorexCATdb -p /dump", True),
        ("pg_restore -c -d xcatdb /tmp/xcatdb.tar", True),
        ("grep -r -i pg_restore /etc", False),
        ("psql -f /backup/xcatdb.sql xcatdb", True),
        ("/usr/lib/postgresql/15/bin/pg_basebackup -h aixmn1 -D /srv/pg", True),
        ("psql -X -A -t -w -d postgres -f -", False),
        ("mysql xcatdb", False),
        ("psql xcatdb", False),
        ("vi /root/notes rsync aixmn1:/ /", False),
        ("[kworker/0:1]", False),
        ("", False),
    ],
)
def test_running_jobs_are_known_by_their_program(argv: str, is_writer: bool) -> None:
    assert (cron.runs_here(argv, AT_AIXMN2) is not None) is is_writer


def test_the_names_survive_the_way_through_a_looks_arguments() -> None:
    assert Names.from_arguments(AT_AIXMN2.to_arguments()) == AT_AIXMN2


@settings(deadline=None)
@given(st.text())
def test_any_text_is_read_without_an_exception(text: str) -> None:
    cron.runs_here(text, AT_AIXMN2)
    disarmed = marked(text, cron.dangerous_numbers(text, AT_AIXMN2), cron.FUSE_MARK)
    assert cron.dangerous_lines(disarmed, AT_AIXMN2) == ()


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "rsync",
                "scp",
                "db2",
                "aixmn1:/",
                "/",
                "/install",
                "'restore'",
                "-az",
                ";",
                "|",
                ">",
                '"',
                "'",
                "$(",
                "\\",
            ]
        )
    )
)
def test_any_command_is_judged_without_an_exception(words: list[str]) -> None:
    cron.writes_here(" ".join(words), AT_AIXMN2)
