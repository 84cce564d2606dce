"""LOOPS: one queue, one consumer, decide, persist, act, report.

Owns tasks and their order; must not decide anything itself and must not know the command line.
"""
