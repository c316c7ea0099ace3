"""WHERE a campaign stands: a SQLite file with one writer, held by a lock."""
