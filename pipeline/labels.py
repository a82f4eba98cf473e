"""Text on frames: crisp at any size, drawn once per text and then copied."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
"""8-bit BGR."""

Box = tuple[int, int, int, int]
"""x1 y1 x2 y2, px."""

WHITE: Colour = (255, 255, 255)
INK: Colour = (28, 26, 24)


def from_hex(colour: str) -> Colour:
    """BGR of ``#rrggbb``."""
    return int(colour[5:7], 16), int(colour[3:5], 16), int(colour[1:3], 16)


def readable_on(colour: Colour) -> Colour:
    """White or near-black, whichever contrasts more (contrast ratio, WCAG 2.1)."""
    fill, ink, white = (_luminance(each) + 0.05 for each in (colour, INK, WHITE))
    return INK if fill / ink > white / fill else WHITE


def _luminance(colour: Colour) -> float:
    """Relative luminance, 0 to 1 (WCAG 2.1)."""
    linear = [((c / 255 + 0.055) / 1.055) ** 2.4 if c > 10 else c / 255 / 12.92 for c in colour]
    return 0.0722 * linear[0] + 0.7152 * linear[1] + 0.2126 * linear[2]


@lru_cache(maxsize=16)
def _font(size_px: int, bold: bool) -> ImageFont.FreeTypeFont:
    import matplotlib  # for its fonts; loaded beside by then, with the report

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


@lru_cache(maxsize=1024)
def _tag(text: str, size_px: int, fill: Colour) -> np.ndarray:
    """(h, w, 3) uint8 BGR: a tag's text on its colour, which is mostly the same one for many frames."""
    height, width = text_mask(text, size_px, True).shape[:2]
    tag = np.full((height, width, 3), fill, np.uint8)
    put_text(tag, text, 0, 0, size_px, readable_on(fill), True)
    return tag


def put_picture(image_bgr: np.ndarray, picture: np.ndarray, x: int, y: int) -> None:
    """Copy a picture (h, w, 3) with its top left corner to (x, y), clipped to the image."""
    height, width = image_bgr.shape[:2]
    top, left = max(y, 0), max(x, 0)
    bottom, right = min(y + picture.shape[0], height), min(x + picture.shape[1], width)
    if bottom > top and right > left:
        image_bgr[top:bottom, left:right] = picture[top - y : bottom - y, left - x : right - x]


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


class Tags:
    """Filled boxes with text at the boxes of people, moved out of each other's way; one object per frame."""

    def __init__(self, image_bgr: np.ndarray, size_px: int, top: int) -> None:
        """Begin a frame; nothing is put above row ``top`` (px)."""
        self._image = image_bgr
        self._size = size_px
        self._top = top
        self._pad = max(2, size_px // 4)
        self._taken: list[Box] = []

    def put(self, text: str, box_xyxy: Box, fill: Colour) -> None:
        """Draw a tag where ``find_place`` finds room for it."""
        x, y, x2, y2 = self.find_place(text, box_xyxy)
        pad = self._pad
        cv2.rectangle(self._image, (x, y), (x2 - 1, y2 - 1), fill, cv2.FILLED)
        put_picture(self._image, _tag(text, self._size, fill), x + pad, y + pad // 4)

    def find_place(self, text: str, box_xyxy: Box) -> Box:
        """Take a place (x1, y1, x2, y2, px) for a tag on top of a box, else within it, else under it.

        It is the first that no other tag has taken.
        """
        pad = self._pad
        mask = text_mask(text, self._size, True)
        width, height = mask.shape[1] + 2 * pad, mask.shape[0] + pad // 2
        x1, y1, x2, y2 = box_xyxy
        places = [(x1, y1 - height), (x2 - width, y1 - height), (x1, y1), (x1, y2 - height), (x1, y2)]
        inside = [self._inside(x, y, width, height) for x, y in places]
        x, y = next((place for place in inside if self._free(*place, width, height)), inside[0])
        self._taken.append((x, y, x + width, y + height))
        return self._taken[-1]

    def _inside(self, x: int, y: int, width: int, height: int) -> tuple[int, int]:
        frame_height, frame_width = self._image.shape[:2]
        return min(max(x, 0), max(frame_width - width, 0)), min(max(y, self._top), max(frame_height - height, 0))

    def _free(self, x: int, y: int, width: int, height: int) -> bool:
        return all(x >= x2 or x + width <= x1 or y >= y2 or y + height <= y1 for x1, y1, x2, y2 in self._taken)
