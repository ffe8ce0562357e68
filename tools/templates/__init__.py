"""The files that `make reaction` writes, as a working reaction named `naming`.

`docs/tutorials/first-reaction.md` shows them.
"""
