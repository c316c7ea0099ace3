"""The loop: next run -> dispatch -> verify -> record."""
