"""The book's structure: pages, bones, stored outputs; and the checks themselves.

A check that cannot fail is worth nothing, so each one is shown a page, made here, that
breaks exactly its rule.
"""

import copy
import json
import shutil
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("yaml")

import check_book  # noqa: E402
import check_site  # noqa: E402
from set_repository import repository_url  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
URL = repository_url()

# ------------------------------------------------------------ the book as it is


def test_every_page_of_the_toc_exists_and_every_notebook_is_in_it():
    assert list(check_book.check_toc()) == []


PAGES = {path.relative_to(ROOT).as_posix(): path for path in check_book.notebooks()}


@pytest.mark.parametrize("page", PAGES)
def test_notebook_has_no_fault(page):
    assert check_book.check_notebook(PAGES[page], URL) == []


# ------------------------------------------------------------ a page without fault

OPENING = """# How far can a CNN see?

Does recurrence help when two parts lie far apart?

```{admonition} Cost
:class: cost
1 minute on two cores; no GPU is needed; 60,000 parameters; no download.
```

```{admonition} Answer
:class: answer
Not supported.
```
"""

EXERCISE = """```{exercise} Predict
:label: ex-NUMBER

How many steps?
```

```{admonition} Hint
:class: hint dropdown
Count the pools.
```

```{solution} ex-NUMBER
:class: dropdown
Sixteen.
```

"""

GUESS = """## A bet

> The CRNN handles images better than the CNN.

::::{admonition} Guess first
:class: guess
Which one wins?

:::{dropdown} What came out
Neither.
:::
::::
"""

VERDICT = """## The control that could embarrass us

## Where it fails

## Verdict

What would change our mind: longer distances.

## Exercises

"""


def good_page():
    """Return a claim page that breaks no rule."""
    markdown, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
    install = (
        "import sys\n\n"
        'if "google.colab" in sys.modules:\n'
        f'    %pip install -q --no-deps "git+{URL}"'
    )
    figure = nbformat.v4.new_output(
        "display_data", data={"image/png": "iVBORw0KGgo=", "text/plain": "<Figure>"}
    )
    score = nbformat.v4.new_output("stream", name="stdout", text="accuracy 0.98\n")
    cells = [
        markdown(OPENING),
        code(install, metadata={"tags": ["remove-cell", "nbval-skip"]}),
        code('import crnn_tutorial as ct\n\nRUN = "quick"\nct.setup(seed=0, run=RUN)'),
        markdown(GUESS),
        code("ct.compare(scores)", outputs=[score]),
        code(
            "ct.plot_history(history)",
            outputs=[figure],
            metadata={
                "mystnb": {
                    "image": {"alt": "Loss falls over five epochs"},
                    "figure": {"name": "fig-loss", "caption": "The loss."},
                }
            },
        ),
        markdown(VERDICT + "".join(EXERCISE.replace("NUMBER", n) for n in "12")),
    ]
    count = 0
    for cell in cells:
        if cell.cell_type == "code":
            cell.execution_count = count = count + 1
    return nbformat.v4.new_notebook(
        cells=cells, metadata={"crnn_tutorial": {"page": "claim"}}
    )


def faults(notebook, folder):
    path = folder / "page.ipynb"
    nbformat.write(notebook, path)
    return check_book.check_notebook(path, URL)


def test_a_good_page_has_no_fault(tmp_path):
    assert faults(good_page(), tmp_path) == []


# ------------------------------------------------------------ pages with one fault


def swap(cell, before, after=""):
    """Break a page by replacing words in one cell."""

    def damage(page):
        assert before in page.cells[cell].source
        page.cells[cell].source = page.cells[cell].source.replace(before, after)

    return damage


def printing(text, name="stdout"):
    """Break a page by storing this output."""

    def damage(page):
        output = nbformat.v4.new_output("stream", name=name, text=text)
        page.cells[4].outputs.append(output)

    return damage


def showing(html):
    def damage(page):
        output = nbformat.v4.new_output("display_data", data={"text/html": html})
        page.cells[4].outputs.append(output)

    return damage


def storing_an_error(page):
    page.cells[4].outputs = [
        nbformat.v4.new_output("error", ename="ValueError", evalue="2-D", traceback=[])
    ]


def run_out_of_order(page):
    page.cells[4].execution_count = 7


def timed(page):
    page.cells[4].metadata["execution"] = {"iopub.execute_input": "2025-01-01"}


def without_alt_text(page):
    page.cells[5].metadata = {}


def hidden_without_output(page):
    page.cells[4].metadata["tags"] = ["hide-input"]
    page.cells[4].outputs = []


def captioned_without_figure(page):
    page.cells[5].outputs = page.cells[4].outputs


def without_type(page):
    page.metadata = {}


def without_tags(page):
    page.cells[1].metadata = {}


def too_large(page):
    page.cells[5].outputs[0].data["image/png"] = "A" * 600_000


def guess_after_the_result(page):
    page.cells[3], page.cells[4] = page.cells[4], page.cells[3]
    for count, cell in enumerate(check_book.code_cells(page), start=1):
        cell.execution_count = count


DAMAGES = [
    (without_type, "metadata crnn_tutorial.page"),
    (swap(0, "# How", "How"), "does not begin with a title"),
    (swap(3, "## A bet", "# A bet"), "2 titles"),
    (swap(3, "## A bet", "### A bet"), "a heading of level 3"),
    (swap(0, "?"), "no question"),
    (swap(0, "Cost", "Price"), "0 cost boxes"),
    (swap(0, "1 minute on two cores", "Little"), "second or minute"),
    (swap(0, "no GPU is needed", "10 seconds on a GPU"), "a GPU's time"),
    (swap(0, ":class: cost\n"), "the cost box lacks"),
    (swap(0, "60,000 parameters; "), "parameter"),
    (swap(0, "; no download"), "download"),
    (swap(0, "Answer", "Result"), "0 answer boxes"),
    (swap(0, ":class: answer\n"), "answer box lacks"),
    (swap(3, "> The", "The"), "article's words"),
    (swap(3, "Guess first", "Think"), 'no box "Guess first"'),
    (swap(3, ":class: guess\n"), "the guess box lacks"),
    (swap(3, ":class: guess", ":class: guess dropdown"), "hides its question"),
    (swap(3, "{dropdown}", "{note}"), '"Guess first" is not folded'),
    (swap(3, "wins?", "wins."), "asks nothing before its answer"),
    (guess_after_the_result, "comes after the result table"),
    (swap(4, "ct.compare(scores)", "print(scores)"), "no result table"),
    (swap(6, "embarrass us", "surprise"), "no control"),
    (swap(6, "Where it fails", "More"), "no honest failure"),
    (swap(6, "## Verdict", "## End"), "no verdict"),
    (swap(6, "change our mind", "help"), "change our mind"),
    (swap(6, "## Verdict", "```{note} A `tick`\nx\n```\n## Verdict"), "opens no block"),
    (swap(6, "## Verdict", "<!--=a-->1<!--/--> *b*\n## Verdict"), "begins with a mark"),
    (swap(6, "{exercise}", "{note}"), "0 exercises"),
    (swap(6, "} Hint", "} Tip"), "0 hints"),
    (swap(6, "{solution} ex-2", "{solution} ex-9"), "'ex-2' has no solution"),
    (swap(6, ":class: dropdown\nSixteen"), "is not folded"),
    (swap(6, ":class: hint dropdown\nCount"), "a hint is not folded"),
    (swap(6, ":class: hint dropdown", ":class: dropdown"), "the hint box lacks"),
    (swap(6, "## Verdict", "```{note} Verdict\nx\n```"), "the verdict box lacks"),
    (swap(6, ":label: ex-1\n"), "has no label"),
    (without_tags, "lacks the tag nbval-skip"),
    (swap(1, "google.colab", "colab"), "google.colab"),
    (swap(1, "https://github.com/", "https://example.org/"), "git+"),
    (swap(1, "--no-deps "), "--no-deps"),
    (swap(2, 'RUN = "quick"', "pass"), "0 switches"),
    (swap(2, "ct.setup", 'RUN = "full"\nct.setup'), "2 switches"),
    (swap(2, '"quick"', '"full"'), 'RUN = "quick"'),
    (swap(4, "ct.compare(scores)", ""), "an empty code cell"),
    (swap(4, "scores", "scores" * 11), "a code line has"),
    (
        swap(4, "ct.compare", "assert seconds > 1\nct.compare"),
        "count the work instead: seconds",
    ),
    (
        swap(4, "ct.compare", "assert a.took < b\nct.compare"),
        "count the work instead: took",
    ),
    (
        swap(4, "ct.compare", "%pip x\nassert time.perf_counter()\ncompare"),
        "perf_counter",
    ),
    (swap(4, "ct.compare", "assert\nct.compare"), "is no Python"),
    (run_out_of_order, "not stored by one run"),
    (timed, "timing metadata"),
    (storing_an_error, "an error is stored"),
    (printing("careful", name="stderr"), "stderr is stored"),
    (printing("read /home/ann/mnist.npz"), "an absolute path"),
    (printing(r"read C:\data"), "a Windows path"),
    (printing("<Model at 0x7f3a5c0d1e20>"), "an object's address"),
    (printing("I0000 00:00 cpu_feature_guard"), "a TensorFlow log line"),
    (printing("DeprecationWarning: old"), "a warning"),
    (printing("5/5 \u2501\u2501\u2501\u2501"), "a progress bar"),
    (printing("\x1b[1mModel"), "terminal colours"),
    (showing('<img src="data:image/png;base64,AA">'), "no alt text"),
    (showing('<link href="https://example.org/a.css">'), "loads something"),
    (printing("x" * 67), "a printed line has 67 characters"),
    (hidden_without_output, "a bar that opens on nothing"),
    (captioned_without_figure, "a caption without a figure"),
    (without_alt_text, "a figure without alt text"),
    (too_large, "bytes"),
]


@pytest.mark.parametrize("damage, words", DAMAGES, ids=[words for _, words in DAMAGES])
def test_each_damage_is_found(tmp_path, damage, words):
    page = copy.deepcopy(good_page())
    damage(page)
    found = faults(page, tmp_path)
    assert any(words in fault for fault in found), found


def test_what_readers_do_not_see_may_be_long(tmp_path):
    page = good_page()
    printing("x" * 67)(page)
    page.cells[4].metadata["tags"] = ["remove-cell"]
    assert faults(page, tmp_path) == []


def test_a_gpus_time_may_be_told_once_it_was_measured(tmp_path):
    page = good_page()
    swap(0, "no GPU is needed", "10 seconds on a GPU")(page)
    (tmp_path / "results").mkdir()

    def told(device, result):
        runs = [{"device": device, "pages": {"concepts/far": result}}]
        (tmp_path / "results/full.json").write_text(json.dumps(runs))
        return list(check_book.check_gpu_time(page, "concepts/far", tmp_path))

    assert told("T4", {"seconds": 10}) == []
    assert len(told("CPU", {"seconds": 10})) == 1
    assert len(told("T4", {"failed": "out of memory", "seconds": 10})) == 1


def test_a_build_page_needs_your_turn_and_an_equation_page_words(tmp_path):
    page = good_page()
    page.metadata["crnn_tutorial"] = {"page": "build"}
    assert faults(page, tmp_path) == ['no part "your turn"']
    page.metadata["crnn_tutorial"] = {"page": "equation"}
    assert faults(page, tmp_path) == ['no part "in words"']


def test_a_file_that_is_no_notebook_is_a_fault(tmp_path):
    (tmp_path / "page.ipynb").write_text("{")
    assert (
        "no valid notebook"
        in check_book.check_notebook(tmp_path / "page.ipynb", URL)[0]
    )


# ------------------------------------------------------------ table of contents


@pytest.fixture
def small_book(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "_toc.yml").write_text(
        "root: book/index\nparts:\n  - chapters:\n      - file: book/one\n"
    )
    (tmp_path / "book/index.md").write_text("# Index\n")
    nbformat.write(good_page(), tmp_path / "book/one.ipynb")
    return tmp_path


def test_toc_and_folder_agree(small_book):
    assert list(check_book.check_toc(small_book)) == []


def test_a_missing_page_is_a_fault(small_book):
    (small_book / "book/one.ipynb").unlink()
    found = list(check_book.check_toc(small_book))
    assert found == ["_toc.yml names book/one, which does not exist"]


def test_a_forgotten_notebook_is_a_fault(small_book):
    shutil.copy(small_book / "book/one.ipynb", small_book / "book/two.ipynb")
    found = list(check_book.check_toc(small_book))
    assert found == ["book/two.ipynb is not in _toc.yml"]


# ------------------------------------------------------------ the built site

HTML = (
    '<meta name="viewport" content="width=device-width">'
    '<meta name="description" content="How far can a CNN see?">'
    '<meta property="og:description" content="How far can a CNN see?">'
    '<meta property="og:site_name" content="Does recurrence help?">'
    '<meta property="og:image" content="https://example.org/_static/readme.png">'
    '<link rel="stylesheet" href="../_static/book.css"><a href="https://example.org">'
    '<link rel="canonical" href="https://example.org"><img src="data:image/png,">'
    '<figure id="fig-gap"><img src="../_images/a.png" width="1" height="1"></figure>'
)
FIGURE = {"mystnb": {"figure": {"name": "fig-gap", "caption": "The gap."}}}


@pytest.fixture
def small_site(tmp_path):
    for folder in ("_static", "_images", "book"):
        (tmp_path / folder).mkdir()
    (tmp_path / "_static/book.css").write_text("p { color: red }")
    (tmp_path / "_static/readme.png").touch()
    (tmp_path / "_images/a.png").touch()
    (tmp_path / "book/index.html").write_text(HTML)
    cell = nbformat.v4.new_code_cell("draw()", metadata=FIGURE)
    nbformat.write(
        nbformat.v4.new_notebook(cells=[cell]), tmp_path / "book/index.ipynb"
    )
    return tmp_path


def site_faults(site):
    return list(check_site.check_site(site, ["book/index"], site))


def test_a_self_contained_site_has_no_fault(small_site):
    assert site_faults(small_site) == []


@pytest.mark.parametrize(
    "before, after, words",
    [
        ('<meta name="viewport"', '<meta name="view"', "0 meta tags viewport"),
        (
            "<figure",
            '<meta name="viewport" content="b"><figure',
            "2 meta tags viewport",
        ),
        ("can a CNN see?", "can a C...", "stops in a sentence"),
        ("How far can", "How <!--=far--> can", "holds markup"),
        ("How far can", "Cost: how far can", "is the cost"),
        ("https://example.org/_static/", "_static/", "an absolute address"),
        ("_static/readme.png", "_static/card.png", "og:image is"),
        ("<figure", '<p id="fig-gap"><figure', "occurs 2 times"),
        (' width="1"', "", "no width and height"),
        ('<img src="../_images/a.png"', "<p", "has no picture"),
        ('<figure id="fig-gap"', "<figure", "drew no picture"),
    ],
)
def test_each_damage_of_a_page_is_found(small_site, before, after, words):
    assert before in HTML
    (small_site / "book/index.html").write_text(HTML.replace(before, after))
    found = site_faults(small_site)
    assert any(words in fault for fault in found), found


@pytest.mark.parametrize(
    "more, words",
    [
        ('<script src="https://example.org/a.js"></script>', "from outside"),
        ('<script src="//example.org/a.js"></script>', "from outside"),
        ('<link rel="stylesheet" href="http://example.org/a.css">', "from outside"),
        ('<img src="https://example.org/badge.svg">', "from outside"),
        ("<style>@import url(https://example.org/a.css)</style>", "from outside"),
        ('<img src="missing.png">', "the site lacks"),
    ],
)
def test_a_page_that_loads_from_outside_is_a_fault(small_site, more, words):
    (small_site / "book/index.html").write_text(HTML + more)
    found = site_faults(small_site)
    assert len(found) == 1 and words in found[0]


def test_a_stylesheet_that_loads_from_outside_is_a_fault(small_site):
    (small_site / "_static/book.css").write_text("p{background:url(//example.org/a)}")
    assert site_faults(small_site) == ["book.css loads //example.org/a"]


def test_a_page_that_was_not_built_is_a_fault(small_site):
    (small_site / "book/index.html").unlink()
    assert site_faults(small_site) == ["the site lacks book/index.html"]
