"""What a browser can find wrong with a page: each rule returns faults, in words."""

from pathlib import Path

AXE = Path(__file__).parent / "axe" / "axe.min.js"
WIDTHS = {"light": 1280, "dark": 360}
LARGEST_SHIFT = 0.1  # above it, readers lose their place while a page loads

# Rules that the theme breaks where neither a style nor a small script can mend it.
THEMES_OWN: dict[str, str] = {}

COUNT_SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries())
    if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""

UNFOLD = """async () => {
  for (const box of document.querySelectorAll("article details")) box.open = true;
  for (const box of document.querySelectorAll(".toggle-hidden"))
    box.classList.remove("toggle-hidden");
  await new Promise((done) => setTimeout(done, 50)); // the page's own scripts
}"""

OVERFLOW = """() => {
  const CODE = ".cell_input pre, .highlight-python pre"; // it may scroll
  const faults = [];
  document.querySelectorAll(".cell_output").forEach((output, number) => {
    const edge = output.getBoundingClientRect().right;
    for (const part of [output, ...output.querySelectorAll("*")]) {
      if (part.closest("mjx-container, svg, .highlight-python")) continue;
      const out = part.getBoundingClientRect().right - edge;
      const inside = part.clientWidth ? part.scrollWidth - part.clientWidth : 0;
      const excess = Math.round(Math.max(out, inside));
      if (excess > 1) {
        const name = part.tagName.toLowerCase();
        faults.push(`output ${number}: its <${name}> is ${excess} px too wide`);
        break;
      }
    }
  });
  for (const code of document.querySelectorAll(CODE))
    if (code.scrollWidth > code.clientWidth + 1)
      if (!["auto", "scroll"].includes(getComputedStyle(code).overflowX))
        faults.push(`code is cut off: ${code.innerText.slice(0, 40)}`);
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth + 1)
    faults.push(`the page is ${root.scrollWidth} px wide`);
  return faults;
}"""

VIOLATIONS = """(left_out) => axe
  .run(document, { resultTypes: ["violations"] })
  .then(({ violations }) => violations
    .filter(({ id }) => !left_out.includes(id))
    .filter(({ impact }) => ["serious", "critical"].includes(impact))
    .map(({ id, nodes }) => {
      const { html, failureSummary } = nodes[0];
      return `axe ${id}, ${nodes.length} times: ${html.slice(0, 90)}: `
        + failureSummary.split("\\n").slice(1, 2).join("").trim();
    }))"""

FOCUS = """(selector) => {
  const seen = (style) => style.opacity !== "0" &&
    ((style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2) ||
    style.boxShadow !== "none");
  const faults = [];
  for (const button of document.querySelectorAll(selector)) {
    if (!button.checkVisibility({ visibilityProperty: true })) continue;
    button.focus();
    const title = button.closest(".admonition-title");
    const inner = button.querySelector(".toctree-toggle");
    const marked = seen(getComputedStyle(button)) ||
      (inner && seen(getComputedStyle(inner))) ||
      (title && seen(getComputedStyle(title, "::before")));
    if (!marked) {
      const start = button.cloneNode().outerHTML.slice(0, 80);
      faults.push(`no sign of the keyboard on ${start}`);
    }
  }
  return faults;
}"""

ICON_BUTTONS = ", ".join(
    f"{place} {tag}"
    for place in (".bd-header-article", ".bd-sidebar-primary", ".bd-article")
    for tag in ("button", "a.btn", "summary")
)


def watch(page, address):
    """Collect console errors, failed requests and requests to elsewhere."""
    faults = []

    def requested(request):
        if not request.url.startswith((address, "data:", "blob:")):
            faults.append(f"asks for {request.url}, outside the site")

    def answered(response):
        if response.status >= 400:
            faults.append(f"{response.url} answers {response.status}")

    def said(message):
        if message.type == "error":
            faults.append(f"console: {message.text}")

    page.on("request", requested)
    page.on("response", answered)
    page.on("requestfailed", lambda request: faults.append(f"no {request.url}"))
    page.on("console", said)
    page.on("pageerror", lambda error: faults.append(f"script error: {error}"))
    return faults


def settle(page):
    """Wait until formulas are set and fonts are there."""
    page.evaluate("() => window.MathJax?.startup?.promise?.then(() => true)")
    page.evaluate("() => document.fonts.ready.then(() => true)")


def shift_faults(page):
    """The page jumps while it loads."""
    shifted = page.evaluate("window.shifted")
    return [f"jumps by {shifted:.2f}"] if shifted > LARGEST_SHIFT else []


def overflow_faults(page):
    """An output is wider than its box, or the page than the screen; all unfolded."""
    page.evaluate(UNFOLD)
    return page.evaluate(OVERFLOW)


def axe_faults(page):
    """Serious or critical barriers that axe finds."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text("utf-8"))
    return page.evaluate(VIOLATIONS, list(THEMES_OWN))


def focus_faults(page):
    """An icon button does not show that the keyboard is on it."""
    page.keyboard.press("Shift")  # from here on the keyboard leads
    return page.evaluate(FOCUS, ICON_BUTTONS)


def theme_switch_faults(page):
    """The theme switch changes nothing, or loses the keyboard's focus."""
    switch = page.locator(".theme-switch-button:visible").first
    switch.focus()
    faults, themes = [], set()
    for _ in range(3):
        page.keyboard.press("Enter")
        themes.add(page.evaluate("document.documentElement.dataset.mode"))
        if not switch.evaluate("(button) => button === document.activeElement"):
            faults.append("the theme switch loses the focus")
            switch.focus()
    if len(themes) < 3:
        faults.append(f"the theme switch knows {sorted(themes)} only")
    return faults
