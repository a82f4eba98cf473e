"""How the camera moved: shake and pans are measured, and a cut begins a new scene.

Each picture is compared with a *key* picture whose place is known, not with the one before, so that errors do not add
up over a lecture. Keys are few and recognised again, so that a return to a view gives the same coordinates. Wherever
motion cannot be measured surely, it is not guessed: the picture begins a scene of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pipeline.picture_motion import (
    ALIKE_AGAIN,
    EYE,
    FEWEST,
    Picture,
    alike,
    by_words,
    flattened,
    inverse,
    motion,
    settled,
    shared_part,
    shifted,
    small_grey,
)

NEW_KEY_OVERLAP, NEW_KEY_SHARE = 0.75, 0.5
"""Share in common with the key, and of its corners still followed, below which another key is taken."""
WRONG_PX = 2.0
"""Small px a place is off from which the keys it came from are forgotten."""
LOOK_FIRST, LOOK_EVERY = 8, 25
"""Pictures in which earlier views are looked for: at the beginning of a new scene, and then one of so many."""


class CameraSettings(BaseModel):
    """How the camera's own motion is followed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    follow: bool = Field(True, description="measure shake, pans and cuts; off for a camera that surely never moved")
    keys: int = Field(16, ge=2, le=64, description="views remembered, so that a return is recognised; bounds memory")


@dataclass(frozen=True)
class View:
    """Where the camera looked in one picture.

    Attributes:
        scene: number of the scene, from 0; coordinates of different scenes have nothing in common.
        to_scene: (3, 3) similarity, px of the picture -> px of the scene's first picture.
    """

    scene: int
    to_scene: np.ndarray


class Camera:
    """Follows one lecture's camera; memory and time per picture do not grow with its length."""

    def __init__(self, settings: CameraSettings) -> None:
        self.settings = settings
        self.links: dict[int, tuple[int, np.ndarray]] = {}
        """Scene -> an earlier scene and (3, 3) px to it, where it was found later that both are one."""
        self._keys: list[Picture] = []
        self._key: Picture | None = None
        self._last: Picture | None = None
        self._settled = True
        self._scenes = 0
        self._looks = 0
        self._since = 0
        self._small = 1.0

    def look(self, image_bgr: np.ndarray) -> View:
        """Take in the next analysed picture (h, w, 3) uint8."""
        if not self.settings.follow:
            return View(0, EYE)
        grey, self._small = small_grey(image_bgr)
        now = Picture(flattened(grey), grey)
        self._looks += 1
        if self._key is None or self._last is None:
            self._begin(now)
            self._keys.append(now)
        elif (kept := self._follow(now)) is not None:
            if not self._settled:  # the second picture of a scene: it is no blur that nothing will ever match again
                self._settled = True
                self._remember(self._key)
            self._key.used = self._looks
            self._since += 1
            if not (self._due() and self._recalled(now)) and (
                kept < NEW_KEY_SHARE
                or shared_part(inverse(self._key.place) @ now.place, now.flat.shape) < NEW_KEY_OVERLAP
            ):
                self._change_key(now)
        elif (again := self._recognise(now, self._keys)) is not None:
            self._key, now.place, now.scene = again[0], settled(again[0].place @ again[1]), again[0].scene
            self._key.used, self._settled = self._looks, True
        else:
            if len(self._keys) == 1 and len(self._keys[0].corners) < FEWEST:
                self._keys, self._scenes = [now], 0  # no seat was recorded in a black picture: the room begins here
            elif self._settled and all(self._last is not one for one in self._keys):
                self._remember(self._last)  # what hid the view may pass, and then it looks like this
            self._settled = any(now is one for one in self._keys)
            self._begin(now)
        self._last = now
        return View(now.scene, self._in_px(now.place))

    def _begin(self, now: Picture) -> None:
        now.scene, now.place = self._scenes, EYE
        self._scenes += 1
        self._key, self._since = now, 0

    def _follow(self, now: Picture) -> float | None:
        """Find the place of ``now`` from the key, else from the picture before.

        Returns:
            share of the key's corners that are still there; ``None`` if the place was not found.
        """
        key, last = self._key, self._last
        assert key is not None
        assert last is not None
        guess = inverse(key.place) @ last.place
        for expected in (guess, EYE):  # where the key was, too: the last step may have been somebody's who hid the room
            if (found := motion(key, now, expected)) is not None:
                now.scene, now.place = key.scene, settled(key.place @ found[0])
                return found[1]
            if np.array_equal(guess, EYE):
                break
        for expected in (EYE, shifted(last.flat, now.flat)):
            if expected is not None and (found := motion(last, now, expected)) is not None:
                now.scene, now.place = last.scene, settled(last.place @ found[0])
                return 0.0
        return None

    def _change_key(self, now: Picture) -> None:
        """Take a nearer key: the view has left the present one, or its corners are gone (the light changed)."""
        mine = [one for one in self._keys if one.scene == now.scene and one is not self._key]
        near = [(shared_part(inverse(one.place) @ now.place, now.flat.shape), n) for n, one in enumerate(mine)]
        for overlap, n in sorted(near, reverse=True)[:2]:
            if overlap < NEW_KEY_OVERLAP:
                break
            found = motion(mine[n], now, inverse(mine[n].place) @ now.place)
            if found is not None and found[1] >= NEW_KEY_SHARE:
                now.place, self._key = settled(mine[n].place @ found[0]), mine[n]
                return
        self._key = now
        self._remember(now)

    def _due(self) -> bool:
        """Whether to look if this view is known from earlier: often at a scene's beginning, then now and then."""
        if self._key is self._keys[0]:
            return False
        assert self._key is not None
        early = self._key.scene > 0 and self._since <= LOOK_FIRST
        return early or self._since % LOOK_EVERY == 0

    def _recalled(self, now: Picture) -> bool:
        """Go on from an earlier scene, or from the very first picture, if ``now`` shows what that showed.

        All of the present scene lies in the earlier one then. Within the first scene it takes errors back, which keys
        that were placed one from another may have added up.
        """
        earlier = [one for one in self._keys if one.scene < now.scene or one is self._keys[0]]
        again = self._recognise(now, earlier)
        if again is None:
            return False
        known, step = again
        there = settled(known.place @ step)
        if now.scene != known.scene:
            self.links[now.scene] = known.scene, self._in_px(there @ inverse(now.place))
        off = np.abs((there @ inverse(now.place) - EYE)[:2, 2]).max()
        if now.scene != known.scene or off > WRONG_PX:
            self._keys = [one for one in self._keys if one.scene != now.scene or one is self._keys[0]]
        now.scene, now.place, self._key = known.scene, there, known
        return True

    def _remember(self, key: Picture) -> None:
        key.used = self._looks
        self._keys.append(key)
        if len(self._keys) > self.settings.keys:  # never the first: seats on record are placed in it
            self._keys.remove(min(self._keys[1:-1] or self._keys[1:], key=lambda one: one.used))

    def _recognise(self, now: Picture, keys: list[Picture]) -> tuple[Picture, np.ndarray] | None:
        """The key that shows the same view as ``now``, and (3, 3) from ``now`` to it; ``None`` unless that is sure."""
        for key in sorted(keys, key=lambda one: (one is not self._keys[0], -one.used)):  # the first has no error
            expected = EYE if alike(key.flat, now.flat, EYE) >= ALIKE_AGAIN else by_words(key, now)
            if expected is None or (found := motion(key, now, expected)) is None:
                continue
            if alike(key.flat, now.flat, found[0]) >= ALIKE_AGAIN:
                return key, found[0]
        return None

    def _in_px(self, small: np.ndarray) -> np.ndarray:
        """A matrix in small px as one in px of the picture."""
        px = small.copy()
        px[:2, 2] /= self._small
        return px
