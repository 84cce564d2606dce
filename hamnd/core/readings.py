"""What the looks of a step mean together.

Owns how several readings become one verdict, and a sentence that several endings share. Must not
know what follows from it (stages).
"""

from __future__ import annotations

from hamnd.dialects import readers
from hamnd.model.names import Verdict
from hamnd.model.work import Looked

COMES_BACK = "what was before comes back by itself"
"""What a step that was not made final does, whether hamnd lives or not (`Step.keeps_at`)."""


def combine(answers: tuple[Looked, ...]) -> tuple[Verdict, str]:
    """All must pass; a definite no outweighs what cannot be told.

    Of looks with the same `one_of` one that passes outweighs what the others cannot tell.
    """
    read = [(looked.look.one_of, readers.read_look(looked)) for looked in answers]
    passed = {group for group, one in read if group and one.verdict is Verdict.PASS}
    counted = [
        one for group, one in read if group not in passed or one.verdict is not Verdict.UNKNOWN
    ]
    for wanted in (Verdict.BLOCK, Verdict.UNKNOWN):
        for reading in counted:
            if reading.verdict is wanted:
                return wanted, reading.sentence
    return Verdict.PASS, "; ".join(dict.fromkeys(reading.sentence for reading in counted))
