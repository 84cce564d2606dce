"""PostgreSQL: its questions, its answers and what they mean."""
