"""The files that `make reaction` writes, as a working reaction named `naming`. `docs/reactions.md` shows them."""
