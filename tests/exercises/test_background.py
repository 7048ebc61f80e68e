"""The exercises of "2015, or how the CNN learnt to read": wrong answers fail."""

from itertools import product

import numpy as np
import pytest

import crnn_tutorial as ct
from crnn_tutorial.tasks.text import ReadText
from exercises.reading import solution

PAGE = "background"
HEAD = ReadText(ct.Alphabet("0123456789"))


def read(classes):
    """Read as the package does."""
    return HEAD.decode(np.eye(11)[[list(classes)]])[0]


# ------------------------------------------------------------ predict: how many steps?


def by_trying(text):
    """Write the text in ever more steps, in all possible ways."""
    classes = sorted({0, *(int(c) + 1 for c in text)})
    for steps in range(1, 8):
        if any(read(said) == text for said in product(classes, repeat=steps)):
            return steps
    raise AssertionError("more than 7 steps")


def check_steps(fewest_steps):
    for text in ("7", "15", "353", "55", "2005", "555"):
        needed, answer = by_trying(text), fewest_steps(text)
        assert answer >= needed, (
            f"{text} cannot be read from {answer} steps: equal neighbours need a blank"
        )
        assert answer == needed, (
            f"{text} fits into {needed} steps: who needs a blank, and who does not?"
        )


def test_the_fewest_steps_agree_with_trying_all_ways():
    check_steps(solution(PAGE, "ex-background-steps")["fewest_steps"])


def blank_for_each_repetition(text):
    return len(text) + len(text) - len(set(text))


@pytest.mark.parametrize(
    "wrong, words",
    [(len, "need a blank"), (blank_for_each_repetition, "who does not")],
)
def test_a_wrong_number_of_steps_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_steps(wrong)


# ------------------------------------------------------------ change: sight


def sight(kernel):
    """Count the pixels that one column sees: the blocks, then the kernel, by index."""
    seen = set(range(-(kernel // 2), kernel // 2 + 1))  # columns of the map
    for _ in range(2):
        halves = {2 * column + k for column in seen for k in (0, 1)}  # before the pool
        seen = {column + k for column in halves for k in (-1, 0, 1)}
    return len(seen)


def check_kernel(kernel_to_see):
    for pixels in (4, 10, 11, 16, 18, 19, 26, 40):
        kernel = kernel_to_see(pixels)
        assert kernel % 2 == 1, "an even kernel looks farther to one side"
        assert sight(kernel) >= pixels, (
            f"a kernel of {kernel} sees {sight(kernel)} pixels, not {pixels}"
        )
        assert kernel == 1 or sight(kernel - 2) < pixels, (
            f"{kernel} is more than is needed for {pixels} pixels: a column is 4 "
            "pixels away from the next one"
        )


def test_the_kernel_is_as_small_as_it_can_be():
    check_kernel(solution(PAGE, "ex-background-sight")["kernel_to_see"])


def test_the_page_is_right_about_10_and_26_pixels():
    assert (sight(1), sight(5)) == (10, 26)
    model = ct.build_text_recognizer((16, 64, 1), "01", filters=(8, 32))
    assert ct.receptive_field(model)[1] == 10


def in_pixels_of_the_map(pixels):
    """Forget that two poolings stand before: one column, one pixel."""
    return max(1, (pixels - 9) // 2 * 2 + 1)


def too_near(pixels):
    return max(1, (pixels - 10) // 4 // 2 * 2 + 1)


@pytest.mark.parametrize(
    "wrong, words", [(in_pixels_of_the_map, "more than is needed"), (too_near, "sees")]
)
def test_a_wrong_kernel_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_kernel(wrong)


# ------------------------------------------------------------ build: read


def check_read(read_steps):
    assert read_steps([4, 4, 4]) == "3", "equal neighbours are one digit: merge them"
    assert read_steps([4, 0, 4]) == "33", (
        "a blank keeps two equal digits apart: merge first, then drop the blanks"
    )
    assert read_steps([0, 0]) == "", "nothing but blanks is an empty text"
    rng = np.random.default_rng(0)
    for said in rng.choice(11, (200, 12), p=[0.5] + 10 * [0.05]).tolist():
        assert read_steps(said) == read(said), f"{said} reads {read(said)!r}"


def test_the_reading_agrees_with_the_package():
    check_read(solution(PAGE, "ex-background-read")["read_steps"])


def without_merging(classes):
    return "".join(str(k - 1) for k in classes if k)


def drop_first(classes):
    kept = [k for k in classes if k]
    pairs = zip([None, *kept], kept, strict=False)
    return "".join(str(b - 1) for a, b in pairs if a != b)


@pytest.mark.parametrize(
    "wrong, words", [(without_merging, "merge them"), (drop_first, "merge first")]
)
def test_a_wrong_reading_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_read(wrong)
