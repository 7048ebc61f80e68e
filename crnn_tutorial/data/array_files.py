"""Read arrays from npz files, which may be damaged."""

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
