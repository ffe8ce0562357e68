"""The page as one document."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from functions.display import document


def test_page_is_small_compressed_and_cached(client: FlaskClient) -> None:
    response = client.get("/", headers={"Accept-Encoding": "gzip"})
    assert response.headers["Content-Encoding"] == "gzip"
    assert len(response.data) < 60_000
    assert client.get("/").text.startswith("<!doctype html>")
    again = client.get("/", headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_page_has_only_relative_addresses() -> None:
    page = document.assemble().plain.decode()
    absolute = ('href="/', 'src="/', "//cdn", "@import", "url(", 'fetch("/', 'api("/')
    assert [text for text in absolute if text in page] == []
    assert "https://" not in page


def test_html_without_a_place_for_the_script_is_an_error(tmp_path: Path) -> None:
    for name in ("index.html", "display.css", "display.js", "icon.svg"):
        (tmp_path / name).write_text("")
    with pytest.raises(ValueError, match=r"index\.html has no "):
        document.assemble(tmp_path)
