"""The worker that brings one file set here: a process of its own, confined to the set.

Owns the work of one pull from its beginning to its facts. Must not know the daemon, the core or a
configuration: its job comes on standard input, its facts go out in the last line.
"""
