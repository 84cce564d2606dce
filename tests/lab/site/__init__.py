"""The lab: real hosts on one machine, made of Linux namespaces, and everything that breaks them.

Owns the hosts (`hosts`), the wire between them (`wire`), faults as verbs (`faults`), the power
controller with its fence agents (`power`), real servers inside hosts (`services`, `postgres`) and
the Db2 model and xCAT's commands across hosts (`db2`, `xcat`). MUST NOT be imported by hamnd, and
must not know hamnd's judgement. Needs root on Linux; `needs` says what is missing.

    with Lab() as lab:
        lab["mn2"].run("ssh", "mn1", "hostname")
        Faults(lab).off("mn1")

`python -m tests.lab.site` (`make lab`) gives an interactive one.
"""
