"""What the tests of several packages share, and the tests of it. Nothing here imports a `conftest.py`."""
