"""ASKS: hamnctl, one module per command group.

Owns arguments and screens; must not know the daemon or any adapter, only the wire and the journal.
"""
