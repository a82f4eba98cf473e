import json
from datetime import date

import pytest
from typer.testing import CliRunner

from consent.commands import app
from consent.errors import ConsentError, RegistryError
from consent.policy import Blur, OptOut, cover_policy
from consent.registry import Registry
from consent.zones import Zone

BACK, FRONT = "0,0,1,0.2", "0,0.8 1,0.8 1,1 0,1"


@pytest.fixture
def engage(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGAGE_DATABASE_URL", f"sqlite:///{tmp_path / 'consent.sqlite'}")
    monkeypatch.setenv("COLUMNS", "200")
    with Registry.open() as registry:
        registry.approve("CS 101", "Dean", date.today())
    return lambda *words: CliRunner().invoke(app, list(map(str, words)))


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("zone", "CS 101"), ConsentError),
        (("zone", "CS 101", "--remove"), ConsentError),
        (("zone", "CS 101", BACK, "--name", "back", "--remove"), ConsentError),
        (("zone", "CS 101", "0,0,1"), ConsentError),
        (("zone", "CS 101", BACK, "--name", " "), ConsentError),
        (("zone", "Art", BACK), RegistryError),
        (("zone", "CS 101", "--name", "back", "--remove"), RegistryError),
        (("opt-out", "CS 101", "zone back"), ConsentError),
        (("student", "CS 101", "zone back", "--seat", BACK), ConsentError),
        (("opt-in", "CS 101", "zone back"), ConsentError),
    ],
)
def test_what_cannot_be_recorded(engage, words, error):
    caught = engage(*words).exception
    assert type(caught) is error
    assert caught.exit_code == 2
    with Registry.open() as registry:
        assert registry.opt_outs("CS 101") == ()


def test_a_zone_without_a_name_gets_one_and_the_same_zone_is_one(engage):
    assert "In zone 1 of CS 101 nobody takes part: heads in 0,0,1,0.2" in engage("zone", "CS 101", BACK).output
    assert "zone 2" in engage("zone", "CS 101", FRONT).output
    assert "In zone 1 of CS 101 nobody takes part already" in engage("zone", "CS 101", BACK).output
    with Registry.open() as registry:
        assert registry.opt_outs("CS 101") == (OptOut("zone 1", Zone.parse(BACK)), OptOut("zone 2", Zone.parse(FRONT)))
    assert "zone 1" in engage("list").output
    assert "is taken back" in engage("zone", "CS 101", "--name", "1", "--remove").output
    assert "was already taken back" in engage("zone", "CS 101", "--name", "1", "--remove").output
    assert "zone 1" not in engage("list").output
    assert engage("verify").exit_code == 0


def test_nobody_need_be_found_in_a_zone_where_nobody_takes_part(engage):
    engage("zone", "CS 101", BACK, "--name", "back-left")
    engage("opt-out", "CS 101", "heron", "--zone", "0.5,0.5,0.6,0.6")
    with Registry.open() as registry:
        policy = cover_policy(Blur.OPTED_OUT, registry.opt_outs("CS 101"))
    assert not policy.everyone
    assert len(policy.zones) == 2
    assert policy.expected == (Zone(0.5, 0.5, 0.6, 0.6),)


def test_a_seat_of_the_map(engage, tmp_path):
    path = tmp_path / "room.json"
    path.write_text(json.dumps({"seats": [{"name": "A2", "polygon": [[0, 0], [1, 0], [0.5, 1]]}]}))
    seat = Zone(0, 0, 1, 0, 0.5, 1)
    assert (
        "heads in zone 0,0 1,0 0.5,1" in engage("opt-out", "CS 101", "heron", "--seat", "A2", "--seat-map", path).output
    )
    assert "sits in 0,0 1,0 0.5,1" in engage("student", "CS 101", "wren", "--seat", "A2", "--seat-map", path).output
    # whose seat is known needs no zone
    assert "heads in zone 0,0 1,0 0.5,1 are covered" in engage("opt-out", "CS 101", "wren").output
    with Registry.open() as registry:
        assert registry.opt_outs("CS 101") == (OptOut("heron", seat), OptOut("wren", seat))
    assert isinstance(engage("opt-out", "CS 101", "wren", "--seat", "B1", "--seat-map", path).exception, ConsentError)
