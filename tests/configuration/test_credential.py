"""HR's password: nothing guessable is accepted, nothing on the device can sign, nobody is first by chance."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.configuration import passwords
from agent.configuration.agreement import load_or_create_agreement_key, public_agreement_jwk
from agent.configuration.credential import (
    Argon2Cost,
    PasswordError,
    change_password,
    current_credential,
    derive_key,
    set_first_password,
    verify_password,
)
from agent.configuration.setup_code import ensure_setup_code
from agent.evidence.keys import KeyFileError
from agent.paths import Paths
from agent.store.database import Store
from agent.store.facts import FactType
from tests.clocks import ManualClock

PASSWORD = "晨读 seven maple 2nd"
CHINESE = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")


def set_password(store: Store, clock: ManualClock, paths: Paths, password: str = PASSWORD) -> None:
    code = ensure_setup_code(paths.keys, store)
    assert code is not None
    set_first_password(store, clock.now(), paths.keys, code=code, password=password, simulated=True)


def assert_bilingual(refused: PasswordError) -> None:
    """Each line is one Chinese half, one English half: the page shows the reader's."""
    assert refused.problems
    for line in refused.problems:
        assert line.count(" / ") == 1, line
        chinese, english = line.split(" / ")
        assert CHINESE.search(chinese), line
        assert not CHINESE.search(english), line
        assert re.findall(r"\d+", chinese) == re.findall(r"\d+", english), (
            f"a bound for one reader only: {line}"
        )


def test_the_password_that_was_set_is_the_only_one_accepted(
    store: Store, clock: ManualClock, paths: Paths
) -> None:
    assert not verify_password(store, PASSWORD), "no default password"
    set_password(store, clock, paths)
    assert verify_password(store, PASSWORD)
    assert not verify_password(store, PASSWORD + " ")
    assert not verify_password(store, "")


def test_a_full_width_input_method_types_the_same_password(
    store: Store, clock: ManualClock, paths: Paths
) -> None:
    set_password(store, clock, paths, "Maple-3-Trees-看")
    assert verify_password(store, "Ｍａｐｌｅ－３－Ｔｒｅｅｓ－看")


@pytest.mark.parametrize(
    "weak",
    [
        "",
        "short 1",
        "13812345678",
        "410802199001011234",
        "aaaaaaaaaaaa",
        "abcdefghijkl",
        "9876543210",
        "Password2025!",
        "admin123456",
        "qwertyuiop123",
        "classroom-agent",
        "Henan@2025123",
        "x" * 201,
        "tab\tinside me",
    ],
)
def test_what_is_guessed_first_is_refused_in_both_languages(
    weak: str, store: Store, clock: ManualClock, paths: Paths
) -> None:
    with pytest.raises(PasswordError) as refused:
        set_password(store, clock, paths, weak)
    assert_bilingual(refused.value)
    assert current_credential(store) is None


@settings(max_examples=50)
@given(st.text(alphabet=st.characters(codec=None), max_size=250))
@example("lone surrogate \ud800 here")
def test_any_text_is_judged_and_short_ones_are_weak(text: str) -> None:
    problems = passwords.weaknesses(text)
    assert problems or len(text) >= 4, "ten characters after NFKC need at least a few before it"
    assert isinstance(passwords.normalise(text), bytes)


def test_the_first_password_needs_the_setup_code_and_voids_it(
    store: Store, clock: ManualClock, paths: Paths
) -> None:
    code = ensure_setup_code(paths.keys, store)
    assert code is not None
    assert ensure_setup_code(paths.keys, store) == code, "stable until used"
    with pytest.raises(PasswordError, match="setup code") as refused:
        set_first_password(
            store, clock.now(), paths.keys, code="2222-2222-2222", password=PASSWORD, simulated=True
        )
    assert_bilingual(refused.value)
    typed = code.lower().replace("-", " ")
    set_first_password(store, clock.now(), paths.keys, code=typed, password=PASSWORD, simulated=True)
    with pytest.raises(PasswordError):
        set_first_password(
            store, clock.now(), paths.keys, code=code, password="another good one 9", simulated=True
        )
    assert ensure_setup_code(paths.keys, store) is None
    assert verify_password(store, PASSWORD)


def test_a_setup_code_whose_file_outlived_its_use_is_still_void(
    store: Store, clock: ManualClock, paths: Paths
) -> None:
    code = ensure_setup_code(paths.keys, store)
    assert code is not None
    set_password(store, clock, paths)
    (paths.keys / "setup-code").write_text(code)  # as after a kill between commit and removal
    (paths.keys / "setup-code").chmod(0o600)
    with pytest.raises(PasswordError, match="already set") as refused:
        set_first_password(
            store, clock.now(), paths.keys, code=code, password="another good one 9", simulated=True
        )
    assert_bilingual(refused.value)
    assert ensure_setup_code(paths.keys, store) is None
    assert not (paths.keys / "setup-code").exists()


def test_a_change_needs_the_old_password_and_ends_it(store: Store, clock: ManualClock, paths: Paths) -> None:
    set_password(store, clock, paths)
    before = current_credential(store)
    with pytest.raises(PasswordError, match="old password") as wrong:
        change_password(store, clock.now(), old="wrong wrong 99", new="ochre lamp 44 瓦", simulated=True)
    assert_bilingual(wrong.value)
    with pytest.raises(PasswordError, match="is the old one") as same:
        change_password(store, clock.now(), old=PASSWORD, new=PASSWORD, simulated=True)
    assert_bilingual(same.value)
    change_password(store, clock.now(), old=PASSWORD, new="ochre lamp 44 瓦", simulated=True)
    assert not verify_password(store, PASSWORD)
    assert verify_password(store, "ochre lamp 44 瓦")
    after = current_credential(store)
    assert before is not None
    assert after is not None
    assert after.salt == before.salt, "HR's card stays valid"
    assert after.public_key != before.public_key


def test_nothing_that_a_record_says_helps_to_guess(store: Store, clock: ManualClock, paths: Paths) -> None:
    set_password(store, clock, paths)
    credential = current_credential(store)
    assert credential is not None
    facts = store.rows("SELECT type, data FROM fact")
    assert [row["type"] for row in facts] == [FactType.PASSWORD_SET.value]
    assert json.loads(facts[0]["data"]) == {"credential": 1, "first": True}
    assert credential.verification_key.thumbprint() not in facts[0]["data"]


def test_no_file_of_the_device_holds_the_password_or_its_private_key(
    store: Store, clock: ManualClock, paths: Paths
) -> None:
    set_password(store, clock, paths)
    credential = current_credential(store)
    assert credential is not None
    private = derive_key(PASSWORD, credential.salt).as_dict(private=True)
    store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = b"".join(path.read_bytes() for path in paths.state.rglob("*") if path.is_file())
    assert credential.public_key in content, "the search finds what is there"
    key = derive_key(PASSWORD, credential.salt).private_key
    assert key is not None
    assert key.private_bytes_raw() not in content
    assert str(private["d"]).encode() not in content
    assert PASSWORD.encode() not in content


def test_the_cost_is_what_owasp_asks_and_changes_the_key() -> None:
    assert Argon2Cost() == Argon2Cost(memory_kib=19_456, time_cost=2, parallelism=1)
    salt = bytes(16)
    dear, cheap = derive_key(PASSWORD, salt), derive_key(PASSWORD, salt, Argon2Cost(8, 1, 1))
    assert dear.thumbprint() != cheap.thumbprint()


def test_the_agreement_key_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    key = load_or_create_agreement_key(tmp_path)
    path = tmp_path / "agreement.jwk"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_create_agreement_key(tmp_path).thumbprint() == key.thumbprint()
    assert set(public_agreement_jwk(key)) == {"kty", "crv", "x", "kid"}
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match="chmod 600"):
        load_or_create_agreement_key(tmp_path)
    path.chmod(0o600)
    path.write_text('{"kty": "OKP"}')
    with pytest.raises(KeyFileError, match="移走"):
        load_or_create_agreement_key(tmp_path)
