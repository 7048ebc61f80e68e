"""The embedder and its loss, and the index: what it finds, keeps and refuses."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image

import crnn_tutorial as ct
from crnn_tutorial.network import heads
from crnn_tutorial.tasks.retrieval import ContrastiveLoss, Embed, Neighbours


def small_model(seed=0, **options):
    ct.set_seed(seed)
    options = {"filters": (4,), "units": 4, "embedding_size": 6, **options}
    return ct.build_embedder((8, 8, 1), **options)


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.fixture(scope="module")
def digits():
    return ct.load_digits()


@pytest.fixture
def index(model, digits):
    index = ct.ImageIndex(model)
    index.add(digits.train.images[:20])
    return index


# --------------------------------------------------------------------- the loss


def written_out(classes, vectors, temperature):
    """Equation 2 of Khosla et al., in loops."""
    losses = np.zeros(len(vectors))
    for i, anchor in enumerate(vectors):
        others = [j for j in range(len(vectors)) if j != i]
        scores = {j: np.exp(anchor @ vectors[j] / temperature) for j in others}
        same = [j for j in others if classes[j] == classes[i]]
        terms = [-np.log(scores[j] / sum(scores.values())) for j in same]
        losses[i] = np.mean(terms) if terms else 0.0
    return losses


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_the_loss_is_that_of_the_paper(temperature):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(7, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    classes = np.array([0, 0, 1, 1, 1, -5, 90_000])  # two are alone
    loss = ContrastiveLoss(temperature)
    ours = keras.ops.convert_to_numpy(loss.call(classes, vectors.astype("float32")))
    np.testing.assert_allclose(
        ours, written_out(classes, vectors, temperature), atol=1e-5
    )
    assert (ours[-2:] == 0).all()


def test_the_loss_does_not_know_the_names_of_classes():
    vectors = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
    classes = np.array([0, 1, 2, 0, 1, 2])
    loss = ContrastiveLoss()
    assert float(loss(classes, vectors)) == pytest.approx(
        float(loss(classes * 1000 + 7, vectors))
    )


# ----------------------------------------------------------------- the embedder


@pytest.mark.parametrize("sequence", ["patches", "columns"])
@pytest.mark.parametrize("recurrence", ["lstm", "order_blind", "attention"])
def test_vectors_have_length_1(sequence, recurrence, digits):
    model = small_model(sequence=sequence, recurrence=recurrence)
    vectors = model.predict(digits.test.images[:5], verbose=0)
    assert vectors.shape == (5, 6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert heads.of(model) == Embed(6)


def test_any_size_where_filters_are_given():
    model = ct.build_embedder((None, None, 3), filters=(4, 4), units=4)
    images = np.random.default_rng(0).random((2, 12, 20, 3), dtype="float32")
    assert model.predict(images, verbose=0).shape == (2, 32)
    wide = ct.build_embedder((8, None, 1), filters=(4,), units=4, sequence="columns")
    assert wide.output_shape == (None, 32)


def test_it_learns_to_tell_digits_apart_also_those_it_never_saw(digits):
    train, test = digits.train, digits.test
    seen, unseen = train[train.targets < 7], test[test.targets >= 7]
    ct.set_seed(0)
    model = ct.build_embedder(digits, filters=(8,), units=8, learning_rate=0.01)
    chance = ct.evaluate(model, unseen).score
    ct.train_crnn_model(model, seen, None, 64, 8, verbose=0)
    trained = ct.evaluate(model, test[test.targets < 7])
    assert trained.metric == "mAP"
    assert trained.score > 0.85
    assert ct.evaluate(model, unseen).score > chance
    np.testing.assert_array_equal(
        trained.per_image,
        ct.retrieval_precision(
            model.predict(test[test.targets < 7].images, verbose=0),
            test.targets[test.targets < 7],
        ),
    )


def test_classes_may_come_as_one_of_several_targets(digits, model):
    split = ct.Split(digits.test.images, {"labels": digits.test.targets})
    alone = ct.evaluate(model, digits.test)
    np.testing.assert_array_equal(ct.evaluate(model, split).per_image, alone.per_image)


def test_predict_answers_with_the_vector(digits, model):
    found = ct.predict(model, digits.test.images[:3])
    vectors = model.predict(digits.test.images[:3], verbose=0)
    np.testing.assert_array_equal([one.answer for one in found], vectors)
    assert found[0].confidence is None


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([0.0, 1.0], r"but got float64 of shape \(2,\)"),
        ([[0, 1], [1, 0]], r"of shape \(2, 2\)"),
        (["cat", "dog"], "Classes are whole numbers"),
        ([0, 2**24 + 1], "at most 2"),
        ([True, False], "but got bool"),
    ],
)
def test_what_is_no_class(targets, message):
    with pytest.raises(ValueError, match=message):
        Embed(4).encode(targets)


def test_there_must_be_two_of_a_class(model, digits):
    with pytest.raises(ValueError, match="No two of 5 images are of one class"):
        ct.train_crnn_model(model, digits.train.images[:5], np.arange(5), verbose=0)
    with pytest.raises(ValueError, match="Class 3 has one image alone"):
        ct.evaluate(model, ct.Split(digits.test.images[:3], np.array([5, 5, 3])))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"embedding_size": 0}, "embedding_size is a whole number of at least 1"),
        ({"sequence": "rows"}, 'sequence is "patches" or "columns"'),
        ({"recurrence": "lstmm"}, "recurrence is one of"),
        ({"filters": (4, 4, 4, 4)}, "too small for 4 pooling layers"),
        ({"input_shape": (None, 8, 1), "filters": None}, "input_shape is"),
    ],
)
def test_arguments_that_make_no_sense(options, message):
    options = {"input_shape": (8, 8, 1), "filters": (4,), "units": 4, **options}
    with pytest.raises(ValueError, match=message):
        ct.build_embedder(**options)


# -------------------------------------------------------------------- the index


def test_an_image_finds_itself_first(index, digits):
    found = index.search(digits.train.images[:20], count=3)
    assert [one.names[0] for one in found] == list(range(20))
    for one in found:
        assert len(one.names) == len(one.similarities) == 3
        assert one.similarities[0] == pytest.approx(1, abs=1e-5)
        assert (np.diff(one.similarities) <= 0).all()


def test_the_search_is_exact(index, model, digits):
    queries = digits.test.images[:4]
    vectors = model.predict(queries, verbose=0)
    cosines = vectors @ index.embeddings.T
    for one, row in zip(index.search(queries, count=20), cosines, strict=True):
        np.testing.assert_allclose(one.similarities, -np.sort(-row), atol=1e-5)
        np.testing.assert_allclose(row[one.names], one.similarities, atol=1e-5)


def test_one_image_has_one_answer_and_few_images_are_all_found(index, digits):
    found = index.search(digits.train.images[3], count=100)
    assert isinstance(found, Neighbours)
    assert found.names[0] == 3 and sorted(found.names) == list(range(20))


def test_numbers_go_on_and_names_stay(index, digits):
    index.add(digits.train.images[20])
    index.add(digits.train.images[21:23], names=["a", np.int64(7)])
    assert len(index) == 23
    assert index.names[-3:] == [20, "a", 7]
    assert index.search(digits.train.images[21], count=1).names == ["a"]


def test_a_folder_brings_its_names(model, tmp_path, digits):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(3):
        pixels = (digits.train.images[number, ..., 0] * 255).astype("uint8")
        Image.fromarray(pixels).save(folder / f"digit{number}.png")
    index = ct.ImageIndex(model)
    index.add(folder)
    assert index.names == ["digit0.png", "digit1.png", "digit2.png"]
    found = index.search(folder, count=1)
    assert {name: one.names for name, one in found.items()} == {
        name: [name] for name in index.names
    }
    assert index.search(folder / "digit2.png", count=1).names == ["digit2.png"]


def test_searching_before_anything_was_added(model, digits):
    with pytest.raises(ValueError, match=r"The index is empty.*index\.add"):
        ct.ImageIndex(model).search(digits.test.images[:1])


def test_what_an_index_refuses(index, digits):
    with pytest.raises(ValueError, match="2 images and 1 names"):
        index.add(digits.test.images[:2], names=["one"])
    assert len(index) == 20
    with pytest.raises(ValueError, match="count is a whole number of at least 1"):
        index.search(digits.test.images[:1], count=0)
    with pytest.raises(ValueError, match="makes no embeddings.*build_embedder"):
        ct.ImageIndex(ct.build_crnn_model(digits))


def test_it_comes_back_from_a_file_as_it_was(index, model, digits, tmp_path):
    index.add(digits.train.images[20:22], names=["a", "b"])
    index.save(tmp_path / "digits")  # without the ending that NumPy would add
    loaded = ct.ImageIndex.load(tmp_path / "digits", model)
    assert loaded.names == index.names
    np.testing.assert_array_equal(loaded.embeddings, index.embeddings)
    loaded.add(digits.train.images[22])
    assert loaded.names[-1] == 22


def test_another_model_is_refused(index, tmp_path):
    index.save(tmp_path / "index.npz")
    with pytest.raises(ValueError, match="Another model made the index .*index.npz"):
        ct.ImageIndex.load(tmp_path / "index.npz", small_model(seed=1))
    assert len(ct.ImageIndex.load(tmp_path / "index.npz", small_model(seed=0))) == 20


def test_files_that_are_no_index(index, model, tmp_path):
    path = tmp_path / "index.npz"
    with pytest.raises(FileNotFoundError):
        ct.ImageIndex.load(path, model)
    np.savez(path, other=np.zeros(3))
    with pytest.raises(ValueError, match="is no index that was saved"):
        ct.ImageIndex.load(path, model)
    index.save(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"no readable npz file.*index\.save"):
        ct.ImageIndex.load(path, model)


FRESH = """
import sys
import numpy as np
import crnn_tutorial as ct

model = ct.load_model(sys.argv[1] + "/model.keras")
index = ct.ImageIndex.load(sys.argv[1] + "/index.npz", model)
images = ct.load_digits().test.images[:9]
np.save(sys.argv[1] + "/fresh.npy", model.predict(images, verbose=0))
assert index.search(images[0], count=1).names == [0]
"""


@pytest.mark.slow
def test_model_and_index_are_the_same_in_a_fresh_process(digits, tmp_path):
    model = small_model(dropout=0.2)
    ct.train_crnn_model(model, digits.train[:64], None, 32, 1, verbose=0)
    images = digits.test.images[:9]
    index = ct.ImageIndex(model)
    index.add(images)
    model.save(tmp_path / "model.keras")
    index.save(tmp_path / "index.npz")
    subprocess.run(
        [sys.executable, "-c", FRESH, str(tmp_path)], check=True, env=os.environ
    )
    np.testing.assert_array_equal(
        np.load(tmp_path / "fresh.npy"), model.predict(images, verbose=0)
    )
