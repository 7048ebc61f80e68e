"""The words of a comparison, sources that count once, intervals of single scores."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from scipy import stats

import crnn_tutorial as ct
from crnn_tutorial.judging.intervals import bootstrap, interval
from crnn_tutorial.judging.verdict import Judgement, judge, print_judgements
from crnn_tutorial.metrics.text import error_rate
from crnn_tutorial.metrics.words import comparison_word

SEEDS, IMAGES = 5, 300


def judgement(low, high, **options):
    """Make a judgement with this interval and nothing else of interest."""
    return Judgement((low + high) / 2, low, high, 0.02, "", 5, 500, **options)


def answers(seed=0, share=0.8):
    return np.random.default_rng(seed).random((SEEDS, IMAGES)) < share


class TestWord:
    @pytest.mark.parametrize(
        ("low", "high", "word"),
        [
            (0.02, 0.05, "better"),
            (0.001, 0.009, "better"),  # within the margin, but with a direction
            (-0.05, -0.02, "worse"),
            (-0.009, -0.001, "worse"),
            (-0.01, 0.01, "as good"),  # the ends of the margin belong to it
            (0.0, 0.01, "as good"),
            (-0.01, 0.0, "as good"),
            (-0.01, 0.0101, "undecided"),
            (-0.0101, 0.01, "undecided"),
            (0.0, 0.02, "undecided"),
            (-0.3, 0.3, "undecided"),
        ],
    )
    def test_the_interval_and_the_margin_decide(self, low, high, word):
        assert comparison_word(low, high) == judgement(low, high).word == word

    def test_no_margin_leaves_nothing_as_good(self):
        same = answers()
        assert judge(same, same).word == "as good"
        assert judge(same, same, margin=0).word == "undecided"
        assert judge(same, same, margin=0.009).word == "undecided"  # 3 in 300: 0.9935
        with pytest.raises(ValueError, match="0 or more, but got -0.01"):
            judge(same, same, margin=-0.01)
        with pytest.raises(ValueError, match="0 or more, but got nan"):
            judge(same, same, margin=float("nan"))

    def test_swapping_the_rivals_turns_the_word_round(self):
        strong, weak = answers(share=0.9), answers(1, 0.6)
        assert judge(strong, weak).word == "better"
        assert judge(weak, strong).word == "worse"
        assert judge(weak, strong, margin=1).word == "worse"

    def test_a_verdict_is_for_the_claim_that_ours_is_better(self):
        strong, weak, other = answers(share=0.9), answers(1, 0.6), answers(2, 0.6)
        found = [judge(strong, weak), judge(weak, strong), judge(weak, other)]
        assert [one.verdict for one in found] == ["supported", "false", "not supported"]
        assert judge(weak, weak).verdict == "not supported"


class TestSentence:
    def test_a_comparison_begins_with_its_word(self):
        told = "+0.0 points [-0.6, 0.6] over 5 seeds and 500 images"
        assert judgement(-0.006, 0.006).sentence == f"as good, within 1 point: {told}"
        wider = judgement(-0.006, 0.006, margin=0.02)
        assert wider.sentence == f"as good, within 2 points: {told}"
        assert judgement(-0.05, -0.01).sentence.startswith("worse: -3.0 points [-5.0")
        assert "4 times in 5" in judgement(-0.05, 0.01).sentence
        assert "4 times in 5" not in judgement(-0.05, -0.01).sentence

    def test_a_unit_of_its_own(self):
        found = judgement(-0.2, 0.2, margin=0.5, fractions=False)
        assert found.sentence.startswith("as good, within 0.5: +0.0 [-0.2, 0.2] over")

    def test_rounding_does_not_move_a_bound_across_the_margin(self):
        assert "[-1.00, 1.04]" in judgement(-0.01, 0.0104).points  # undecided
        assert "[-0.98, 0.50]" in judgement(-0.0098, 0.005).points  # as good
        assert "[1.0, 5.0]" in judgement(0.0104, 0.05).points  # better all the same

    def test_a_claim_has_its_own_word_and_the_comparison_s(self):
        strong, weak = answers(share=0.9), answers(1, 0.6)
        claim = "The CRNN reads better"
        starts = {
            "The CRNN reads better: supported (better): +": judge(strong, weak, claim),
            "The CRNN reads better: false (worse): -": judge(weak, strong, claim),
            "The CRNN reads better: not supported (as good, within 1 point):": judge(
                weak, weak, claim
            ),
        }
        for start, found in starts.items():
            assert " ".join(str(found).split()).startswith(start)

    def test_printed_comparisons_have_no_double_negative(self, capsys):
        found = judge(answers(), answers(1), "CRNN is better than CNN")
        print_judgements({"CRNN minus CNN": found})
        told = capsys.readouterr().out
        assert told.startswith("CRNN minus CNN: undecided: ")
        assert "not supported" not in told
        assert max(map(len, told.splitlines())) <= 66


class TestStored:
    def test_stored_and_read_again_nothing_changes(self, capsys):
        found = judge(
            answers(), answers(1), margin=0.07, clusters=[*range(IMAGES // 2)] * 2
        )
        stored = json.loads(json.dumps(asdict(found)))
        assert Judgement.of(stored) == Judgement.of(found) == found
        assert Judgement.of(stored).points == found.points

    def test_old_results_speak_with_the_new_words(self, capsys):
        numbers = {"difference": 0.0, "low": -0.0062, "high": 0.0062}
        old = numbers | {
            "detectable": 0.0062,
            "verdict": "not supported",
            "seeds": 5,
            "images": 480,
            "claim": "CRNN is better than CNN",
            "fractions": True,
            "sentence": "not supported: +0.0 points",
        }
        assert Judgement.of(old).word == "as good"
        print_judgements({"CRNN minus CNN": old})
        assert capsys.readouterr().out == (
            "CRNN minus CNN: as good, within 1 point: +0.0 points [-0.6, 0.6]\n"
            "  over 5 seeds and 480 images\n"
        )

    def test_every_stored_comparison_has_a_word_that_fits_its_verdict(self):
        fits = {
            "better": "supported",
            "worse": "false",
            "as good": "not supported",
            "undecided": "not supported",
        }
        count = 0
        for found in _judgements(ct.load_results("crnn_vs_rnn")):
            assert fits[Judgement.of(found).word] == found["verdict"]
            count += 1
        assert count > 50

    def test_what_is_no_judgement_is_refused(self):
        with pytest.raises(
            ValueError, match="has difference, low, high, .* but got {'"
        ):
            Judgement.of({"verdict": "perhaps"})


def _judgements(results):
    """Yield each stored judgement, however deep."""
    for value in results.values():
        if isinstance(value, dict) and "verdict" in value:
            yield value
        elif isinstance(value, dict):
            yield from _judgements(value)


class TestClusters:
    labels = np.arange(IMAGES)

    def test_each_image_twice_changes_nothing(self):
        ours, control = answers(), answers(1)
        once = judge(ours, control)
        twice = judge(
            np.tile(ours, 2), np.tile(control, 2), clusters=np.tile(self.labels, 2)
        )
        for name in ("difference", "low", "high", "detectable", "verdict"):
            assert getattr(twice, name) == pytest.approx(getattr(once, name))
        assert (twice.images, twice.clusters) == (2 * IMAGES, IMAGES)
        assert "5 seeds and 600 images of 300 sources" in twice.sentence
        unaware = judge(np.tile(ours, 2), np.tile(control, 2))
        assert unaware.high - unaware.low < once.high - once.low, "too sure"

    def test_neither_the_order_nor_the_names_of_the_labels_count(self):
        ours, control, labels = answers(), answers(1), self.labels // 3
        order = np.random.default_rng(0).permutation(IMAGES)
        named = [f"digit {label}" for label in labels]
        here = judge(ours, control, clusters=labels)
        there = judge(
            ours[:, order], control[:, order], clusters=np.array(named)[order]
        )
        assert here.low == pytest.approx(there.low)
        assert here.clusters == there.clusters == IMAGES // 3

    def test_a_source_with_many_images_counts_as_much_as_one_with_one(self):
        ours, control = [1, 1, 1, 0], [0, 0, 0, 0]
        assert judge(ours, control, clusters=[0, 0, 0, 1]).difference == 1 / 2
        assert judge(ours, control).difference == 3 / 4

    def test_the_rule_of_three_counts_sources(self):
        same = np.ones((SEEDS, 100))
        found = judge(same, same, clusters=np.arange(100) // 2)
        assert found.high == pytest.approx(1 - 0.05 ** (1 / 50))

    def test_single_scores_are_averaged_first(self):
        right = answers()[0]
        assert interval(np.tile(right, 2), clusters=np.tile(self.labels, 2)) == (
            interval(right)
        )
        edits = np.random.default_rng(0).integers(1, 9, (IMAGES, 2))
        twice = interval(
            np.tile(edits, (2, 1)), error_rate, clusters=[*self.labels] * 2
        )
        assert twice == interval(edits, error_rate)

    @pytest.mark.parametrize(
        ("clusters", "message"),
        [
            ([0, 0, 1], r"each of the 4 images, but got the shape \(3,\)"),
            (
                [[0, 1], [2, 3]],
                r"the shape \(2, 2\). Give images of one source the same",
            ),
            (7, r"the shape \(\)"),
            ([0, 1, 2, float("nan")], "1 labels that are NaN"),
            ([0, "a", None, (1,)], "all of them numbers or all of them texts"),
        ],
    )
    def test_bad_labels(self, clusters, message):
        with pytest.raises(ValueError, match=message):
            judge([1, 0, 1, 0], [0, 1, 1, 0], clusters=clusters)
        with pytest.raises(ValueError, match=message):
            interval([1, 0, 1, 0], clusters=clusters)

    def test_one_source_tells_nothing(self):
        with pytest.raises(ValueError, match="got 4 of a single source"):
            judge([1, 0, 1, 0], [0, 1, 1, 0], clusters=[5, 5, 5, 5])


class TestInterval:
    def test_wilson_by_hand(self):
        """8 of 10, z = 1.96: (p + z^2/2n -+ z sqrt(pq/n + z^2/4n^2)) / (1 + z^2/n)."""
        found = interval([1] * 8 + [0] * 2)
        assert found.value == 0.8
        assert found.low == pytest.approx(0.4902, abs=1e-4)
        assert found.high == pytest.approx(0.9433, abs=1e-4)

    def test_all_right_is_not_certain(self):
        found = interval(np.ones(50, bool))
        assert (found.value, found.high) == (1, 1)
        assert found.low == pytest.approx(50 / (50 + 1.96**2), abs=1e-4)
        assert interval(np.zeros(50)).high == pytest.approx(1 - found.low)

    def test_more_confidence_is_wider(self):
        assert interval([1, 0, 1, 1], confidence=0.8).low > interval([1, 0, 1, 1]).low
        with pytest.raises(ValueError, match="such as 0.95, but got 95"):
            interval([1, 0], confidence=95)

    @pytest.mark.parametrize(
        ("scores", "reduce"),
        [
            (np.random.default_rng(0).random(50), np.mean),
            ([31.5] * 50, np.mean),
            ([1, 0, 0, 1, 1], np.median),
            ([[1, 0], [1, 1], [0, 1]], error_rate),
        ],
    )
    def test_other_scores_keep_the_bootstrap(self, scores, reduce):
        found, expected = interval(scores, reduce), bootstrap(scores, reduce)
        np.testing.assert_equal(
            (found.value, found.low, found.high),
            (expected.value, expected.low, expected.high),
        )

    def test_near_100_percent_wilson_covers_and_the_bootstrap_does_not(self):
        """Not simulated but summed over the number of mistakes, at 99 % of 360."""
        images, share = 360, 0.99
        mistakes = np.arange(25)  # more are as good as impossible
        chances = stats.binom.pmf(mistakes, images, 1 - share)
        covers = {make: [] for make in (interval, bootstrap)}
        for count in mistakes:
            for make, held in covers.items():
                found = make([0] * count + [1] * (images - count))
                held.append(found.low <= share <= found.high)
        assert chances.sum() > 0.999999
        assert 0.93 < chances @ covers[interval] < 0.97
        assert 0.85 < chances @ covers[bootstrap] < 0.89


class TestPValue:
    def test_with_one_seed_it_is_that_of_the_paired_t_test(self):
        rng = np.random.default_rng(0)
        control = rng.normal(30, 5, IMAGES)
        ours = control + rng.normal(0.1, 1, IMAGES)
        expected = stats.ttest_rel(ours, control).pvalue
        assert judge(ours, control).p_value == pytest.approx(expected)

    def test_two_seeds_and_three_images_by_hand(self):
        """As for the interval: SE^2 = 1 + 4/3, 2.88 degrees of freedom."""
        difference = np.array([[0.0, 2.0, 4.0], [2.0, 4.0, 6.0]])
        found = judge(difference, np.zeros(3))
        t = 3 / np.sqrt(7 / 3)
        freedom = (7 / 3) ** 2 / (1 + (4 / 3) ** 2 / 2)
        assert found.p_value == pytest.approx(2 * stats.t.sf(t, freedom))

    def test_it_falls_below_5_percent_where_the_interval_leaves_out_zero(self):
        rng = np.random.default_rng(0)
        words = []
        for share in np.linspace(0.80, 0.90, 60):
            found = judge(rng.random((3, 80)) < share, rng.random((3, 80)) < 0.8)
            assert (found.p_value < 0.05) == (not found.low <= 0 <= found.high)
            words.append(found.word)
        assert {"better", "undecided"} <= set(words)

    def test_the_rule_of_three(self):
        """All 50 differ by 0.02: a share of 0.02 is missing from 50 with 0.98^50."""
        ones = np.ones((SEEDS, 50))
        assert judge(ones, ones).p_value == 1
        assert judge(ones, ones - 0.02).p_value == pytest.approx(0.98**50)
        assert judge(ones, 0 * ones).p_value == 0

    def test_chance_alone_is_rarely_called_a_difference(self):
        rng = np.random.default_rng(0)
        found = [
            judge(rng.random((5, 100)) < 0.8, rng.random((5, 100)) < 0.8).p_value
            for _ in range(300)
        ]
        assert np.mean(np.array(found) < 0.05) < 0.05


class TestSeedsInTwoGroups:
    """One training in five of ours fails by 25 points: the true difference is -5."""

    @staticmethod
    def coverage(seeds):
        rng = np.random.default_rng(0)
        held = []
        for _ in range(300):
            control = rng.random((seeds, 100)) < 0.9
            failed = rng.random((seeds, 1)) < 0.2
            found = judge(rng.random((seeds, 100)) < 0.9 - 0.25 * failed, control)
            held.append(found.low <= -0.05 <= found.high)
        return np.mean(held)

    def test_five_do_not_cover_and_ten_cover_more(self):
        """With five, none has failed in a third of all comparisons."""
        five, ten = self.coverage(5), self.coverage(10)
        assert five < 0.9
        assert five + 0.03 < ten
