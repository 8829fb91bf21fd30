"""Faces of traffic signs; the plate's own outline cuts them round, triangular or octagonal."""

from __future__ import annotations

from PIL import Image, ImageDraw

from simteacher.scenes.mesh import F32
from simteacher.scenes.pictures import (
    BLACK,
    BLUE,
    GREEN,
    RED,
    WHITE,
    YELLOW,
    Colour,
    M,
    Rng,
    canvas,
    linear,
    many,
    text,
    word,
)


def _ring(edge: Colour, fill: Colour, width: int = 56) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image, draw = canvas(edge)
    draw.ellipse((width, width, M - width, M - width), fill=fill)
    return image, draw


def round_sign(g: Rng, kind: int) -> F32:
    """Speed limits, no entry, prohibitions, blue orders; the plate is cut round by its mesh."""
    if kind < 3:
        image, draw = _ring(RED, WHITE)
        text(draw, ("20", "30", "50")[kind], (130, 160, M - 130, 350), BLACK)
    elif kind == 3:
        image, draw = canvas(RED)
        draw.rectangle((80, 210, M - 80, 300), fill=WHITE)
    elif kind == 4:
        image, draw = _ring(RED, BLUE, 50)
        draw.line((90, 90, M - 90, M - 90), fill=RED, width=54)
    elif kind == 5:
        image, draw = _ring(RED, WHITE)
        draw.polygon(
            [
                (180, 380),
                (180, 200),
                (300, 200),
                (300, 150),
                (390, 235),
                (300, 320),
                (300, 270),
                (240, 270),
                (240, 380),
            ],
            fill=BLACK,
        )
        draw.line((100, 100, M - 100, M - 100), fill=RED, width=44)
    elif kind == 6:
        image, draw = _ring(WHITE, BLUE, 16)
        draw.polygon([(350, 130), (330, 320), (280, 270), (180, 400), (130, 350), (240, 225), (180, 170)], fill=WHITE)
    else:
        image, draw = _ring(WHITE, BLUE, 16)
        draw.ellipse((110, 260, 230, 380), outline=WHITE, width=20)
        draw.ellipse((290, 260, 410, 380), outline=WHITE, width=20)
        draw.line([(170, 320), (220, 200), (330, 200), (350, 320), (260, 320), (220, 200)], fill=WHITE, width=18)
    return linear(image)


def triangle_sign(g: Rng, kind: int) -> F32:
    """Warnings; the plate is cut triangular by its mesh, apex up."""
    image, draw = canvas(RED)
    draw.polygon([(M / 2, 130), (M - 90, M - 60), (90, M - 60)], fill=YELLOW if kind == 3 else WHITE)
    if kind == 0:
        draw.rectangle((240, 230, 272, 390), fill=BLACK)
        draw.ellipse((236, 405, 276, 440), fill=BLACK)
    elif kind == 1:
        draw.ellipse((240, 220, 276, 256), fill=BLACK)
        draw.line([(258, 256), (250, 340), (220, 430)], fill=BLACK, width=24)
        draw.line([(250, 340), (300, 430)], fill=BLACK, width=22)
    elif kind == 2:
        draw.line([(200, 430), (260, 330), (230, 260)], fill=BLACK, width=26)
        draw.line([(310, 430), (300, 330), (250, 290)], fill=BLACK, width=26)
    else:
        draw.polygon([(256, 230), (320, 430), (190, 430)], fill=BLACK)
    return linear(image)


def board_sign(g: Rng, kind: int) -> F32:
    """Rectangular signs: directions, parking, one way, information."""
    back = [BLUE, GREEN, WHITE, BLUE, (245, 245, 240), (120, 70, 30), YELLOW, BLUE][kind]
    image, draw = canvas(back)
    ink = WHITE if sum(back) < 420 else BLACK
    draw.rectangle((10, 10, M - 10, M - 10), outline=ink, width=12)
    if kind == 3:
        text(draw, "P", (150, 90, M - 150, M - 90), ink)
    elif kind == 7:
        draw.polygon([(256, 60), (420, 250), (310, 250), (310, 450), (200, 450), (200, 250), (92, 250)], fill=ink)
    else:
        rows = int(g.integers(2, 5))
        for r in range(rows):
            y = 50 + r * 410 / rows
            text(draw, word(g), (50, y, g.uniform(250, 400), y + 300 / rows), ink)
            draw.polygon([(420, y), (480, y + 50), (420, y + 100)], fill=ink)
    return linear(image)


def other_sign(g: Rng, kind: int) -> F32:
    """Stop (octagon), give way (triangle, apex down), arrow chevrons."""
    if kind == 0:
        image, draw = canvas(RED)
        text(draw, "STOP", (60, 180, M - 60, 330), WHITE)
    elif kind == 1:
        image, draw = canvas(RED)
        draw.polygon([(110, 70), (M - 110, 70), (M / 2, 350)], fill=WHITE)
    else:
        image, draw = canvas(BLACK)
        for x in range(0, M, 200):
            draw.polygon([(x, 0), (x + 90, 0), (x + 190, 256), (x + 90, M), (x, M), (x + 100, 256)], fill=WHITE)
    return linear(image)


MAKERS = {
    **many("round", round_sign, 8),
    **many("triangle", triangle_sign, 4),
    **many("board", board_sign, 8),
    **many("special", other_sign, 3),
}
