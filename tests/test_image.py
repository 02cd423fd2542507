"""Images: what is saved is what is read, colors are those of IEC 61966-2-1, and no bad file gets through."""

import io
import pickle
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image as pillow

from diffrt.errors import InputError
from diffrt.image import Image, diverging, side_by_side, srgb_decode, srgb_encode
from diffrt.photograph import read_image

EXAMPLE = Path(__file__).parent.parent / "examples" / "still_life"

finite_images = arrays(
    np.float64,
    st.tuples(st.integers(1, 5), st.integers(1, 5), st.just(3)),
    elements=st.floats(allow_nan=False, allow_infinity=False),
)


def complaint(fault: pytest.ExceptionInfo[InputError]) -> str:
    """The only line of the error."""
    (line,) = fault.value.problems
    assert str(fault.value) == line and "\n" not in line
    return line


def refusal(path: Path, data: bytes) -> str:
    """What is said about a file of this content, without the file's name, which it must begin with."""
    path.write_bytes(data)
    with pytest.raises(InputError) as fault:
        read_image(path)
    line = complaint(fault)
    assert line.startswith(f"{path}: ")
    return line.removeprefix(f"{path}: ")


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(
    width: int, height: int, *, depth: int = 8, color_type: int = 2, interlaced: int = 0, rows: bytes = b""
) -> bytes:
    """A PNG written by hand, so that its header may say anything."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, interlaced))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def saved(picture: pillow.Image, **options: object) -> bytes:
    """The PNG that Pillow makes of one of its pictures."""
    file = io.BytesIO()
    picture.save(file, format="PNG", **options)
    return file.getvalue()


def npy(array: NDArray[np.generic]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npy_header(text: str) -> bytes:
    """A .npy of version 1.0 without any values."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


# What is saved is what is read.


def test_all_256_levels_of_a_png_come_back_unchanged(tmp_path: Path) -> None:
    levels = np.stack([np.arange(256), np.arange(256)[::-1], np.roll(np.arange(256), 77)], axis=-1)
    levels = levels.astype(np.uint8).reshape(16, 16, 3)
    first, second = tmp_path / "first.png", tmp_path / "second.png"
    first.write_bytes(saved(pillow.fromarray(levels)))
    read_image(first).save(second)
    with pillow.open(second) as picture:
        assert picture.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(picture), levels)


@given(values=finite_images)
def test_a_npy_holds_every_value_exactly(tmp_path_factory: pytest.TempPathFactory, values: NDArray[np.float64]) -> None:
    path = tmp_path_factory.mktemp("images") / "image.npy"
    Image(values).save(path)
    np.testing.assert_array_equal(read_image(path), values)


@given(values=finite_images)
def test_a_png_is_the_clipped_image_to_half_a_level(
    tmp_path_factory: pytest.TempPathFactory, values: NDArray[np.float64]
) -> None:
    path = tmp_path_factory.mktemp("images") / "image.png"
    Image(values).save(path)
    wanted = srgb_encode(np.clip(values, 0, 1))
    np.testing.assert_allclose(srgb_encode(read_image(path)), wanted, rtol=0, atol=0.5 / 255 + 1e-12)


def test_the_suffix_may_be_written_in_capitals(tmp_path: Path) -> None:
    Image(np.ones((1, 1, 3))).save(tmp_path / "image.PNG")
    assert read_image(tmp_path / "image.PNG").shape == (1, 1, 3)


def test_the_two_files_of_the_still_life_are_one_image() -> None:
    encoded, linear = read_image(EXAMPLE / "target.png"), read_image(EXAMPLE / "target_linear.npy")
    assert encoded.shape == linear.shape == (48, 64, 3)
    np.testing.assert_allclose(srgb_encode(encoded), srgb_encode(linear), rtol=0, atol=0.51 / 255)


# The curve.


def test_the_values_of_the_standard() -> None:
    # 18 % gray and the two ends; 188 is the level of half the light.
    np.testing.assert_allclose(srgb_encode([0.0, 0.18, 1.0]), [0.0, 0.46135612950044164, 1.0], rtol=1e-14)
    assert np.rint(255 * srgb_encode(0.5)) == 188
    np.testing.assert_allclose(srgb_decode(0.5), 0.21404114048223255, rtol=1e-14)


@given(st.floats(-1, 100))
def test_decoding_undoes_encoding(linear: float) -> None:
    # The standard's constants are rounded: where its two parts meet, they miss each other by 3e-8.
    np.testing.assert_allclose(srgb_decode(srgb_encode(linear)), linear, rtol=1e-6, atol=1e-12)


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_light_is_never_encoded_as_less(one: float, other: float) -> None:
    assert srgb_encode(min(one, other)) <= srgb_encode(max(one, other))


# An Image among arrays.


def test_what_is_computed_from_an_image_is_a_plain_array() -> None:
    image = Image(np.arange(24.0).reshape(2, 4, 3))
    other = np.ones((2, 4, 3))
    for result in (image - other, other - image, np.exp(-image), image > 3, image.mean(axis=0), image[0]):
        assert type(result) is np.ndarray
    assert [type(row) for row in image] == [np.ndarray, np.ndarray]
    assert type(image.sum()) is np.float64
    assert type(image[0, 0, 0]) is np.float64


def test_an_image_changed_in_place_stays_one_and_its_source_unchanged() -> None:
    source = np.ones((2, 4, 3))
    image = Image(source)
    image *= 2
    image[0] = 5
    assert type(image) is Image
    np.testing.assert_array_equal(image[:, 0, 0], [5, 2])
    np.testing.assert_array_equal(source, 1)


def test_an_image_can_be_copied_and_pickled() -> None:
    image = Image(np.ones((2, 4, 3)))
    for twin in (image.copy(), pickle.loads(pickle.dumps(image))):
        assert type(twin) is Image
        np.testing.assert_array_equal(twin, image)


@pytest.mark.parametrize("shape", [(), (3,), (4, 3), (2, 4, 4), (0, 4, 3), (1, 2, 4, 3)])
def test_an_image_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError) as fault:
        Image(np.ones(shape))
    assert complaint(fault) == f"an image has the shape (height, width, 3); {shape} was given"


@pytest.mark.parametrize("values", [np.full((1, 1, 3), 1j), np.full((1, 1, 3), "a"), np.full((1, 1, 3), None)])
def test_an_image_of_no_real_numbers(values: NDArray[np.generic]) -> None:
    with pytest.raises(InputError) as fault:
        Image(values)
    assert complaint(fault) == f"an image must hold real numbers; {values.dtype} was given"


def test_a_notebook_shows_the_png_that_would_be_saved(tmp_path: Path) -> None:
    image = Image(np.linspace(-0.5, 2, 24).reshape(2, 4, 3))
    image.save(tmp_path / "image.png")
    assert image._repr_png_() == (tmp_path / "image.png").read_bytes()


def test_a_notebook_shows_the_numbers_of_what_is_no_picture() -> None:
    assert Image(np.full((1, 1, 3), np.nan))._repr_png_() is None
    assert Image(np.ones((2, 4, 3))).reshape(4, 6)._repr_png_() is None


# What cannot be saved.


READ = ".png, .jpg, .jpeg, .tif, .tiff, .webp, .tga, .npy or .exr"


@pytest.mark.parametrize("name", ["image.gif", "image", "image.png.gz", ".png"])
def test_a_name_that_is_not_of_an_image_file(tmp_path: Path, name: str) -> None:
    image, path = Image(np.ones((1, 1, 3))), tmp_path / name
    for use, ends in ((image.save, ".png, .jpg, .npy or .exr"), (read_image, READ)):
        with pytest.raises(InputError) as fault:
            use(path)
        assert complaint(fault) == f"{path}: the name of an image file must end in {ends}"
    assert not path.exists()


@pytest.mark.parametrize("name", ["image.png", "image.npy"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_image_that_is_not_finite_is_not_saved(tmp_path: Path, name: str, value: float) -> None:
    image, path = Image(np.ones((3, 4, 3))), tmp_path / name
    image[1, 2, 0] = value
    with pytest.raises(InputError) as fault:
        image.save(path)
    assert complaint(fault) == f"{path}: row 1, column 2 is {value}; every value must be finite"
    assert not path.exists()


def test_a_transposed_image_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(InputError) as fault:
        Image(np.ones((2, 4, 3))).T.save(tmp_path / "image.png")
    assert "an image has the shape (height, width, 3); this one has (3, 4, 2)" in complaint(fault)


def test_saving_into_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError) as fault:
        Image(np.ones((1, 1, 3))).save(tmp_path / "none" / "image.png")
    assert "does not exist; create it first" in complaint(fault)


# PNG files.


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_an_opaque_gray_or_rgb_png_is_read(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(saved(pillow.new("RGB", (4, 2), (188, 188, 188)).convert(mode)))
    np.testing.assert_array_equal(read_image(path), np.full((2, 4, 3), srgb_decode(188 / 255)))


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"GIF89a, or so", "not a PNG file"),
        (b"\x89PNG\r\n\x1a\n", "damaged PNG: the file ends early"),
        (png(4, 2)[:8] + png(4, 2)[33:], "damaged PNG: its header is wrong"),
        (png(4, 2, color_type=5, rows=bytes(26)), "damaged PNG: its header is wrong"),
        (png(4, 2, rows=bytes(25)), "damaged PNG: rows are missing"),
        (png(2, 1, depth=16, rows=bytes(12)), "damaged PNG: rows are missing"),
        (saved(pillow.new("1", (4, 2))), "has 1 bits per channel; a PNG of 8 or 16 is needed"),
        (saved(pillow.new("P", (4, 2))), "has a palette; a gray or RGB PNG is needed"),
        (
            saved(pillow.new("RGBA", (4, 2), (9, 9, 9, 254))),
            "is transparent in places; an opaque image is needed",
        ),
        (saved(pillow.new("LA", (4, 2), (9, 0))), "is transparent in places; an opaque image is needed"),
        (
            saved(pillow.new("RGB", (4, 2), (1, 2, 3)), transparency=(1, 2, 3)),
            "is transparent in places; an opaque image is needed",
        ),
        (
            saved(pillow.new("L", (4, 2), 0), save_all=True, append_images=[pillow.new("L", (4, 2), 9)]),
            "is an animation; a PNG of one picture is needed",
        ),
        (png(4, 2, interlaced=1, rows=bytes(26)), "is interlaced; save it without"),
        (png(0, 4), "is 0 x 4 pixels; at least one is needed"),
        (png(16385, 1), "is 16385 x 1 pixels; a side may have 16384"),
        (png(2**31 - 1, 2**31 - 1), "is 2147483647 x 2147483647 pixels; a side may have 16384"),
        (png(16384, 1025), "is 16384 x 1025 pixels; 16777216 in all are read"),
    ],
)
def test_a_png_that_is_not_read(tmp_path: Path, data: bytes, fault: str) -> None:
    assert refusal(tmp_path / "image.png", data) == fault


def test_a_png_with_an_unknown_filter(tmp_path: Path) -> None:
    fault = refusal(tmp_path / "image.png", png(4, 2, rows=b"\x09" + bytes(25)))
    assert fault.startswith("damaged PNG: ")


def test_a_second_header_cannot_hide_a_huge_image(tmp_path: Path) -> None:
    small, huge = png(4, 2, rows=bytes(26)), png(12_000, 12_000)
    fault = refusal(tmp_path / "image.png", small[:33] + huge[8:33] + small[33:])
    assert fault == "damaged PNG: its header is wrong"


def test_a_png_cut_anywhere_is_refused(tmp_path: Path) -> None:
    data = saved(pillow.effect_noise((8, 8), 50))
    for length in range(len(data)):
        refusal(tmp_path / "image.png", data[:length])


def test_a_png_with_any_byte_wrong_is_refused(tmp_path: Path) -> None:
    data = saved(pillow.effect_noise((8, 8), 50))
    for place in range(len(data)):
        refusal(tmp_path / "image.png", data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :])


@given(noise=st.binary(min_size=1, max_size=200), suffix=st.sampled_from(["png", "npy"]))
def test_any_bytes_after_a_right_beginning_give_one_line(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, suffix: str
) -> None:
    right = {"png": png(4, 2)[:33], "npy": b"\x93NUMPY\x01\x00"}[suffix]
    refusal(tmp_path_factory.mktemp("images") / f"image.{suffix}", right + noise)


# .npy files.


@pytest.mark.parametrize("dtype", ["<f8", "<f4", "<f2", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_npy_of_any_float_and_order_is_read(tmp_path: Path, dtype: str, order: str) -> None:
    values = np.arange(24.0).reshape(2, 4, 3)
    (tmp_path / "image.npy").write_bytes(npy(np.asarray(values, dtype=dtype, order=order)))
    image = read_image(tmp_path / "image.npy")
    assert type(image) is Image and image.dtype == np.float64
    np.testing.assert_array_equal(image, values)


def test_a_npy_of_two_axes_is_gray(tmp_path: Path) -> None:
    values = np.arange(8.0).reshape(2, 4)
    (tmp_path / "image.npy").write_bytes(npy(values))
    np.testing.assert_array_equal(read_image(tmp_path / "image.npy"), values[..., None] * [1, 1, 1])


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"PK\x03\x04", "not a .npy file, or its header is damaged"),
        (b"\x93NUMPY\x09\x00", "not a .npy file, or its header is damaged"),
        (npy_header("(" * 5000), "not a .npy file, or its header is damaged"),
        (npy_header("{'descr': '<f8'}"), "not a .npy file, or its header is damaged"),
        (npy(np.ones((2, 4, 3), int)), "holds int64 values; float64, float32, float16, uint16 or uint8 is needed"),
        (
            npy(np.array([[None]])),
            "holds object values; float64, float32, float16, uint16 or uint8 is needed",
        ),
        (npy(np.ones(3)), "has the shape (3,); (height, width, 3) or (height, width) is needed"),
        (npy(np.ones((2, 4, 4))), "has the shape (2, 4, 4); (height, width, 3) or (height, width) is needed"),
        (npy(np.ones((0, 4, 3))), "is 4 x 0 pixels; at least one is needed"),
        (npy(np.ones((1, 16385))), "is 16385 x 1 pixels; a side may have 16384"),
        (
            npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (9999, 9999, 3)}"),
            "is 9999 x 9999 pixels; 16777216 in all are read",
        ),
        (
            npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (4096, 4096, 3)}"),
            "damaged .npy: 402653184 bytes of values are announced, 0 follow",
        ),
        (npy(np.ones((2, 4, 3)))[:-1], "damaged .npy: 192 bytes of values are announced, 191 follow"),
        (npy(np.ones((2, 4, 3))) + b"\0", "damaged .npy: 192 bytes of values are announced, 193 follow"),
        (npy(np.full((1, 2, 3), np.nan)), "row 0, column 0 is nan; every value must be finite"),
    ],
)
def test_a_npy_that_is_not_read(tmp_path: Path, data: bytes, fault: str) -> None:
    assert refusal(tmp_path / "image.npy", data) == fault


def test_a_pickle_in_a_npy_is_never_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "sprung",)

    refusal(tmp_path / "image.npy", npy(np.array([[Trap()]])))
    assert not (tmp_path / "sprung").exists()


# Pictures of pictures.


def test_images_side_by_side_keep_their_pixels() -> None:
    left, right = np.full((2, 3, 3), 0.25), np.full((2, 1, 3), 0.5)
    both = side_by_side([left, right], gap=2)
    assert type(both) is Image
    np.testing.assert_array_equal(both[1, :, 0], [0.25, 0.25, 0.25, 1, 1, 0.5])
    np.testing.assert_array_equal(side_by_side([left], gap=2), left)


def test_images_that_cannot_stand_side_by_side() -> None:
    low, high = np.ones((1, 1, 3)), np.ones((2, 1, 3))
    for images, gap, wanted in (
        ([low, high], 0, "side_by_side needs images of one height; given: heights 1, 2"),
        ([], 0, "side_by_side needs images of one height; given: no image"),
        ([low], -1, "gap is -1; it must be 0 or more pixels"),
    ):
        with pytest.raises(InputError) as fault:
            side_by_side(images, gap)
        assert complaint(fault) == wanted


def test_signed_values_are_blue_white_and_red_in_the_png(tmp_path: Path) -> None:
    image, scale = diverging([[-2.0, -0.4, 0.0, 0.4, 2.0]])
    image.save(tmp_path / "map.png")
    with pillow.open(tmp_path / "map.png") as picture:
        colors = np.asarray(picture)[0].tolist()
    assert colors == [[0, 0, 255], [204, 204, 255], [255, 255, 255], [255, 204, 204], [255, 0, 0]]
    assert scale == 2.0


def test_a_given_scale_colors_all_larger_values_fully() -> None:
    image, scale = diverging([[-8.0, 1.0, 1e308]], scale=2.0)
    assert scale == 2.0
    np.testing.assert_array_equal(image[0, [0, 2]], [[0, 0, 1], [1, 0, 0]])


def test_a_map_of_zeros_is_white() -> None:
    image, scale = diverging(np.zeros((2, 3)))
    assert scale == 0.0
    np.testing.assert_array_equal(image, 1)


@given(arrays(np.float64, (2, 3), elements=st.floats(allow_nan=False, allow_infinity=False)))
def test_opposite_values_have_opposite_colors(values: NDArray[np.float64]) -> None:
    np.testing.assert_array_equal(diverging(values)[0], diverging(-values)[0][..., ::-1])


@pytest.mark.parametrize(
    ("values", "scale", "wanted"),
    [
        (np.ones(3), None, "values must have the shape (height, width); (3,) was given"),
        (np.ones((0, 3)), None, "values must have the shape (height, width); (0, 3) was given"),
        ([[1.0, np.nan]], None, "values: row 0, column 1 is nan; every value must be finite"),
        ([[1.0]], 0.0, "scale is 0.0; it must be a positive number"),
        ([[1.0]], -1.0, "scale is -1.0; it must be a positive number"),
        ([[1.0]], np.inf, "scale is inf; it must be a positive number"),
        ([[1.0]], np.nan, "scale is nan; it must be a positive number"),
    ],
)
def test_a_map_that_cannot_be_drawn(values: object, scale: float | None, wanted: str) -> None:
    with pytest.raises(InputError) as fault:
        diverging(values, scale)
    assert complaint(fault) == wanted
