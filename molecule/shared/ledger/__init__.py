"""Writes through the data path, remembers each acknowledgement, and says afterwards what became of it.

Runs inside a host's container (`python3 ledger.pyz --help`): Python 3.11, psycopg2 and redis from Debian, nothing else.
"""
