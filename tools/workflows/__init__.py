"""Checks the files in `.github/`, which nothing here executes: workflows, forms of issues, dependency updates.

Never here: the workflows themselves.
"""
