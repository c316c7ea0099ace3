"""The only thing that host and runner share: what goes in, what comes out, and its names.

Imports pydantic and the standard library only.
"""
