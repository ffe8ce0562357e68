"""docs/reference/metrics.md."""

from tools.metrics import PAGE, page


def test_page_lists_the_metrics_of_the_code() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make metrics`"
