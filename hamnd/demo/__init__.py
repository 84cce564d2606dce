"""The simulated pair: everything `hamnd demo` and the simulation tests break, and nothing else.

Owns the pure model of two Db2 HADR nodes (`db2_model`, obeying db2-hadr.md §13), the texts which
that model prints (`db2_texts*`), the simulated site around it (`world` and its parts), the
executables which stand in for `db2`, `ping`, `lsxcatd` and the like, and the directory in which a
demo lives (`site`). MUST NOT be imported by any other room but `__main__`, and must not know
hamnd's own judgement: it is the oracle that judgement is tested against.
"""
