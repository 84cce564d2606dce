"""Copies pulled on a schedule: how they are fetched, verified, kept, told and read.

The engines without replication of their own (SQLite, dumps) share this: a numbered copy is complete
and verified, or it is not there. What a copy consists of is the engine's own dialect's.
"""
