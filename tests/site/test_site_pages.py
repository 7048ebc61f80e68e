"""Every page of the book in a browser: wide and light, narrow and dark.

    make test-site

The rules stand in site_probe.py; test_site_rules.py shows that each one can fail.
"""

import pytest
import site_probe as probe

pytest.importorskip("yaml")

from check_book import toc_pages  # noqa: E402

PAGES = [*toc_pages(), "search", "genindex", "404"]


@pytest.fixture(scope="module")
def contexts(browser):
    """One context for each theme, each with a width of its own."""
    opened = {
        theme: browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme=theme,
            reduced_motion="reduce",
        )
        for theme, width in probe.WIDTHS.items()
    }
    for context in opened.values():
        context.add_init_script(probe.COUNT_SHIFTS)
    yield opened
    for context in opened.values():
        context.close()


def page_faults(context, address, name, theme):
    """Open a page and try every rule that needs no key."""
    page = context.new_page()
    faults = probe.watch(page, address)
    page.goto(f"{address}{name}.html", wait_until="load")
    probe.settle(page)
    faults += probe.shift_faults(page)
    faults += probe.overflow_faults(page)
    faults += probe.axe_faults(page)
    other = "dark" if theme == "light" else "light"
    page.emulate_media(color_scheme=other)
    faults += [f"{fault} ({other})" for fault in probe.overflow_faults(page)]
    page.close()
    return faults


@pytest.mark.parametrize("theme", probe.WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_page_has_no_fault(contexts, address, name, theme):
    assert page_faults(contexts[theme], address, name, theme) == []


@pytest.mark.parametrize("theme", probe.WIDTHS)
def test_the_keyboard_is_seen_and_kept(contexts, address, theme):
    page = contexts[theme].new_page()
    page.goto(f"{address}book/equations/convolution.html")
    faults = probe.focus_faults(page) + probe.theme_switch_faults(page)
    page.close()
    assert faults == []


def test_printed_outputs_are_whole(contexts, address):
    page = contexts["light"].new_page()
    page.goto(f"{address}book/equations/convolution.html")
    page.set_viewport_size({"width": 680, "height": 960})  # a sheet of A4
    page.emulate_media(media="print")
    faults = probe.overflow_faults(page)
    page.close()
    assert faults == []


def test_a_wrong_address_shows_the_way_back(contexts, address):
    page = contexts["light"].new_page()
    answer = page.goto(f"{address}book/no/such/page.html")
    assert answer.status == 404
    assert page.locator("article h1").inner_text() == "There is no such page"
    page.click("text=start at the beginning")
    assert page.url == f"{address}book/index.html"
    page.close()


def test_a_page_loads_neither_all_icons_nor_the_search_index(contexts, address):
    page, loaded = contexts["light"].new_page(), []
    page.on("request", lambda request: loaded.append(request.url))
    page.goto(f"{address}book/concepts/components.html")
    probe.settle(page)
    page.close()
    heavy = ("fa-solid-900", "fa-brands-400", "fontawesome.js", "searchindex.js")
    assert [url for url in loaded if any(name in url for name in heavy)] == []
    assert any("icons/solid.woff" in url for url in loaded)
