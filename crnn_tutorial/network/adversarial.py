"""A generator and its discriminator, trained together in one loss.

Keras sees one model with one loss and one optimiser, so that ``fit``, callbacks,
checkpoints and all backends work as for any other model. What keeps the two apart is
where gradients stop: the discriminator's loss sees the generated images as fixed, and
the generator's loss sees the discriminator's weights as fixed.
"""

import keras
import numpy as np
from keras import ops

from crnn_tutorial.metrics.generation import frechet_distance, spread
from crnn_tutorial.metrics.pictures import psnr_per_image
from crnn_tutorial.network import heads
from crnn_tutorial.network.adversarial_parts import (
    NOISE,
    REAL,
    StopAtNaN,
    adam,
    are_arrays,
    as_classes,
    check_data,
    check_parts,
    distances,
    encode_for,
    feed_of,
    input_of,
    real_of,
    warn_of_collapse,
)
from crnn_tutorial.network.assemble import _jit_compile
from crnn_tutorial.network.masks import register


@register
class AdversarialModel(keras.Model):
    """A generator that learns what a discriminator takes for real.

    ``fit(images)`` where the generator is told nothing but noise; ``fit(conditions,
    images)`` where it is told something: a class, a mask, a degraded image. A generator
    without an input called ``noise`` is a restorer. Where the discriminator has other
    heads, these learn from the real images, and the generator learns what they want to
    see; their targets are the conditions, or ``fit(conditions, {"images": images,
    name: targets})``.

    With ``validation_data`` (and ``validation_freq=5``), ``fit`` reports the quality of
    samples in place of a loss, which would mean nothing: see `evaluate`.

    Parameters
    ----------
    generator : keras.Model
        From ``ct.build_generator``, ``ct.build_restorer``, or any other; an input that
        is called ``noise`` is drawn anew for each image.
    discriminator : keras.Model
        From ``ct.build_discriminator``: images (and, in an input called ``condition``,
        what the generator was told) -> logits, or a dict of which ``real`` are logits.
    pixel_weight : float
        Of `pixel_loss`, the distance from the image that should come out. Above 0 only
        where there is one: a restorer's.
    adversarial_weight : float
        Of what the discriminator says, in the generator's loss. 0: never mind it.
    head_weight : float
        Of what the other heads say, in the generator's loss.
    teach_weight : float
        Of what they say of *generated* images, in the discriminator's loss. Above 0,
        these teach the heads as real images do: 1 is an AC-GAN (Odena et al., 2017).
    mode_seeking_weight : float
        Of a term that falls when two different noises give two different images.
    average : float
        Generated are images of the *averaged* generator, whose weights are this times
        the old ones plus the rest times the new ones, after each step; in [0, 1).
    pixel_loss : str
        Any loss of Keras.
    learning_rate : float
        Of the one Adam optimiser.

    Attributes
    ----------
    averaged : keras.Model
        The generator with averaged weights: what to save alone, once trained.
    features : function, optional
        In which `evaluate` measures the Fréchet distance; set it where you have a
        classifier: ``model.features = ct.class_features(classifier)``. It is not saved.

    Raises
    ------
    ValueError
        If the two do not fit together, or a weight makes no sense.

    References
    ----------
    Goodfellow et al., 2014, "Generative adversarial networks", arXiv:1406.2661; Mao et
    al., 2019, "Mode seeking GANs", arXiv:1903.05628; Isola et al., 2017,
    "Image-to-image translation", arXiv:1611.07004 (both losses together).

    Examples
    --------
    >>> import numpy as np
    >>> import crnn_tutorial as ct
    >>> model = ct.AdversarialModel(
    ...     ct.build_generator((8, 8, 1), noise_size=16, num_classes=10),
    ...     ct.build_discriminator((8, 8, 1), num_classes=10),
    ... )
    >>> model.generate(np.arange(10)).shape
    (10, 8, 8, 1)
    """

    def __init__(
        self,
        generator,
        discriminator,
        *,
        pixel_weight=0.0,
        adversarial_weight=1.0,
        head_weight=1.0,
        teach_weight=0.0,
        mode_seeking_weight=0.0,
        average=0.99,
        pixel_loss="mean_absolute_error",
        learning_rate=1e-3,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.terms = {
            "pixel_weight": pixel_weight,
            "adversarial_weight": adversarial_weight,
            "head_weight": head_weight,
            "teach_weight": teach_weight,
            "mode_seeking_weight": mode_seeking_weight,
        }
        check_parts(generator, discriminator, self.terms, average)
        self.pixel_loss, self.average = pixel_loss, average
        self.generator, self.discriminator = generator, discriminator
        self.averaged = keras.models.clone_model(generator)
        self.averaged.set_weights(generator.get_weights())
        self.averaged.trainable = False
        self.seeds = keras.random.SeedGenerator()
        self.features = None
        self._trackers = {}
        for name in self._names():
            self._trackers[name] = keras.metrics.Mean(name=name)
        self.built = True
        self.compile(
            optimizer=adam(learning_rate),
            jit_compile=_jit_compile(),
        )
        self.optimizer.build(self.trainable_variables)

    def _names(self):
        yield from ("generator_loss", "discriminator_loss", "discriminator_accuracy")
        if self.terms["pixel_weight"]:
            yield "pixel_loss"
        yield from (f"{name}_loss" for name in self._other_heads())

    def _other_heads(self):
        """Return name -> head, of all but "real or generated"."""
        if not isinstance(self.discriminator.output, dict):
            return {}
        several = heads.of(self.discriminator).heads
        return {name: head for name, head in several.items() if name != REAL}

    # ------------------------------------------------------------ generating

    def call(self, conditions, training=False):
        """Generate an image for each condition (or as many as there are rows)."""
        model = self.generator if training else self.averaged
        return self._draw(model, conditions, training)

    def _draw(self, model, conditions, training, noise=None):
        count = ops.shape(keras.tree.flatten(conditions)[0])[0]
        if noise is None and self.takes_noise:
            shape = input_of(self.generator, NOISE).shape[1:]
            noise = keras.random.normal((count, *shape), seed=self.seeds)
        return model(feed_of(model, conditions, **{NOISE: noise}), training=training)

    @property
    def takes_noise(self):
        """Whether chance has a part in what is generated."""
        return input_of(self.generator, NOISE) is not None

    @property
    def takes_condition(self):
        """Whether the generator is told anything but noise."""
        return len(self.generator.inputs) > self.takes_noise

    def generate(self, conditions, noise=None, seed=0):
        """Draw images with the averaged generator, the same ones again for a seed.

        Parameters
        ----------
        conditions : array, dict of arrays, or int
            What the generator is told, one for each image; the number of images where
            it is told nothing.
        noise : array of floats, optional
            ``(images, noise_size)``, such as points between two others.
        seed : int
            Of the noise, where none is given.

        Returns
        -------
        array of float32
            ``(images, height, width, channels)``.
        """
        if not self.takes_condition:
            conditions = np.zeros(conditions)
        count = len(keras.tree.flatten(conditions)[0])
        if noise is None and self.takes_noise:
            shape = input_of(self.generator, NOISE).shape[1:]
            noise = np.random.default_rng(seed).standard_normal((count, *shape))
            noise = noise.astype("float32")
        feed = feed_of(self.averaged, conditions, **{NOISE: noise})
        return self.averaged.predict(feed, batch_size=256, verbose=0)

    # ------------------------------------------------------------ the loss

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """Return the sum of what both lose; gradients reach only whose loss it is."""
        conditions, real, targets = self._sort(x, y)
        fixed = ops.stop_gradient(y_pred)
        on_real, on_fake = self._judge_both(real, fixed, conditions)
        # The same judgement, but its gradient ends in the image.
        seen = self._judge(y_pred, conditions, fixed=True)
        discriminator_loss = ops.mean(
            ops.softplus(-on_real[REAL]) + ops.softplus(on_fake[REAL])
        )
        generator_loss = self.terms["adversarial_weight"] * ops.mean(
            ops.softplus(-seen[REAL])
        )
        for name, head in self._other_heads().items():
            loss = keras.losses.get(head.compiled()["loss"])
            on_this = ops.mean(loss(targets[name], on_real[name]))
            self._trackers[f"{name}_loss"].update_state(on_this)
            discriminator_loss += on_this
            if self.terms["teach_weight"]:
                taught = ops.mean(loss(targets[name], on_fake[name]))
                discriminator_loss += self.terms["teach_weight"] * taught
            wanted = ops.mean(loss(targets[name], seen[name]))
            generator_loss += self.terms["head_weight"] * wanted
        generator_loss += self._compare(real, y_pred)
        generator_loss += self._seek_modes(real, conditions, y_pred)
        right = [ops.mean(ops.cast(on_real[REAL] > 0, "float32"))]
        right += [ops.mean(ops.cast(on_fake[REAL] <= 0, "float32"))]
        self._track(generator_loss, discriminator_loss, (right[0] + right[1]) / 2)
        self._average()
        return generator_loss + discriminator_loss

    def _sort(self, x, y):
        """Return what the generator was told, the real images, the heads' targets."""
        if y is None:
            return x, x, {}
        real = real_of(x, y)
        given = y if isinstance(y, dict) else {}
        return x, real, {name: given.get(name, x) for name in self._other_heads()}

    def _judge(self, images, conditions, fixed=False):
        """Return a dict of what the discriminator says; fixed: its weights stay."""
        model = self.discriminator
        feed = feed_of(model, conditions, others=images)
        if fixed:
            weights = [ops.stop_gradient(v) for v in model.trainable_variables]
            state = model.non_trainable_variables
            said, _ = model.stateless_call(weights, state, feed, training=True)
        else:
            said = model(feed, training=True)
        return said if isinstance(said, dict) else {REAL: said}

    def _judge_both(self, real, fake, conditions):
        """Judge real and generated images in one batch, which costs less than two."""
        twice = keras.tree.map_structure(lambda c: ops.concatenate([c, c]), conditions)
        said = self._judge(ops.concatenate([real, fake]), twice)
        count = ops.shape(real)[0]
        return (
            {name: one[part] for name, one in said.items()}
            for part in (slice(None, count), slice(count, None))
        )

    def _compare(self, real, fake):
        weight = self.terms["pixel_weight"]
        if not weight:
            return 0.0
        loss = ops.mean(keras.losses.get(self.pixel_loss)(real, fake))
        self._trackers["pixel_loss"].update_state(loss)
        return weight * loss

    def _seek_modes(self, real, conditions, fake):
        """Return a price for two noises that give nearly the same image."""
        weight = self.terms["mode_seeking_weight"]
        if not weight or not self.takes_noise:
            return 0.0
        other = self._draw(self.generator, conditions, training=True)
        scale = ops.mean(distances(real, ops.roll(real, 1, axis=0)))
        return weight * ops.mean(
            scale / (distances(fake, other) + 0.1 * scale + keras.config.epsilon())
        )

    def _track(self, generator_loss, discriminator_loss, accuracy):
        self._trackers["generator_loss"].update_state(generator_loss)
        self._trackers["discriminator_loss"].update_state(discriminator_loss)
        self._trackers["discriminator_accuracy"].update_state(accuracy)

    def _average(self):
        pairs = zip(self.averaged.weights, self.generator.weights, strict=True)
        for old, new in pairs:
            old.assign(self.average * old + (1 - self.average) * new)

    # ------------------------------------------------------------ training

    def fit(self, x=None, y=None, *, callbacks=None, **options):
        """Train as any Keras model; see `AdversarialModel` for what x and y are.

        Parameters
        ----------
        x : array or dict of arrays
            What the generator is told; the images where it is told nothing. Any stream
            that Keras takes works, too, but is not checked.
        y : array or dict of arrays, optional
            The images.
        callbacks : list, optional
            Of Keras.
        **options
            For ``keras.Model.fit``.

        Returns
        -------
        keras.callbacks.History
            The losses of both, how often the discriminator is right (in [0, 1]: 0.5 is
            chance), and what `evaluate` says.

        Raises
        ------
        ValueError
            If images and conditions do not fit the generator.
        FloatingPointError
            If a loss becomes NaN or infinite; it says which. The weights are those of
            the end of the last good epoch.

        Warns
        -----
        UserWarning
            If the generator has collapsed: it draws the same image whatever the noise.
        """
        arrays = are_arrays(x)
        if arrays:
            check_data(self, x, y)
            y = encode_for(self._other_heads(), x, y)
        watch = StopAtNaN()
        history = super().fit(x, y, callbacks=[watch, *(callbacks or ())], **options)
        watch.tell()
        if arrays and self.takes_noise:
            warn_of_collapse(self, x, y)
        return history

    def evaluate(self, x=None, y=None, verbose=0, **ignored):
        """Measure how good generated images are, beside as many real ones.

        Parameters
        ----------
        x, y : array or dict of arrays
            As in `fit`, of images that were not trained on.
        verbose, **ignored
            As ``fit`` passes them.

        Returns
        -------
        dict
            ``frechet_distance`` in `features` (else in pixels) and ``spread``, as a
            share of the spread of the real images (within the classes, where the
            conditions are classes); of a restorer ``psnr`` in decibels.
        """
        check_data(self, x, y)
        real = real_of(x, y)
        fake = self.generate(x if self.takes_condition else len(real))
        if not np.isfinite(fake).all():  # `fit` is about to say so
            return {}
        classes = as_classes(x) if self.takes_condition else None
        if not self.takes_noise:
            return {"psnr": float(psnr_per_image(real, fake).mean())}
        return {
            "frechet_distance": frechet_distance(real, fake, self.features),
            "spread": spread(fake, classes) / max(spread(real, classes), 1e-9),
        }

    # ------------------------------------------------------------ saving

    def get_config(self):
        """Return the parts and the weights of the losses."""
        parts = {
            name: keras.saving.serialize_keras_object(getattr(self, name))
            for name in ("generator", "discriminator")
        }
        own = {"average": self.average, "pixel_loss": self.pixel_loss}
        name = {"name": self.name}
        return name | parts | self.terms | own

    def save_own_variables(self, store):
        """Save how far the noise has come: a training that goes on draws new noise."""
        store["noise"] = ops.convert_to_numpy(self.seeds.state)

    def load_own_variables(self, store):
        """Go on where the noise stood."""
        self.seeds.state.assign(np.asarray(store["noise"]))

    @classmethod
    def from_config(cls, config):
        """Return the model, with parts of its own."""
        parts = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in ("generator", "discriminator")
        }
        return cls(**{**config, **parts})
