"""PNG files against another reader."""

import io

import numpy as np
import pytest
from PIL import Image

from minigrad.viz.png import png


@pytest.mark.parametrize(("channels", "mode"), [((), "L"), ((3,), "RGB"), ((4,), "RGBA")])
def test_another_reader_sees_the_same_pixels(channels, mode):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, *channels)).astype(np.uint8)
    for given in (pixels, np.asfortranarray(pixels)):
        picture = Image.open(io.BytesIO(png(given)))
        picture.load()
        assert picture.mode == mode
        np.testing.assert_array_equal(np.asarray(picture), pixels)


@pytest.mark.parametrize(
    "bad", [np.zeros((2, 2)), np.zeros((2, 2, 2), np.uint8), np.zeros(3, np.uint8)]
)
def test_what_is_no_picture_is_refused(bad):
    with pytest.raises(ValueError, match="legal is uint8 of shape"):
        png(bad)
