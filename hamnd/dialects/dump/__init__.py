"""Dumps of a PostgreSQL database: taken, read through, restored, switched in."""
