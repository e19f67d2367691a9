"""What every page needs: settings, clock, the database, and templates in the visitor's language."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from agent.clock import Clock
from agent.paths import Paths
from agent.settings import Settings
from agent.store.access import Visitor
from agent.web import locale
from agent.web.calibration_draft import CalibrationDraft
from agent.web.locale import LANGUAGES, Language, Words, translations
from agent.web.store_thread import StoreThread

FORM_FIELD_TOKEN = "token"  # noqa: S105 (the name of a form field)


@dataclass
class Site:
    """The page of one node. Close it when the server has stopped."""

    settings: Settings
    paths: Paths
    clock: Clock
    stop: threading.Event = field(default_factory=threading.Event)
    """Set when the server is to end: an answer without an end of its own ends then."""

    @cached_property
    def store(self) -> StoreThread:
        """For all pages."""
        return StoreThread(self.paths.database, "pages")

    @cached_property
    def logins(self) -> StoreThread:
        """For passwords alone: hashing one takes a second on a Pi, and guesses made at the same time queue
        here one behind the other, so that no two of them slip past the same count."""
        return StoreThread(self.paths.database, "logins")

    @cached_property
    def calibration(self) -> CalibrationDraft:
        """Pictures that HR staff count now."""
        return CalibrationDraft(self.clock)

    @property
    def is_demonstration(self) -> bool:
        return self.settings.node.environment == "demonstration"

    @cached_property
    def environments(self) -> dict[Language, Environment]:
        return {language: _environment(language) for language in LANGUAGES}

    def render(self, request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """One page (or part of one) in the visitor's language."""
        visit = visit_of(request)
        other: Language = "en" if visit.language == "zh" else "zh"
        switch = request.url.include_query_params(lang=other)
        body = (
            self.environments[visit.language]
            .get_template(template)
            .render(
                site=self,
                node=self.settings.node,
                visit=visit,
                path=request.url.path,
                switch=f"{switch.path}?{switch.query}",
                now_us=self.clock.now().wall_us,
                **values,
            )
        )
        return HTMLResponse(body, status_code=status)

    def close(self) -> None:
        self.store.close()
        self.logins.close()


@dataclass
class Visit:
    """What the gate found out about a request before any page saw it."""

    language: Language
    form_token: str
    """The token that every form must carry (against requests forged by other sites)."""
    visitor: Visitor | None = None
    form: dict[str, str] | None = None
    """Fields of a POST, already checked for their token."""

    @property
    def words(self) -> Words:
        return Words(self.language)

    @property
    def token_sha256(self) -> bytes:
        """Of the visitor that the gate let in; RuntimeError on a public page, which has none."""
        if self.visitor is None:
            raise RuntimeError("a public page asked for the visitor")
        return self.visitor.token_sha256


def site_of(request: Request) -> Site:
    """The site that serves `request`."""
    site: Site = request.app.state.site
    return site


def visit_of(request: Request) -> Visit:
    """What the gate noted on `request`."""
    visit: Visit = request.state.visit
    return visit


def _environment(language: Language) -> Environment:
    environment = Environment(
        loader=PackageLoader("agent.web"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    words = Words(language)
    environment.filters |= {
        "clock": locale.clock_face,
        "clock_seconds": locale.clock_face_seconds,
        "day_and_time": locale.day_and_time,
        "duration": words.duration,
        "day": words.day,
        "local": locale.local,
        "local_date": locale.local_date,
    }
    environment.globals |= {"language": language, "html_language": locale.HTML_LANGUAGE[language]}
    return environment
