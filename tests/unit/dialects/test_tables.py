"""The script that asks for xCAT's tables, run for real by sh against a tabdump of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from hamnd.dialects import tables
from hamnd.model.names import Verdict
from hamnd.model.site import IdentityMode
from hamnd.model.work import Report
from tests.builders import site
from tests.unit.dialects.reports import MUTE, exited
from tests.unit.dialects.scripts import told

TABLES = {
    "site": '#key,value,comments,disable\n"master","9.114.47.110",,\n"xcatdport","3001",,\n',
    "networks": '#netname,net,mask,tftpserver,disable\n"c","9.114.47.64","255.255.255.192",,\n',
    "policy": '#priority,name,rule,disable\n"1.2","aixmn1","trusted",\n"4","*","allow",\n',
    "noderes": (
        "#node,nfsserver,xcatmaster,comments,disable\n"
        '"compute","9.114.47.103",,,\n"other","9.114.47.203",,,\n"gone","9.114.47.103",,,"1"\n'
    ),
    "nodehm": '#node,conserver,disable\n"compute","aixmn1",\n',
    "osimage": '#imagename,provmethod,disable\n"rh8.full","install",\n"rh8.lite","statelite",\n',
    "nodetype": '#node,os,provmethod,disable\n"c1","rh8","rh8.lite",\n"c2","rh8","rh8xlite",\n',
}
TABDUMP = 'cat "$TABLES/$1" 2>/dev/null || { echo "Error: No such table: $1"; exit 1; }\n'


def asked(folder: Path, **other: str) -> Report:
    for name, text in {**TABLES, **other}.items():
        (folder / f"t-{name}").write_text(text)
    tabdump = TABDUMP.replace("$TABLES/", f"{folder}/t-")
    return told(tables.look(site(), "aixmn1"), folder, {"tabdump": tabdump})


def test_only_what_names_a_management_node_is_told(tmp_path: Path) -> None:
    report = asked(tmp_path)
    found = tables.parse(report)
    assert found is not None
    assert [one["key"] for one in found["site"]] == ["master"]
    assert [one["node"] for one in found["noderes"]] == ["compute"], "not another's, nor disabled"
    assert [one["name"] for one in found["policy"]] == ["aixmn1"]
    assert [one["node"] for one in found["nodetype"]] == ["c1"], "a dot in a name is a dot"
    assert "nimimage" not in found, "this xCAT has no such table"


def test_nodes_of_an_aix_image_that_lives_from_its_server_are_told(tmp_path: Path) -> None:
    images = '#imagename,nimtype,disable\n"71dskls","diskless",\n"71std","standalone",\n'
    nodes = '#node,os,provmethod,disable\n"c1","aix","71dskls",\n"c2","aix","71std",\n'
    found = tables.parse(asked(tmp_path, nimimage=images, nodetype=nodes))
    assert found is not None
    assert [one["imagename"] for one in found["nimimage"]] == ["71dskls"]
    assert [one["node"] for one in found["nodetype"]] == ["c1"]


def test_what_stands_in_a_table_is_no_program(tmp_path: Path) -> None:
    """Names are data: what a row holds is compared, and never run."""
    mark = tmp_path / "ran"
    evil = f'statelite x)/||system("touch {mark}")||/('
    images = f'#imagename,provmethod,disable\n"{evil}","statelite",\n"a+(b","statelite",\n'
    nodes = '#node,os,provmethod,disable\n"c1","rh8","a+(b",\n"c2","rh8","aab",\n'
    found = tables.parse(asked(tmp_path, osimage=images, nodetype=nodes))
    assert not mark.exists()
    assert found is not None
    assert [one["node"] for one in found["nodetype"]] == ["c1"]


def test_a_name_is_found_however_it_is_written(tmp_path: Path) -> None:
    rows = '#node,conserver,disable\n"compute","AixMN1.cluster.net",\n'
    found = tables.parse(asked(tmp_path, nodehm=rows))
    assert found is not None
    assert [one["conserver"] for one in found["nodehm"]] == ["AixMN1.cluster.net"]


def test_a_table_that_is_too_long_to_be_told_was_not_told(tmp_path: Path) -> None:
    rows = "".join(f'"n{number}","aixmn1",\n' for number in range(600))
    found = tables.parse(asked(tmp_path, nodehm=f"#node,conserver,disable\n{rows}"))
    assert found is not None
    assert "nodehm" not in found
    assert found["noderes"]


def test_where_the_primarys_address_moves_what_names_it_is_no_news(tmp_path: Path) -> None:
    here = site(identity_mode=IdentityMode.PRIMARY_ADDRESS)
    for name, text in TABLES.items():
        (tmp_path / f"t-{name}").write_text(text)
    tabdump = TABDUMP.replace("$TABLES/", f"{tmp_path}/t-")
    found = tables.parse(told(tables.look(here, "aixmn1"), tmp_path, {"tabdump": tabdump}))
    assert found is not None
    assert found["noderes"] == ()


def test_an_xcat_that_answers_nothing_tells_why(tmp_path: Path) -> None:
    tabdump = 'echo "Error: Permission denied for request" >&2; exit 1\n'
    report = told(tables.look(site(), "aixmn1"), tmp_path, {"tabdump": tabdump})
    assert tables.parse(report) is None
    reading = tables.read_told(report)
    assert reading.verdict is Verdict.UNKNOWN
    assert "Permission denied" in reading.sentence


@pytest.mark.parametrize("report", [*MUTE, exited(0, "== site\n#key,value\n"), exited(0)])
def test_what_did_not_come_to_its_end_tells_nothing(report: Report) -> None:
    assert tables.parse(report) is None
