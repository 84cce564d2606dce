"""The judgement of hamnd: pure, synchronous, given values in and decisions out.

Laws of this room: no clock, no randomness, no I/O, no logging; the same state, event, instant and
policy give the same decision; what cannot be seen is UNKNOWN and never "down".
"""
