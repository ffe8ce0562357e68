"""What the tests of several packages share. Nothing here is a test, and nothing imports a `conftest.py`."""
