"""The files that `make reaction` writes, as a working reaction named `naming`.

`docs/reference/reactions.md` shows them.
"""
