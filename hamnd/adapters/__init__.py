"""TOUCHES THE WORLD: one module per outside thing, each behind a port.

Owns effects; an adapter must not know another adapter, the daemon or the command line.
"""
