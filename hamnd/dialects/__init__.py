"""SPEAKS: text to values and values to argv, one module per tool family.

Owns every foreign tool's formats and is the only maker of Look; must not know the core or any I/O.
"""
