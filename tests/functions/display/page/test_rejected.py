"""The tab "Rejected" in a real Chromium."""

import pytest
from playwright.sync_api import expect

from tests.support.browser import Visit, held
from tests.support.serving import Served

pytestmark = pytest.mark.browser


def test_rejected_request_is_shown_with_its_reason(served: Served, visit: Visit) -> None:
    page = visit(served.address)
    held(page, 0)
    status, reason = served.request("POST", "/", b"not an event", {"content-type": "text/plain", "X-Request-Id": "r-1"})
    assert status == 400
    expect(page.locator("#rejected-count")).to_have_text("1")
    expect(page.locator("#state")).to_contain_text("1 rejected")
    page.click("#show-rejected")
    request = page.locator("#rejected-list li")
    expect(request.locator(".reason")).to_have_text(reason.strip())
    request.locator("summary").click()
    expect(request).to_contain_text("r-1")
    expect(request.locator("pre")).to_have_text("not an event")
    served.request("POST", "/", b"another", {"content-type": "text/plain"})
    expect(request).to_have_count(2)
    expect(request.last.locator("pre")).to_be_visible()  # what is read stays open
