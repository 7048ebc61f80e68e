"""Images that belong together: an embedding, and an index that is searched."""

import json
import numbers
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import keras
import numpy as np
from keras import layers, ops
from sklearn.neighbors import NearestNeighbors

from crnn_tutorial.checks import check_count
from crnn_tutorial.data.array_files import fingerprint, read_npz
from crnn_tutorial.metrics.ranking import retrieval_precision
from crnn_tutorial.network import backbones, heads
from crnn_tutorial.network.assemble import assemble, begin, check_filters
from crnn_tutorial.network.masks import register
from crnn_tutorial.tasks.answers import Prediction, predict


@register
class UnitVector(layers.Dense):
    """A dense layer whose outputs have length 1: their product is their cosine.

    Returns
    -------
    tensor
        ``(batch, units)``.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.retrieval import UnitVector
    >>> vector = np.array(UnitVector(4)(np.ones((1, 8), "float32")))
    >>> round(float(np.linalg.norm(vector)), 4)
    1.0
    """

    def call(self, inputs, training=None):
        return ops.normalize(super().call(inputs, training=training), axis=-1)


@register
class ContrastiveLoss(keras.losses.Loss):
    """How little more alike the images of one class are than all others of the batch.

    For each image, the softmax of its similarities to all other images of the batch;
    the loss is the cross-entropy of those that belong to its class. No weight belongs
    to a class, so that the embedding may serve for classes that were never seen. An
    image that is the only one of its class in the batch adds nothing.

    Parameters
    ----------
    temperature : float
        What similarities are divided by. The smaller, the more those count that are
        hard to tell apart.

    Notes
    -----
    ``call(classes, embeddings)`` takes ``(batch,)`` and ``(batch, numbers)``, and
    returns ``(batch,)``.

    References
    ----------
    Khosla et al., 2020, "Supervised contrastive learning", arXiv:2004.11362,
    equation 2.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.retrieval import ContrastiveLoss
    >>> classes, loss = np.array([0, 0, 1, 1]), ContrastiveLoss()
    >>> apart = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], "float32")
    >>> mixed = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], "float32")
    >>> round(float(loss(classes, apart)), 3), round(float(loss(classes, mixed)), 3)
    (0.0, 10.0)
    """

    def __init__(self, temperature=0.1, name="contrastive_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.temperature = temperature

    def call(self, classes, embeddings):
        classes = ops.reshape(classes, (-1,))
        similarities = ops.matmul(embeddings, ops.transpose(embeddings))
        itself = ops.eye(ops.shape(embeddings)[0], dtype=similarities.dtype)
        # -1e4 and not minus infinity: 0 times infinity is no number.
        logits = similarities / self.temperature - 1e4 * itself
        logarithms = ops.log_softmax(logits, axis=-1)
        same = ops.cast(classes[:, None] == classes[None, :], logits.dtype) - itself
        return -ops.sum(same * logarithms, axis=1) / ops.maximum(
            ops.sum(same, axis=1), 1.0
        )

    def get_config(self):
        return {**super().get_config(), "temperature": self.temperature}


@heads.register(UnitVector)
@dataclass(frozen=True)
class Embed(heads.Head):
    """A vector of length 1 for each image: those of one class point the same way.

    Parameters
    ----------
    embedding_size : int
        How many numbers it has.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.tasks.retrieval import Embed
    >>> vectors = np.array([[1, 0], [0.8, 0.6], [-0.6, 0.8], [0, 1]])
    >>> Embed(2).per_image([0, 0, 1, 1], vectors).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """

    embedding_size: int
    metrics: ClassVar[tuple[str, ...]] = ()
    metric_name: ClassVar[str] = "mAP"
    takes: ClassVar[str] = "labels"

    @property
    def loss(self):
        """A new loss for ``compile``."""
        return ContrastiveLoss()

    @classmethod
    def from_layer(cls, layer, shape):
        """Return the head of vectors of this size."""
        return cls(shape[-1])

    def __call__(self, features, dropout=0.0):
        """Average over real steps (or places), then a dense layer, at length 1."""
        x = backbones.average(features)
        if dropout:
            x = layers.Dropout(dropout, name="embedding_dropout")(x)
        return UnitVector(self.embedding_size, name="embedding")(x)

    def encode(self, targets):
        """Take classes ``(images,)``: any whole numbers that float32 can hold."""
        classes = np.asarray(targets)
        whole = classes.ndim == 1 and classes.dtype.kind in "iu"
        if not whole or np.abs(classes).max(initial=0) > 2**24:
            raise ValueError(
                "Classes are whole numbers of shape (images,), at most 2**24, but got "
                f"{classes.dtype} of shape {classes.shape}."
            )
        return classes.astype("int32")

    def check(self, model, images, encoded, targets):
        """Refuse classes without two images: nothing would be learnt."""
        if len(np.unique(encoded)) == len(encoded):
            raise ValueError(
                f"No two of {len(encoded)} images are of one class, so that there is "
                "nothing to bring together. Expected several images of each class."
            )

    def decode(self, outputs):
        """Return the embeddings as they are."""
        return np.asarray(outputs)

    def per_image(self, targets, outputs):
        """Score the average precision of each image as a query against all others."""
        return retrieval_precision(outputs, self.encode(targets))


def build_embedder(
    input_shape,
    embedding_size=32,
    *,
    filters=None,
    units=64,
    recurrence="lstm",
    sequence="patches",
    dropout=0.0,
    learning_rate=3e-3,
):
    """Build a CRNN that gives images of one class similar vectors.

    It is trained on classes, as a classifier is, and works for others, too: it says
    only how similar two images are.

    Parameters
    ----------
    input_shape : tuple of int, or Dataset
        ``(height, width, channels)``, from 8 x 8 x 1 up; a dataset says it. With
        patches height and width may be None, which is any size, with columns the width;
        pass ``filters`` then.
    embedding_size : int
        How many numbers a vector has.
    filters : sequence of int, optional
        One block of convolution and pooling for each number. By default as many as
        leave a map 4 to 7 rows high.
    units : int
        Size of the recurrent state in each direction.
    recurrence : str
        How the places (or steps) see each other: ``"lstm"``, or one of the controls
        that ``connect_places`` and ``connect_steps`` name.
    sequence : {"patches", "columns"}
        What becomes the sequence: the places of the map, along rows and columns, or its
        columns from left to right.
    dropout : float
        Share of features dropped before the last layer, in [0, 1).
    learning_rate : float
        Of the Adam optimiser.

    Returns
    -------
    keras.Model
        Images -> vectors of length 1, ``(batch, embedding_size)``. Train it in batches
        that hold several images of each class.

    Raises
    ------
    ValueError
        If an argument makes no sense, or the image is too small for the blocks.

    References
    ----------
    Khosla et al., 2020, "Supervised contrastive learning", arXiv:2004.11362.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.build_embedder((28, 28, 1)).output_shape
    (None, 32)
    """
    if sequence not in ("patches", "columns"):
        raise ValueError(f'sequence is "patches" or "columns", not {sequence!r}.')
    free = ("height", "width") if sequence == "patches" else ("width",)
    image, *_ = begin(input_shape, None, free=() if filters is None else free)
    filters = check_filters(filters, *image.shape[1:3])
    features = getattr(backbones, sequence)(image, filters, units, recurrence)
    head = Embed(check_count("embedding_size", embedding_size))
    return assemble(image, features, head, dropout, learning_rate)


class Neighbours(NamedTuple):
    """What an index found for one image, the most similar first.

    Parameters
    ----------
    names : list of str or int
        What was given to `ImageIndex.add`.
    similarities : array of floats
        The cosine of the two vectors, in [-1, 1].
    """

    names: list
    similarities: np.ndarray


class ImageIndex:
    """Images that are found by what is similar to them.

    The search is exact: each query is compared with every image.

    Parameters
    ----------
    model : keras.Model
        From `build_embedder`, trained.

    Raises
    ------
    ValueError
        If the model makes no embeddings.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> digits = ct.load_digits().train.images[:50]
    >>> index = ct.ImageIndex(ct.build_embedder((8, 8, 1)))  # not trained
    >>> index.add(digits)
    >>> index.search(digits[7], count=3).names[0]
    7
    """

    def __init__(self, model):
        head = heads.of(model)
        if not isinstance(head, Embed):
            raise ValueError(
                f"The model {model.name!r} makes no embeddings: build it with "
                "ct.build_embedder."
            )
        self.model = model
        self.names = []
        self.embeddings = np.empty((0, head.embedding_size), "float32")

    def __len__(self):
        return len(self.names)

    def add(self, images, names=None):
        """Add one image or many.

        Parameters
        ----------
        images : path, PIL image, array, list of these, or Split
            As `predict` takes them.
        names : list of str or int, optional
            One for each image. By default the names of the files in a folder, and the
            numbers from 0 up, in the order in which they were added, else.

        Raises
        ------
        ValueError
            If the images do not fit the model, or there are more names or fewer.
        """
        found = predict(self.model, images)
        if names is None and isinstance(found, dict):
            names = list(found)
        vectors = _vectors(found)
        if names is None:
            names = range(len(self), len(self) + len(vectors))
        names = [int(n) if isinstance(n, numbers.Integral) else str(n) for n in names]
        if len(names) != len(vectors):
            raise ValueError(
                f"Each image has one name, but got {len(vectors)} images and "
                f"{len(names)} names."
            )
        self.embeddings = np.concatenate([self.embeddings, vectors])
        self.names += names

    def search(self, images, count=5):
        """Find the images that are most similar to one image, or to each of many.

        Parameters
        ----------
        images : path, PIL image, array, list of these, or Split
            As `predict` takes them.
        count : int
            How many to find, at least 1; all where the index has fewer.

        Returns
        -------
        Neighbours, list of Neighbours, or dict
            One for each image; of a folder, file name -> neighbours.

        Raises
        ------
        ValueError
            If nothing was added yet, or the images do not fit the model.
        """
        check_count("count", count)
        if not self.names:
            raise ValueError("The index is empty: add images first (index.add).")
        queries = predict(self.model, images)
        search = NearestNeighbors(metric="cosine", algorithm="brute")
        search.fit(self.embeddings)
        distances, places = search.kneighbors(_vectors(queries), min(count, len(self)))
        found = [
            Neighbours([self.names[place] for place in row], 1 - distance)
            for row, distance in zip(places, distances, strict=True)
        ]
        if isinstance(queries, dict):
            return dict(zip(queries, found, strict=True))
        return found[0] if isinstance(queries, Prediction) else found

    def save(self, path):
        """Write the index to an npz file, without the images and without the model.

        Parameters
        ----------
        path : str or path
            Such as ``"photographs.npz"``.
        """
        with open(path, "wb") as file:
            np.savez(
                file,
                embeddings=self.embeddings,
                names=np.array(json.dumps(self.names)),
                model=np.array(fingerprint(*self.model.get_weights())),
            )

    @classmethod
    def load(cls, path, model):
        """Read an index that was saved.

        Parameters
        ----------
        path : str or path
            Written by `save`.
        model : keras.Model
            The same that made the index: its weights are compared.

        Returns
        -------
        ImageIndex

        Raises
        ------
        ValueError
            If the file is damaged or none of an index, or another model made it.
        FileNotFoundError
            If there is no such file.
        """
        index = cls(model)
        stored = read_npz(path, "Expected an index that was saved with index.save.")
        if set(stored) != {"embeddings", "names", "model"}:
            raise ValueError(f"{path} is no index that was saved with index.save.")
        own = fingerprint(*model.get_weights())
        if str(stored["model"]) != own:
            raise ValueError(
                f"Another model made the index {path}: its weights are "
                f"{stored['model']}, and those of {model.name!r} are {own}. Load it "
                "with the model that made it, or add the images again."
            )
        index.embeddings = stored["embeddings"]
        index.names = json.loads(str(stored["names"]))
        return index


def _vectors(predictions):
    if isinstance(predictions, Prediction):
        predictions = [predictions]
    elif isinstance(predictions, dict):
        predictions = predictions.values()
    return np.stack([one.answer for one in predictions])
