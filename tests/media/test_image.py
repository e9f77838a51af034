"""Every kind of still picture becomes an 8-bit RGB PNG of the canvas's size, upright and centred."""

import struct
import zlib
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image, ImageCms

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_worker.media.fit import Frame
from ltx2_worker.media.image import fit_image
from tests.media.media_lab import BLACK, BLUE, GREEN, PREVIEW, RED, SMALL, Pixel, encoded, pictures, quartered

LIMIT = 50_000_000
SQUARE = Frame(64, 64, 64, 64)


def fitted(content: bytes, folder: Path, frame: Frame = SMALL, limit: int = LIMIT) -> Image.Image:
    source, target = folder / "in", folder / "out.png"
    source.write_bytes(content)
    fit_image(source, target, "image_url", frame, limit)
    with Image.open(target) as picture:
        picture.load()
    assert (picture.format, picture.mode) == ("PNG", "RGB")
    assert picture.size == (frame.canvas_width, frame.canvas_height)
    return picture


def refusal(content: bytes, folder: Path, limit: int = LIMIT) -> str:
    with pytest.raises(WorkerError) as caught:
        fitted(content, folder, limit=limit)
    assert (caught.value.code, caught.value.field) == (ErrorCode.MEDIA_REJECTED, "image_url")
    assert not caught.value.retryable
    return caught.value.message


def close(pixel: Pixel, colour: tuple[int, int, int], tolerance: int = 12) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(is_ - should) <= tolerance for is_, should in zip(pixel, colour, strict=True))


@pytest.mark.parametrize("kind", pictures())
def test_every_allowed_kind_of_picture_is_taken(kind: str, tmp_path: Path) -> None:
    picture = fitted(pictures()[kind], tmp_path)
    grey = {"jpeg grey": 76, "png 16 bit": 0, "png bilevel": None}  # 16 bit: 0..255 of 65,535 is black
    if kind in grey:
        value = grey[kind]
        assert value is None or close(picture.getpixel((10, 10)), (value,) * 3)
    else:
        assert close(picture.getpixel((10, 10)), RED, 40)
        assert close(picture.getpixel((118, 10)), GREEN, 40)
        assert close(picture.getpixel((10, 54)), BLUE, 40)


def test_sixteen_bit_grey_keeps_its_brightness(tmp_path: Path) -> None:
    grey = Image.new("I;16", (64, 64), 0x8080)
    assert close(fitted(encoded(grey, "PNG"), tmp_path).getpixel((5, 5)), (128, 128, 128), 1)


def test_transparency_lies_on_black(tmp_path: Path) -> None:
    picture = quartered(64, 64).convert("RGBA")
    picture.putalpha(Image.new("L", (64, 64), 0))
    assert fitted(encoded(picture, "PNG"), tmp_path).getpixel((5, 5)) == BLACK


def test_a_transparent_palette_colour_lies_on_black(tmp_path: Path) -> None:
    picture = Image.new("P", (64, 64), 1)
    picture.putpalette([255, 255, 255, 0, 0, 255])
    content = encoded(picture, "PNG", transparency=1)
    assert fitted(content, tmp_path).getpixel((5, 5)) == BLACK


@pytest.mark.parametrize(
    ("orientation", "corner"),
    [
        (1, RED),
        (2, GREEN),
        (3, (255, 255, 255)),
        (4, BLUE),
        (5, RED),
        (6, BLUE),
        (7, (255, 255, 255)),
        (8, GREEN),
    ],
)
def test_the_exif_orientation_is_applied(
    orientation: int, corner: tuple[int, int, int], tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = fitted(encoded(quartered(64, 64), "PNG", exif=exif), tmp_path, SQUARE)
    assert close(picture.getpixel((8, 8)), corner)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_does_not_cost_the_picture(tmp_path: Path) -> None:
    content = encoded(quartered(64, 64), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f" + b"\xff" * 30)
    assert close(fitted(content, tmp_path, SQUARE).getpixel((8, 8)), RED, 40)


def test_an_embedded_colour_profile_is_applied(tmp_path: Path) -> None:
    srgb = profile("sRGB")
    swapped = srgb.replace(b"rXYZ", b"****").replace(b"bXYZ", b"rXYZ").replace(b"****", b"bXYZ")
    assert swapped != srgb
    tagged = encoded(quartered(64, 64), "PNG", icc_profile=swapped)
    assert close(fitted(tagged, tmp_path, SQUARE).getpixel((8, 8)), BLUE)


def test_a_profile_that_does_not_fit_the_picture_is_not_applied(tmp_path: Path) -> None:
    tagged = encoded(quartered(64, 64), "PNG", icc_profile=profile("LAB"))
    assert close(fitted(tagged, tmp_path, SQUARE).getpixel((8, 8)), RED)
    garbage = encoded(quartered(64, 64), "PNG", icc_profile=b"no profile")
    assert close(fitted(garbage, tmp_path, SQUARE).getpixel((8, 8)), RED)


def test_the_margin_of_the_canvas_is_the_mirrored_edge(tmp_path: Path) -> None:
    picture = (
        Image.linear_gradient("L").resize((448, 256)).transpose(Image.Transpose.ROTATE_90).convert("RGB")
    )
    canvas = fitted(encoded(picture.resize((448, 256)), "PNG"), tmp_path, PREVIEW)
    for depth in range(32):
        assert canvas.getpixel((31 - depth, 100)) == canvas.getpixel((32 + depth, 100))
        assert canvas.getpixel((480 + depth, 100)) == canvas.getpixel((479 - depth, 100))


def test_the_delivered_crop_of_a_picture_of_its_shape_is_the_picture(tmp_path: Path) -> None:
    picture = Image.effect_noise((448, 256), 60).convert("RGB")
    canvas = fitted(encoded(picture, "PNG"), tmp_path, PREVIEW)
    assert canvas.crop((32, 0, 480, 256)).tobytes() == picture.tobytes()


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 2)])
def test_absurd_shapes_still_fill_the_canvas(size: tuple[int, int], tmp_path: Path) -> None:
    picture = fitted(encoded(Image.new("RGB", size, RED), "PNG"), tmp_path)
    assert picture.getcolors() == [(128 * 64, RED)]


def profile(name: Literal["LAB", "sRGB"]) -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes()


def png_of(width: int, height: int, body: bytes = b"") -> bytes:
    """A PNG whose header says so, with any body."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(10_000, 10_000), (65_500, 65_500), (2**31 - 1, 2**31 - 1), (2**31 - 1, 1)])
def test_a_decompression_bomb_is_refused_by_its_header(size: tuple[int, int], tmp_path: Path) -> None:
    assert "50 megapixels" in refusal(png_of(*size, zlib.compress(bytes(1000))), tmp_path)


def test_a_text_chunk_that_unpacks_to_much_is_refused(tmp_path: Path) -> None:
    bomb = b"key\0\0" + zlib.compress(bytes(200_000_000))
    chunk = struct.pack(">I", len(bomb)) + b"zTXt" + bomb + struct.pack(">I", zlib.crc32(b"zTXt" + bomb))
    whole = pictures()["png"]
    assert "damaged" in refusal(whole[:33] + chunk + whole[33:], tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"GIF89a",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        b"BM" + bytes(100),
        b"II*\0" + bytes(100),
        b"\xff\xd8\xff",
        b"#EXTM3U\nfile:///etc/passwd",
        b"\0\0\0\x18ftypmp42" + bytes(100),
        b"%!PS-Adobe-3.0 EPSF-3.0\n" + bytes(100),
    ],
)
def test_what_is_no_allowed_picture_is_refused(content: bytes, tmp_path: Path) -> None:
    assert "a JPEG, PNG, WebP, GIF or HEIC picture" in refusal(content, tmp_path)


def test_what_counts_is_the_content_and_only_its_own_decoder_sees_it(tmp_path: Path) -> None:
    polyglot = b"GIF89a" + pictures()["png"]
    assert "damaged" in refusal(polyglot, tmp_path)


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "gif", "heic"])
def test_half_a_picture_is_refused(kind: str, tmp_path: Path) -> None:
    noise = Image.effect_noise((200, 200), 80).convert("RGB")
    content = encoded(noise, {"heic": "HEIF"}.get(kind, kind.upper()))
    assert "damaged" in refusal(content[: len(content) // 2], tmp_path)
