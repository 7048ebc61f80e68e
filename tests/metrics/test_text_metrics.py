"""Exact match and character error rate inside ``fit`` say what the functions say."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crnn_tutorial as ct
from crnn_tutorial.metrics.keras_text import CharacterErrorRate, ExactMatch
from crnn_tutorial.network import heads
from crnn_tutorial.tasks.text import ReadPositions, ReadText

ABC = ct.Alphabet("abc")


def both(targets, outputs, **options):
    """Return exact match and character error rate of one batch."""
    metrics = ExactMatch(**options), CharacterErrorRate(**options)
    for metric in metrics:
        metric.update_state(np.asarray(targets), np.asarray(outputs, "float32"))
    return tuple(float(metric.result()) for metric in metrics)


def steps(*rows):
    """Outputs whose best class at each step is given by digits, one row a text."""
    return np.eye(4)[[[int(digit) for digit in row] for row in rows]]


class TestKnownAnswers:
    def test_perfect_is_exactly_1_and_0_whatever_the_padding(self):
        outputs = steps("1100220", "0000000", "1010100")
        assert both(ABC.encode(["ab", "", "aaa"]), outputs) == (1, 0)
        assert both(ABC.encode(["ab", "", "aaa"], 9), outputs) == (1, 0)

    def test_repeats_merge_only_where_no_blank_stands_between(self):
        targets = ABC.encode(["aa"])
        assert both(targets, steps("1101")) == (1, 0)
        assert both(targets, steps("1111")) == (0, 0.5)  # read as "a"

    def test_positions_do_not_merge(self):
        targets = ABC.encode(["aab"])
        assert both(targets, steps("112"), merge_repeats=False) == (1, 0)
        assert both(targets, steps("112")) == (0, pytest.approx(1 / 3))

    @pytest.mark.parametrize(
        ("text", "read", "edits"),
        [
            ("abc", "102030", 0),
            ("abc", "1030", 1),  # one is missing
            ("ac", "1020300", 1),  # one too many
            ("abc", "1010300", 1),  # one is wrong
            ("abc", "0000000", 3),
            ("abcabc", "3020103020100", 4),  # of 6, read backwards
            ("a", "1020102010", 4),  # longer than the truth
        ],
    )
    def test_edits(self, text, read, edits):
        exact, cer = both(ABC.encode([text], 7), steps(read))
        assert cer == pytest.approx(edits / len(text))
        assert exact == (edits == 0)

    def test_an_empty_truth_adds_edits_and_no_character(self):
        assert both(ABC.encode([""], 2), steps("1020")) == (0, 2)
        assert both(ABC.encode(["", "ab"]), steps("1020", "1020")) == (0.5, 1)
        assert both(ABC.encode([""]), steps("0000")) == (1, 0)

    def test_all_characters_count_alike_over_batches_of_any_size(self):
        """Not the mean of the batches' rates: 1 edit among 1 + 9 characters."""
        metric = CharacterErrorRate()
        metric.update_state(ABC.encode(["a"]), steps("2"))
        metric.update_state(ABC.encode(["abcabcabc"]), steps("123123123"))
        assert float(metric.result()) == pytest.approx(0.1)
        metric.reset_state()
        assert float(metric.result()) == 0

    def test_weights(self):
        metrics = ExactMatch(), CharacterErrorRate()
        for metric in metrics:
            targets, outputs = ABC.encode(["ab", "c"]), steps("12", "30")
            metric.update_state(targets, outputs, sample_weight=[1, 0])
            metric.update_state(targets, steps("11", "22"), sample_weight=[1, 3])
        assert float(metrics[0].result()) == pytest.approx(1 / 5)
        assert float(metrics[1].result()) == pytest.approx((1 + 3) / (2 + 2 + 3))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_they_agree_with_the_functions_on_decoded_texts(seed, merge_repeats):
    """Any number of steps (also beyond one block of 8), any length, any padding."""
    rng = np.random.default_rng(seed)
    number, width, length = rng.integers(1, (6, 40, 8))
    outputs = rng.random((number, width, 4)) ** [1, 2, 2, 2]  # many blanks
    head = ReadText(ABC) if merge_repeats else ReadPositions(ABC, width)
    answers = head.decode(outputs)
    kinds = [lambda t: t, lambda t: t[1:], lambda t: t[::-1], lambda t: t + "ab"]
    texts = [kinds[rng.integers(4)](text) for text in answers]
    longest = max(map(len, texts))
    targets = ABC.encode(texts, longest + length)
    exact, cer = both(targets, outputs, merge_repeats=merge_repeats)
    assert exact == pytest.approx(ct.exact_match(texts, answers))
    assert cer == pytest.approx(ct.character_error_rate(texts, answers))


@pytest.fixture(scope="module")
def data():
    images = np.random.default_rng(0).random((6, 8, 24, 1), dtype="float32")
    return images, ["aab", "", "c", "abc", "bb", "cab"]


# Old versions of Matplotlib's libraries warn of each other.
WARNINGS = ["-W", "error::UserWarning", "-W", "ignore::DeprecationWarning"]


class TestInsideFit:
    """The models of the package are compiled with them."""

    @pytest.mark.parametrize("fixed", [False, True])
    def test_history_and_evaluation_agree_with_decoded_texts(self, data, fixed):
        images, texts = data
        ct.set_seed(0)
        model = (
            ct.build_fixed_length_reader((8, 24, 1), "abc", 3, filters=(2,))
            if fixed
            else ct.build_text_recognizer((8, None, 1), "abc", filters=(4,), units=4)
        )
        head = heads.of(model)
        history = model.fit(
            images,
            head.encode(texts),
            validation_data=(images[:4], head.encode(texts[:4])),
            batch_size=4,
            epochs=1,
            verbose=0,
        )
        names = {"loss", "exact_match", "cer"}
        assert set(history.history) == names | {f"val_{name}" for name in names}
        answers = head.decode(model.predict(images, verbose=0))
        assert any(answers)  # else nothing was compared
        scores = model.evaluate(
            images, head.encode(texts), batch_size=4, return_dict=True, verbose=0
        )
        assert scores["exact_match"] == pytest.approx(ct.exact_match(texts, answers))
        assert scores["cer"] == pytest.approx(ct.character_error_rate(texts, answers))

    def test_texts_and_images_of_another_length_in_each_batch(self):
        """Then TensorFlow's graph knows neither steps nor characters beforehand."""

        class Batches(keras.utils.PyDataset):
            shapes = ((24, 3), (8, 2), (40, 7))

            def __len__(self):
                return len(self.shapes)

            def __getitem__(self, index):
                width, length = self.shapes[index]
                rng = np.random.default_rng(index)
                images = rng.random((4, 8, width, 1), dtype="float32")
                return images, rng.integers(0, 2, (4, length)).cumprod(axis=1)

        model = ct.build_text_recognizer((8, None, 1), "abc", filters=(4,), units=4)
        scores = model.evaluate(Batches(), return_dict=True, verbose=0)
        head, texts, answers = heads.of(model), [], []
        for images, targets in (Batches()[i] for i in range(3)):
            texts += head.alphabet.decode(targets)
            answers += head.decode(model.predict(images, verbose=0))
        assert scores["exact_match"] == pytest.approx(ct.exact_match(texts, answers))
        assert scores["cer"] == pytest.approx(ct.character_error_rate(texts, answers))

    def test_each_model_counts_with_its_own(self):
        head = ReadText(ABC)
        first, second = head.metrics, head.metrics
        assert not {id(metric) for metric in first} & {id(metric) for metric in second}

    def test_a_saved_reader_keeps_them_in_a_fresh_process(self, data, tmp_path):
        """Loaded by Keras itself: importing `network.layers` registers all it needs."""
        images, texts = data
        targets = ABC.encode(texts)
        scores = []
        for name, model in {
            "text": ct.build_text_recognizer(
                (8, None, 1), "abc", filters=(4,), units=2
            ),
            "fixed": ct.build_fixed_length_reader((8, 24, 1), "abc", 3, filters=(2,)),
        }.items():
            model.save(tmp_path / f"{name}.keras")
            model.run_eagerly = True  # one batch is not worth compiling
            scores.append(model.evaluate(images, targets, verbose=0)[1:])
        np.savez(tmp_path / "data.npz", images=images, targets=targets)
        code = (
            "import keras, numpy as np, crnn_tutorial.network.layers\n"
            "data = np.load('data.npz')\n"
            "for name in ('text', 'fixed'):\n"
            "    model = keras.models.load_model(f'{name}.keras')\n"
            "    model.run_eagerly = True\n"
            "    print(*model.evaluate(data['images'], data['targets'], verbose=0)[1:])"
        )
        done = subprocess.run(
            [sys.executable, *WARNINGS, "-c", code],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        rows = done.stdout.splitlines()[-2:]
        loaded = [[float(number) for number in row.split()] for row in rows]
        assert loaded == [pytest.approx(values, abs=1e-6) for values in scores]


@pytest.mark.parametrize("metric", [ExactMatch, CharacterErrorRate])
def test_configuration(metric):
    again = metric.from_config(metric(merge_repeats=False, name="x").get_config())
    assert (again.merge_repeats, again.name) == (False, "x")
