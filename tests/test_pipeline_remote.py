"""Places elsewhere: none, broken ones, then memory, a folder and a real S3 server of this computer."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest

from pipeline.errors import InputError, OutputError
from pipeline.remote import Place, is_url
from pipeline.session import MANIFEST, Session
from pipeline.store import PARTIAL


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A bucket of an S3 server that lives as long as this module's tests."""
    pytest.importorskip("s3fs", reason="the extra s3 is not installed")
    server = pytest.importorskip("moto.server", reason="moto is not installed")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        fsspec.filesystem("s3", skip_instance_cache=True).mkdir("lectures")
        yield "s3://lectures"
    running.stop()


@pytest.fixture(params=["memory", "file", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place of each kind."""
    if request.param == "memory":
        return f"memory://{uuid.uuid4().hex}"
    if request.param == "file":
        return (tmp_path / "target").as_uri()
    return f"{request.getfixturevalue('s3')}/{uuid.uuid4().hex}"


@pytest.fixture
def session(make_session: Callable[..., Path], tmp_path: Path) -> Path:
    return make_session(tmp_path / "made", name="birds", students=2, seconds=2)


def files(root: str) -> dict[str, bytes]:
    place = Place(root)
    return {name: place.read(name) or b"" for name in place.below()}


def test_what_is_an_address() -> None:
    assert [is_url(one) for one in ("a.mp4", "/a", "c:\\a", "s3://a", "file:///a")] == [False, False, False, True, True]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("birds://x", "no such kind of address"),
        ("sftp://ada:secret@host/x", "must not hold names or passwords"),
        ("ssh+git://x", "no such kind"),
    ],
)
def test_an_address_nobody_serves(url: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        Place(url)
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_store_that_does_not_answer_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("s3fs", reason="the extra s3 is not installed")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    fsspec.filesystem("s3").clear_instance_cache()
    with pytest.raises(OutputError, match="cannot be written") as error:
        Place("s3://nobody/here").write("a.txt", b"x")
    assert "\n" not in str(error.value)
    assert "hush" not in str(error.value)
    fsspec.filesystem("s3").clear_instance_cache()


def test_a_bucket_that_is_not_there_is_not_made(s3: str) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        Place("s3://mistyped/sessions").write("a.txt", b"x")
    assert "mistyped" not in fsspec.filesystem("s3").ls("")


def test_nothing_there(root: str, tmp_path: Path) -> None:
    place = Place(root + "/")
    assert not place.is_folder()
    assert not place.exists()
    assert place.below() == []
    assert place.read(MANIFEST) is None
    with pytest.raises(InputError, match="no such file"):
        Place(f"{root}/a.mp4").fetch(tmp_path / "a.mp4")
    assert not (tmp_path / "a.mp4").exists()


def test_a_small_file_there_and_back(root: str, tmp_path: Path) -> None:
    place = Place(root)
    for content in (b"one", b"two, and longer"):
        place.write("batch.json", content)
        assert place.read("batch.json") == content
    assert place.below() == ["batch.json"]
    Place(place.address("batch.json")).fetch(tmp_path / "here.json")
    assert (tmp_path / "here.json").read_bytes() == b"two, and longer"


def test_a_session_arrives_whole_and_replaces_an_older_one(root: str, session: Path, tmp_path: Path) -> None:
    place = Place(root)
    (session / "reviews.csv").write_text("old")
    place.send(session)
    (session / "reviews.csv").unlink()
    (session / "engagement.csv").write_text("new")
    place.send(session)
    expected = {f"birds/{path.name}": path.read_bytes() for path in session.iterdir()}
    assert files(root) == expected
    for name, content in expected.items():
        (tmp_path / "back" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "back" / name).write_bytes(content)
    assert Session.open(tmp_path / "back" / "birds").manifest.id == "birds"


@pytest.mark.parametrize("after", range(5))
def test_one_that_is_cut_off_is_no_session(
    root: str, session: Path, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(root)
    place.send(session)  # an older one, which must not be taken for the new one either
    sent = 0
    put = place._system.put_file

    def cut(*args: object, **kwargs: object) -> object:
        nonlocal sent
        if sent == after:
            raise ConnectionResetError("cut off")
        sent += 1
        return put(*args, **kwargs)

    monkeypatch.setattr(place._system, "put_file", cut)
    with pytest.raises(OutputError, match="cut off"):
        place.send(session)
    monkeypatch.undo()
    assert place.read(f"birds/{MANIFEST}") is None
    place.send(session)
    assert {name.removeprefix("birds/") for name in place.below()} == {path.name for path in session.iterdir()}


def test_what_arrives_damaged_is_no_session(root: str, session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(root)
    put = place._system.put_file

    def damaged(path: str, *args: object, **kwargs: object) -> object:
        if path.endswith("states.parquet"):
            Path(path).write_bytes(b"other")  # as if the line had changed it
        return put(path, *args, **kwargs)

    right = (session / "states.parquet").read_bytes()
    compare = place._compare

    def with_the_right_one(sent: Path, arrived: str) -> None:
        if sent.name == "states.parquet":
            sent.write_bytes(right)
        compare(sent, arrived)

    monkeypatch.setattr(place._system, "put_file", damaged)
    monkeypatch.setattr(place, "_compare", with_the_right_one)
    with pytest.raises(OutputError, match=r"states\.parquet of birds arrived damaged"):
        place.send(session)
    assert place.read(f"birds/{MANIFEST}") is None
    assert not [name for name in place.below() if name.endswith(PARTIAL)]
