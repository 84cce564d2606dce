"""SQLite as xCAT uses it: one file per table. Copies of them, and how they become the live ones."""
