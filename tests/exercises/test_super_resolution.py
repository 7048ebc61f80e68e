"""The exercises of "Super-resolution": the solutions pass, wrong answers fail."""

import numpy as np
import pytest
from PIL import Image

import crnn_tutorial as ct
from exercises.reading import solution

PAGE = "faq/super_resolution"

# ------------------------------------------------------------ predict: enlarge a row


def check_row(enlarge_row):
    rows = ([0, 0, 1, 1], [0.2, 0.9], np.random.default_rng(0).random(7))
    for row in rows:
        row = np.asarray(row, "float32")
        told = np.asarray(enlarge_row(row))
        assert len(told) == 2 * len(row), (
            f"{len(row)} values become {2 * len(row)}, but got {len(told)}"
        )
        size = (2 * len(row), 1)
        pillow = Image.fromarray(row[None]).resize(size, Image.Resampling.BILINEAR)
        assert told == pytest.approx(np.ravel(pillow), abs=1e-5), (
            f"{row.round(2)} becomes {np.ravel(pillow).round(2)}, but got "
            f"{told.round(2)}: a new pixel lies a quarter of an old one to the left or "
            "to the right of an old one"
        )


def test_a_row_is_enlarged():
    check_row(solution(PAGE, "ex-super-row")["enlarge_row"])


def repeated(row):
    return np.repeat(row, 2)


def stretched(row):
    return np.interp(np.linspace(0, len(row) - 1, 2 * len(row)), range(len(row)), row)


def between(row):
    return np.interp(np.arange(0, len(row) - 0.5, 0.5), range(len(row)), row)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [(repeated, "a quarter"), (stretched, "a quarter"), (between, "values become")],
)
def test_a_wrong_row_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_row(wrong)


# ------------------------------------------------------------ build: consistency


def check_inconsistency(inconsistency):
    large = np.random.default_rng(0).random((3, 8, 12, 1), dtype="float32")
    small = ct.degrade(large, "downsampling", 2)
    assert inconsistency(small, large) == pytest.approx(0, abs=1e-3), (
        "an image is consistent with what it was made small to: make it small as "
        'ct.degrade(large, "downsampling", 2) does'
    )
    darker = 0.5 * small
    apart = 255 * np.abs(small - darker).mean()
    assert inconsistency(darker, large) == pytest.approx(apart, rel=1e-4), (
        f"the mean absolute difference is {apart:.2f} grey levels of 255"
    )


def test_inconsistency():
    check_inconsistency(solution(PAGE, "ex-super-consistent")["inconsistency"])


def every_other_pixel(small, large):
    return 255 * np.abs(large[:, ::2, ::2] - small).mean()


def in_shares(small, large):
    return np.abs(ct.degrade(large, "downsampling", 2) - small).mean()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [(every_other_pixel, "make it small as"), (in_shares, "grey levels of 255")],
)
def test_a_wrong_inconsistency_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_inconsistency(wrong)
