"""The exercises of "From a zip to a reader": solutions pass, wrong answers fail."""

import math
import re

import numpy as np
import pytest
from PIL import Image

import crnn_tutorial as ct
from exercises.reading import solution

PAGE = "sequences/your_own_text"

# ------------------------------------------------------ predict: not one mistake


def check_promise(pictures_needed):
    for share in (0.9, 0.99, 0.999):
        number = pictures_needed(share)
        assert share ** (number - 1) > 0.05, (
            f"too careful: {number - 1} right ones in a row were enough for {share}"
        )
        assert share**number <= 0.05, (
            f"with a true share of {share}, {number} right ones in a row are no "
            "surprise: they come up more often than in 5 of 100 tests"
        )


def test_the_promise_is_exact():
    check_promise(solution(PAGE, "ex-owntext-promise")["pictures_needed"])


@pytest.mark.parametrize(
    "wrong, words",
    [
        (lambda share: math.ceil(3 / (1 - share)), "too careful"),
        (lambda share: math.ceil(1 / (1 - share)), "no surprise"),
        (lambda share: int(math.log(0.05) / math.log(share)), "no surprise"),
    ],
)
def test_a_wrong_promise_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_promise(wrong)


# ------------------------------------------------------ change: the scanner's names

NAMES = {
    "2024-05-01_0012_1207.png": "1207",
    "2024-05-01_0013_A_1.png": "A_1",
    "2024-05-02_0001_.png": "",
}


def check_pattern(pattern, folder):
    for shade, name in enumerate(NAMES):
        Image.new("L", (20, 10), shade).save(folder / name)
    assert all(re.search(pattern, name[:-4]) for name in NAMES), (
        "a name is missed: the text may be empty"
    )
    data = ct.load_text_images(folder, pattern, validation=0, test=0)
    texts = sorted(data.train.targets)
    assert "A_1" in texts, f"the text may hold underscores itself, but got {texts}"
    assert texts == sorted(NAMES.values()), f"the texts are {texts}"


def test_the_pattern_reads_the_names(tmp_path):
    check_pattern(solution(PAGE, "ex-owntext-pattern")["pattern"], tmp_path)


@pytest.mark.parametrize(
    "wrong, words",
    [
        (r"_(?P<text>[^_]*)$", "hold underscores itself"),
        (r"_\d+_(?P<text>.+)$", "may be empty"),
        (r"_(?P<text>.*)$", "hold underscores itself"),
    ],
)
def test_a_wrong_pattern_is_told_why(tmp_path, wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_pattern(wrong, tmp_path)


# ------------------------------------------------------ build: what a mistake costs


def check_cheapest(cheapest):
    sure = np.array([0.9, 0.8, 0.8, 0.6, 0.5, 0.2])
    right = np.array([True, True, False, True, True, False])
    assert cheapest(sure, right, 1, 0) == 0.2, "free mistakes: take everything"
    assert cheapest(sure, np.ones(6, bool), 1, 100) == 0.2, "no mistakes: take all"
    assert cheapest(sure, right, 0, 1) == np.inf, "typing is free: take nothing"
    assert cheapest(sure, ~right, 1, 100) == np.inf, (
        "infinity is a candidate: even the surest picture may be wrong"
    )
    assert cheapest(sure, right, 1, 100) == 0.9, (
        "both pictures at 0.8 are accepted together, and one of them is wrong"
    )
    assert cheapest(sure, right, 1, 3) == 0.5, (
        "one mistake is taken along, for the right ones below it"
    )
    assert cheapest(sure, right, 1, 4) == 0.9, "of two that cost the same, the higher"


def test_the_cheapest_threshold():
    check_cheapest(solution(PAGE, "ex-owntext-cost")["cheapest"])


def until_the_first_mistake(sure, right, by_hand, mistake):
    wrong = sure[~right].max(initial=-np.inf)
    return float(sure[sure > wrong].min(initial=np.inf))


def forgets_infinity(sure, right, by_hand, mistake):
    def cost(threshold):
        taken = sure >= threshold
        return by_hand * (~taken).sum() + mistake * (taken & ~right).sum()

    return float(min(np.unique(sure)[::-1], key=cost))


def one_by_one(sure, right, by_hand, mistake):
    order = np.argsort(-sure, kind="stable")
    wrong = np.concatenate([[0], (~right[order]).cumsum()])
    cost = by_hand * np.arange(len(sure), -1, -1) + mistake * wrong
    return float(np.concatenate([[np.inf], sure[order]])[cost.argmin()])


@pytest.mark.parametrize(
    "wrong, words",
    [
        (until_the_first_mistake, "take everything"),
        (forgets_infinity, "take nothing"),
        (one_by_one, "accepted together"),
    ],
)
def test_a_threshold_that_costs_more_is_told_why(wrong, words):
    with pytest.raises(AssertionError, match=words):
        check_cheapest(wrong)
