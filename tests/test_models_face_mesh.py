"""Landmarks of many faces at once: nobody first, then MediaPipe's own answers on the demo's heads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from truth import picture, upper_bodies

from models.blazeface import FINDER, FINDER_PX
from models.body import wheel_file
from models.exported import SOURCE, form_metadata
from models.face_mesh import MESH, MESH_PX, POINTS, FaceMesh
from models.registry import file_sha256
from models.training.tflite import AttentionMesh, FaceFinding
from pipeline.faces import MediaPipeMeshes
from pipeline.heads import head_region, square_view

VIEW_PX = 192


@pytest.fixture(scope="module")
def views() -> np.ndarray:
    """(n, 192, 192, 3) regions of the demo's students, with faces from the front, the side and none."""
    image, (_, boxes) = picture(60), upper_bodies(60)
    return np.stack([square_view(image, *head_region(box), VIEW_PX) for box in boxes])


def test_without_pictures_there_is_no_face():
    rows, points = FaceMesh(0.3).read(np.zeros((0, VIEW_PX, VIEW_PX, 3), np.uint8))
    assert (rows.shape, points.shape) == ((0,), (0, POINTS, 3))


@pytest.mark.parametrize("count", [1, 5])
def test_grey_pictures_show_none(count):
    rows, points = FaceMesh(0.3).read(np.full((count, VIEW_PX, VIEW_PX, 3), 128, np.uint8))
    assert (len(rows), points.shape) == (0, (0, POINTS, 3))


@pytest.mark.parametrize("shipped", [FINDER, MESH])
def test_the_shipped_forms_are_of_the_files_in_the_wheel(shipped):
    assert form_metadata(shipped.folder)[SOURCE] == file_sha256(wheel_file(shipped.source))


@pytest.mark.parametrize(("shipped", "make", "px"), [(FINDER, FaceFinding, FINDER_PX), (MESH, AttentionMesh, MESH_PX)])
def test_the_shipped_forms_answer_as_the_networks_they_were_made_of(shipped, make, px, views):
    from models.exported import OpenVinoNetwork

    pictures = np.stack([square_view(view[..., ::-1], 0, 0, VIEW_PX, px) for view in views[:3]])
    network = make(wheel_file(shipped.source)).eval()
    with torch.no_grad():
        expected = network(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255).numpy()
    answer = OpenVinoNetwork(shipped.folder, pictures="RGB", exact=True)(pictures)
    np.testing.assert_allclose(answer, expected, rtol=0.02, atol=0.1)  # weights in half precision


@pytest.mark.slow
@pytest.mark.parametrize(("exact", "most", "mostly"), [(True, 0.15, 0.02), (False, 2.0, 0.15)])
def test_the_same_faces_are_found_as_by_mediapipe_at_the_same_places(views, exact, most, mostly):
    theirs = MediaPipeMeshes(0.3, VIEW_PX, 1)
    rows, expected = theirs.read(views)
    theirs.close()
    assert 5 <= len(rows) < len(views)
    ours = FaceMesh(0.3, exact=exact)
    found, points = ours.read(views)
    ours.close()
    assert found.tolist() == rows.tolist()
    off_px = VIEW_PX * np.abs(points - expected)
    assert off_px.max() < most
    assert np.median(off_px) < mostly


@pytest.mark.parametrize("callers", [1, 3])
def test_threads_that_ask_at_once_are_told_the_same(views, callers):
    mesh = FaceMesh(0.3, callers=callers, exact=True)
    rows, points = mesh.read(views)
    with ThreadPoolExecutor(3) as threads:
        for again, same in threads.map(mesh.read, [views] * 6):
            assert again.tolist() == rows.tolist()
            np.testing.assert_array_equal(same, points)


def test_a_picture_is_read_alike_alone_and_among_others(views):
    mesh = FaceMesh(0.3, exact=True)
    rows, points = mesh.read(views)
    for row, expected in zip(rows.tolist(), points, strict=True):
        _, (alone,) = mesh.read(views[row : row + 1])
        np.testing.assert_allclose(alone, expected, atol=1e-4)
