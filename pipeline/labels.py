"""Text on frames: crisp at any size, drawn once per text and then copied."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
"""8-bit BGR."""

WHITE: Colour = (255, 255, 255)
INK: Colour = (28, 26, 24)


def from_hex(colour: str) -> Colour:
    """BGR of ``#rrggbb``."""
    return int(colour[5:7], 16), int(colour[3:5], 16), int(colour[1:3], 16)


def readable_on(colour: Colour) -> Colour:
    """White or near-black, whichever contrasts more (relative luminance, WCAG 2.1)."""
    linear = [((c / 255 + 0.055) / 1.055) ** 2.4 if c > 10 else c / 255 / 12.92 for c in colour]
    luminance = 0.0722 * linear[0] + 0.7152 * linear[1] + 0.2126 * linear[2]
    return INK if luminance > 0.25 else WHITE


@lru_cache(maxsize=16)
def _font(size_px: int, bold: bool) -> ImageFont.FreeTypeFont:
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size_px)


@lru_cache(maxsize=4096)
def text_mask(text: str, size_px: int, bold: bool = False) -> np.ndarray:
    """(height, width, 1) float32 opacity of the text, as high as the font's line whatever the letters."""
    font = _font(size_px, bold)
    ascent, descent = font.getmetrics()
    canvas = Image.new("L", (max(1, int(np.ceil(font.getlength(text)))), ascent + descent))
    ImageDraw.Draw(canvas).text((0, 0), text, fill=255, font=font)
    return np.asarray(canvas, np.float32)[:, :, None] / 255


def put_text(image_bgr: np.ndarray, text: str, x: int, y: int, size_px: int, colour: Colour, bold: bool = False) -> int:
    """Draw text with its top left corner at (x, y), clipped to the image; returns its width in px."""
    mask = text_mask(text, size_px, bold)
    height, width = image_bgr.shape[:2]
    top, left = max(y, 0), max(x, 0)
    bottom, right = min(y + mask.shape[0], height), min(x + mask.shape[1], width)
    if bottom > top and right > left:
        part = mask[top - y : bottom - y, left - x : right - x]
        area = image_bgr[top:bottom, left:right]
        area[:] = (area * (1 - part) + np.array(colour, np.float32) * part + 0.5).astype(np.uint8)
    return mask.shape[1]


def put_tag(image_bgr: np.ndarray, text: str, x: int, y: int, size_px: int, fill: Colour) -> None:
    """Draw text in a filled box whose bottom left corner is at (x, y), moved as needed to stay inside the image."""
    pad = max(2, size_px // 4)
    mask = text_mask(text, size_px, True)
    width, height = mask.shape[1] + 2 * pad, mask.shape[0] + pad // 2
    x = int(np.clip(x, 0, max(image_bgr.shape[1] - width, 0)))
    y = int(np.clip(y, height, image_bgr.shape[0]))
    cv2.rectangle(image_bgr, (x, y - height), (x + width - 1, y - 1), fill, cv2.FILLED)
    put_text(image_bgr, text, x + pad, y - height + pad // 4, size_px, readable_on(fill), True)
