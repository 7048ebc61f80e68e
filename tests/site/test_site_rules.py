"""A rule that cannot fail is worth nothing: each is shown a page that breaks it."""

from urllib.parse import quote

import pytest
import site_probe as probe

HEAD = "<!doctype html><html lang=en><title>A page</title><style>{}</style><main><h1>A"
OUTPUT = '</h1><div class="cell_output" style="width: 300px">{}</div>'


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 360, "height": 640})
    context.add_init_script(probe.COUNT_SHIFTS)
    yield context.new_page()
    context.close()


def show(page, body, style=""):
    page.goto("data:text/html," + quote(HEAD.format(style) + body))


def test_a_long_line_that_wraps_is_no_fault(page):
    show(page, OUTPUT.format(f"<pre style='white-space: pre-wrap'>{'so ' * 99}</pre>"))
    assert probe.overflow_faults(page) == []


@pytest.mark.parametrize(
    "body, words",
    [
        (OUTPUT.format(f"<pre>{'x' * 90}</pre>"), "output 0: its <"),
        (
            OUTPUT.format(f"<pre style='overflow: auto'>{'x' * 90}</pre>"),
            "output 0: its <pre>",
        ),
        (OUTPUT.format("<img style='width: 310px'>"), "output 0: its <"),
        (
            OUTPUT.format(f"<details><summary>y</summary><pre>{'x' * 90}</pre>"),
            "output 0: its <",
        ),
        ("</h1><div style='width: 400px'>x</div>", "the page is 4"),
        (
            "</h1><div class=cell_input><pre style='overflow: hidden'>" + "x" * 90,
            "code is cut off",
        ),
    ],
)
def test_what_is_too_wide_is_a_fault(page, body, words):
    show(page, body)
    found = probe.overflow_faults(page)
    assert any(words in fault for fault in found), found


@pytest.mark.parametrize(
    "body, words",
    [
        ("</h1><button></button>", "axe button-name"),
        ("</h1><p style='color: #bbb'>faint</p>", "axe color-contrast"),
        ("</h1><img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>", "image-alt"),
    ],
)
def test_a_barrier_is_a_fault(page, body, words):
    show(page, body)
    found = probe.axe_faults(page)
    assert any(words in fault for fault in found), found


def test_a_page_without_barriers_has_no_fault(page):
    show(page, "</h1><button>Search</button>")
    assert probe.axe_faults(page) == []


def test_a_button_without_focus_is_a_fault(page):
    body = "</h1><div class=bd-article><button title=Copy>c</button></div>"
    show(page, body, "button:focus { outline: 3px solid }")
    assert probe.focus_faults(page) == []
    show(page, body, "button:focus { outline: none }")
    assert probe.focus_faults(page) == [
        'no sign of the keyboard on <button title="Copy"></button>'
    ]


SWITCH = """</h1><button class=theme-switch-button onclick="
  const { dataset } = document.documentElement;
  dataset.mode = { auto: 'light', light: 'dark', dark: 'auto' }[dataset.mode || 'auto'];
  %s">x</button>"""


@pytest.mark.parametrize(
    "more, words",
    [("", None), ("this.blur()", "loses"), ("dataset.mode = 'dark'", "knows ['dark']")],
)
def test_a_theme_switch_that_fails_is_a_fault(page, more, words):
    show(page, SWITCH % more)
    found = probe.theme_switch_faults(page)
    assert any(words in fault for fault in found) if words else found == []


@pytest.mark.parametrize(
    "body, words",
    [
        ("<script>console.error('no')</script>", "console: no"),
        ("<script>let a; let a;</script>", "script error"),
        ("<img src='http://127.0.0.1:9/a.png'>", "outside the site"),
        ("<img src='missing.png'>", "answers 404"),
    ],
)
def test_errors_and_foreign_requests_are_faults(page, address, body, words):
    page.goto(f"{address}book/index.html")
    found = probe.watch(page, address)
    page.set_content(f"<base href='{address}'>{body}", wait_until="load")
    page.wait_for_timeout(200)
    assert any(words in fault for fault in found), found


def test_a_jump_is_a_fault(page):
    show(page, "</h1><p>steady</p>")
    page.wait_for_timeout(100)
    assert probe.shift_faults(page) == []
    page.evaluate(
        "document.body.insertAdjacentHTML('afterbegin', '<p style=height:500px>')"
    )
    page.wait_for_timeout(200)
    assert probe.shift_faults(page)[0].startswith("jumps by ")
