"""The look of all figures on light and on dark paper, and how a figure becomes a PNG."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relcap_models.language import Texts

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axis import Axis
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from PIL.Image import Image

_DPI = 170
_MARGIN = 6
"""Pixels left around a figure."""
_SCORE_COLOURS = 80
FULL_WIDTH = 9.4
"""Inches: the width of the text column (about 100 screen pixels an inch)."""
NARROW_WIDTH = 3.2
"""The same on a phone of 390 pixels."""


@dataclass(frozen=True)
class Theme:
    """Colours of the paper and the marks. `ramp` is the part of viridis that stands out on this paper."""

    name: str
    paper: str
    cell: str
    ink: str
    muted: str
    grid: str
    faint: str
    accent: str
    second: str
    third: str
    low: str
    high: str
    ramp: tuple[float, float]
    narrow: bool = False
    """For a phone. Only figures that have such a form look at it."""


LIGHT = Theme(
    name="light",
    paper="#ffffff",
    cell="#eceff2",
    ink="#1c2733",
    muted="#5a6773",
    grid="#dde2e7",
    faint="#ccd3da",
    accent="#1d5b8f",
    second="#b4501e",
    third="#3d7a4b",
    low="#b4501e",
    high="#1d5b8f",
    ramp=(0.0, 0.93),
)
DARK = Theme(
    name="dark",
    paper="#171c22",
    cell="#262d35",
    ink="#e4e9ee",
    muted="#9eabb8",
    grid="#333c46",
    faint="#3d4752",
    accent="#74b3e6",
    second="#f0a26d",
    third="#8fcc9b",
    low="#f0a26d",
    high="#74b3e6",
    ramp=(0.24, 1.0),
)


def score_colours(theme: Theme) -> Colormap:
    """Viridis (perceptually uniform), without the end that would sink into the paper."""
    import matplotlib
    from matplotlib.colors import ListedColormap

    n = 256
    first, last = theme.ramp
    viridis = matplotlib.colormaps["viridis"]
    return ListedColormap([viridis(first + (last - first) * i / (n - 1)) for i in range(n)])


def format_axis(axis: Axis, texts: Texts, *, share: bool = False) -> None:
    """Tick labels with the decimal sign of the language and no more digits than they need; or percentages."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    def write(value: float, _: int | None) -> str:
        if share:
            return texts.percent(value)
        ticks = axis.get_majorticklocs()
        step = abs(ticks[1] - ticks[0]) if len(ticks) > 1 else 1.0
        return texts.number(
            value, 0 if step >= 1 else 1 if step >= 0.0999 and round(step * 10, 6) % 1 == 0 else 2
        )

    axis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(write))


def dark_text_on(colours: np.ndarray) -> np.ndarray:
    """Whether dark text has more contrast (WCAG) than white on colours of shape (…, 3 or 4) in [0, 1]."""
    import numpy as np

    parts = colours[..., :3]
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722]) > 0.179


def png(draw: Callable[[Theme], Figure], theme: Theme) -> bytes:
    """The figure as PNG. The settings hold only here: a caller's matplotlib is left as it was."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    settings = {
        "font.family": ["DejaVu Sans"],
        "font.size": 8.5,
        "axes.titlesize": 9.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.labelsize": 8.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": theme.grid,
        "axes.linewidth": 0.8,
        "axes.labelcolor": theme.muted,
        "axes.facecolor": theme.paper,
        "axes.titlecolor": theme.ink,
        "figure.facecolor": theme.paper,
        "savefig.facecolor": theme.paper,
        "text.color": theme.ink,
        # A name may hold a dollar sign; it is no mathematics.
        "text.parse_math": False,
        "text.usetex": False,
        "xtick.color": theme.grid,
        "ytick.color": theme.grid,
        "xtick.labelcolor": theme.muted,
        "ytick.labelcolor": theme.ink,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "legend.frameon": False,
        "legend.fontsize": 8,
        "hatch.linewidth": 0.6,
        "hatch.color": theme.muted,
    }
    with matplotlib.rc_context(settings):
        figure = draw(theme)
        FigureCanvasAgg(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return _trimmed(buffer.getvalue(), theme)


def _trimmed(image: bytes, theme: Theme) -> bytes:
    """The image without empty margins and in 256 colours: a third of the size. The page holds it twice."""
    from PIL import Image, ImageChops

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(image)) as opened:
        picture = opened.convert("RGB")
        paper = Image.new("RGB", picture.size, theme.paper)
        left, top, right, bottom = ImageChops.difference(picture, paper).getbbox() or (0, 0, *picture.size)
        box = (
            max(0, left - _MARGIN),
            max(0, top - _MARGIN),
            min(picture.width, right + _MARGIN),
            min(picture.height, bottom + _MARGIN),
        )
        _in_few_colours(picture.crop(box), theme).save(buffer, "PNG")
    return buffer.getvalue()


def _in_few_colours(picture: Image, theme: Theme) -> Image:
    """256 colours: the theme's exactly, some for the scores so that a colour bar keeps its steps, the rest.

    Pillow's own mapping to a palette is approximate and would tint the paper.
    """
    import numpy as np
    from matplotlib.colors import to_rgb
    from PIL import Image
    from scipy.spatial import KDTree

    own = [to_rgb(value) for value in vars(theme).values() if str(value).startswith("#")]
    ramp = score_colours(theme)(np.linspace(0, 1, _SCORE_COLOURS))[:, :3]
    chosen = np.rint(255 * np.concatenate([own, ramp])).astype(np.uint8)
    rest = picture.quantize(
        256 - len(chosen), Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
    ).getpalette()
    palette = np.concatenate([chosen, np.array(rest, np.uint8).reshape(-1, 3)])[:256]
    pixels = np.asarray(picture)
    packed = pixels.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    colours, place = np.unique(packed, return_inverse=True)
    split = np.column_stack([colours >> 16, colours >> 8 & 255, colours & 255])
    nearest = KDTree(palette.astype(float)).query(split)[1].astype(np.uint8)
    small = Image.fromarray(nearest[place].reshape(packed.shape))
    small.putpalette(palette.tobytes())
    return small


def screen_size(image: bytes) -> tuple[int, int]:
    """Width and height in screen pixels at 100 pixels an inch."""
    from PIL import Image

    with Image.open(io.BytesIO(image)) as picture:
        return round(picture.width * 100 / _DPI), round(picture.height * 100 / _DPI)
