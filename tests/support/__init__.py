"""Helpers that the tests of several packages share, and their tests. Nothing here imports a `conftest.py`."""
