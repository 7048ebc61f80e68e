"""The site's small extensions: what they write into a page."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx")

sys.path.append(str(Path(__file__).resolve().parents[2] / "book" / "_ext"))

import image_sizes  # noqa: E402
import mathjax_where_needed  # noqa: E402
import meta_tags  # noqa: E402
import not_found  # noqa: E402
import output_columns  # noqa: E402
import unique_ids  # noqa: E402
from docutils import nodes  # noqa: E402


def page(work, body, **context):
    context = {"body": body, "metatags": "", **context}
    work(None, "page", "page.html", context, None)
    return context


def printed(text):
    return (
        '<div class="output stream highlight-myst-ansi notranslate">'
        f'<div class="highlight"><pre><span></span>{text}</pre></div></div>'
    )


@pytest.mark.parametrize(
    "text, columns",
    [
        ("CRNN   98.6 %\nCNN    97.0 %\n", 13),
        ("a &lt; b   yes\n", 11),
        ('<span class="ansi">CRNN</span>   98.6 %', 13),
        ("\u5377\u79ef   98.6 %\n", 13),
    ],
)
def test_a_printed_table_says_how_wide_it_is(text, columns):
    body = page(output_columns.name_all_columns, printed(text))["body"]
    assert f'notranslate" style="--columns: {columns}">' in body


def test_printed_prose_wraps_and_says_nothing():
    body = printed("The CRNN is better by 3.8 points [1.3, 6.4]\n  over 5 seeds.")
    assert page(output_columns.name_all_columns, body)["body"] == body


def test_of_two_outputs_each_has_its_own_width():
    body = printed("prose") + printed("a   b")
    found = page(output_columns.name_all_columns, body)["body"]
    assert found == printed("prose") + printed("a   b").replace(
        'notranslate"', 'notranslate" style="--columns: 5"'
    )


@pytest.mark.parametrize(
    "width, height, shown",
    [
        (480, 240, (688, 344)),  # as wide as the text
        (100, 50, (145, 72)),  # small ones stay sharp
        (480, 1000, (480, 1000)),  # tall ones do not grow
        (900, 300, (688, 229)),  # none is wider than the text
    ],
)
def test_an_image_has_its_size_before_it_is_loaded(width, height, shown):
    body = f'<img src="a.png" style="width: {width}px; height: {height}px;" />'
    expected = '<img src="a.png" width="{}" height="{}" />'.format(*shown)
    assert page(image_sizes.size_images, body)["body"] == expected


def test_each_exercise_has_an_id_of_its_own():
    document = nodes.section()
    for name in ("ex-one", "ex-two"):
        box = nodes.admonition(label=name)
        box += nodes.section(ids=["exercise-content"])
        document += box
    unique_ids.rename_contents(None, document)
    ids = [section["ids"] for section in document.findall(nodes.section)]
    assert ids == [[], ["ex-one-content"], ["ex-two-content"]]


@pytest.mark.parametrize(
    "text, kept",
    [
        ("How far? " + "It sees. " * 40, 250),
        ("One sentence that does not end before it has " + "gone on " * 40, 400),
    ],
)
def test_a_description_ends_with_a_sentence(text, kept):
    found = meta_tags.whole_sentences(text.strip())
    assert len(found) < kept
    assert text.startswith(found) and (found.endswith(".") or found == text.strip())


def test_the_description_is_the_paragraph_below_the_title():
    section = nodes.section("", nodes.title("", "Pooling"))
    paragraph = nodes.paragraph("", "", nodes.Text("Which of four?"))
    paragraph += nodes.raw("", "<!--=a-->")
    section += [paragraph, nodes.paragraph("", "More.")]
    document = nodes.section("", section)
    context = {"metatags": '<meta name="viewport" content="w" />', "meta": None}
    meta_tags.describe(None, "page", "page.html", context, document)
    assert context["meta"] == {"og:description": "Which of four?"}
    assert context["metatags"].strip() == (
        '<meta name="description" content="Which of four?" />'
    )


def test_mathjax_comes_with_formulas_only():
    scripts = ["mathjax/tex-mml-chtml.js", "book.js"]
    work = mathjax_where_needed.drop_mathjax
    without = page(work, "<p>No formula.</p>", script_files=scripts)
    assert without["script_files"] == ["book.js"]
    formula = '<span class="math notranslate">x</span>'
    assert page(work, formula, script_files=scripts)["script_files"] == scripts


def test_the_page_for_wrong_addresses_starts_from_the_path_of_the_site():
    class App:
        class config:
            html_baseurl = "https://example.org/book"

    [(name, context, template)] = not_found.not_found_page(App)
    assert (name, context["base"], template) == ("404", "/book/", "404.html")
