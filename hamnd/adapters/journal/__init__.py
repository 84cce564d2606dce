"""The journal on disk (port `Journal`): place, lock, reserve and the database itself.

Owns these names for the daemon's wiring; `hamnd.journal` reads the same file without writing.
"""

from hamnd.adapters.journal.place import JournalSettings, StateLock
from hamnd.adapters.journal.writer import SqliteJournal, set_aside

__all__ = ["JournalSettings", "SqliteJournal", "StateLock", "set_aside"]
