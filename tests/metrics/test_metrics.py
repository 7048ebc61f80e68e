"""Scores against cases worked by hand; intervals against simulations of the truth."""

import functools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn_tutorial.judging.intervals import Interval, bootstrap
from crnn_tutorial.judging.verdict import Judgement, judge
from crnn_tutorial.metrics.classes import accuracy_per_image
from crnn_tutorial.metrics.text import (
    character_error_rate,
    edit_distance,
    edits_per_image,
    error_rate,
    exact_match,
    exact_match_per_image,
)

SEEDS, IMAGES = 5, 300


class TestScores:
    def test_accuracy_compares_image_by_image(self):
        assert accuracy_per_image([0, 1, 2], [0, 2, 2]).tolist() == [1, 0, 1]
        assert accuracy_per_image(["a"], ["a"]).tolist() == [1]

    def test_exact_match_wants_the_whole_text(self):
        assert exact_match(["2015", "7", ""], ["2015", "77", ""]) == 2 / 3

    @pytest.mark.parametrize(
        ("target", "answer", "edits"),
        [
            ("", "", 0),
            ("", "ab", 2),
            ("ab", "", 2),
            ("2015", "2015", 0),
            ("2015", "201", 1),  # one deletion
            ("2015", "20155", 1),  # one insertion
            ("2015", "2016", 1),  # one substitution
            ("2015", "2105", 2),  # two neighbours swapped
            ("kitten", "sitting", 3),
            ("intention", "execution", 5),
        ],
    )
    def test_edit_distance(self, target, answer, edits):
        assert edit_distance(target, answer) == edits
        assert edit_distance(answer, target) == edits

    @given(st.text(max_size=12), st.text(max_size=12))
    def test_edit_distance_equals_that_of_a_library(self, target, answer):
        from rapidfuzz.distance import Levenshtein

        assert edit_distance(target, answer) == Levenshtein.distance(target, answer)

    def test_edit_distance_of_long_lines_equals_that_of_a_library(self):
        from rapidfuzz.distance import Levenshtein

        rng = np.random.default_rng(0)
        for _ in range(50):
            lengths = rng.integers(0, 120, 2)
            a, b = ("".join(rng.choice(list("abc "), n)) for n in lengths)
            assert edit_distance(a, b) == Levenshtein.distance(a, b)

    def test_edit_distance_equals_the_recursive_definition(self):
        @functools.cache
        def slow(a, b):
            if not a or not b:
                return len(a) + len(b)
            swap = slow(a[1:], b[1:]) + (a[0] != b[0])
            return min(swap, slow(a[1:], b) + 1, slow(a, b[1:]) + 1)

        rng = np.random.default_rng(0)
        for _ in range(100):
            a, b = ("".join(rng.choice(list("abc"), rng.integers(7))) for _ in "ab")
            assert edit_distance(a, b) == slow(a, b)

    def test_a_perfect_answer_has_no_error_whatever_its_length(self):
        texts = ["1", "2015", "", "00000000"]
        assert character_error_rate(texts, texts) == 0

    def test_the_rate_is_total_edits_over_total_characters_of_the_truth(self):
        # Not the mean of the rates of each text, which would be (1 + 0) / 2, and not
        # divided by the longest text, which would count padding: 1 / 18.
        truth = ["1", "123456789"]
        assert character_error_rate(truth, ["2", "123456789"]) == 1 / 10
        assert character_error_rate(["ab"], ["abcdef"]) == 2.0

    def test_an_empty_truth_adds_edits_and_no_character(self):
        assert character_error_rate(["", "abcd"], ["ab", "abcd"]) == 2 / 4
        assert character_error_rate([""], ["ab"]) == 2
        assert character_error_rate([""], [""]) == 0

    @pytest.mark.parametrize(
        "score",
        [
            accuracy_per_image,
            exact_match,
            exact_match_per_image,
            edits_per_image,
            character_error_rate,
        ],
    )
    def test_lengths_must_match(self, score):
        with pytest.raises(ValueError, match="2 targets and 1 answers"):
            score(["1", "2"], ["1"])
        with pytest.raises(ValueError, match="nothing to score"):
            score([], [])

    def test_probabilities_and_padded_classes_are_refused(self):
        with pytest.raises(ValueError, match="argmax"):
            accuracy_per_image([1, 0], [[0.1, 0.9], [0.9, 0.1]])
        with pytest.raises(ValueError, match="Decode the model's outputs"):
            exact_match(["12"], [[2, 3, 0, 0]])
        with pytest.raises(ValueError, match="lists of texts"):
            character_error_rate("2015", "2015")


class TestBootstrap:
    def test_the_same_seed_gives_the_same_interval(self):
        scores = np.random.default_rng(0).random(200)
        assert bootstrap(scores, seed=3) == bootstrap(scores, seed=3)
        assert bootstrap(scores, seed=3) != bootstrap(scores, seed=4)

    def test_it_agrees_with_the_normal_interval_for_many_images(self):
        scores = np.random.default_rng(0).normal(5, 2, 2000)
        interval = bootstrap(scores, resamples=5000)
        half = 1.96 * scores.std(ddof=1) / math.sqrt(2000)
        assert interval.value == scores.mean()
        assert interval.low == pytest.approx(scores.mean() - half, abs=0.01)
        assert interval.high == pytest.approx(scores.mean() + half, abs=0.01)

    def test_more_confidence_is_wider(self):
        scores = np.random.default_rng(0).random(200)
        narrow, wide = bootstrap(scores, confidence=0.8), bootstrap(scores)
        assert wide.low < narrow.low < narrow.high < wide.high

    def test_steps_that_spare_memory_change_nothing(self, monkeypatch):
        scores = np.random.default_rng(0).random(50)
        whole = bootstrap(scores)
        monkeypatch.setattr("crnn_tutorial.judging.intervals._BATCH", 7 * 50)
        assert bootstrap(scores) == whole

    def test_it_covers_the_truth_about_95_times_in_100(self):
        rng = np.random.default_rng(0)
        inside = 0
        for _ in range(400):
            interval = bootstrap(rng.random(300) < 0.9, resamples=500)
            inside += interval.low <= 0.9 <= interval.high
        assert 0.92 <= inside / 400 <= 0.98

    def test_a_ratio_resamples_whole_rows(self):
        edits = edits_per_image(["a" * 10, "b"], ["a" * 10, "c"])
        interval = bootstrap(edits, reduce=error_rate)
        assert interval.value == pytest.approx(1 / 11)
        assert (interval.low, interval.high) == (0, 1)  # all the one, all the other

    def test_another_reduce(self):
        interval = bootstrap([1, 2, 3, 4, 100], reduce=np.median)
        assert interval.value == 3
        assert 1 <= interval.low < 3 < interval.high <= 100

    def test_fifty_of_fifty_right_is_not_certainty(self):
        interval = bootstrap(np.ones(50))
        assert interval.high == 1
        assert interval.low == pytest.approx(1 - 3 / 50, abs=0.003)  # rule of three
        assert interval.low**50 == pytest.approx(0.05)  # exactly

    def test_none_of_fifty_right_is_not_certainty(self):
        interval = bootstrap(np.zeros(50))
        assert interval.low == 0
        assert interval.high == pytest.approx(3 / 50, abs=0.003)
        assert bootstrap(np.zeros(50), confidence=0.99).high > interval.high

    def test_no_edit_at_all_is_not_certainty_either(self):
        interval = bootstrap(np.array([[0, 4]] * 50), reduce=error_rate)
        assert (interval.low, interval.high) == (0, 1 - 0.05 ** (1 / 50))

    def test_equal_scores_without_a_known_range_have_no_interval(self):
        interval = bootstrap([31.5] * 50)
        assert interval.value == 31.5
        assert math.isnan(interval.low) and math.isnan(interval.high)
        assert str(interval) == "31.5"

    @pytest.mark.parametrize(
        ("scores", "options", "message"),
        [
            ([], {}, "at least one image"),
            ([1, math.nan], {}, "1 scores that are NaN"),
            ([1, math.inf], {}, "infinite"),
            (0.5, {}, "shape"),
            ("abc", {}, "evaluation.per_image"),
            ([1, 0], {"confidence": 95}, "between 0 and 1"),
            ([1, 0], {"resamples": 10}, "at least 100 resamples"),
        ],
    )
    def test_bad_input(self, scores, options, message):
        with pytest.raises(ValueError, match=message):
            bootstrap(scores, **options)

    def test_shown_as_percent_only_within_0_and_1(self):
        assert str(Interval(0.983, 0.969, 0.994)) == "98.3 % [96.9, 99.4]"
        assert str(Interval(31.24, 31.2, 31.28)) == "31.24 [31.20, 31.28]"


def crossed(rng, seed_spread, image_spread, rest, mean=0.0):
    """Differences with effects of the seed, of the image and of both together."""
    return (
        mean
        + rng.normal(0, seed_spread, (SEEDS, 1))
        + rng.normal(0, image_spread, (1, IMAGES))
        + rng.normal(0, rest, (SEEDS, IMAGES))
    )


def answers(rng, seed_spread, advantage=0.0):
    """Two rivals, right or wrong: images differ in difficulty, seeds in luck."""
    easy = rng.normal(2, 1, (1, IMAGES))
    ability = [rng.normal(0, seed_spread, (SEEDS, 1)) for _ in range(2)]
    noise = rng.normal(0, 0.5, (2, SEEDS, IMAGES))
    ours = easy + ability[0] + noise[0] + advantage > 0
    control = easy + ability[1] + noise[1] > 0
    return ours, control


def simulate(draw, runs=400):
    rng = np.random.default_rng(0)
    return [judge(*draw(rng)) for _ in range(runs)]


def coverage(judgements, truth):
    return np.mean([j.low <= truth <= j.high for j in judgements])


def share(judgements, verdict):
    return np.mean([j.verdict == verdict for j in judgements])


SPREADS = {  # of seeds, of images, of the rest
    "seeds vary most": (0.05, 0.2, 0.2),
    "images vary most": (0.001, 0.3, 0.1),
    "all vary": (0.01, 0.1, 0.2),
    "only the rest varies": (0.001, 0.02, 0.3),
}


class TestJudgeAgainstTheTruth:
    """What "95 %", "detectable" and the words promise, on worlds that we made."""

    @pytest.mark.parametrize("spreads", SPREADS.values(), ids=SPREADS.keys())
    def test_the_interval_covers_and_detectable_is_seen_4_times_in_5(self, spreads):
        def draw(rng, mean=0.0):
            return crossed(rng, *spreads, mean=mean), np.zeros(IMAGES)

        nothing = simulate(draw)
        assert 0.92 <= coverage(nothing, 0) <= 0.995
        assert share(nothing, "not supported") == coverage(nothing, 0)
        least = float(np.mean([j.detectable for j in nothing]))
        there = simulate(functools.partial(draw, mean=least))
        assert 0.92 <= coverage(there, least) <= 0.995
        assert 0.72 <= share(there, "supported") <= 0.88
        assert share(there, "false") == 0

    def test_leaving_the_seeds_out_would_not_cover(self):
        """Why one seed is not enough: with it the same interval misses the truth."""

        def draw(rng):
            return crossed(rng, *SPREADS["seeds vary most"])[0], np.zeros(IMAGES)

        assert coverage(simulate(draw), 0) < 0.7

    @pytest.mark.parametrize("seed_spread", [0, 0.2])
    def test_right_and_wrong_answers_without_a_difference(self, seed_spread):
        judgements = simulate(lambda rng: answers(rng, seed_spread))
        assert 0.92 <= coverage(judgements, 0) <= 1  # the rule of three is careful

    def test_right_and_wrong_answers_with_a_difference(self):
        rng = np.random.default_rng(1)
        many = [np.subtract(*np.float64(answers(rng, 0.1, 0.3))) for _ in range(3000)]
        judgements = simulate(lambda rng: answers(rng, 0.1, 0.3))
        assert 0.92 <= coverage(judgements, np.mean(many)) <= 0.99
        assert share(judgements, "false") == 0

    def test_pairing_is_what_makes_small_differences_visible(self):
        """The same scores with the control's images in another order tell nothing."""
        rng = np.random.default_rng(0)
        control = np.tile(rng.random(IMAGES), (SEEDS, 1))  # hard and easy images
        ours = control + crossed(rng, 0.001, 0.01, 0.01, mean=0.01)
        assert judge(ours, control).verdict == "supported"
        shuffled = control[:, rng.permutation(IMAGES)]
        assert judge(ours, shuffled).verdict == "not supported"


class TestJudge:
    def test_a_clear_win_a_clear_loss_and_a_tie(self):
        rng = np.random.default_rng(0)
        weak = rng.random((SEEDS, IMAGES)) < 0.8
        strong = weak | (rng.random((SEEDS, IMAGES)) < 0.5)
        other = rng.random((SEEDS, IMAGES)) < 0.8
        assert judge(strong, weak).verdict == "supported"
        assert judge(weak, strong).verdict == "false"
        assert judge(weak, other).verdict == "not supported"

    def test_ours_minus_control(self):
        judgement = judge([[1, 1, 1, 0], [1, 1, 0, 0]], [[0, 0, 1, 0], [1, 0, 0, 0]])
        assert judgement.difference == 3 / 8
        assert (judgement.seeds, judgement.images) == (2, 4)
        swapped = judge([[0, 0, 1, 0], [1, 0, 0, 0]], [[1, 1, 1, 0], [1, 1, 0, 0]])
        assert swapped.difference == -3 / 8
        assert (swapped.low, swapped.high) == (-judgement.high, -judgement.low)

    def test_one_seed_is_the_paired_t_test(self):
        from scipy import stats

        rng = np.random.default_rng(0)
        control = rng.normal(30, 5, IMAGES)  # such as PSNR
        ours = control + rng.normal(0.2, 1, IMAGES)
        judgement = judge(ours, control)
        expected = stats.ttest_rel(ours, control).confidence_interval(0.95)
        assert (judgement.low, judgement.high) == pytest.approx(expected)
        assert judgement.seeds == 1

    def test_the_formula_by_hand(self):
        """Two seeds, three images: each term of the standard error in numbers."""
        difference = np.array([[0.0, 2.0, 4.0], [2.0, 4.0, 6.0]])
        # means of seeds 2 and 4: variance 2, / 2 = 1, one degree of freedom;
        # means of images 1, 3 and 5: variance 4, / 3, two degrees
        error = math.sqrt(1 + 4 / 3)
        freedom = (7 / 3) ** 2 / (1**2 / 1 + (4 / 3) ** 2 / 2)  # 2.88
        from scipy import stats

        judgement = judge(difference, np.zeros(3))
        t, power = stats.t.ppf(0.975, freedom), stats.t.ppf(0.80, freedom)
        assert judgement.low == pytest.approx(3 - t * error)
        assert judgement.high == pytest.approx(3 + t * error)
        assert judgement.detectable == pytest.approx((t + power) * error)

    def test_a_control_without_seeds_meets_each_seed(self):
        rng = np.random.default_rng(0)
        ours, control = rng.random((SEEDS, IMAGES)), rng.random(IMAGES)
        assert judge(ours, control) == judge(ours, np.tile(control, (SEEDS, 1)))
        assert judge(control, ours).seeds == SEEDS

    def test_no_pair_differs(self):
        """Rule of three: 3 in 300 may differ although none of our 300 does."""
        same = np.random.default_rng(0).random((SEEDS, IMAGES)) < 0.9
        judgement = judge(same, same)
        assert judgement.verdict == "not supported"
        assert judgement.difference == 0
        assert judgement.high == -judgement.low == judgement.detectable
        assert judgement.detectable == pytest.approx(3 / IMAGES, abs=1e-4)

    def test_one_differing_pair_cannot_make_us_surer_than_none(self):
        same = np.ones((SEEDS, IMAGES))
        other = same.copy()
        other[0, 0] = 0
        assert judge(same, other).detectable == judge(same, same).detectable
        assert judge(same, other).verdict == "not supported"

    def test_all_pairs_differ_alike(self):
        judgement = judge(np.ones((SEEDS, 50)), np.zeros((SEEDS, 50)))
        assert judgement.verdict == "supported"
        assert judgement.low == pytest.approx(1 - 3 / 50, abs=0.003)
        assert judgement.high == 1

    def test_equal_scores_on_another_scale(self):
        psnr = np.linspace(20, 40, 50)  # some 3 in 50 may differ by the whole range
        judgement = judge(psnr, psnr)
        assert judgement.verdict == "not supported"
        assert judgement.detectable == pytest.approx(20 * 3 / 50, abs=0.06)

    def test_tiny_but_real_differences_of_fine_scores_are_not_lost(self):
        rng = np.random.default_rng(0)
        ssim = rng.uniform(0.5, 0.9, (SEEDS, IMAGES))
        better = ssim + rng.uniform(0.0001, 0.0003, (SEEDS, IMAGES))
        assert judge(better, ssim).verdict == "supported"
        assert judge(better, ssim).detectable < 0.0003

    @pytest.mark.parametrize(
        ("ours", "control", "message"),
        [
            (np.ones(3), np.ones(4), "same images, but got 3 and 4"),
            (np.ones((2, 3)), np.ones((3, 3)), "same seeds.* got 2 and 3"),
            (np.ones(1), np.ones(1), "two images"),
            (np.ones((2, 0)), np.ones((2, 0)), "at least one image"),
            (np.ones((2, 3, 4)), np.ones((2, 3)), "ours has 1 or 2 axes"),
            (np.ones(3), [1, math.nan, 1], "control holds 1 scores that are NaN"),
            (np.ones(3), object(), "Pass evaluation.per_image"),
        ],
    )
    def test_bad_input(self, ours, control, message):
        with pytest.raises(ValueError, match=message):
            judge(ours, control)


class TestSentence:
    def test_better(self):
        judgement = Judgement(0.031, 0.012, 0.05, 0.02, "supported", 5, 500)
        assert str(judgement) == (
            "better: +3.1 points [1.2, 5.0] over 5 seeds and 500 images"
        )

    def test_points_are_the_same_stored_or_not(self):
        judgement = Judgement(0.047, 0.027, 0.066, 0.02, "supported", 5, 360)
        assert judgement.points == "+4.7 points [2.7, 6.6]"
        assert Judgement.of(vars(judgement)).points == judgement.points
        assert judgement.points in judgement.sentence
        decibel = Judgement(-1.5, -2.0, -1.0, 0.4, "false", 5, 9, "", False)
        assert decibel.points == "-1.5 [-2.0, -1.0]"

    def test_undecided_names_the_detectable_difference(self):
        numbers = (0.002, -0.009, 0.013, 0.016)
        judgement = Judgement(*numbers, "not supported", 5, 10_000)
        assert judgement.sentence == (
            "undecided: +0.2 points [-0.9, 1.3] over 5 seeds and 10,000 images; "
            "a difference of 1.6 points or more would have been seen 4 times in 5"
        )

    def test_one_seed_says_so(self):
        rng = np.random.default_rng(0)
        sentence = judge(rng.random(50), rng.random(50)).sentence
        assert "over 1 seed and 50 images" in sentence
        assert sentence.endswith("one seed only: another training may say otherwise")
        two = judge(rng.random((2, 50)), rng.random((2, 50))).sentence
        assert "one seed" not in two

    def test_the_claim_stands_in_front(self):
        judgement = judge([1, 0], [0, 1], claim="The CRNN reads better")
        start = "The CRNN reads better: not supported (undecided): +0.0 points ["
        assert " ".join(str(judgement).split()).startswith(start)
        assert repr(judgement) == f"Judgement({judgement})"

    def test_no_bound_is_rounded_to_zero(self):
        """[0.0, 5.0] would look like no support where there is."""
        judgement = Judgement(0.02, 0.0002, 0.05, 0.02, "supported", 5, 500)
        assert "+2.00 points [0.02, 5.00]" in str(judgement)

    def test_scores_that_are_no_fractions_keep_their_unit(self):
        psnr = np.random.default_rng(0).normal(30, 1, (SEEDS, IMAGES))
        judgement = judge(psnr + 0.5, psnr + np.linspace(0, 0.1, IMAGES))
        assert "points" not in str(judgement)
        assert "better: +0.450 [" in str(judgement)

    def test_zero_has_no_minus(self):
        numbers = (-0.00001, -0.01, 0.01, 0.01)
        judgement = Judgement(*numbers, "not supported", 5, 500)
        assert "+0.0 points [-1.0, 1.0]" in str(judgement)
