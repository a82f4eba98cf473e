import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from consent import names
from consent.errors import NameKeyError

KEY, OTHER = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (None, "holds no key"),
        ("", "holds no key"),
        ("  ", "holds no key"),
        ("hunter2", "is not a key"),
        (KEY[:-2], "is not a key"),
        ("schlüssel", "is not a key"),
    ],
    ids=["none", "empty", "blank", "a password", "cut", "not ascii"],  # the key is random, and no worker's the other's
)
def test_no_key_is_one_sentence_that_says_how_to_make_one(monkeypatch, key, words):
    token = Fernet(KEY).encrypt(b"Ada Byron").decode()
    if key is None:
        monkeypatch.delenv("ENGAGE_CONSENT_KEY", raising=False)
    else:
        monkeypatch.setenv("ENGAGE_CONSENT_KEY", key)
    for call in (lambda: names.seal("Ada Byron"), lambda: names.unseal(token)):
        with pytest.raises(NameKeyError, match=rf"{words}.*generate_key") as caught:
            call()
        assert "\n" not in str(caught.value)
        assert not (key and key.strip()) or key not in str(caught.value)
        assert caught.value.exit_code == 2


@pytest.mark.parametrize("token", ["", "no token", "schlüssel"])
def test_another_key_or_a_damaged_token_is_one_sentence(monkeypatch, token):
    monkeypatch.setenv("ENGAGE_CONSENT_KEY", KEY)
    for one in (token, Fernet(OTHER).encrypt(b"Ada Byron").decode()):
        with pytest.raises(NameKeyError, match="is not the one the names on record were encrypted with") as caught:
            names.unseal(one)
        assert "\n" not in str(caught.value)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_name_comes_back_and_its_token_tells_nothing(name):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENGAGE_CONSENT_KEY", f" {KEY}\n")
        first, second = names.seal(name), names.seal(name)
        assert names.unseal(first) == names.unseal(second) == name
    assert first != second
    assert first.isascii()
