"""Pictures that fit one panel: windows, doors, shop fronts, lettering, posters, traffic signs, number plates.

Drawn with Pillow in sRGB at twice the size, then linearised. Text is arbitrary syllables: marks that look like
lettering.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from simteacher.scenes.mesh import F32

Rng = np.random.Generator
Colour = tuple[int, int, int]
M = 512
WHITE, BLACK, RED, BLUE, YELLOW, GREEN = (
    (240, 240, 240),
    (15, 15, 15),
    (190, 20, 30),
    (20, 70, 170),
    (245, 200, 20),
    (10, 100, 60),
)


def canvas(colour: Colour) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """An empty picture and its pen."""
    image = Image.new("RGB", (M, M), colour)
    return image, ImageDraw.Draw(image)


def linear(image: Image.Image) -> F32:
    """Shrink and linearise."""
    small = np.asarray(image.resize((256, 256), Image.Resampling.BOX), np.float32) / 255
    return (small**2.2).astype(np.float32)


def word(g: Rng, low: int = 3, high: int = 9) -> str:
    """A pronounceable nonsense word."""
    letters = [
        ("bcdfghklmnprstvw"[int(g.integers(16))] if i % 2 == 0 else "aeiou"[int(g.integers(5))])
        for i in range(int(g.integers(low, high)))
    ]
    text = "".join(letters)
    return text.upper() if g.random() < 0.6 else text.capitalize()


def text(draw: ImageDraw.ImageDraw, text: str, box: tuple[float, float, float, float], fill: Colour) -> None:
    """Write ``text`` stretched into the box (x0, y0, x1, y1)."""
    font = ImageFont.load_default(size=120)
    left, top, right, bottom = font.getbbox(text)
    mask = Image.new("L", (max(1, int(right - left)), max(1, int(bottom - top))))
    ImageDraw.Draw(mask).text((-left, -top), text, font=font, fill=255)
    x0, y0, x1, y1 = (round(v) for v in box)
    draw.bitmap((x0, y0), mask.resize((max(1, x1 - x0), max(1, y1 - y0))), fill=fill)


def _any(g: Rng, low: int = 10, high: int = 245) -> Colour:
    c = g.integers(low, high, 3)
    return (int(c[0]), int(c[1]), int(c[2]))


def window(g: Rng, kind: int) -> F32:
    """Glazing seen from outside: dark room, reflected sky, curtains or blinds, with its frame."""
    frame = [
        (235, 235, 230),
        (225, 225, 225),
        (60, 60, 62),
        (90, 60, 40),
        (235, 235, 235),
        (30, 50, 45),
        (200, 200, 200),
        (245, 245, 245),
    ][kind]
    dark = int(g.integers(15, 60))
    image, draw = canvas((dark, dark + 4, dark + 8))
    for y in range(M):
        k = max(0.0, 1 - y / (M * 0.75)) * (0.2 + 0.1 * (kind % 4))
        draw.line((0, y, M, y), fill=(int(dark + 150 * k), int(dark + 170 * k), int(dark + 195 * k)))
    if kind % 3 == 0:
        side = int(g.integers(60, 150))
        cloth = _any(g, 120, 235)
        draw.rectangle((0, 0, side, M), fill=cloth)
        draw.rectangle((M - side, 0, M, M), fill=cloth)
    if kind % 4 == 1:
        tone = int(g.integers(140, 220))
        for y in range(0, int(g.integers(150, M)), 22):
            draw.rectangle((0, y, M, y + 14), fill=(tone, tone, tone - 10))
    rows, cols = [(2, 1), (3, 2), (1, 2), (4, 3), (2, 2), (3, 4), (1, 1), (2, 3)][kind]
    bar = (10, 7, 14, 7, 9, 7, 16, 7)[kind]
    for i in range(rows + 1):
        at = i * M / rows
        draw.rectangle((0, at - bar, M, at + bar), fill=frame)
    for i in range(cols + 1):
        at = i * M / cols
        draw.rectangle((at - bar, 0, at + bar, M), fill=frame)
    draw.rectangle((0, 0, M - 1, M - 1), outline=frame, width=26)
    return linear(image)


def door(g: Rng, kind: int) -> F32:
    """Panelled, glazed or plain door in its frame."""
    colour = [(25, 45, 80), (110, 20, 25), (25, 70, 45), (235, 235, 230), (30, 30, 32), (110, 75, 45)][kind]
    image, draw = canvas(colour)
    lighter = tuple(min(255, c + 25) for c in colour)
    if kind % 3 == 2:
        draw.rectangle((70, 50, M - 70, 300), fill=(40, 50, 60))
    else:
        for x0 in (60, 280):
            for y0, y1 in ((60, 200), (240, 450)):
                draw.rectangle((x0, y0, x0 + 170, y1), outline=lighter, width=9)
    draw.rectangle((0, 0, M - 1, M - 1), outline=(225, 225, 220) if kind != 3 else (120, 120, 120), width=28)
    draw.ellipse((400, 260, 430, 290), fill=(200, 180, 90))
    return linear(image)


def _muted(g: Rng, low: int, high: int, keep: float = 0.45) -> Colour:
    """A colour pulled towards grey."""
    c = g.uniform(low, high, 3)
    c = c.mean() + (c - c.mean()) * keep
    return (int(c[0]), int(c[1]), int(c[2]))


def shop(g: Rng, kind: int) -> F32:
    """Display window: dim interior, shelves and goods, lamps, posters on the glass."""
    base = int(g.integers(8, 45))
    image, draw = canvas((base, base, base))
    for y in range(0, M, 4):  # deeper is darker
        tone = int(base * (0.6 + 0.9 * y / M))
        draw.rectangle((0, y, M, y + 4), fill=(tone, tone, int(tone * 0.95)))
    for _ in range(int(g.integers(12, 40))):
        x, w, h, foot = g.uniform(0, M), g.uniform(10, 70), g.uniform(15, 130), g.uniform(200, M - 30)
        draw.rectangle((x, foot - h, x + w, foot), fill=_muted(g, 10, int(g.uniform(60, 190))))
    for _ in range(int(g.integers(0, 5))):
        shelf = g.uniform(120, 420)
        draw.rectangle((g.uniform(0, 200), shelf, g.uniform(250, M), shelf + 6), fill=_muted(g, 40, 140))
    if kind % 2 == 0:
        for _ in range(int(g.integers(1, 4))):
            left, top = g.uniform(20, M - 160), g.uniform(20, 300)
            draw.rectangle(
                (left, top, left + g.uniform(50, 130), top + g.uniform(60, 180)), fill=_muted(g, 120, 250, 0.9)
            )
    for lamp in range(int(g.integers(20, 60)), M, int(g.integers(70, 170))):
        draw.ellipse((lamp, 12, lamp + 12, 22), fill=(255, 240, 200))
    draw.rectangle((0, M - 26, M, M), fill=_muted(g, 15, 90))
    return linear(image)


def fascia(g: Rng, kind: int) -> F32:
    """Shop name board."""
    back = [
        BLUE,
        RED,
        GREEN,
        BLACK,
        WHITE,
        YELLOW,
        (90, 20, 90),
        (230, 100, 20),
        (20, 130, 150),
        (60, 40, 30),
        (180, 190, 195),
        (10, 40, 90),
    ][kind]
    image, draw = canvas(back)
    ink = WHITE if sum(back) < 380 else _any(g, 10, 90)
    if g.random() < 0.3 and sum(back) < 380:
        ink = YELLOW
    left = g.uniform(30, 140)
    text(draw, word(g) + (" " + word(g) if g.random() < 0.4 else ""), (left, 120, M - left, 390), ink)
    draw.rectangle((0, 0, M - 1, M - 1), outline=_any(g), width=12)
    return linear(image)


def poster(g: Rng, kind: int) -> F32:
    """Advertisement: blocks of colour with a headline."""
    image, draw = canvas(_any(g))
    for _ in range(6):
        x, y = g.uniform(-50, M, 2)
        box = (x, y, x + g.uniform(60, 320), y + g.uniform(60, 320))
        (draw.ellipse if g.random() < 0.5 else draw.rectangle)(box, fill=_any(g))
    y = g.uniform(20, 360)
    text(draw, word(g), (40, y, M - 40, y + 90), WHITE if g.random() < 0.6 else BLACK)
    for row in range(int(g.integers(1, 4))):
        text(draw, word(g, 8, 14), (60, y + 105 + row * 34, M - 90, y + 130 + row * 34), BLACK)
    draw.rectangle((0, 0, M - 1, M - 1), outline=(230, 230, 230), width=14)
    return linear(image)


def plate(g: Rng, kind: int) -> F32:
    """Number plate."""
    image, draw = canvas([(240, 240, 240), (235, 190, 40), (235, 235, 240)][kind])
    if kind == 2:
        draw.rectangle((0, 0, 60, M), fill=BLUE)
    text(
        draw,
        word(g, 3, 4).upper() + str(int(g.integers(10, 99))) + word(g, 2, 4).upper(),
        (80, 110, M - 40, 400),
        BLACK,
    )
    return linear(image)


def hub(g: Rng, kind: int) -> F32:
    """Wheel face: tyre, rim and spokes."""
    image, draw = canvas((18, 18, 18))
    rim = [(170, 172, 175), (120, 122, 126), (60, 60, 62)][kind]
    draw.ellipse((95, 95, M - 95, M - 95), fill=rim)
    spokes = (5, 10, 7)[kind]
    for i in range(spokes):
        a = 2 * np.pi * i / spokes
        x, y = M / 2 + 110 * np.cos(a), M / 2 + 110 * np.sin(a)
        r = 260 / spokes
        draw.ellipse((x - r, y - r, x + r, y + r), fill=(30, 30, 32))
    draw.ellipse((226, 226, 286, 286), fill=rim)
    return linear(image)


def _swapped(make: Callable[[Rng, int], F32], kind: int, g: Rng) -> F32:
    return make(g, kind)


def many(name: str, make: Callable[[Rng, int], F32], count: int) -> dict[str, Callable[[Rng], F32]]:
    """``count`` makers name_0, name_1 ..."""
    return {f"{name}_{i}": partial(_swapped, make, i) for i in range(count)}


MAKERS: dict[str, Callable[[Rng], F32]] = {
    **many("window", window, 8),
    **many("door", door, 6),
    **many("shop", shop, 10),
    **many("fascia", fascia, 12),
    **many("poster", poster, 8),
    **many("plate", plate, 3),
    **many("hub", hub, 3),
}
