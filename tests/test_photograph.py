"""Image files as targets: what they hold, what they only bound, and what is refused."""

import io
import subprocess
import sys

import numpy as np
import png
import pytest
from PIL import Image as pillow

from diffrt.errors import InputError
from diffrt.image import srgb_decode
from diffrt.photograph import read_image, read_photograph

LEVELS = np.array([[[0, 1, 65535], [256, 257, 300]], [[40000, 5, 65534], [3, 2, 1]]], np.uint16)


def save_16(path, levels, **kind):
    with open(path, "wb") as file:
        png.Writer(levels.shape[1], levels.shape[0], bitdepth=16, **kind).write(file, levels.reshape(len(levels), -1))


def test_sixteen_bits_of_rgb_are_not_cut_to_eight(tmp_path):
    save_16(tmp_path / "a.png", LEVELS, greyscale=False)
    found = read_photograph(tmp_path / "a.png", "linear")
    np.testing.assert_allclose(found.image, LEVELS / 65535, rtol=1e-15)
    assert found.dark.sum() == 1 and found.dark[0, 0, 0] and found.bright.sum() == 1 and found.bright[0, 0, 2]
    assert found.darkest == pytest.approx(0.5 / 65535) and found.brightest == pytest.approx(65534.5 / 65535)
    np.testing.assert_allclose(read_image(tmp_path / "a.png"), srgb_decode(LEVELS / 65535), rtol=1e-12)


def test_sixteen_bits_of_gray(tmp_path):
    save_16(tmp_path / "a.png", LEVELS[..., 0], greyscale=True)
    expected = np.stack([LEVELS[..., 0] / 65535] * 3, -1)
    np.testing.assert_allclose(read_image(tmp_path / "a.png", "linear"), expected, rtol=1e-15)


def test_sixteen_bits_with_transparency_are_refused(tmp_path):
    levels = np.concatenate([LEVELS, np.full((2, 2, 1), 65534, np.uint16)], -1)
    save_16(tmp_path / "a.png", levels, greyscale=False, alpha=True)
    with pytest.raises(InputError, match="transparent in places"):
        read_image(tmp_path / "a.png")
    levels[..., 3] = 65535
    save_16(tmp_path / "a.png", levels, greyscale=False, alpha=True)
    np.testing.assert_allclose(read_image(tmp_path / "a.png", "linear"), LEVELS / 65535, rtol=1e-15)


def test_a_clipped_pixel_of_eight_bits_is_a_bound(tmp_path):
    levels = np.array([[[0, 255, 128]]], np.uint8)
    pillow.fromarray(levels).save(tmp_path / "a.png")
    found = read_photograph(tmp_path / "a.png")
    assert found.dark.ravel().tolist() == [True, False, False]
    assert found.bright.ravel().tolist() == [False, True, False]
    assert found.darkest == pytest.approx(srgb_decode(0.5 / 255)) and found.brightest == pytest.approx(
        srgb_decode(254.5 / 255)
    )


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_is_read(tmp_path, mode):
    smooth = np.broadcast_to(np.linspace(40, 200, 32)[:, None], (32, 32)).astype(np.uint8)
    pillow.fromarray(smooth if mode == "L" else np.stack([smooth] * 3, -1)).save(tmp_path / "a.jpg", quality=100)
    found = read_image(tmp_path / "a.jpg")
    assert found.shape == (32, 32, 3)
    np.testing.assert_allclose(found[..., 1], srgb_decode(smooth / 255), atol=0.01)


def test_a_turned_jpeg_is_turned_back(tmp_path):
    exif = pillow.Exif()
    exif[0x0112] = 6  # the camera was held upright
    pillow.fromarray(np.zeros((8, 16, 3), np.uint8)).save(tmp_path / "a.jpg", exif=exif)
    assert read_image(tmp_path / "a.jpg").shape == (16, 8, 3)


def test_a_jpeg_that_is_not_read(tmp_path):
    file = io.BytesIO()
    pillow.new("CMYK", (8, 8)).save(file, "JPEG")
    (tmp_path / "a.jpg").write_bytes(file.getvalue())
    with pytest.raises(InputError, match="has the mode CMYK; a gray or RGB JPEG is needed"):
        read_image(tmp_path / "a.jpg")
    file = io.BytesIO()
    pillow.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(file, "JPEG")
    for cut in (10, 700):
        (tmp_path / "a.jpg").write_bytes(file.getvalue()[:cut])
        with pytest.raises(InputError, match="JPEG"):
            read_image(tmp_path / "a.jpg")


def test_an_exr_is_read(tmp_path):
    OpenEXR = pytest.importorskip("OpenEXR")
    values = np.random.default_rng(0).uniform(0.0, 9.0, (4, 5, 3)).astype(np.float32)
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}

    def save(**channels):
        with OpenEXR.File(header, channels) as file:
            file.write(str(tmp_path / "a.exr"))

    save(RGB=values)
    np.testing.assert_array_equal(read_image(tmp_path / "a.exr"), values)
    assert not read_photograph(tmp_path / "a.exr").bright.any()
    save(Y=np.ascontiguousarray(values[..., 0]))
    np.testing.assert_array_equal(read_image(tmp_path / "a.exr")[..., 2], values[..., 0])
    save(RGB=values, A=np.full((4, 5), 0.5, np.float32))
    with pytest.raises(InputError, match="transparent in places"):
        read_image(tmp_path / "a.exr")
    save(Z=np.ascontiguousarray(values[..., 0]))
    with pytest.raises(InputError, match="has the channels Z; R, G and B, or Y, are needed"):
        read_image(tmp_path / "a.exr")
    (tmp_path / "a.exr").write_bytes(b"no picture at all")
    with pytest.raises(InputError, match="not an OpenEXR file, or damaged"):
        read_image(tmp_path / "a.exr")


def test_without_its_package_an_exr_says_what_is_needed(tmp_path):
    (tmp_path / "a.exr").write_bytes(b"v/1\x01")
    program = (
        "import sys; sys.modules['OpenEXR'] = None\n"
        "from diffrt.photograph import read_image\n"
        "try: read_image(sys.argv[1])\n"
        "except ValueError as fault: print(fault)"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "a.exr"], capture_output=True, text=True)
    assert "needs the package OpenEXR: pip install 'diffrt[exr]'" in done.stdout


def test_an_encoding_that_does_not_exist_is_told(tmp_path):
    pillow.new("RGB", (2, 2)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match='found the encoding "gamma", allowed: "srgb" or "linear"'):
        read_image(tmp_path / "a.png", "gamma")
