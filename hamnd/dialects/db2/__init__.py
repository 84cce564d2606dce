"""Speaks Db2: texts of db2pd, snapshot, configuration and command line processor into values."""
