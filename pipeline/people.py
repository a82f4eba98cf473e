"""Everything that is read from the picture of each person in one frame; nobody who may not be read is.

The one place where the readers of faces, heads, hands, desks and things come together, so that the rule about who may
be read is kept once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from models.yolo import Backend
from pipeline.camera import View
from pipeline.desk import STILL, DeskMotion, DeskSettings
from pipeline.faces import FaceReader, Faces, FaceSettings
from pipeline.hands import HandReader, HandSettings
from pipeline.heads import HeadReader, HeadSettings
from pipeline.objects import ObjectReader, ObjectSettings
from pipeline.session import AROUND


class PersonReader:
    """Reads the people of one frame after the other; a context manager because the face reader must be closed."""

    def __init__(
        self,
        faces: FaceSettings,
        heads: HeadSettings,
        hands: HandSettings,
        desk: DeskSettings,
        objects: ObjectSettings,
        device: str = "cpu",
        backend: Backend = "auto",
    ) -> None:
        """Load what is needed.

        Raises:
            ModelFileError: a network's file is missing or holds another one.
        """
        self._heads = HeadReader(heads, device, backend)
        self._hands = HandReader(hands)
        self._desk = DeskMotion(desk)
        self._objects = ObjectReader(objects, device)
        self._faces = FaceReader(faces, backend)

    def __enter__(self) -> PersonReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._faces.__exit__()

    def read_faces(self, image_bgr: np.ndarray, boxes_xyxy: np.ndarray, allowed: np.ndarray) -> Faces:
        """The faces of those of n people who are ``allowed``; needs nothing of other frames, and no track.

        Args:
            image_bgr: (h, w, 3) uint8.
            boxes_xyxy: (n, 4) px.
            allowed: (n,) mask.
        """
        faces = Faces.unseen(len(boxes_xyxy))
        faces.put(allowed, self._faces.read(image_bgr, boxes_xyxy[allowed]))
        return faces

    def read(
        self,
        image_bgr: np.ndarray,
        boxes_xyxy: np.ndarray,
        tracks: np.ndarray,
        allowed: np.ndarray,
        view: View = STILL,
        faces: Faces | None = None,
    ) -> tuple[Faces, np.ndarray]:
        """Read those of n people who are ``allowed``; the rows of the others stay NaN.

        Args:
            image_bgr: (h, w, 3) uint8.
            boxes_xyxy: (n, 4) px.
            tracks: (n,) track numbers.
            allowed: (n,) mask.
            view: where the camera looks in this picture.
            faces: from ``read_faces``; read now if not given.

        Returns:
            their faces and heads, and (n, 5) of ``pipeline.session.AROUND``.
        """
        if faces is None:
            faces = self.read_faces(image_bgr, boxes_xyxy, allowed)
        read, ids = faces.of(allowed), tracks[allowed]
        heads = self._heads.read(image_bgr, boxes_xyxy[allowed], ids, read.head_xyxy, read.pose_deg)
        known = Faces.unseen(len(boxes_xyxy))
        known.put(allowed, replace(read, head_xyxy=heads.head_xyxy, pose_deg=heads.pose_deg))
        around = np.full((len(boxes_xyxy), len(AROUND)), np.nan)
        around[allowed] = np.column_stack(
            [
                self._hands.read(image_bgr, heads.head_xyxy, ids),
                self._desk.read(image_bgr, heads.head_xyxy, view),
                self._objects.read(image_bgr, heads.head_xyxy),
            ]
        )
        return known, around

    def pass_by(self, image_bgr: np.ndarray, view: View = STILL) -> None:
        """Take in a frame whose people were read before: only what the next one is compared with is kept."""
        self._desk.remember(image_bgr, view)

    def state(self) -> dict[str, np.ndarray]:
        """What the readers remember besides the last picture, as arrays; no picture and no look is among them."""
        return {f"{reader}.{name}": value for reader, one in self._stateful for name, value in one.state().items()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on as the readers would that gave this ``state``; the last picture is taken in by ``pass_by``."""
        for reader, one in self._stateful:
            prefix = f"{reader}."
            one.restore({name[len(prefix) :]: value for name, value in state.items() if name.startswith(prefix)})

    @property
    def _stateful(self) -> tuple[tuple[str, HeadReader | HandReader | ObjectReader], ...]:
        return ("heads", self._heads), ("hands", self._hands), ("objects", self._objects)
