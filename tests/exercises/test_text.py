"""The exercises of "Reading without cutting letters apart": solutions pass."""

import itertools

import numpy as np
import pytest

import crnn_tutorial as ct
from crnn_tutorial.metrics.text import edits_per_image
from crnn_tutorial.tasks.ctc import text_probability
from exercises.reading import solution

PAGE = "sequences/text"


def check_count_paths(count_paths):
    assert count_paths("aa", 2, "a") == 0, "a blank must stand between the two"
    assert count_paths("aa", 3, "ab") == 1, "over three steps: a, blank, a"
    assert count_paths("aa", 4, "ab") == 5
    assert count_paths("ab", 4, "ab") == 15, "the fifteen of the page"
    every = ["".join(t) for n in range(4) for t in itertools.product("ab", repeat=n)]
    total = sum(count_paths(text, 3, "ab") for text in every)
    assert total == 3**3, "each path reads as exactly one text"


def test_count_paths():
    check_count_paths(solution(PAGE, "ex-text-paths")["count_paths"])


def count_without_merging(text, steps, alphabet):
    symbols = ["", *alphabet]
    paths = itertools.product(symbols, repeat=steps)
    return sum("".join(path) == text for path in paths)


def count_without_blank(text, steps, alphabet):
    paths = itertools.product(alphabet, repeat=steps)
    return sum("".join(k for k, _ in itertools.groupby(p)) == text for p in paths)


@pytest.mark.parametrize("wrong", [count_without_merging, count_without_blank])
def test_count_paths_finds_errors(wrong):
    with pytest.raises(AssertionError):
        check_count_paths(wrong)


def check_ctc_loss(ctc_loss):
    rng = np.random.default_rng(0)
    chances = rng.dirichlet(np.ones(3), size=4)
    for text, classes in (("ab", [1, 2]), ("aa", [1, 1]), ("", []), ("bab", [2, 1, 2])):
        expected = -np.log(text_probability(chances, classes))
        assert ctc_loss(chances, text, "ab") == pytest.approx(expected), text
    with np.errstate(divide="ignore"):
        assert ctc_loss(chances[:2], "aa", "ab") == np.inf, "aa needs three steps"


def test_ctc_loss():
    check_ctc_loss(solution(PAGE, "ex-text-ctc")["ctc_loss"])


def loss_of_the_best_path(chances, text, alphabet):
    symbols = ["", *alphabet]
    best = 0.0
    for path in itertools.product(range(len(symbols)), repeat=len(chances)):
        if "".join(symbols[k] for k, _ in itertools.groupby(path)) == text:
            best = max(best, np.prod(chances[range(len(chances)), path]))
    return -np.log(best) if best else np.inf


def loss_with_blank_last(chances, text, alphabet):
    return -np.log(
        text_probability(
            np.roll(chances, 1, axis=1), [alphabet.index(c) + 1 for c in text]
        )
    )


@pytest.mark.parametrize("wrong", [loss_of_the_best_path, loss_with_blank_last])
def test_ctc_loss_finds_errors(wrong):
    with pytest.raises(AssertionError):
        check_ctc_loss(wrong)


def padded(truths, answers):
    longest = max(map(len, (*truths, *answers)))
    return ct.character_error_rate(
        [t.ljust(longest) for t in truths], [a.ljust(longest) for a in answers]
    )


def not_divided(truths, answers):
    return float(edits_per_image(truths, answers)[:, 0].sum())


def swapped(truths, answers):
    return ct.character_error_rate(answers, truths)


def sets(truths, answers):
    wrong = sum(len(set(t) ^ set(a)) for t, a in zip(truths, answers, strict=True))
    return wrong / sum(map(len, truths))


def averaged(truths, answers):
    edits = edits_per_image(truths, answers)
    return float((edits[:, 0] / np.maximum(edits[:, 1], 1)).mean())


LIARS = [padded, not_divided, swapped, sets, averaged]


def check_is_honest(is_honest):
    assert is_honest(ct.character_error_rate), "the true one is honest"
    for liar in LIARS:
        assert not is_honest(liar), f"{liar.__name__} lies and was believed"


def test_is_honest():
    check_is_honest(solution(PAGE, "ex-text-cer")["is_honest"])


def believes_who_is_right_once(rate):
    return rate(["ab"], ["ab"]) == 0


def never_asks_about_averages(rate):
    cases = [((["ab"], ["ab"]), 0), ((["a"], ["abc"]), 2), ((["ab"], ["ba"]), 1)]
    return all(abs(rate(*given) - right) < 1e-9 for given, right in cases)


@pytest.mark.parametrize(
    "wrong", [believes_who_is_right_once, never_asks_about_averages]
)
def test_is_honest_finds_errors(wrong):
    with pytest.raises(AssertionError):
        check_is_honest(wrong)
