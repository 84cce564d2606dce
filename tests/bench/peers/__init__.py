"""hamnd beside other tools for high availability: same hosts, same PostgreSQL pair, same faults."""
