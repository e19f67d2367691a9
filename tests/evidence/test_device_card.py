"""The device card: parts from several processes, none lost, nothing secret."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from joserfc.jwk import OKPKey

from agent.evidence.device_card import (
    AgreementJwk,
    CardError,
    HrDerivation,
    SigningJwk,
    read_device_card,
    update_device_card,
)
from agent.evidence.keys import load_or_create
from tests.evidence.logs import NODE
from tests.evidence.schemas import problems_of


def agreement() -> AgreementJwk:
    public = OKPKey.generate_key("X25519").as_dict(private=False)
    kid = OKPKey.import_key(public).thumbprint()
    return AgreementJwk(kty="OKP", crv="X25519", x=str(public["x"]), kid=kid)


def test_parts_written_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    path = tmp_path / "device-card.json"
    signing = (SigningJwk.model_validate(load_or_create(tmp_path / "k").public_jwk),)
    hr = HrDerivation(salt="A" * 22, memory_kib=19456, time_cost=2, parallelism=1)
    parts = [{"signing_keys": signing}, {"agreement_key": agreement()}, {"hr": hr}]
    threads = [threading.Thread(target=update_device_card, args=(path, NODE), kwargs=part) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    card = read_device_card(path)
    assert (card.signing_keys, card.hr) == (signing, hr)
    assert card.agreement_key is not None
    content = json.loads(path.read_text())
    assert problems_of("device-card", content) == []
    assert '"d"' not in path.read_text()


def test_a_card_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "device-card.json"
    update_device_card(path, NODE)
    good = json.loads(path.read_text())
    for change in ({"node": "node-2"}, {"topic_prefix": "ca/v1/00/a/b"}, {"source": "urn:x"}, {"extra": 1}):
        path.write_text(json.dumps(good | change))
        with pytest.raises(CardError):
            read_device_card(path)
    path.write_text("no card")
    with pytest.raises(CardError, match="设备卡"):
        read_device_card(path)
    assert update_device_card(path, NODE).node == "node-1"  # begun anew
