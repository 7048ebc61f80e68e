"""Answers there and back: labels, texts, and CTC against all paths one by one."""

import itertools
import math

import keras
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import crnn_tutorial as ct
from crnn_tutorial.data.text.alphabet import Alphabet
from crnn_tutorial.network import backbones, heads
from crnn_tutorial.network.assemble import assemble
from crnn_tutorial.network.masks import ColumnMask
from crnn_tutorial.tasks.classification import Classify
from crnn_tutorial.tasks.text import ReadPositions, ReadText
from crnn_tutorial.training.batches import as_batches

quick = settings(max_examples=30, deadline=None, derandomize=True)


class TestAlphabet:
    @quick
    @given(st.lists(st.text(max_size=12), min_size=1))
    def test_any_text_comes_back_as_it_was(self, texts):
        assume(any(texts))
        alphabet = Alphabet.from_texts(texts)
        assert list(alphabet.characters) == sorted(set("".join(texts)))
        classes = alphabet.encode(texts)
        assert classes.shape == (len(texts), max(map(len, texts)))
        assert alphabet.decode(classes) == texts
        assert classes.max() == len(alphabet.characters)  # 0 stays the blank

    def test_chinese(self):
        alphabet = Alphabet("卷积循环网络")
        assert alphabet.encode(["循环", "网"]).tolist() == [[3, 4], [5, 0]]
        assert alphabet.decode([[1, 2, 0], [6, 0, 0]]) == ["卷积", "络"]

    def test_length_pads_and_refuses(self):
        digits = Alphabet("0123456789")
        assert digits.encode(["7"], length=3).tolist() == [[8, 0, 0]]
        assert digits.encode(["", ""]).tolist() == [[0], [0]]
        assert digits.encode([]).shape == (0, 1)
        with pytest.raises(ValueError, match="A text has 4 characters, more than 3"):
            digits.encode(["7", "2015"], length=3)

    def test_unknown_characters_are_named_with_the_remedy(self):
        with pytest.raises(
            ValueError, match=r"does not have \['x', '环'\].*from_texts"
        ):
            Alphabet("ab").encode(["ab", "xa环"])

    @pytest.mark.parametrize("texts", ["2015", [2015], [b"2015"], [None, "1"], [["1"]]])
    def test_what_is_no_list_of_texts_is_refused(self, texts):
        # A bare "2015" would silently become four texts of one character.
        with pytest.raises(ValueError, match="one str for each image"):
            Alphabet("0125").encode(texts)

    def test_texts_may_come_as_an_array(self):
        assert Alphabet("ab").encode(np.array(["ba", "a"])).tolist() == [[2, 1], [1, 0]]

    @pytest.mark.parametrize(
        ("characters", "message"), [("", "at least one"), ("abca", r"\['a'\] repeated")]
    )
    def test_it_has_each_character_once(self, characters, message):
        with pytest.raises(ValueError, match=message):
            Alphabet(characters)

    def test_they_come_as_a_list_an_array_or_a_set(self):
        for characters in (["b", "a"], np.array(["b", "a"]), ("b", "a"), iter("ba")):
            assert Alphabet(characters) == Alphabet("ba")
        assert Alphabet({"b", "c", "a"}).characters == "abc"  # a set has no order
        assert Alphabet(frozenset("ba")).characters == "ab"

    @pytest.mark.parametrize(
        ("characters", "got"),
        [
            (["a", "e\u0301"], "but got 'e\u0301'"),
            (["a", ""], "but got ''"),
            ([0, 1], "but got 0"),
            (b"ab", "but got b'ab'"),
            (5, "but got 5"),
            (None, "but got None"),
            ([], r"but got \[\]"),
        ],
    )
    def test_what_is_no_character_is_refused_at_construction(self, characters, got):
        with pytest.raises(ValueError, match=f"a str of one code point, {got}"):
            Alphabet(characters)

    def test_messages_stay_short(self):
        large = Alphabet([chr(0x4E00 + k) for k in range(7000)])
        assert large.encode([chr(0x4E00 + 6999)]).tolist() == [[7000]]
        assert len(repr(large)) < 100
        with pytest.raises(ValueError, match=r"\(7,000 characters\) does not") as error:
            large.encode(["".join(map(chr, range(0x100, 0x400)))])
        assert len(str(error.value)) < 700
        with pytest.raises(ValueError, match="repeated") as error:
            Alphabet(large.characters * 2)
        assert len(str(error.value)) < 700

    def test_texts_that_are_none_are_named(self):
        for method in (Alphabet("ab").encode, Alphabet.from_texts):
            with pytest.raises(ValueError, match="but got nan at 1"):
                method(["a", float("nan"), "b"])


class TestClassify:
    def test_integers_and_one_hot_rows_are_the_same_labels(self):
        labels = np.array([2, 0, 1, 2])
        head = Classify(3)
        assert head.encode(labels).tolist() == [2, 0, 1, 2]
        assert head.encode(labels.tolist()).tolist() == [2, 0, 1, 2]
        assert head.encode(np.eye(3)[labels]).tolist() == [2, 0, 1, 2]
        assert head.encode(np.eye(3, dtype=bool)[labels]).tolist() == [2, 0, 1, 2]

    def test_both_ends_of_the_range_and_none_beyond(self):
        head = Classify(3)
        assert head.encode([0, 2]).tolist() == [0, 2]
        with pytest.raises(ValueError, match="0 to 2 for 3 classes, but got 0 to 3"):
            head.encode([0, 3])
        with pytest.raises(ValueError, match="but got -1 to 2"):
            head.encode([-1, 2])

    @pytest.mark.parametrize(
        ("labels", "message"),
        [
            ([0.0, 1.0], r"but got float64 of shape \(2,\)"),
            ([[0], [1]], r"but got int64 of shape \(2, 1\)"),
            (np.eye(4), r"one-hot rows of shape \(n, 3\), but got .* \(4, 4\)"),
            (["cat", "dog"], r"but got <U3 of shape \(2,\)"),
            ([[1, 1, 0]], "exactly one 1"),
            ([[0, 0, 0]], "exactly one 1"),
            ([[0.5, 0.5, 0]], "exactly one 1"),
            ([[2, -1, 0]], "exactly one 1"),
        ],
    )
    def test_what_is_no_label(self, labels, message):
        with pytest.raises(ValueError, match=message):
            Classify(3).encode(labels)

    @pytest.mark.parametrize("number", [1, 0, -2, 2.5, "10", None])
    def test_number_of_classes(self, number):
        with pytest.raises(ValueError, match="whole number of at least 2, but got"):
            Classify(number)

    def test_score_of_each_image(self):
        outputs = [[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]]
        head = Classify(2)
        assert head.decode(outputs).tolist() == [1, 0, 1]
        assert head.per_image([1, 1, 1], outputs).tolist() == [1, 0, 1]
        assert head.per_image(np.eye(2)[[1, 1, 1]], outputs).tolist() == [1, 0, 1]


def collapse(path):
    """The definition of Graves et al.: join equal neighbours, then drop blanks."""
    kept = [k for t, k in enumerate(path) if t == 0 or path[t - 1] != k]
    return tuple(k for k in kept if k != 0)


def read(path, characters="abcd"):
    """Decode logits whose best class at each step is that of the path."""
    logits = np.eye(len(characters) + 1)[[list(path)]]
    return ReadText(Alphabet(characters)).decode(logits)[0]


class TestReadText:
    @pytest.mark.parametrize(
        ("path", "text"),
        [
            ([1, 1, 1], "a"),
            ([1, 0, 1], "aa"),  # a blank keeps two equal letters apart
            ([0, 1, 1, 0, 0, 1, 2, 2, 0], "aab"),
            ([0, 0, 0], ""),
            ([2, 1, 2], "bab"),
        ],
    )
    def test_by_hand(self, path, text):
        assert read(path) == text

    @quick
    @given(st.lists(st.integers(0, 4), min_size=1, max_size=20))
    def test_any_path_collapses_by_the_definition(self, path):
        assert read(path) == "".join("abcd"[k - 1] for k in collapse(path))

    def test_a_batch_of_texts_of_different_lengths(self):
        outputs = np.eye(3)[[[1, 0, 1, 2], [0, 0, 2, 2], [0, 0, 0, 0]]]
        head = ReadText(Alphabet("ab"))
        assert head.decode(outputs) == ["aab", "b", ""]
        assert head.per_image(["aab", "ab", ""], outputs).tolist() == [1, 0, 1]
        assert head.encode(["aab", "b"]).tolist() == [[1, 1, 2], [2, 0, 0]]


class TestCtcLoss:
    """Keras' loss, which we rely on, is what the book says: all paths, added up."""

    # With room for the text: each letter a step, and a blank between equal letters.
    TEXTS = ["", "a", "b", "ab", "aa", "aba", "abab", "aab"]

    @pytest.mark.parametrize("text", TEXTS)
    def test_it_is_minus_the_log_of_the_sum_over_all_paths(self, text):
        steps, classes = 4, 3
        logits = np.random.default_rng(len(text)).normal(size=(1, steps, classes))
        chances = np.exp(logits[0]) / np.exp(logits[0]).sum(axis=1, keepdims=True)
        target = Alphabet("ab").encode([text])
        wanted = tuple(k for k in target[0] if k)
        total = sum(
            math.prod(chances[t, k] for t, k in enumerate(path))
            for path in itertools.product(range(classes), repeat=steps)
            if collapse(path) == wanted
        )
        loss = keras.losses.CTC()(target, logits.astype("float32"))
        assert float(loss) == pytest.approx(-math.log(total), abs=1e-5)


class TestReadPositions:
    def test_there_and_back(self):
        head = ReadPositions(Alphabet("ab"), positions=3)
        classes = head.encode(["ba", "", "aab"])
        assert classes.tolist() == [[2, 1, 0], [0, 0, 0], [1, 1, 2]]
        assert head.decode(np.eye(3)[classes]) == [
            "ba",
            "",
            "aab",
        ]  # "aa" is not joined
        assert head.per_image(["ba", "b", "aab"], np.eye(3)[classes]).tolist() == [
            1,
            0,
            1,
        ]

    def test_a_longer_text_has_no_place(self):
        with pytest.raises(ValueError, match="A text has 4 characters, more than 3"):
            ReadPositions(Alphabet("ab"), positions=3).encode(["abab"])

    @pytest.mark.parametrize("positions", [0, -1, 1.5, None])
    def test_number_of_positions(self, positions):
        message = "positions is a whole number of at least 1"
        with pytest.raises(ValueError, match=message):
            ReadPositions(Alphabet("ab"), positions)


class TestHeadOfAModel:
    def test_it_is_read_off_the_last_layer(self):
        digits = Alphabet("0123456789")
        fixed = ct.build_fixed_length_reader((8, 16, 1), digits, 4, filters=(2,))
        reader = ct.build_text_recognizer((8, None, 1), digits, filters=(2,), units=2)
        classifier = ct.build_rnn_model((8, 8, 1), 5, units=2)
        assert heads.of(fixed) == ReadPositions(digits, 4)
        assert heads.of(reader) == ReadText(digits)
        assert heads.of(classifier) == Classify(5)

    @pytest.mark.parametrize(
        "last",
        [
            [keras.layers.Dense(4, activation="softmax")],
            [keras.layers.Dense(4), keras.layers.Softmax()],
        ],
        ids=["dense", "softmax"],
    )
    def test_a_classifier_of_your_own_works_too(self, last):
        assert heads.of(keras.Sequential([keras.Input((3,)), *last])) == Classify(4)

    def test_another_ending_is_refused_by_name(self):
        layer = keras.layers.Dense(4, activation="sigmoid")
        model = keras.Sequential([keras.Input((3,)), layer], name="mine")
        with pytest.raises(
            ValueError, match="'mine' ends in a Dense layer, but expected"
        ):
            heads.of(model)

    def test_a_softmax_at_each_place_is_no_classifier_of_images(self):
        layer = keras.layers.Dense(4, activation="softmax")
        model = keras.Sequential([keras.Input((8, 8, 3)), layer])
        with pytest.raises(ValueError, match="ends in a Dense layer"):
            heads.of(model)


# ------------------------------------------------- a task of one's own, in one file


@keras.saving.register_keras_serializable("tests")
class Fraction(keras.layers.Dense):
    """One number between 0 and 1."""


@heads.register(Fraction)
class Estimate(heads.Head):
    """How much of an image is white: what a new task has to bring."""

    loss, metrics, metric_name = "mse", (), "minus the error"

    @classmethod
    def from_layer(cls, layer, shape):
        return cls()

    def __call__(self, features, dropout=0.0):
        average = keras.layers.GlobalAveragePooling2D()(features.map)
        return Fraction(1, activation="sigmoid", name="share")(average)

    def encode(self, targets):
        return np.asarray(targets, "float32")[:, None]

    def decode(self, outputs):
        return outputs[:, 0]

    def per_image(self, targets, outputs):
        return -np.abs(np.asarray(targets) - self.decode(outputs))


def build_estimator(shape):
    image = keras.Input(shape)
    features = backbones.patches(image, (4,), units=4, recurrence="order_blind")
    return assemble(image, features, Estimate(), learning_rate=0.02)


def test_a_task_in_forty_lines_trains_evaluates_saves_and_loads(tmp_path):
    rng = np.random.default_rng(0)
    shares = rng.random(64)
    images = (rng.random((64, 8, 8, 1)) < shares[:, None, None, None]).astype("float32")
    ct.set_seed(0)
    model = build_estimator((8, 8, 1))
    before = ct.evaluate(model, ct.Split(images, shares)).score
    ct.train_crnn_model(model, images, shares, 16, 20, verbose=0)
    after = ct.evaluate(model, ct.Split(images, shares))
    assert after.metric == "minus the error" and after.score > before / 2
    model.save(tmp_path / "share.keras")
    loaded = ct.load_model(tmp_path / "share.keras")
    assert isinstance(heads.of(loaded), Estimate)
    answer, confidence = ct.predict(loaded, images[0])
    assert answer == pytest.approx(shares[0], abs=0.5) and confidence is None
    np.testing.assert_array_equal(
        heads.of(loaded).decode(loaded.predict(images, verbose=0)),
        heads.of(model).decode(model.predict(images, verbose=0)),
    )


def test_several_heads_are_a_dict_of_outputs(tmp_path):
    image = keras.Input((8, 8, 1))
    features = backbones.patches(image, (4,), units=4, recurrence="order_blind")
    model = assemble(image, features, {"share": Estimate(), "class": Classify(3)})
    model.save(tmp_path / "both.keras")
    for one in (model, ct.load_model(tmp_path / "both.keras")):
        found = heads.of(one)
        assert found["class"] == Classify(3) and isinstance(found["share"], Estimate)
        outputs = one.predict(np.zeros((2, 8, 8, 1)), verbose=0)
        assert {name: out.shape for name, out in outputs.items()} == {
            "share": (2, 1),
            "class": (2, 3),
        }
    targets = {"share": np.ones((2, 1)), "class": np.array([0, 2])}
    history = model.fit(np.zeros((2, 8, 8, 1)), targets, verbose=0).history
    assert {"class_accuracy", "loss"} <= set(history)
    assert history["loss"][0] > 0


def build_two_heads():
    image = keras.Input((8, 8, 1))
    features = backbones.patches(image, (4,), units=4, recurrence="order_blind")
    return assemble(
        image, features, {"share": Estimate(), "class": Classify(2)}, 0, 0.02
    )


def shades(count):
    """Images of noise, how much of each is white, and whether that is the most."""
    rng = np.random.default_rng(0)
    shares = rng.random(count)
    white = rng.random((count, 8, 8, 1)) < shares[:, None, None, None]
    targets = {"share": shares, "class": (shares > 0.5).astype(int), "unused": shares}
    return ct.Split(white.astype("float32"), targets)


def test_several_heads_train_evaluate_and_predict():
    train = shades(64)
    ct.set_seed(0)
    model = build_two_heads()
    before = ct.evaluate(model, train)
    history = ct.train_crnn_model(
        model,
        train,
        batch_size=16,
        epochs=20,
        validation_data=train[:20],
        sample_weight=np.ones(64),
        verbose=0,
    )
    assert {"val_class_accuracy", "val_share_loss"} <= set(history.history)
    after = ct.evaluate(model, train, clusters=np.arange(64) // 2)
    assert after["class"].metric == "accuracy" and after["class"].score > 0.9
    assert after["share"].score > before["share"].score / 2
    plain = ct.evaluate(model, train)["class"]
    assert (plain.low, plain.high) != (after["class"].low, after["class"].high)
    data = ct.Dataset(train, train[:20], train[20:40], ("dark", "light"), "", "")
    rivals = {"CRNN": build_two_heads}
    scores = ct.train_and_evaluate(rivals, data, batch_size=16, epochs=1)["CRNN"]
    assert scores["share"].images == 20 and "class_accuracy" in scores["class"].history
    guess = ct.predict(model, np.ones((8, 8, 1), "float32"))
    assert guess["class"].answer == 1 and guess["share"].confidence is None


def test_targets_of_several_heads_are_a_dict():
    split = shades(4)
    assert split[1:3].targets["class"].shape == (2,)
    model = build_two_heads()
    for wrong, message in (
        (split.targets["class"], "targets are a dict with share, class"),
        ({"share": split.targets["share"]}, "targets are share, but the model wants"),
    ):
        with pytest.raises(ValueError, match=message):
            ct.train_crnn_model(model, split.images, wrong)
        with pytest.raises(ValueError, match=message):
            ct.evaluate(model, ct.Split(split.images, wrong))
    with pytest.raises(ValueError, match="4 images and 3 class"):
        ct.Split(split.images, {"share": split.targets["share"], "class": [0, 1, 1]})


def test_a_reader_may_have_a_second_head_behind_it():
    # What the texts need is asked of the layer of the reader, wherever it stands.
    image = keras.Input((16, None, 1))
    mask = ColumnMask()(image)
    features = backbones.columns(image, (4,), units=2, mask=mask)
    both = {"text": ReadText(Alphabet("ab")), "class": Classify(2)}
    model = assemble(image, features, both)
    images = np.random.default_rng(0).random((4, 16, 12, 1)).astype("float32")
    targets = {"text": ["ab", "a", "", "ba"], "class": np.array([0, 1, 1, 0])}
    history = ct.train_crnn_model(model, images, targets, 2, 2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    found = ct.evaluate(model, ct.Split(images, targets))
    assert set(found) == {"text", "class"} and found["text"].metric == "exact match"
    with pytest.raises(ValueError, match="1 of 4 texts are too long"):
        long = targets | {"text": ["ab", "a", "", "abababab"]}
        ct.train_crnn_model(model, images, long, 2, verbose=0)


@keras.saving.register_keras_serializable("tests")
class EachPixel(keras.layers.Conv2D):
    """One number for each pixel."""


@heads.register(EachPixel)
class Trace(heads.Head):
    """Which pixels are white: targets that move with the image."""

    loss, metrics, metric_name = "mse", (), "agreement"
    takes, moves = "masks", "masks"

    @classmethod
    def from_layer(cls, layer, shape):
        return cls()

    def __call__(self, features, dropout=0.0):
        return EachPixel(1, 1, name="pixels")(features.map)

    def encode(self, targets):
        return np.asarray(targets, "float32")


def build_tracer(**more):
    image = keras.Input((8, 8, 1))
    head = {"masks": Trace(), **more} if more else Trace()
    return assemble(image, heads.Features(image), head)


@pytest.mark.parametrize("more", [{}, {"class": Classify(2)}], ids=["one", "several"])
def test_an_augmentation_moves_masks_with_the_images(more):
    split = shades(6)
    masks = split.images[..., 0].astype(int)
    targets = {"masks": masks, "class": split.targets["class"]}
    model = build_tracer(**more)
    data = as_batches(
        model, heads.of(model), split.images, targets, 4, augment=ct.augment_shift
    )
    moved = False
    for images, found in data:
        found = found["masks"] if more else found
        np.testing.assert_array_equal(images[..., 0], found)
        moved |= (images.sum(axis=(1, 2, 3)) < 0.9 * images.size / len(images)).any()
    assert moved
    with pytest.raises(ValueError, match="has no parameter masks"):
        ct.train_crnn_model(
            model, split.images, targets, augment=lambda images, rng: images
        )


def test_an_unknown_last_layer_is_named():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="ends in a Dense layer, but expected"):
        heads.of(model)
