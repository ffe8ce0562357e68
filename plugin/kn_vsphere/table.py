"""Tables, aligned as Go's tabwriter does with kubectl's settings. Pure."""

from collections.abc import Iterable, Sequence

MIN_WIDTH, PADDING = 6, 3


def lines(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a line for each of the *rows*, which have cells of one line each. A row may have fewer cells."""
    rows = [[" ".join(cell.split("\n")) for cell in row] for row in rows]
    widths: list[int] = []
    for row in rows:
        for column, cell in enumerate(row):
            widths[column:] = [
                max([len(cell) + PADDING, MIN_WIDTH, *widths[column : column + 1]]),
                *widths[column + 1 :],
            ]
    return ["".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows]
