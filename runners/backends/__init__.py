"""Engines: each thin, each imported only when it is asked for."""
