"""The columns: everything that the page and the CSV file take from the one list."""

import json
import re

from functions.display import document, row
from functions.display.columns import COLUMNS

PAGE = document.assemble().plain.decode()


def test_names_are_unique_and_usable_in_addresses_and_css() -> None:
    names = [column.name for column in COLUMNS]

    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch("[a-z]+", name)] == []


def test_rows_have_every_column() -> None:
    assert set(row.NAMES) == {column.name for column in COLUMNS}


def test_page_gets_the_columns_as_json() -> None:
    match = re.search('<script type="application/json" id="columns">(.*?)</script>', PAGE)

    assert match is not None
    assert json.loads(match[1]) == document.columns_json()


def test_each_view_has_a_width_for_each_of_its_columns() -> None:
    css = document.columns_css()

    for view in document.VIEWS:
        cells = [column for column in document.columns_json() if view in column]
        tracks = re.search(rf'^\[data-view="{view}"\] .row {{ grid-template-columns: (.*); }}$', css, re.MULTILINE)
        assert tracks is not None
        assert len(re.sub(r"\([^)]*\)", "", tracks[1]).split()) == len(cells)


def test_formats_of_cells_and_values_exist_on_the_page() -> None:
    script = (document.STATIC / "cells.js").read_text()
    cells = re.search(r"CELL_FORMATS = {\n(.*?)\n};", script, re.DOTALL)
    values = re.search(r"VALUE_FORMATS = {(.*?)};", script, re.DOTALL)

    assert cells is not None
    assert values is not None
    cell_formats = set(re.findall(r"^  (\w+): {", cells[1], re.MULTILINE))
    used = {cell.format for column in COLUMNS for cell in (column.events, column.trigger) if cell is not None}
    assert used <= cell_formats
    assert {column.format for column in COLUMNS} <= set(re.findall(r"(\w+)(?=[:,])", values[1]))
