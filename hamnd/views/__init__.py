"""SHOWS: one model of the status, rendered as text, JSON, card, report and samples.

Owns what people and scripts read; must not know I/O.
"""
