"""Telling others how a campaign ended."""
