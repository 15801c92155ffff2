"""Pages in a real browser: order, keys, live rows, verdicts, conflict, phone, viewer, no error."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from monai_ich.service.tables import verdict
from monai_ich.service.web import Web
from tests.service.service import Service, free_port, head, is_open, wait_for

pytestmark = pytest.mark.interop
_CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Service, str]]:
    """A service with two studies, one without a result, and the address that logs in."""
    if not _CHROMIUM.exists():
        pytest.skip("Chromium is not installed")
    port = free_port()
    service = Service(tmp_path / "data", web_port=port)
    service.admit(head(tmp_path / "one"))
    service.work()
    broken = head(tmp_path / "two")
    service.admit([*broken[:4], *broken[5:]])
    service.work()
    app = Web(service.db, service.settings, "here/web").app()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: is_open(port))
    token = (service.settings.data / "token").read_text()
    yield service, f"http://127.0.0.1:{port}/?token={token}"
    server.should_exit = True
    thread.join(30)


def test_a_reader_works_by_keyboard_and_the_slower_one_is_told(
    site: tuple[Service, str], tmp_path: Path
) -> None:
    api = pytest.importorskip("playwright.sync_api")
    service, address = site
    faults: list[str] = []
    with api.sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context()
        context.set_default_timeout(120_000)
        page = context.new_page()
        page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
        page.goto(address)
        assert "token" not in page.url
        assert page.locator("section").first.inner_text().startswith("▲")
        assert page.locator("a[data-case]").first.get_attribute("data-case") == "2"
        service.admit(head(tmp_path / "three", count=3))
        page.wait_for_selector('a[data-case="3"]')  # nobody loaded the page anew
        page.keyboard.press("j")
        first = page.evaluate("document.activeElement.dataset.case")
        page.keyboard.press("j")
        assert page.evaluate("document.activeElement.dataset.case") != first
        page.locator('a[data-case="1"]').focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("fieldset")
        other = context.new_page()
        other.goto(page.url)
        page.keyboard.press("d")
        page.fill("textarea", "motion")
        page.click("text=Save")
        page.wait_for_selector("text=now: dismissed")
        other.check("input[value=confirmed]")
        other.click("text=Save")
        other.wait_for_selector("text=nothing of yours was written")
        assert [row.reading for row in service.rows(verdict)] == ["dismissed"]
        page.set_viewport_size({"width": 360, "height": 740})
        for path in ("/", "/study/1", "/operations"):
            page.goto(address.split("?")[0].rstrip("/") + path)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 360, f"{path} is wider than a phone"
        browser.close()
    assert [text for text in faults if "409" not in text] == []
