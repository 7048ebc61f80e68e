"""How well a model reads: known answers, the order of the worst, lines that fit."""

import io
import re
import subprocess
import sys
import unicodedata

import keras
import numpy as np
import pytest
from known_reader import POOL, build_fixed, build_reader, draw
from PIL import Image

import crnn_tutorial as ct
from crnn_tutorial.data.text.stacking import stack_text_images
from crnn_tutorial.metrics.text import edits_per_image, error_rate
from crnn_tutorial.tasks import reading
from crnn_tutorial.tasks.reading import Reading


@pytest.fixture(scope="module")
def reader():
    return build_reader()


@pytest.fixture(scope="module")
def fixed():
    return build_fixed()


def say(monkeypatch, answers):
    """Let every reader give these answers: (text, confidence) for each image."""
    readings = [Reading(text, confidence, None) for text, confidence in answers]
    monkeypatch.setattr(reading, "read_text", lambda *_, **__: readings)


def report_of(monkeypatch, reader, truths, answers, **options):
    say(monkeypatch, answers)
    split = ct.Split([draw("10")] * len(truths), truths)
    return ct.report_text(reader, split, **options)


def columns_of(line):
    """What a terminal needs; the module counts in another way."""
    wide = {"W": 2, "F": 2}
    return sum(
        0 if unicodedata.combining(c) else wide.get(unicodedata.east_asian_width(c), 1)
        for c in line
    )


# ---------------------------------------------------------------- the numbers


IMAGES = [draw("1020"), draw("1102"), draw("3010"), draw("000"), draw("2030")]
TRUTHS = ["ab", "abc", "ca", "a", "cc"]  # read: ab, ab, ca, "", bc


def test_numbers_are_those_of_the_functions_for_them(reader):
    report = ct.report_text(reader, ct.Split(IMAGES, TRUTHS))
    texts = ct.read_text(reader, IMAGES)
    assert texts == ["ab", "ab", "ca", "", "bc"]
    assert report.images == 5
    assert report.exact_match == ct.exact_match(TRUTHS, texts) == 2 / 5
    assert report.cer == ct.character_error_rate(TRUTHS, texts) == 3 / 10
    evaluation = ct.evaluate(reader, ct.Split(IMAGES, TRUTHS))
    assert report.interval == evaluation.interval
    edits = edits_per_image(TRUTHS, texts)
    assert report.cer_interval == ct.bootstrap(edits, reduce=error_rate)
    assert report.mistakes == 3


def test_the_worst_are_wrong_and_in_order(reader):
    report = ct.report_text(reader, ct.Split(IMAGES, TRUTHS))
    assert [(w.number, w.truth, w.text) for w in report.worst] == [
        (3, "a", ""),  # 1 edit for 1 character
        (4, "cc", "bc"),  # 1 for 2
        (1, "abc", "ab"),  # 1 for 3
    ]
    readings = ct.read_text(reader, IMAGES, return_confidence=True)
    for wrong in report.worst:
        assert wrong.confidence == readings[wrong.number].confidence
        np.testing.assert_array_equal(wrong.image, IMAGES[wrong.number])
    fewer = ct.report_text(reader, ct.Split(IMAGES, TRUTHS), worst=2)
    assert [w.number for w in fewer.worst] == [3, 4]
    assert fewer.mistakes == 3


def test_of_equals_the_surest_comes_first_and_then_the_earlier(monkeypatch, reader):
    truths = ["ab", "ab", "ab", "ab", "abcabcab", ""]
    answers = [
        ("ac", 0.2),
        ("ab", 0.99),  # right
        ("cb", 0.9),
        ("bb", 0.2),
        ("bbbbbbbb", 0.8),  # 5 edits, but for 8 characters: more than a half
        ("a", 0.01),  # 1 edit for none: as if there were one
    ]
    report = report_of(monkeypatch, reader, truths, answers)
    assert [w.number for w in report.worst] == [5, 4, 2, 0, 3]


def test_a_perfect_reader_has_no_worst(reader, capsys):
    report = ct.report_text(reader, ct.Split(IMAGES[:1], TRUTHS[:1]))
    assert (report.exact_match, report.cer, report.worst) == (1, 0, [])
    assert report.interval.low < 1 and report.cer_interval.high > 0  # rule of three
    assert "worst" not in str(report) and str(report).startswith("1 image, ")
    assert report.plot() is None
    assert "no image to draw" in capsys.readouterr().out


def test_what_the_alphabet_lacks_is_wrong_and_no_error(reader):
    split = ct.Split(IMAGES, ["ab", "a?", "ca", "é", "bc"])
    report = ct.report_text(reader, split)
    assert report.exact_match == ct.evaluate(reader, split).score == 3 / 5
    assert {w.truth for w in report.worst} == {"a?", "é"}


def test_beam_search_is_passed_on(reader):
    columns = np.array([[0.5, 0.48, 0, 0]] * 2)  # greedy reads nothing, a beam "a"
    image = np.repeat(columns.T, POOL, axis=1)[..., np.newaxis].astype("float32")
    split = ct.Split([image], ["a"])
    found = [ct.report_text(reader, split, beam_width=k).exact_match for k in (1, 3)]
    assert found == [0, 1]


@pytest.mark.parametrize("batch_size", [2, 64])
def test_a_reader_of_fixed_length(fixed, batch_size):
    images = np.random.default_rng(0).random((6, 8, 16, 1), dtype="float32")
    texts = ct.read_text(fixed, images)
    truths = [*texts[:4], texts[4] + "a", "aaaa"]  # more than there are positions
    split = ct.Split(images, truths)
    report = ct.report_text(fixed, split, batch_size=batch_size)
    assert report.exact_match == ct.evaluate(fixed, split).score == 4 / 6
    assert report.cer == ct.character_error_rate(truths, texts)
    assert {w.number for w in report.worst} == {4, 5}


def test_every_form_of_images(reader, tmp_path):
    pixels = [np.uint8(255 * image[..., 0]) for image in IMAGES]
    paths = [tmp_path / f"{i}.png" for i in range(len(pixels))]
    for path, image in zip(paths, pixels, strict=True):
        Image.fromarray(image).save(path)
    expected = ct.report_text(reader, ct.Split(IMAGES, TRUTHS))
    for images in (
        paths,
        [str(path) for path in paths],
        [Image.open(path) for path in paths],
        pixels,
        stack_text_images(IMAGES),
    ):
        found = ct.report_text(reader, ct.Split(images, TRUTHS))
        assert str(found) == str(expected)
        for one, other in zip(found.worst, expected.worst, strict=True):
            np.testing.assert_array_equal(one.image, other.image)  # without padding


def test_files_are_opened_once(reader, tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    Image.fromarray(np.uint8(255 * draw("10")[..., 0])).save(path)
    opened, really_open = [], Image.open
    monkeypatch.setattr(
        Image, "open", lambda *a, **k: opened.append(1) or really_open(*a, **k)
    )
    ct.report_text(reader, ct.Split([path] * 3, ["a", "b", "c"]))
    assert len(opened) == 3


# ---------------------------------------------------------------- what is printed


def test_the_lines(monkeypatch, reader):
    truths = ["KQXZAB", "AB", "A", "ABCD"]
    answers = [("KOXZAB", 0.62), ("", 0.004), ("A", 1.0), ("AB D", 0.999)]
    report = report_of(monkeypatch, reader, truths, answers, worst=2)
    assert str(report) == repr(report)
    assert str(report).splitlines() == [
        "4 images, read without a mistake: 25.0 % [4.6, 69.9]",
        f"character error rate: 30.8 %{str(report.cer_interval)[6:]}",
        "In brackets: 95 % intervals, what other such images may give.",
        "the 2 worst of 3 wrong readings:",
        "  image  truth  read       confidence",
        "      1  AB     (nothing)   below 1 %",
        "      3  ABCD   AB D       above 99 %",
    ]
    every = report_of(monkeypatch, reader, truths, answers)
    assert "the 3 wrong readings, the worst first:" in str(every)
    assert str(every).splitlines()[-1] == "      0  KQXZAB  KOXZAB           62 %"
    one = report_of(monkeypatch, reader, truths[:1], answers[:1])
    assert "the only wrong reading:" in str(one)


def test_more_mistakes_than_characters_are_still_percent(monkeypatch, reader):
    report = report_of(monkeypatch, reader, ["a", "b"], [("bbb", 0.5), ("b", 0.5)])
    assert report.cer == 1.5
    assert "rate: 150.0 % [0.0, 300.0]" in str(report)
    alike = report_of(monkeypatch, reader, ["a"] * 2, [("bbb", 0.5)] * 2)
    assert "rate: 300.0 %\n" in str(alike)  # nobody knows the interval


LONG = "the quick brown fox jumps over the lazy dog and runs through the wood"
CHINESE = "卷积循环神经网络读取图像中的一行文字并且给出每个字符的概率和位置"


@pytest.mark.parametrize("text", [LONG, CHINESE, "e\u0301" * 60, "\t\u200b" * 20])
@pytest.mark.parametrize("at", [0, 1, 8, 15, -1])
def test_no_line_is_wider_than_66_and_the_mistake_is_seen(
    monkeypatch, reader, text, at
):
    wrong = list(text)
    wrong[at] = "Ω"
    wrong = "".join(wrong)
    report = report_of(monkeypatch, reader, [text], [(wrong, 0.62)])
    # Further down the table, so that the numbers are wide too.
    entry = report.worst[0]._replace(number=123_456_789)
    report.worst.append(entry)
    lines = str(report).splitlines()
    assert max(map(columns_of, lines)) <= 66
    assert len(lines) == 7 and lines[-1].endswith("62 %")
    assert "Ω" in lines[-1]
    assert columns_of(lines[-1]) == columns_of(lines[-3]), "columns stand in line"


def test_a_million_images_fit(reader):
    sure = ct.Interval(1.0, 1.0, 1.0)
    report = ct.TextReport(1_000_000, 1.0, sure, 1.0, ct.Interval(12.3, 11.1, 13.1), [])
    assert max(map(columns_of, str(report).splitlines())) <= 66


def test_a_text_that_fits_is_not_cut(monkeypatch, reader):
    report = report_of(monkeypatch, reader, ["a" * 19], [("a" * 18 + "b", 0.5)])
    assert "a" * 19 in str(report) and "…" not in str(report)
    report = report_of(monkeypatch, reader, [LONG], [("Z" + LONG, 0.5)])
    assert re.search(r"  the quick .*…  Zthe quick .*…  ", str(report))
    report = report_of(monkeypatch, reader, [LONG], [(LONG + "!", 0.5)])
    assert "  …h the wood  …h the wood!  " in str(report)


def test_what_cannot_be_seen_is_made_visible(monkeypatch, reader):
    answers = [("ab ", 0.5), (" ab", 0.5), ("a\tb", 0.5), ("a b", 0.5)]
    printed = str(report_of(monkeypatch, reader, ["ab"] * 4, answers))
    for seen in ("  ab␣", "  ␣ab", r"  a\tb", "  a b"):
        assert seen in printed
    assert "\t" not in printed


# ---------------------------------------------------------------- what is drawn


def titles_of(figure):
    return [axes.get_title(loc="left") for axes in figure.axes if axes.images]


def test_the_worst_are_drawn_with_truth_and_reading(reader):
    report = ct.report_text(reader, ct.Split(IMAGES, TRUTHS))
    figure = report.plot()
    assert titles_of(figure) == [
        "truth: a\nread: (nothing)",
        "truth: cc\nread: bc",
        "truth: abc\nread: ab",
    ]
    widths = {axes.images[0].get_array().shape[1] for axes in figure.axes}
    assert widths == {16}  # one scale: the narrow ones are padded


@pytest.mark.parametrize("steps", ["10", "1020"])  # two in a row, one in a row
def test_titles_fit_their_picture_and_are_no_formulas(monkeypatch, reader, steps):
    say(monkeypatch, [("W" * 69, 0.5), ("$a$", 0.5)])
    split = ct.Split([draw(steps)] * 2, [LONG, "$5 and $6"])
    figure = ct.report_text(reader, split).plot()
    figure.savefig(io.BytesIO(), dpi=96)  # which lays it out
    lefts = {axes.get_position().x0 for axes in figure.axes}
    assert len(lefts) == (2 if steps == "10" else 1)
    for axes in figure.axes:
        drawn = axes._left_title.get_window_extent()
        assert drawn.x1 <= axes.bbox.x1
    assert r"\$5 and \$6" in titles_of(figure)[1]


def test_matplotlib_is_loaded_for_figures_alone():
    source = (
        "import sys, numpy as np, crnn_tutorial as ct\n"
        "from crnn_tutorial.judging.text_report import WrongReading\n"
        "one = ct.Interval(1.0, 0.9, 1.0)\n"
        "wrong = WrongReading(0, np.zeros((8, 20, 1)), 'a', 'b', 0.5)\n"
        "report = ct.TextReport(1, 0.0, one, 1.0, one, [wrong])\n"
        "print(report)\n"
        "assert 'crnn_tutorial.figures.images' not in sys.modules\n"
        "report.plot()\n"
        "assert 'crnn_tutorial.figures.images' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", source], check=True, capture_output=True)


# ---------------------------------------------------------------- bad input


def test_bad_input(reader):
    split = ct.Split(IMAGES, TRUTHS)
    classifier = ct.build_crnn_model((8, 8, 1), 2, filters=(2,), units=2)
    for model in (classifier, "reader.keras"):
        with pytest.raises(ValueError, match=r"does not read texts.*ct\.evaluate\("):
            ct.report_text(model, split)
    with pytest.raises(ValueError, match=r"ct\.evaluate\("):
        ct.report_text(keras.Sequential([keras.layers.Dense(2)]), split)
    with pytest.raises(ValueError, match="split is empty"):
        ct.report_text(reader, ct.Split([], []))
    with pytest.raises(ValueError, match=r"such as dataset\.test"):
        ct.report_text(reader, IMAGES)
    with pytest.raises(ValueError, match="targets of the split are texts.*got 3, a"):
        ct.report_text(reader, ct.Split(IMAGES, [1, 2, 3, 4, 5][2:] + [1, 2]))
    for name in ("worst", "beam_width", "batch_size"):
        with pytest.raises(ValueError, match=f"{name} is a whole number"):
            ct.report_text(reader, split, **{name: 0})
    with pytest.raises(FileNotFoundError, match="no file"):
        ct.report_text(reader, ct.Split(["nowhere.png"], ["a"]))
