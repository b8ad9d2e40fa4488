"""The 15 corruptions: what each does to images whose result is known, and that all get worse."""

from importlib.util import find_spec

import numpy
import pytest
from scipy import ndimage

from experiments.measuring.corruptions import blur, digital, noise, weather
from experiments.measuring.corruptions.table import CORRUPTIONS, SEVERITIES

HAS_FROST = find_spec(weather.PACKAGE) is not None
NAMES = [name for name in CORRUPTIONS if name != "frost" or HAS_FROST]


def draw(seed=0):
    return numpy.random.default_rng(seed)


def picture(side):
    """Smooth colours with an edge, uint8."""
    y, x = numpy.mgrid[:side, :side] / side
    pixels = numpy.stack([x, y, (x + y) / 2], axis=-1) * 200 + 30
    pixels[side // 4 : side // 2, side // 4 : side // 2] = 240
    return pixels.astype(numpy.uint8)


def test_there_are_fifteen_with_five_severities_each():
    assert len(CORRUPTIONS) == 15
    for corruption in CORRUPTIONS.values():
        assert len(corruption.large) == len(corruption.small) == SEVERITIES


@pytest.mark.parametrize("side", [32, 96])
@pytest.mark.parametrize("name", NAMES)
def test_the_highest_severity_is_further_from_the_image_than_the_lowest(name, side):
    image, corruption = picture(side), CORRUPTIONS[name]
    made = [corruption.apply(image, severity, (1, severity)) for severity in (1, SEVERITIES)]
    far = [float(numpy.abs(one.astype(float) - image).mean()) for one in made]
    assert all(one.shape == image.shape and one.dtype == numpy.uint8 for one in made)
    if name not in ("elastic_transform", "frost", "pixelate"):  # of these, kinds differ
        assert 0 < far[0] < far[1]
    assert (corruption.apply(image, 1, (1, 1)) == made[0]).all()  # the key decides what is drawn
    if name in ("gaussian_noise", "fog", "motion_blur", "snow", "elastic_transform"):
        assert (corruption.apply(image, 1, (2, 1)) != made[0]).any()


def test_noise_has_the_published_strength():
    grey = numpy.full((200, 200, 3), 0.5)
    assert noise.gaussian_noise(grey, 0.08, draw()).std() == pytest.approx(0.08, rel=0.02)
    shot = noise.shot_noise(grey, 60, draw())
    assert shot.std() == pytest.approx((0.5 / 60) ** 0.5, rel=0.02)
    hit = noise.impulse_noise(grey, 0.09, draw())
    assert (hit != 0.5).mean() == pytest.approx(0.09, rel=0.05)
    assert (hit == 1).sum() == pytest.approx((hit == 0).sum(), rel=0.1)


def test_a_blurred_point_is_the_kernel():
    point = numpy.zeros((41, 41, 3))
    point[20, 20] = 1
    made = blur.defocus_blur(point, (3, 0.1), draw())[..., 0]
    assert made.sum() == pytest.approx(1) and (made > 1e-3).sum() == 29  # of a disk of radius 3
    right = blur.smeared(point, 10, 3, 0)[..., 0]
    assert right[20, 20] == right.max() and right[20, 21:].sum() == 0
    weights = numpy.exp(-(numpy.arange(21) ** 2) / 18)
    assert right[20, 20 - 3] / right[20, 20] == pytest.approx(weights[3])
    down = blur.smeared(point, 10, 3, 90)[..., 0]
    assert down[:21, 20].sum() == pytest.approx(1)


def test_the_middle_is_enlarged_linearly():
    ramp = numpy.repeat(numpy.arange(40.0)[None], 40, axis=0)
    made = blur.enlarged(ramp, 2)
    assert made.shape == (40, 40) and made[0, 0] == 10 and made[0, -1] == 29
    assert numpy.diff(made[0]) == pytest.approx(19 / 39)


def test_glass_copies_a_near_pixel_over_each_in_turn():
    side, reach = 24, 2
    pixels = draw(1).integers(0, 256, (side, side, 3)) / 255
    made = blur.glass_blur(pixels, (1e-6, reach, 1), draw())  # without blur
    lines = range(side - reach, reach, -1)
    moves = draw().integers(-reach, reach, size=(len(lines), len(lines), 2))
    expected = numpy.floor(pixels * 255) / 255
    for row, y in enumerate(lines):
        for column, x in enumerate(lines):
            across, down = moves[row, column]
            expected[y, x] = expected[y + down, x + across]
    assert made == pytest.approx(expected)


def test_fog_keeps_the_brightest_value_and_its_map_is_rough():
    white = numpy.ones((48, 48, 3))
    made = weather.fog(white, (1.5, 2), draw())
    assert made.max() <= 1 and made.min() == pytest.approx(1 / 2.5, abs=0.1)
    ground = weather.heights(64, 2.0, draw())
    assert ground.shape == (64, 64) and (ground.min(), ground.max()) == (0, 1)
    smooth = weather.heights(64, 3.0, draw())
    assert numpy.abs(numpy.diff(smooth)).mean() < numpy.abs(numpy.diff(ground)).mean()


def test_brightness_keeps_hue_and_saturation():
    import colorsys

    pixels = draw().random((5, 5, 3)) * 0.6 + 0.05
    made = weather.brightness(pixels, 0.2, draw())
    for before, after in zip(pixels.reshape(-1, 3), made.reshape(-1, 3), strict=True):
        h, s, v = colorsys.rgb_to_hsv(*before)
        assert colorsys.rgb_to_hsv(*after) == pytest.approx((h, s, min(v + 0.2, 1)))
    assert (weather.brightness(numpy.zeros((2, 2, 3)), 0.2, draw()) == 0.2).all()


def test_contrast_and_pixels_and_jpeg():
    pixels = draw().random((32, 32, 3))
    made = digital.contrast(pixels, 0.4, draw())
    assert made.mean((0, 1)) == pytest.approx(pixels.mean((0, 1)))
    assert made.std((0, 1)) == pytest.approx(0.4 * pixels.std((0, 1)))
    boxes = digital.pixelate(pixels, 0.25, draw())
    assert len(numpy.unique(boxes[..., 0])) <= 64
    assert boxes[:4, :4, 0].max() == boxes[:4, :4, 0].min()
    flat = numpy.full((32, 32, 3), 77 / 255)
    assert (CORRUPTIONS["jpeg_compression"].apply(digital_bytes(flat), 1, (0,)) == 77).all()


def digital_bytes(pixels):
    return numpy.asarray(digital.as_image(pixels))


def test_elastic_waves_alone_move_pixels_by_at_most_their_height():
    ramp = numpy.repeat(numpy.arange(64.0)[None, :, None] / 64, 64, axis=0)
    pixels = numpy.repeat(ramp, 3, axis=-1)
    made = digital.elastic_transform(pixels, (0.05, 0.01, 0), draw())
    moved = numpy.abs(made - pixels)[:, 5:-5, 0] * 64
    waves = ndimage.gaussian_filter(draw().uniform(-1, 1, (64, 64)), 0.64, truncate=3)
    assert 0 < moved.max() <= 64 * 0.05 and moved.std() < 64 * 0.05 * waves.std() * 1.5
    shifted = digital.elastic_transform(pixels, (0, 0, 0.1), draw(3))
    slope = numpy.diff(shifted[20:44, 20:44, 0], axis=1)  # an affine map keeps lines straight
    assert slope.std() < 1e-6


def test_without_the_photographs_frost_says_what_to_install(monkeypatch):
    weather.textures.cache_clear()
    monkeypatch.setattr(weather, "find_spec", lambda name: None)
    with pytest.raises(Exception, match="pip install --no-deps imagecorruptions"):
        weather.textures(small=True)


@pytest.mark.skipif(not HAS_FROST, reason="needs the photographs of imagecorruptions")
def test_frost_mixes_with_a_part_of_a_photograph():
    weather.textures.cache_clear()
    black = numpy.zeros((224, 224, 3))
    made = weather.frost(black, (1, 0.4), draw())
    assert made.std() > 0.01 and made.max() <= 0.4
    large, small = weather.textures(small=False)[0], weather.textures(small=True)[0]
    assert small.shape[0] == pytest.approx(large.shape[0] / 5, abs=1)
