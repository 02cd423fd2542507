"""Image files as targets: what they hold, what they only bound, and what is refused."""

import io
import re
import struct
import subprocess
import sys
import zlib

import numpy as np
import png
import pytest
from PIL import Image as pillow

from diffrt.errors import InputError
from diffrt.image import srgb_decode
from diffrt.photograph import read_image, read_mask, read_photograph

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


SLOPE = np.add.outer(3 * np.arange(37), 2 * np.arange(53))[..., None]
PICTURE = np.random.default_rng(0).integers(0, 40, (37, 53, 3)) + SLOPE
ALPHA = np.where(np.hypot(*(np.indices((37, 53)) - np.array([18, 26])[:, None, None])) < 12, 255, 90).astype(np.uint8)
EIGHT, SIXTEEN = PICTURE.astype(np.uint8), (251 * PICTURE + 1).astype(np.uint16)


def tiff_of(levels, compression=1, predictor=1, tile=0, order="<", planar=1, **entries):
    """A TIFF of (height, width, channels), written once more from the specification: plain or Deflate, in tiles or in
    strips of nine rows."""
    height, width, channels = levels.shape
    down, across = (tile, tile) if tile else (9, width)
    numbers = levels.astype(levels.dtype.newbyteorder(order))
    parts = [numbers] if planar == 1 else [numbers[..., i : i + 1] for i in range(channels)]
    chunks = []
    for part in parts:
        for top in range(0, height, down):
            for left in range(0, width, across):
                chunk = part[top : top + down, left : left + across]
                if tile:
                    missing = [(0, n - m) for n, m in zip((down, across), chunk.shape, strict=False)]
                    chunk = np.pad(chunk, [*missing, (0, 0)])
                if predictor == 2:
                    chunk = np.diff(chunk.astype(levels.dtype), axis=1, prepend=0).astype(numbers.dtype)
                if predictor == 3:
                    ordered = np.ascontiguousarray(chunk.astype(levels.dtype.newbyteorder(">")))
                    planes = ordered.view(np.uint8).reshape(len(chunk), -1, levels.dtype.itemsize).transpose(0, 2, 1)
                    steps = planes.reshape(len(chunk), -1, chunk.shape[2])
                    chunk = np.diff(steps, axis=1, prepend=np.uint8(0))
                data = np.ascontiguousarray(chunk).tobytes()
                chunks.append(zlib.compress(data) if compression == 8 else data)
    bits, kind = 8 * levels.dtype.itemsize, 3 if levels.dtype.kind == "f" else 1
    table = {256: [width], 257: [height], 258: [bits] * channels, 259: [compression],
             262: [2 if channels > 2 else 1], 277: [channels], 284: [planar], 317: [predictor],
             339: [kind] * channels}  # fmt: skip
    if channels in (2, 4):
        table[338] = [2]
    table |= {322: [tile], 323: [tile]} if tile else {278: [9]}
    table |= {int(tag): value for tag, value in entries.items()}
    places, sizes = (324, 325) if tile else (273, 279)
    table |= {places: [0] * len(chunks), sizes: [len(chunk) for chunk in chunks]}
    start = 8 + 2 + 12 * len(table) + 4
    far = start + sum(4 * len(v) for v in table.values() if len(v) > 1)
    table[places] = (far + np.cumsum([0, *table[sizes][:-1]])).tolist()
    head, rest = b"", b""
    for tag in sorted(table):
        values = struct.pack(f"{order}{len(table[tag])}I", *table[tag])
        value = values if len(values) == 4 else struct.pack(f"{order}I", start + len(rest))
        rest += values if len(values) > 4 else b""
        head += struct.pack(f"{order}HHI", tag, 4, len(table[tag])) + value
    mark = b"II*\0" if order == "<" else b"MM\0*"
    begin = mark + struct.pack(f"{order}IH", 8, len(table))
    return begin + head + bytes(4) + rest + b"".join(chunks)


def read_as(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    return read_photograph(tmp_path / name, "linear")


def bytes_of(levels, kind, **settings):
    file = io.BytesIO()
    pillow.fromarray(levels).save(file, kind, **settings)
    return file.getvalue()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("layout", [{}, {"tile": 16}, {"planar": 2}, {"compression": 8, "predictor": 2},
                                    {"compression": 8, "tile": 32, "planar": 2}])  # fmt: skip
@pytest.mark.parametrize("levels", [EIGHT, SIXTEEN, SIXTEEN[..., :1]], ids=["8", "16", "gray"])
def test_a_tiff_is_read_to_the_last_level(tmp_path, levels, layout, order):
    found = read_as(tmp_path, "a.tif", tiff_of(levels, order=order, **layout))
    np.testing.assert_array_equal(found.image, np.broadcast_to(levels, PICTURE.shape) / np.iinfo(levels.dtype).max)


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
@pytest.mark.parametrize("predictor", [1, 3])
def test_a_tiff_of_floats_is_linear_and_has_no_bounds(tmp_path, kind, predictor):
    values = (PICTURE / 7.0).astype(kind)
    (tmp_path / "a.tif").write_bytes(tiff_of(values, 8, predictor, order=">"))
    found = read_photograph(tmp_path / "a.tif")
    np.testing.assert_array_equal(found.image, values)
    assert not (found.dark | found.bright).any()


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_a_tiff_of_another_program_is_read(tmp_path, compression):
    for levels in (EIGHT, EIGHT[..., 0], SIXTEEN[..., 0], (PICTURE[..., 0] / 7.0).astype(np.float32)):
        found = read_as(tmp_path, "a.tif", bytes_of(levels, "TIFF", compression=compression))
        scale = np.iinfo(levels.dtype).max if levels.dtype.kind == "u" else 1.0
        expected = levels / scale if levels.ndim == 3 else np.stack([levels / scale] * 3, -1)
        np.testing.assert_array_equal(found.image, expected)


def test_a_tiff_in_which_white_is_zero_and_one_that_was_turned(tmp_path):
    found = read_as(tmp_path, "a.tif", tiff_of(EIGHT[..., :1], **{"262": [0]}))
    np.testing.assert_array_equal(found.image[..., 0], (255 - EIGHT[..., 0]) / 255)
    found = read_as(tmp_path, "a.tif", tiff_of(EIGHT, **{"274": [6]}))
    np.testing.assert_array_equal(found.image, np.rot90(EIGHT, -1) / 255)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"262": [3]}, "has a palette; a gray or RGB TIFF is needed"),
        ({"262": [5]}, "has CMYK"),
        ({"259": [7]}, "has the compression JPEG; none, LZW, Deflate and PackBits are read"),
        ({"258": [12, 12, 12]}, "has 12 bits per channel of the format 1; whole numbers of 8 or 16, or floats"),
        ({"256": [20000]}, "is 20000 x 37 pixels; a side may have 16384"),
        ({"257": [90]}, "damaged TIFF: a part of the picture is missing"),
        ({"278": [37]}, "damaged TIFF: a part of the picture is missing"),
        ({"277": [7]}, "has 7 channels; 3 are needed, or with alpha 4"),
        ({"317": [5]}, "damaged TIFF"),
    ],
)
def test_a_tiff_that_is_not_read_is_told_in_a_line(tmp_path, entries, words):
    with pytest.raises(InputError, match=re.escape(words)) as fault:
        read_as(tmp_path, "a.tif", tiff_of(EIGHT, **entries))
    assert len(fault.value.problems) == 1


@pytest.mark.parametrize("name", ["a.tif", "a.webp", "a.tga"])
def test_a_file_that_ends_early_or_is_another_is_told_in_a_line(tmp_path, name):
    kind = {"a.tif": "TIFF", "a.webp": "WEBP", "a.tga": "TGA"}[name]
    whole = bytes_of(EIGHT, kind)
    for cut in (3, 10, 40, len(whole) // 2, len(whole) - 40):
        with pytest.raises(InputError, match=kind.replace("WEBP", "WebP")) as fault:
            read_as(tmp_path, name, whole[:cut])
        assert len(fault.value.problems) == 1
    with pytest.raises(InputError):
        read_as(tmp_path, name, b"no picture at all, but some words that go on for a while")


def test_a_webp_is_read(tmp_path):
    found = read_as(tmp_path, "a.webp", bytes_of(EIGHT, "WEBP", lossless=True))
    np.testing.assert_array_equal(found.image, EIGHT / 255)
    smooth = np.broadcast_to(np.arange(40, 104, 2, dtype=np.uint8)[:, None, None], (32, 32, 3))
    found = read_as(tmp_path, "a.webp", bytes_of(smooth, "WEBP", quality=95))
    np.testing.assert_allclose(found.image, smooth / 255, atol=0.02)
    frames = [pillow.fromarray(np.full((8, 8, 3), level, np.uint8)) for level in (9, 200)]
    file = io.BytesIO()
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match="is an animation"):
        read_as(tmp_path, "a.webp", file.getvalue())


@pytest.mark.parametrize("compression", [None, "tga_rle"])
@pytest.mark.parametrize("orientation", [-1, 1])
def test_a_tga_is_read_from_top_and_bottom_left_and_right(tmp_path, compression, orientation):
    for levels in (EIGHT, EIGHT[..., 0]):
        data = bytearray(bytes_of(levels, "TGA", compression=compression, orientation=orientation))
        expected = levels if levels.ndim == 3 else np.stack([levels] * 3, -1)
        np.testing.assert_array_equal(read_as(tmp_path, "a.tga", data).image, expected / 255)
        data[17] |= 0x10
        np.testing.assert_array_equal(read_as(tmp_path, "a.tga", data).image, expected[:, ::-1] / 255)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp", "a.tga"])
def test_transparent_pixels_are_told_apart_and_refused_where_none_may_be(tmp_path, name):
    kind = {"a.png": "PNG", "a.tif": "TIFF", "a.webp": "WEBP", "a.tga": "TGA"}[name]
    exact = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    found = read_as(tmp_path, name, bytes_of(np.dstack([EIGHT, ALPHA]), kind, **exact))
    np.testing.assert_array_equal(found.opaque, ALPHA == 255)
    np.testing.assert_array_equal(found.image, EIGHT / 255)
    np.testing.assert_array_equal(read_mask(tmp_path / name), ALPHA >= 128)
    with pytest.raises(InputError, match="is transparent in places; an opaque image is needed"):
        read_image(tmp_path / name)
    assert read_as(tmp_path, name, bytes_of(np.dstack([EIGHT, 0 * ALPHA + 255]), kind, **exact)).alpha is None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_levels_in_a_npy_are_linear_and_clipped_at_their_ends(tmp_path, dtype):
    levels = np.array([[[0, 7, 200], [3, np.iinfo(dtype).max, 90]]], dtype)
    np.save(tmp_path / "a.npy", levels)
    found = read_photograph(tmp_path / "a.npy")
    np.testing.assert_allclose(found.image, levels / np.iinfo(dtype).max, rtol=1e-15)
    assert np.argwhere(found.bright).tolist() == [[0, 1, 1]] and np.argwhere(found.dark).tolist() == [[0, 0, 0]]


def twelve_bits(step, rng, clipped):
    levels = rng.integers(0, 4000, (20, 20, 3))
    levels[:4, :5] = 4095 if clipped else 100
    return (levels * step).astype(np.uint16)


@pytest.mark.parametrize("clipped", [True, False])
@pytest.mark.parametrize("step", [1, 16])
def test_twelve_bits_in_a_file_of_sixteen_are_noticed(tmp_path, step, clipped):
    levels = twelve_bits(step, np.random.default_rng(1), clipped)
    (tmp_path / "a.tif").write_bytes(tiff_of(levels))
    found = read_photograph(tmp_path / "a.tif", "linear")
    (note,) = found.notes
    assert "12 bits" in note and ("is taken as clipped" in note) == (clipped or step == 16)
    np.testing.assert_allclose(found.image, levels / 65535, rtol=1e-15)
    assert found.bright[:4, :5].all() == clipped and found.bright.sum() == 60 * clipped
    assert found.brightest == pytest.approx(((4095 * step if clipped or step == 16 else 65535) - 0.5) / 65535)
    if step == 1:
        said = read_photograph(tmp_path / "a.tif", "linear", bits=12)
        assert not said.notes and said.bright.sum() == 60 * clipped
        np.testing.assert_allclose(said.image, levels / 4095, rtol=1e-15)


def test_sixteen_bits_are_not_taken_for_fewer(tmp_path):
    (tmp_path / "a.tif").write_bytes(tiff_of(SIXTEEN))
    assert not read_photograph(tmp_path / "a.tif").notes
    assert read_photograph(tmp_path / "a.tif", bits=16).image[0, 0, 0] == read_image(tmp_path / "a.tif")[0, 0, 0]


@pytest.mark.parametrize(
    ("bits", "words"),
    [(12, "found bits = 12, but a level of "), (7, "found 7 bits, allowed: a whole number from 8 to 16"),
     (True, "found true bits")],
)  # fmt: skip
def test_bits_that_a_file_does_not_hold_are_told(tmp_path, bits, words):
    (tmp_path / "a.tif").write_bytes(tiff_of(SIXTEEN))
    with pytest.raises(InputError, match=words):
        read_photograph(tmp_path / "a.tif", bits=bits)
    (tmp_path / "a.tif").write_bytes(tiff_of(EIGHT))
    with pytest.raises(InputError, match="bits"):
        read_photograph(tmp_path / "a.tif", bits=bits)


def exif_of(**tags):
    exif = pillow.Exif()
    names = {"equivalent": 0xA405, "focal": 0x920A, "width": 0xA002, "height": 0xA003, "across": 0xA20E, "down": 0xA20F,
             "unit": 0xA210}  # fmt: skip
    exif[0x0112] = tags.pop("orientation", 1)
    own = exif.get_ifd(0x8769)
    own.update({names[name]: value for name, value in tags.items()})
    return exif


@pytest.mark.parametrize(("name", "kind"), [("a.jpg", "JPEG"), ("a.png", "PNG"), ("a.webp", "WEBP"), ("a.tif", "TIFF")])
def test_a_photograph_says_its_field_of_view(tmp_path, name, kind):
    """Of 36 x 24 mm film at 50 mm the vertical field of view is 2 arctan(12 / 50)."""
    levels = np.full((200, 300, 3), 90, np.uint8)
    fov, source = read_as(tmp_path, name, bytes_of(levels, kind, exif=exif_of(equivalent=50).tobytes())).view
    assert fov == pytest.approx(np.degrees(2 * np.arctan(12 / 50))) and source == (
        "its 35 mm equivalent focal length of 50 mm"
    )
    assert read_as(tmp_path, name, bytes_of(levels, kind)).view is None


def test_a_field_of_view_follows_from_the_sensor_too_and_from_no_part_of_a_photograph(tmp_path):
    def view(shape=(200, 300, 3), **tags):
        return read_as(tmp_path, "a.jpg", bytes_of(np.full(shape, 90, np.uint8), "JPEG", exif=exif_of(**tags))).view

    sensor = {"focal": 35.0, "width": 6000, "height": 4000, "across": 2000.0, "down": 2000.0, "unit": 3}  # 30 x 20 mm
    fov, source = view(**sensor)
    assert fov == pytest.approx(np.degrees(2 * np.arctan(10 / 35)))
    assert source == "its focal length of 35 mm and a sensor 20 mm high"
    assert view(orientation=6, shape=(200, 300, 3), **sensor)[0] == pytest.approx(np.degrees(2 * np.arctan(15 / 35)))
    assert view(orientation=6, equivalent=50)[0] == pytest.approx(np.degrees(2 * np.arctan(18 / 50)))
    assert view(shape=(200, 200, 3), **sensor) is None
    assert view(focal=35.0) is None


def test_an_encoding_that_does_not_exist_is_told(tmp_path):
    pillow.new("RGB", (2, 2)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match='found the encoding "gamma", allowed: "srgb" or "linear"'):
        read_image(tmp_path / "a.png", "gamma")
