"""hamnd: watches a pair of xCAT management nodes and guides a confirmed takeover.

This package root OWNS the version and nothing else; it MUST NOT import any room, so that
`hamnctl` pays only for what it uses.
"""

__version__ = "0.1.0"
