"""Read arrays from npz files, which may be damaged, and tell arrays apart."""

import hashlib

import numpy as np


def read_npz(path, advice):
    """Return all arrays of an npz file.

    Parameters
    ----------
    path : str or path
        Written by ``np.savez``.
    advice : str
        What the message says in the end, if it cannot be read.

    Returns
    -------
    dict
        Name -> array; empty for an npy file, which has one array without a name.

    Raises
    ------
    ValueError
        If it is damaged, of another format, or holds Python objects.
    OSError
        If it cannot be opened.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from crnn_tutorial.data.array_files import read_npz
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(Path(folder, "a.npz"), seven=np.array([7]))
    ...     read_npz(Path(folder, "a.npz"), "Expected another one.")
    {'seven': array([7])}
    """
    with open(path, "rb") as file:  # before the net below: permission is no damage
        try:
            arrays = np.load(file, allow_pickle=False)
            return {name: arrays[name] for name in getattr(arrays, "files", ())}
        except Exception as error:  # zipfile, zlib, tokenize, ...: NumPy lets all out
            reason = str(error) or type(error).__name__
            raise ValueError(
                f"{path} is no readable npz file ({reason:.200}). {advice}"
            ) from error


def fingerprint(*arrays):
    """Return a short text that changes with any value, shape or type of the arrays.

    Parameters
    ----------
    *arrays : array or LazyImages
        Of any shape and any plain type; of files that are not loaded, their bytes.

    Returns
    -------
    str
        Eight hexadecimal digits.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn_tutorial.data.array_files import fingerprint
    >>> fingerprint(np.zeros(3)) == fingerprint(np.zeros(4))
    False
    """
    digest = hashlib.blake2b(digest_size=4)
    for array in arrays:
        array = np.ascontiguousarray(getattr(array, "identity", array))
        digest.update(f"{array.dtype} {array.shape} ".encode())
        digest.update(array)
    return digest.hexdigest()
