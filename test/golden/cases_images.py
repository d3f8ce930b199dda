"""images.json: image files, and what torchvision (Debian's python3-torchvision) makes of them.

{kind: "image", file: base64, mode: "unchanged" or "rgb", output}: torchvision.io.decode_image
{kind: "pipeline", file, output}: resize to 24, the middle 20 x 20, / 255, normalized with ImageNet's mean and std
"""

import base64
import io
import struct
import zlib

import numpy as np
import torch
from PIL import Image
from torchvision.io import ImageReadMode, decode_image
from torchvision.transforms import functional as TF

from encode import encode

MODES = {"unchanged": ImageReadMode.UNCHANGED, "rgb": ImageReadMode.RGB}


def picture(height=37, width=51):
    """Waves, and a patch of noise: JPEG's colours are not the same everywhere."""
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack([np.sin(x / 9) * 100 + 128, np.cos(y / 7) * 100 + 128, (x * y) % 256], -1).astype(np.uint8)
    rgb[10:25, 12:30] = np.random.RandomState(0).randint(0, 256, (15, 18, 3))
    return Image.fromarray(rgb)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(values, depth, color, interlaced=False, palette=None, alpha=None):
    """A PNG file that PIL does not write: of few bits, or interlaced. values is [height, width, channels]."""
    height, width, _ = values.shape
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = b""
    for x, y, dx, dy in passes:
        for row in values[y::dy, x::dx]:
            bits = "".join(f"{v:0{depth}b}" for v in row.reshape(-1))
            bits += "0" * (-len(bits) % 8)
            if bits:
                rows += b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, int(interlaced))
    parts = [chunk(b"IHDR", head)]
    if palette is not None:
        parts.append(chunk(b"PLTE", palette.tobytes()))
    if alpha is not None:
        parts.append(chunk(b"tRNS", alpha.tobytes()))
    packed = zlib.compress(rows)
    parts += [chunk(b"IDAT", packed[:20]), chunk(b"IDAT", packed[20:]), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def read(file, mode="unchanged"):
    return decode_image(torch.frombuffer(bytearray(file), dtype=torch.uint8), MODES[mode])


def files():
    image = picture()
    rng = np.random.RandomState(1)
    for name, options in {
        "4:2:0": {"quality": 85}, "4:2:2": {"quality": 75, "subsampling": 1}, "4:4:4": {"quality": 90, "subsampling": 0},
        "progressive": {"quality": 80, "progressive": True}, "restarts": {"quality": 60, "restart_marker_blocks": 3},
    }.items():  # fmt: skip
        yield f"JPEG, {name}", saved(image, "jpeg", **options), ("unchanged", "rgb")
    yield "JPEG, grey", saved(image.convert("L"), "jpeg"), ("unchanged", "rgb")
    for mode in ("RGB", "L", "RGBA", "LA"):
        yield f"PNG, {mode}", saved(image.convert(mode), "png"), ("unchanged", "rgb")
    # PyTorch 1.13 gives a palette's indices where the mode is unchanged; later versions the colours.
    yield "PNG, palette", saved(image.convert("P"), "png"), ("rgb",)
    yield "PNG, palette with transparency", saved(image.convert("P"), "png", transparency=3), ("rgb",)
    yield "PNG, profile and texts", saved(image, "png", icc_profile=b"none of a profile", dpi=(72, 72)), ("unchanged",)
    small = lambda depth, channels=1: rng.randint(0, 2**depth, (7, 11, channels))
    for depth in (1, 2, 4):
        yield f"PNG, grey, {depth} bits", png(small(depth), depth, 0), ("unchanged",)
        palette = rng.randint(0, 256, (2**depth, 3)).astype(np.uint8)
        yield f"PNG, palette, {depth} bits", png(small(depth), depth, 3, palette=palette), ("rgb",)
    yield "PNG, RGB, interlaced", png(small(8, 3), 8, 2, interlaced=True), ("unchanged",)
    yield "PNG, grey, interlaced", png(small(8), 8, 0, interlaced=True), ("unchanged",)


def cases():
    return list(matrix())


def matrix():
    for name, file, modes in files():
        text = base64.b64encode(file).decode()
        for mode in modes:
            yield {"name": f"{name}, {mode}", "kind": "image", "file": text, "mode": mode, "output": encode(read(file, mode))}
    file = saved(picture(64, 48), "jpeg", quality=90)
    x = TF.center_crop(TF.resize(read(file).float() / 255, 24, antialias=True), 20)
    x = TF.normalize(x, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    yield {"name": "a photograph", "kind": "pipeline", "file": base64.b64encode(file).decode(), "output": encode(x)}
