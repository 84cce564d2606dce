"""What the engine says of a returned old primary, on looks taken now through the real adapters.

Owns the way from looks to its finding. MUST NOT judge.
"""

from __future__ import annotations

from hamnd.core.replication import Examination, Finding, PartnerDatabase
from hamnd.core.replication.postgresql import ENGINE
from hamnd.core.replication.postgresql_view import TOPIC
from hamnd.dialects.readers import read_look
from hamnd.model.names import Verdict
from hamnd.model.work import Looked
from tests.lab.site.hosts import Host
from tests.lab.site.stepping import take_looks, terms_of


def examine(host: Host) -> Finding:
    """Ask the engine what the returned partner lost, on fresh looks of this node."""
    terms = terms_of(host)
    here = take_looks(host, ENGINE.looks(terms))
    view = ENGINE.view(terms, here)
    looks = ENGINE.return_looks(terms, view)
    reports = take_looks(host, looks)
    assert read_look(Looked(looks["returned"], reports["returned"])).verdict is Verdict.PASS
    assert here[TOPIC].exit_code == 0
    return ENGINE.examine(terms, Examination(None, PartnerDatabase(), view, reports))
