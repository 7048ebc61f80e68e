"""Texts, confidences and columns: read from images whose answer is known."""

import math

import numpy as np
import pytest
from counted_work import count_calls
from known_reader import ABC, HEIGHT, POOL, build_fixed, build_reader, draw
from PIL import Image

import crnn_tutorial as ct
from crnn_tutorial.data.text.stacking import stack_text_images
from crnn_tutorial.network import heads
from crnn_tutorial.tasks.ctc import text_probability
from crnn_tutorial.tasks.reading import Reading


@pytest.fixture(scope="module")
def reader():
    return build_reader()


@pytest.fixture(scope="module")
def fixed():
    return build_fixed()


class TestGreedy:
    def test_texts(self, reader):
        images = np.stack([draw("1102"), draw("1122"), draw("0000"), draw("3010")])
        assert ct.read_text(reader, images) == ["ab", "ab", "", "ca"]

    def test_it_is_what_the_head_decodes(self, reader):
        images = np.random.default_rng(0).random((9, HEIGHT, 40, 1), dtype="float32")
        outputs = reader.predict(images, verbose=0)
        answers = heads.of(reader).decode(outputs)
        assert ct.read_text(reader, images, batch_size=4) == answers
        readings = ct.read_text(reader, images, return_confidence=True)
        assert [reading.text for reading in readings] == answers

    def test_images_of_different_widths_are_read_as_alone(self, reader):
        images = [draw("1"), draw("1020301"), draw("22033")]
        assert ct.read_text(reader, images) == ["a", "abca", "bc"]
        alone = [ct.read_text(reader, [i], return_confidence=True)[0] for i in images]
        together = ct.read_text(reader, images, return_confidence=True)
        for one, other in zip(alone, together, strict=True):
            assert one.columns == other.columns
            assert one.confidence == pytest.approx(other.confidence, abs=1e-6)

    def test_one_image_is_a_list_of_one(self, reader):
        assert ct.read_text(reader, draw("102")) == ["ab"]

    def test_the_search_for_the_text_costs_little(self, reader):
        """A word more costs fewer calls than it has steps."""
        outputs = np.random.default_rng(0).random((110, 25, 4))
        few, many = (
            count_calls(lambda n=n: heads.of(reader).decode(outputs[:n]))
            for n in (10, 110)
        )
        assert many - few < 100 * 25


class TestConfidence:
    def test_it_is_the_sum_over_all_alignments(self, reader):
        images = np.stack([draw("1102", 0.9), draw("1310", 0.95)])
        logits = np.float64(reader.predict(images, verbose=0))
        chances = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
        for reading, chance in zip(
            ct.read_text(reader, images, return_confidence=True), chances, strict=True
        ):
            classes = [ABC.index(letter) + 1 for letter in reading.text]
            expected = text_probability(chance, classes)
            assert reading.confidence == pytest.approx(expected, abs=1e-9)
            assert expected > chance.max(axis=1).prod()  # one path alone is less

    def test_doubt_lowers_it(self, reader):
        values = [
            ct.read_text(reader, draw("1020", doubt), return_confidence=True)[0][1]
            for doubt in (0, 0.5, 0.8)
        ]
        assert 1 >= values[0] > values[1] > values[2] > 0
        assert values[0] == pytest.approx(1, abs=1e-6)


class TestColumns:
    def test_where_each_character_stands(self, reader):
        reading = ct.read_text(reader, draw("0110220"), return_confidence=True)[0]
        assert reading == Reading("ab", reading.confidence, [(4, 11), (16, 23)])

    def test_padding_and_columns_that_fill_no_step_change_nothing(self, reader):
        image = draw("0102")[:, :-2]  # the last two columns fill no step: not read
        alone = ct.read_text(reader, [image], return_confidence=True)[0]
        together = ct.read_text(reader, [image, draw("1" * 8)], return_confidence=True)
        assert alone.columns == together[0].columns == [(4, 7)]
        assert together[1].columns == [(0, 31)]

    def test_those_of_a_model_as_it_is_built(self):
        """Two blocks, each of which halves: a step is 4 columns wide, also of 30."""
        model = ct.build_text_recognizer((16, None, 1), ABC, filters=(2, 2), units=2)
        images = np.random.default_rng(0).random((1, 16, 30, 1), dtype="float32")
        reading = ct.read_text(
            model, images, words=["abcabca"], return_confidence=True
        )[0]
        edges = range(0, 28, 4)  # 7 characters at 7 steps
        assert reading.columns == [(edge, edge + 3) for edge in edges]

    def test_nothing_read_stands_nowhere(self, reader):
        reading = ct.read_text(reader, draw("000"), return_confidence=True)[0]
        assert (reading.text, reading.columns) == ("", [])


class TestBeam:
    def test_it_adds_up_alignments_where_greedy_takes_one(self, reader):
        """At both steps blank is best, with "a" close behind it: "a" is likelier."""
        columns = np.array([[0.5, 0.48, 0, 0]] * 2)
        image = np.repeat(columns.T, POOL, axis=1)[..., np.newaxis].astype("float32")
        greedy = ct.read_text(reader, image, return_confidence=True)[0]
        beam = ct.read_text(reader, image, 3, return_confidence=True)[0]
        assert (greedy.text, beam.text) == ("", "a")
        assert beam.confidence > greedy.confidence

    def test_it_never_finds_a_less_probable_text(self, reader):
        rng = np.random.default_rng(0)
        images = rng.random((12, HEIGHT, 32, 1), dtype="float32") / 10
        greedy, narrow, wide = (
            ct.read_text(reader, images, width, return_confidence=True)
            for width in (1, 4, 40)
        )
        for one, few, many in zip(greedy, narrow, wide, strict=True):
            assert many.confidence >= few.confidence - 1e-12
            assert many.confidence >= one.confidence - 1e-12
        assert any(g.text != w.text for g, w in zip(greedy, wide, strict=True))

    def test_padding_changes_nothing(self, reader):
        image = np.random.default_rng(1).random((HEIGHT, 20, 1), dtype="float32") / 10
        alone = ct.read_text(reader, [image], 10, return_confidence=True)[0]
        wide = [image, draw("1" * 12)]
        padded = ct.read_text(reader, wide, 10, return_confidence=True)[0]
        assert (padded.text, padded.columns) == (alone.text, alone.columns)
        assert padded.confidence == pytest.approx(alone.confidence, abs=1e-6)


class TestWords:
    def test_only_they_are_read(self, reader):
        images = [draw("1020", 0.6), draw("3010", 0.6)]
        assert ct.read_text(reader, images, words=["ac", "cb", "b"]) == ["ac", "cb"]
        assert ct.read_text(reader, images, words=["ab", "", "ca"]) == ["ab", "ca"]

    def test_the_most_probable_word_with_its_own_probability(self, reader):
        rng = np.random.default_rng(0)
        image = rng.random((1, HEIGHT, 24, 1), dtype="float32") / 10
        words = ["a", "ab", "abc", "cab", "bb", "", "cabcab"]
        logits = np.float64(reader.predict(image, verbose=0)[0])
        chances = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
        known = {
            w: text_probability(chances, [ABC.index(c) + 1 for c in w]) for w in words
        }
        reading = ct.read_text(reader, image, words=words, return_confidence=True)[0]
        assert reading.text == max(known, key=known.get)
        assert reading.confidence == pytest.approx(max(known.values()), abs=1e-9)

    def test_an_image_of_no_word_has_a_low_confidence(self, reader):
        reading = ct.read_text(
            reader, draw("1020"), words=["cc"], return_confidence=True
        )[0]
        assert reading.text == "cc" and reading.confidence < 1e-6

    def test_a_word_that_does_not_fit_has_none(self, reader):
        reading = ct.read_text(
            reader, draw("1020"), words=["abcab"], return_confidence=True
        )[0]
        assert reading == Reading("abcab", 0.0, [])


class TestFixedLength:
    def test_confidence_is_a_product_and_no_column_is_known(self, fixed):
        images = np.random.default_rng(0).random((5, 8, 16, 1), dtype="float32")
        outputs = fixed.predict(images, verbose=0)
        readings = ct.read_text(fixed, images, return_confidence=True)
        assert [r.text for r in readings] == heads.of(fixed).decode(outputs)
        expected = outputs.max(axis=-1).prod(axis=1)
        np.testing.assert_allclose(
            [r.confidence for r in readings], expected, rtol=1e-5
        )
        assert {r.columns for r in readings} == {None}

    def test_words(self, fixed):
        images = np.random.default_rng(0).random((5, 8, 16, 1), dtype="float32")
        outputs = fixed.predict(images, verbose=0)
        readings = ct.read_text(
            fixed, images, words=["a", "bc"], return_confidence=True
        )
        for row, reading in zip(outputs, readings, strict=True):
            chances = {
                "a": math.prod((row[0, 1], row[1, 0], row[2, 0])),
                "bc": math.prod((row[0, 2], row[1, 3], row[2, 0])),
            }
            assert reading.text == max(chances, key=chances.get)
            assert reading.confidence == pytest.approx(max(chances.values()), rel=1e-5)

    def test_narrow_images_are_padded_to_its_width(self, fixed):
        image = np.random.default_rng(0).random((8, 10, 1), dtype="float32")
        padded = np.pad(image, [(0, 0), (0, 6), (0, 0)], constant_values=-1)
        assert ct.read_text(fixed, [image]) == ct.read_text(fixed, padded[np.newaxis])


class TestBadInput:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                {"beam_width": 0},
                "beam_width is a whole number of at least 1, but got 0",
            ),
            ({"beam_width": 2.5}, "beam_width"),
            ({"batch_size": 0}, "batch_size"),
            ({"words": []}, "words is empty"),
            ({"words": ["ab", "axy"]}, r"does not have \['x', 'y'\]"),
            ({"words": "ab"}, "Texts are a list"),
        ],
    )
    def test_options(self, reader, options, message):
        with pytest.raises(ValueError, match=message):
            ct.read_text(reader, draw("1")[np.newaxis], **options)

    @pytest.mark.parametrize(
        ("shape", "message"),
        [
            ((2, 5, 12, 1), r"\(4, any width, 1\), but got \(5, 12, 1\)"),
            ((2, 4, 12, 3), "but got"),
            ((0, 4, 12, 1), "images"),
        ],
    )
    def test_images(self, reader, shape, message):
        with pytest.raises(ValueError, match=message):
            ct.read_text(reader, np.zeros(shape, "float32"))

    def test_too_wide_for_a_fixed_width(self, fixed):
        with pytest.raises(ValueError, match=r"\(8, 16, 1\), but got \(8, 20, 1\)"):
            ct.read_text(fixed, np.zeros((1, 8, 20, 1), "float32"))

    def test_models_that_do_not_read(self):
        model = ct.build_rnn_model((4, 4, 1), num_classes=3, units=2)
        with pytest.raises(ValueError, match=r"it classifies.*build_text_recognizer"):
            ct.read_text(model, np.zeros((1, 4, 4, 1)))
        with pytest.raises(ValueError, match="it is a str"):
            ct.read_text("model.keras", np.zeros((1, 4, 4, 1)))


class TestImagesAsTheyArrive:
    """Paths, PIL images, lists of any kind: through the one function of images."""

    @pytest.fixture
    def line(self, tmp_path):
        pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, 24, 3))
        picture = Image.fromarray(pixels.astype("uint8"))
        picture.save(tmp_path / "meter.png")
        return tmp_path / "meter.png"

    def test_all_read_the_same(self, reader, line):
        picture = Image.open(line)
        pixels = ct.load_image(line, channels=1)
        expected = ct.read_text(reader, pixels, return_confidence=True)
        ways = [str(line), line, picture, line.read_bytes(), pixels[np.newaxis]]
        ways += [[way] for way in (str(line), picture, pixels, np.asarray(picture))]
        ways.append(np.array([line], dtype=object))
        for way in ways:
            assert ct.read_text(reader, way, return_confidence=True) == expected
        assert ct.read_text(reader, [line, picture]) == [expected[0].text] * 2

    def test_padded_ones_of_a_batch_alone(self, reader):
        batch = stack_text_images([draw("1"), draw("1020301")])
        assert ct.read_text(reader, batch[0]) == ["a"]
        assert ct.read_text(reader, list(batch)) == ["a", "abca"]


class TestPadding:
    @pytest.mark.parametrize("kind", ["-1 to 1", "left", "pixel"])
    def test_minus_one_elsewhere_is_no_padding(self, reader, kind):
        images = draw("1020")[np.newaxis].copy()
        if kind == "-1 to 1":
            images = 2 * images - 1
        elif kind == "left":
            images[:, :, :POOL] = -1
        else:
            images[0, 2, 3] = -1
        for given in (images, images[0], list(images)):
            with pytest.raises(ValueError, match="-1 stands where no padding is"):
                ct.read_text(reader, given)
        with pytest.raises(ValueError, match="-1 stands where no padding is"):
            ct.evaluate(reader, ct.Split(images, ["ab"]))


class TestWidths:
    @pytest.mark.parametrize("width", [1, 2, 3])
    def test_less_than_a_step_reads_as_nothing_and_surely_not(self, reader, width):
        narrow = draw("1")[:, :width]
        nothing = Reading("", 0.0, [])
        alone = ct.read_text(reader, [narrow], return_confidence=True)
        among = ct.read_text(
            reader, [draw("12"), narrow, draw("1" * 90)], return_confidence=True
        )
        assert alone == [nothing] and among[1] == nothing
        assert [reading.text for reading in among] == ["ab", "", "a"]
        assert ct.read_text(reader, narrow) == [""]
        for options in ({"beam_width": 3}, {"words": ["a", ""]}):
            (reading,) = ct.read_text(
                reader, [narrow], return_confidence=True, **options
            )
            assert reading.confidence == 0 and reading.columns == []

    def test_as_built(self):
        model = ct.build_text_recognizer((16, None, 1), ABC, filters=(2, 2), units=2)
        images = [np.zeros((16, width)) for width in (1, 2, 3, 40)]
        assert ct.read_text(model, images[:1], return_confidence=True) == [
            Reading("", 0.0, [])
        ]
        readings = ct.read_text(model, images, return_confidence=True)
        assert [r.confidence > 0 for r in readings] == [False, False, False, True]

    def test_a_batch_is_hardly_wider_than_its_narrowest(self, reader, monkeypatch):
        rng = np.random.default_rng(0)
        lines = [rng.random((HEIGHT, 64), np.float32) / 10 for _ in range(60)]
        lines.insert(7, rng.random((HEIGHT, 3200), np.float32) / 10)
        expected = [
            ct.read_text(reader, line, return_confidence=True)[0] for line in lines
        ]
        shapes = []
        predict = reader.predict_on_batch
        monkeypatch.setattr(
            reader,
            "predict_on_batch",
            lambda batch: shapes.append(batch.shape) or predict(batch),
        )
        for images in (lines, stack_text_images(lines)):
            shapes.clear()
            readings = ct.read_text(
                reader, images, return_confidence=True, batch_size=16
            )
            assert sum(np.prod(shape) for shape in shapes) < 1.5 * sum(
                line.size for line in lines
            )
            assert max(shape[0] for shape in shapes) == 16
            for found, alone in zip(readings, expected, strict=True):
                assert (found.text, found.columns) == (alone.text, alone.columns)
                assert found.confidence == pytest.approx(alone.confidence, rel=1e-4)
