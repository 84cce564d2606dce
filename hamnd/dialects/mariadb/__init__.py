"""MariaDB, and MySQL 8 where it speaks otherwise: its questions, its answers, what they mean."""
