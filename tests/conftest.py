"""Make collecting garbage cheap: Keras asks for it between models, again and again."""

import gc
import sys


def pytest_collection_finish():
    """Let it pass over the million objects that importing Keras has made.

    They stay until the end. Each time, looking at all of them took about a second.
    """
    if "keras" in sys.modules:
        gc.collect()
        gc.freeze()
