"""The simulated pair: the real daemon against real executables on one machine.

Owns the stand-ins and their faults; imported by hamnd.__main__ alone.
"""
