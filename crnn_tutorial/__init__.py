"""Convolutional recurrent networks for images: build, train, judge.

Public names are loaded when they are first used, so that the import is quick and
touches neither Keras nor TensorFlow. Which file they stand in, ``__init__.pyi`` says.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
