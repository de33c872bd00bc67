"""A constant load through the front door, as many clients behind one declared proxy; says what each of them saw.

Runs inside a host's container (`python3 traffic.pyz --help`): Python 3.11 and aiohttp from Debian, nothing else.
"""
