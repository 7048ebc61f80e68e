"""Which file is meant where one is named: with its folders, its ending, or without."""

import posixpath
from collections import defaultdict

from crnn_tutorial.data.file_names import clean

_LETTERS = str, str.casefold  # as they are, then small ones


class Namer:
    r"""Find the file that an entry of a table means.

    Parameters
    ----------
    names : collection of str
        All files, with ``/``.
    images : collection of str
        Those of them whose endings may be left out in an entry.

    Examples
    --------
    >>> from crnn_tutorial.data.namer import Namer
    >>> files = ["words/a.png", "words/000001.bin.png"]
    >>> namer = Namer(files, files)
    >>> [namer.find(entry) for entry in ("words\\a.png", "000001", "/home/x/a.png")]
    ['words/a.png', 'words/000001.bin.png', 'words/a.png']
    """

    def __init__(self, names, images):
        self._whole, self._short = defaultdict(list), defaultdict(list)
        for write in _LETTERS:
            for name in names:
                self._whole[write, write(clean(name))].append(name)
            for name in images:
                last = write(posixpath.basename(clean(name)))
                for level, short in enumerate(stems(last)):
                    self._short[write, short].append((level, name))

    def find(self, entry, folder=""):
        """Return the file, or None if no file or more than one is meant.

        ``folder`` is where the table stands: names are looked for from there first.
        Small and capital letters count only where files differ in nothing else.
        """
        entry = clean(entry).replace("\\", "/")
        for write in _LETTERS if entry else ():
            meant = self._meant(write, write(entry), write(folder))
            if len(meant) == 1:
                return meant[0]
        return None

    def _meant(self, write, entry, folder):
        """Return the files of this name, or of this one without their endings."""
        for place in (folder, ""):
            path = posixpath.normpath(posixpath.join(place, entry))
            if (write, path) in self._whole:
                return self._whole[write, path]
        found = self._short.get((write, posixpath.basename(entry)), [])
        level, _ = min(found, default=(0, ""))
        meant = [name for other, name in found if other == level]
        near = [n for n in meant if _parent(write(clean(n))) == _parent(entry)]
        return near or meant


def stems(name):
    """Return a name, then without its ending, then without two endings, and so on.

    Parameters
    ----------
    name : str
        Without folders.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from crnn_tutorial.data.namer import stems
    >>> stems("000001.bin.png")
    ['000001.bin.png', '000001.bin', '000001']
    """
    found = [name]
    while posixpath.splitext(found[-1])[1]:
        found.append(posixpath.splitext(found[-1])[0])
    return found


def _parent(name):
    return posixpath.basename(posixpath.dirname(name))
