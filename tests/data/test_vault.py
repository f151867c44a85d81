"""The vault: opens only with its key and in its place, and never shows what it keeps."""

import base64
import pickle

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from data.vault import (
    KeyUnreadable,
    Purpose,
    SealBroken,
    Secret,
    Vault,
    VaultError,
    WrongKey,
    _derive,
    key_id_of,
    new_key_text,
    parse_key,
)

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
PLACE = {"user_id": "u1", "account_id": "a1", "field": "api_secret"}
TEXT = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP"


@given(st.text())
def test_what_is_sealed_opens_again(text: str) -> None:
    """Any text comes back as it was."""
    vault = Vault([OLD])
    assert vault.open(vault.seal(Secret(text), **PLACE), **PLACE).reveal() == text


def test_an_envelope_is_aes_gcm_with_the_place_authenticated() -> None:
    """Format and cipher are those of the docstring: another program can open it with the subkey."""
    envelope = Vault([OLD]).seal(Secret(TEXT), **PLACE)
    version, kid, body = envelope.split(".")
    raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    assert (version, kid) == ("v1", Vault([OLD]).key_id)
    assert len(raw) == 12 + len(TEXT) + 16
    cipher = AESGCM(_derive(OLD, Purpose.DATABASE_FIELDS))
    plain = cipher.decrypt(raw[:12], raw[12:], b"v1|binance|u1|a1|api_secret")
    assert plain.decode() == TEXT


def test_the_same_secret_is_never_sealed_the_same_way() -> None:
    """A fresh nonce each time: equal secrets cannot be told from their envelopes."""
    vault = Vault([OLD])
    assert len({vault.seal(Secret(TEXT), **PLACE) for _ in range(100)}) == 100


@pytest.mark.parametrize("name", ["user_id", "account_id", "field"])
def test_an_envelope_moved_elsewhere_does_not_open(name: str) -> None:
    """Copied to another user, account or field in the database it is worthless."""
    vault = Vault([OLD])
    envelope = vault.seal(Secret(TEXT), **PLACE)
    with pytest.raises(SealBroken, match="belongs to another place"):
        vault.open(envelope, **{**PLACE, name: "other"})


@given(st.data())
def test_a_changed_envelope_does_not_open(data: st.DataObject) -> None:
    """Any one character changed is noticed, as is anything that is no envelope."""
    vault = Vault([OLD])
    envelope = vault.seal(Secret(TEXT), **PLACE)
    at = data.draw(st.integers(0, len(envelope) - 2))  # the last may hold unused bits
    put = data.draw(st.sampled_from("0aZ_.-"))
    if put != envelope[at]:
        with pytest.raises(VaultError):
            vault.open(envelope[:at] + put + envelope[at + 1 :], **PLACE)


@pytest.mark.parametrize("text", ["", "v1", "v1..", "v2.00000000.AAAA", "v1.00000000.A", "plain"])
def test_what_is_no_envelope_is_refused(text: str) -> None:
    """Garbage is an error of ours, not a crash of a library."""
    with pytest.raises(VaultError):
        Vault([OLD]).open(text, **PLACE)


@pytest.mark.parametrize("name", ["", "a|b"])
def test_a_place_must_be_unambiguous(name: str) -> None:
    """Without names, or with the separator inside one, nothing is sealed."""
    with pytest.raises(ValueError, match="must be named"):
        Vault([OLD]).seal(Secret(TEXT), user_id=name, account_id="a1", field="f")


def test_rotation_opens_with_the_old_key_and_seals_with_the_new() -> None:
    """With both keys held, resealing moves a secret; afterwards the new key is enough."""
    old = Vault([OLD]).seal(Secret(TEXT), **PLACE)
    both = Vault([NEW, OLD])
    assert both.open(old, **PLACE) == Secret(TEXT)
    moved = both.reseal(old, **PLACE)
    assert key_id_of(moved) == Vault([NEW]).key_id != key_id_of(old)
    assert both.reseal(moved, **PLACE) == moved
    assert Vault([NEW]).open(moved, **PLACE) == Secret(TEXT)
    with pytest.raises(WrongKey):
        Vault([NEW]).reseal(old, **PLACE)


def test_a_wrong_key_is_recognised_at_start() -> None:
    """The check of another key raises WrongKey in words a person understands."""
    check = Vault([OLD]).recognise(None)
    assert check is not None
    assert Vault([OLD]).recognise(check) is None
    with pytest.raises(WrongKey, match="does not match the one the secrets were written with"):
        Vault([NEW]).recognise(check)


def test_a_wrong_key_is_recognised_by_the_secrets_alone() -> None:
    """Even with the check lost, secrets of another key keep a new check from being written."""
    envelope = Vault([OLD]).seal(Secret(TEXT), **PLACE)
    with pytest.raises(WrongKey, match="nothing was overwritten"):
        Vault([NEW]).recognise(None, [envelope])


def test_the_check_moves_with_the_rotation() -> None:
    """Holding both keys, the check is renewed under the newest one, once."""
    check = Vault([OLD]).recognise(None)
    renewed = Vault([NEW, OLD]).recognise(check)
    assert renewed is not None
    assert Vault([NEW]).recognise(renewed) is None


@pytest.mark.parametrize(
    "text",
    [
        OLD.hex(),
        OLD.hex().upper(),
        base64.b64encode(bytes([251]) * 32).decode(),
        base64.urlsafe_b64encode(OLD).decode(),
        base64.urlsafe_b64encode(OLD).decode().rstrip("="),
        f"  {OLD.hex()}\n",
        pytest.param(new_key_text(), id="a new one"),
    ],
)
def test_keys_are_read_from_hex_and_base64(text: str) -> None:
    """Both common ways to write 32 bytes are understood, with or without padding."""
    assert len(parse_key(text)) == 32


@pytest.mark.parametrize("text", ["", "  ", "short", "x" * 43 + "!", "ab" * 31, "A" * 45, "ключ"])
def test_an_unreadable_key_is_refused_without_showing_it(text: str) -> None:
    """The message says what a key looks like and how long this one was, not what it was."""
    with pytest.raises(KeyUnreadable) as caught:
        parse_key(text)
    assert not text.strip() or text.strip() not in str(caught.value)
    assert "key" in str(caught.value)


def test_several_keys_are_read_newest_first() -> None:
    """Commas, blanks and lines separate keys; the first one seals."""
    vault = Vault.from_text(f"{NEW.hex()},\n {OLD.hex()}")
    assert vault.key_id == Vault([NEW]).key_id
    assert vault.recognise(Vault([OLD]).recognise(None)) is not None
    with pytest.raises(KeyUnreadable):
        Vault([])


def test_secrets_hide_themselves() -> None:
    """Neither repr, str, format nor pickle gives a secret away, nor does the vault its key."""
    secret = Secret(TEXT)
    assert TEXT not in f"{secret} {secret!r} {[secret]} {vars(Vault([OLD])).keys()}"
    assert OLD.hex() not in repr(Vault([OLD]))
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        hash(secret)
    assert secret != TEXT


def test_subkeys_are_apart() -> None:
    """Each purpose has its own bytes, stable for a key, and none is the key."""
    vault = Vault([OLD])
    keys = {vault.subkey(p) for p in Purpose if p is not Purpose.DATABASE_FIELDS}
    assert len(keys | {OLD}) == len(Purpose)
    assert vault.subkey(Purpose.SESSION) == Vault([OLD]).subkey(Purpose.SESSION)
