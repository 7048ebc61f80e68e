"""Write the icons that the site shows into two small fonts.

python scripts/subset_icons.py

The theme ships all 2,000 icons of Font Awesome (156 kB and 118 kB a page). The
stylesheet prefers these few; an icon that is missing here still comes from the
theme's font, and tests/site says so.
"""

import re
from pathlib import Path

import pydata_sphinx_theme
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "book" / "_static" / "icons"
THEME = Path(pydata_sphinx_theme.__file__).parent / "theme/pydata_sphinx_theme/static"
BRANDS = "github"
SOLID = """
angle-down angle-left angle-right arrow-up bars bell chevron-down circle-check
circle-exclamation circle-half-stroke circle-info circle-question circle-xmark clock
code download expand file file-lines file-pdf house lightbulb list magnifying-glass
magnifying-glass-minus moon outdent pencil play rocket scale-balanced share
square-check sun triangle-exclamation up-right-from-square
"""


def code_point(name: str) -> int:
    """Look an icon up in the theme's stylesheet."""
    css = (THEME / "styles/pydata-sphinx-theme.css").read_text("utf-8")
    found = re.search(rf'\.fa-{name}:before[^{{}}]*{{content:"\\(\w+)"}}', css)
    if not found:
        raise ValueError(f"the theme has no icon {name!r}; see fontawesome.com")
    return int(found[1], 16)


def write_subset(source: str, target: str, names: str) -> None:
    font = TTFont(THEME / "vendor/fontawesome/webfonts" / source)
    subsetter = Subsetter(Options(drop_tables=["FFTM"], notdef_outline=False))
    subsetter.populate(unicodes=sorted(map(code_point, names.split())))
    subsetter.subset(font)
    font.flavor = "woff"
    font.save(TARGET / target)
    print(f"{target}: {(TARGET / target).stat().st_size} bytes")


if __name__ == "__main__":
    write_subset("fa-solid-900.ttf", "solid.woff", SOLID)
    write_subset("fa-brands-400.ttf", "brands.woff", BRANDS)
