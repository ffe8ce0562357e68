"""The documentation as a site: built by Zensical from docs/ and zensical.toml, and checked.

`make docs` runs it. A site has no broken link or anchor, loads nothing from another host, and its search finds every
page.
"""
