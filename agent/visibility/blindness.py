"""Of which class hours nothing that the device found is shown, because people are to count them (R6).

From the lesson's beginning: nobody knows before a class hour is judged whether the lot asks for it, and
whoever read its numbers meanwhile would not count blind. Until the counts of all class hours are
handed in (agent.visibility.count_checks), or until all were judged and nothing was drawn. What the first
page says while the lesson runs is not held back: whoever stands in the room compares it with what they see.
"""

from __future__ import annotations

from agent.classes.class_hours import ClassHour, class_hours
from agent.configuration.document import ConfigurationError, current_configuration
from agent.store import classes, visibility
from agent.store.calibration import newest_calibration
from agent.store.classes import Session
from agent.store.database import Store
from agent.store.undrawn import waits
from agent.visibility.count_checks import pictures_to_count
from agent.visibility.looks import error_model, scored_model
from agent.visibility.orders import standing_trust


def is_blind(store: Store, session_id: str) -> bool:
    """Whether nothing is shown of this lesson yet: of all its class hours while any waits, because the same
    people sit there. False before it was opened. Values that HR set and nobody can read may ask for counts:
    what is not judged yet waits."""
    session = classes.session(store, session_id)
    if session is None or session.state not in ("open", "closed"):
        return False
    if unjudged_hours(store, session) and _may_be_asked_for(store, session):
        return True
    judged = {each.hour for each in visibility.verdicts_of(store, session.id)}
    return any(pictures_to_count(store, session.id, number) for number in judged)


def unjudged_hours(store: Store, session: Session) -> tuple[ClassHour, ...]:
    """Its class hours of which nothing was stated yet and that are fit to be counted: they run on, or the
    file of a picture that was drawn is away. So are those of which something was stated while pictures were
    still to be counted: none is drawn yet."""
    if not is_fit(store, session):
        return ()
    judged = {each.hour for each in visibility.verdicts_of(store, session.id) if not waits(each.device)}
    return tuple(hour for hour in class_hours(session) if hour.number not in judged)


def _may_be_asked_for(store: Store, session: Session) -> bool:
    """Whether pictures of its class hours may be drawn for people to count: in a room that is trusted, where
    HR staff count, or where what they set cannot be read (its faults are said by who applies it)."""
    if standing_trust(store, session.room) is not None:
        return True
    try:
        return current_configuration(store).visibility.count_checks
    except ConfigurationError:
        return True


def is_fit(store: Store, session: Session) -> bool:
    """Whether people's counts of its pictures would say anything: they sit, in a calibrated room, and the
    detector's scores are probabilities that bear no verdict everywhere."""
    made = newest_calibration(store, session.room)
    return (
        session.kind != "practical"
        and made is not None
        and scored_model(made.detector) is not None
        and error_model(made.detector) is None
    )
