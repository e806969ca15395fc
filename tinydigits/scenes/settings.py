"""Kinds of scenes: random settings for each, and a mixture of them all."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tinydigits.scenes.clutter import CLUTTER
from tinydigits.scenes.staging import Setting
from tinydigits.scenes.surfaces import DESKS

Options = dict[str, Any]
Part = Callable[[np.random.Generator], Options]
"""Returns random values for some of a setting's fields."""


def writing(rng: np.random.Generator) -> Options:
    """Return a pen, and paper in some light."""
    white = rng.uniform(0.5, 1) * (1 - np.array((0, 0.04, 0.12)) * rng.random())
    black = white * rng.uniform(0, 0.55) * rng.uniform(0.4, 1, 3)
    return {
        "sheet": "all",
        "paper": tuple(white),
        "ink": tuple(black),
        "opacity": rng.uniform(0.75, 1),
        "pen": float(np.exp(rng.normal(np.log(0.085), 0.45)).clip(0.02, 0.3)),
        "flow": rng.uniform(0, 0.2),
        "falloff": rng.uniform(0, 0.3),
        "blur": rng.uniform(0, 0.02),
        "noise": rng.uniform(0, 0.02),
    }


def canvas(rng: np.random.Generator) -> Options:
    """Return a drawing on a screen: any dark colour on white, or the reverse; no grain."""
    ink, ground = rng.uniform(0, 0.45, 3) * (rng.random() < 0.5), rng.uniform(0.9, 1) * np.ones(3)
    if rng.random() < 0.3:
        ink, ground = 1 - ink, 1 - ground
    still: Options = {"flow": 0.0, "falloff": 0.0, "blur": 0.0, "noise": 0.0, "opacity": 1.0}
    return still | {"ink": tuple(ink), "paper": tuple(ground), "pen": rng.uniform(0.03, 0.2)}


def board(rng: np.random.Generator) -> Options:
    """Return chalk on a dark board."""
    ground = rng.uniform(0.05, 0.3) * rng.uniform(0.6, 1, 3)
    return {
        "paper": tuple(ground),
        "ink": tuple(rng.uniform(0.7, 1) * rng.uniform(0.85, 1, 3)),
        "chalk": rng.uniform(0, 0.6),
        "opacity": rng.uniform(0.6, 1),
    }


def note(rng: np.random.Generator) -> Options:
    """Return a sheet on a desk, of which some are cut off by the edge of the picture."""
    return {
        "sheet": "note",
        "room": tuple(np.exp(rng.normal(np.log(0.7), 0.5, 4)).clip(0.12, 4)),
        "wood": _desk_colour(rng),
    }


def label(rng: np.random.Generator) -> Options:
    """Return a round label on a desk."""
    return note(rng) | {"sheet": "label", "room": tuple(rng.uniform(0.2, 0.8, 4))}


def _desk_colour(rng: np.random.Generator) -> tuple[float, ...]:
    brown = np.array((1, 0.75, 0.5)) ** rng.uniform(0, 1.3)
    return tuple(rng.uniform(0.08, 0.75) * brown * rng.uniform(0.85, 1.1, 3))


def bare(rng: np.random.Generator) -> Options:
    """Return writing on the desk itself, such as a whiteboard, a wall or a box."""
    return {"sheet": "", "wood": tuple(np.array(_desk_colour(rng)) * 0 + rng.uniform(0.6, 1))}


def desk(rng: np.random.Generator) -> Options:
    """Return any desk but a plain one."""
    return {"desk": sorted(set(DESKS) - {"plain"})[rng.integers(len(DESKS) - 1)]}


def turned(rng: np.random.Generator, most: float = 45) -> Options:
    """Return a sheet that lies askew."""
    return {"turn": rng.uniform(-most, most)}


def slightly(rng: np.random.Generator) -> Options:
    """Return a sheet that lies almost straight."""
    return turned(rng, 8)


def tilted(rng: np.random.Generator) -> Options:
    """Return a sheet seen from the side."""
    return {"tilt": tuple(rng.uniform(-0.12, 0.12, 2)), "turn": rng.uniform(-15, 15)}


def ruled(rng: np.random.Generator) -> Options:
    """Return ruled paper, in some with a margin line."""
    pitch = float(np.exp(rng.uniform(np.log(0.3), np.log(2.5))))
    beside = margin(rng) if rng.random() < 0.4 else _rules(rng)
    return beside | {"ruling": (pitch,)}


def squared(rng: np.random.Generator) -> Options:
    """Return squared paper."""
    pitch = float(np.exp(rng.uniform(np.log(0.25), np.log(2))))
    return _rules(rng) | {"ruling": (pitch, pitch)}


def margin(rng: np.random.Generator) -> Options:
    """Return blank paper with a margin line beside the digit."""
    return _rules(rng) | {"margin": rng.choice((-1, 1)) * rng.uniform(0.6, 3)}


def _rules(rng: np.random.Generator) -> Options:
    strength = rng.uniform(0.15, 0.7)
    colour = np.array(((1, 1, 1), (0.6, 0.8, 1), (1, 0.55, 0.6)))[rng.integers(3)]
    return {"rule": tuple(colour * (1 - strength)), "rule_width": rng.uniform(0.015, 0.06)}


def underlined(rng: np.random.Generator) -> Options:
    """Return a line under the digits."""
    return {"underline": rng.uniform(0.02, 0.35)}


def boxed(rng: np.random.Generator) -> Options:
    """Return a frame around the digits."""
    return {"box": rng.uniform(0.06, 0.6)}


def circled(rng: np.random.Generator) -> Options:
    """Return a ring around the digits."""
    return {"circle": rng.uniform(0.05, 0.4)}


def struck(_: np.random.Generator) -> Options:
    """Return a line through the digits."""
    return {"strike": True}


def hard_shadow(rng: np.random.Generator) -> Options:
    """Return a shadow with sharp edges."""
    return {"shadow": rng.uniform(0, 0.03)}


def soft_shadow(rng: np.random.Generator) -> Options:
    """Return a shadow with fading edges."""
    return {"shadow": rng.uniform(0.03, 0.4)}


def bled(rng: np.random.Generator) -> Options:
    """Return writing on the other side that shines through."""
    return {"bleed": rng.uniform(0.04, 0.25)}


def texted(rng: np.random.Generator) -> Options:
    """Return printed words beside the digits."""
    return {"text": float(np.exp(rng.uniform(np.log(0.12), np.log(1.0))))}


def faint(rng: np.random.Generator) -> Options:
    """Return a hard pencil: thin, pale strokes on greyish paper."""
    return {
        "opacity": rng.uniform(0.25, 0.7),
        "ink": tuple(rng.uniform(0.1, 0.3) * np.ones(3)),
        "noise": rng.uniform(0, 0.012),
        "pen": rng.uniform(0.025, 0.07),
        "chalk": rng.uniform(0, 0.5),
    }


def blurred(rng: np.random.Generator) -> Options:
    """Return a picture out of focus."""
    return {"blur": rng.uniform(0.02, 0.07)}


def compressed(rng: np.random.Generator) -> Options:
    """Return a picture that a JPEG file has lost details of."""
    return {"quality": int(rng.integers(15, 80))}


def cluttered(rng: np.random.Generator) -> Options:
    """Return a picture with specks, a blot, a hair or a dark edge."""
    return {"clutter": sorted(CLUTTER)[rng.integers(len(CLUTTER))]}


def grainy(rng: np.random.Generator) -> Options:
    """Return a picture taken in the dark."""
    return {"noise": rng.uniform(0.02, 0.12)}


def hairline(rng: np.random.Generator) -> Options:
    """Return a pen that is very thin for the size of the digits."""
    return {"pen": float(np.exp(rng.uniform(np.log(0.002), np.log(0.03))))}


def fat(rng: np.random.Generator) -> Options:
    """Return a brush, or a very thick marker."""
    return {"pen": rng.uniform(0.18, 0.3)}


def small(_: np.random.Generator) -> Options:
    """Return a picture of 28 by 28 pixels."""
    return {"pixels": 28}


KINDS: dict[str, tuple[Part, ...]] = {
    "page": (writing,),
    "canvas": (writing, canvas),
    "board": (writing, board),
    "note": (writing, note, slightly),
    "turned note": (writing, note, turned),
    "note on a pattern": (writing, note, desk, slightly),
    "note at an angle": (writing, note, tilted),
    "label": (writing, label, turned),
    "ruled": (writing, ruled, slightly),
    "squared": (writing, squared, slightly),
    "margin": (writing, margin, slightly),
    "underlined": (writing, underlined),
    "boxed": (writing, boxed),
    "circled": (writing, circled),
    "struck through": (writing, struck),
    "hard shadow": (writing, hard_shadow),
    "soft shadow": (writing, soft_shadow),
    "bleed-through": (writing, bled),
    "printed text": (writing, texted),
    "pencil, 28 pixels": (writing, faint, small),
}
"""The parts of each kind of scene, by its name."""


def setting(parts: tuple[Part, ...], rng: np.random.Generator) -> Setting:
    """Return a random setting; later parts replace what earlier ones chose."""
    chosen: Options = {}
    for part in parts:
        chosen |= part(rng)
    return Setting(**chosen)


SELDOM = {desk: 0.6, tilted: 0.25, ruled: 0.17, squared: 0.14, margin: 0.07, underlined: 0.18,
          boxed: 0.1, circled: 0.15, struck: 0.17, hard_shadow: 0.14, soft_shadow: 0.14,
          bled: 0.1, texted: 0.25, faint: 0.14, blurred: 0.08, compressed: 0.2,
          cluttered: 0.15, grainy: 0.08, hairline: 0.08, fat: 0.05}  # fmt: skip
"""How often a scene of the mixture has each part, unless it is plain."""

PLAIN = 0.2  # share of the scenes that have none of them


def anything(rng: np.random.Generator) -> Setting:
    """Return a random setting of the mixture of all kinds, with one part or several."""
    base = ((), (canvas,), (board,), (note, turned), (label, turned), (bare,))
    start = base[rng.choice(len(base), p=(0.28, 0.22, 0.07, 0.26, 0.11, 0.06))]
    parts = [writing, *start]
    if rng.random() >= PLAIN:
        parts += [part for part, share in SELDOM.items() if rng.random() < share]
    if not start:
        parts.append(turned if rng.random() < 0.15 else slightly)
    chosen = setting(tuple(parts), rng)
    if rng.random() < 0.25:
        chosen = replace(chosen, pixels=int(rng.integers(28, 65)))
    return chosen
