"""The checks of the display's JavaScript: formatting (prettier) and the types in its JSDoc comments (tsc).

Their versions are pinned in `package-lock.json`, and Node's in `requirements.txt` for a machine that has none.
"""
