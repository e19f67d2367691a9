"""Configuration's parts of the device card: the agreement key, and how HR's password yields HR's key."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

from joserfc.jwk import OKPKey

from agent.configuration.agreement import public_agreement_jwk
from agent.configuration.credential import Argon2Cost, Credential, current_credential, derive_key
from agent.evidence.device_card import AgreementJwk, DeviceCard, HrDerivation, update_device_card
from agent.evidence.record import NodeIdentity
from agent.paths import Paths
from agent.settings import Node
from agent.store.database import Store


def update_card(paths: Paths, node: Node, agreement_key: OKPKey, store: Store) -> DeviceCard:
    """Put both parts on the card at `paths.device_card`; HR's part once a password is set."""
    credential = current_credential(store)
    return update_device_card(
        paths.device_card,
        NodeIdentity(node.institution, node.room, node.node),
        agreement_key=AgreementJwk.model_validate(public_agreement_jwk(agreement_key)),
        hr=None if credential is None else hr_derivation(credential),
    )


def hr_derivation(credential: Credential) -> HrDerivation:
    """Salt and cost, never the public key (agent/configuration/credential.py says why)."""
    return HrDerivation(
        salt=urlsafe_b64encode(credential.salt).rstrip(b"=").decode("ascii"),
        memory_kib=credential.cost.memory_kib,
        time_cost=credential.cost.time_cost,
        parallelism=credential.cost.parallelism,
    )


def key_from_card(derivation: HrDerivation, password: str) -> OKPKey:
    """HR's signing key, derived on an officer's own computer from the card and the password."""
    salt = urlsafe_b64decode(derivation.salt + "==")
    cost = Argon2Cost(derivation.memory_kib, derivation.time_cost, derivation.parallelism)
    return derive_key(password, salt, cost)
