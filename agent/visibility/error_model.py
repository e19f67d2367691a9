"""What is known of a head detector's errors.

They persist: who is hidden behind a pillar stays hidden, and a chair that looks like a head looks like one in
every picture, so looks are not independent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ErrorModel:
    """What is known of a detector's errors; each number is measured (bench/verdict.py) on other pictures than
    those on which the verdict's error rates are reported."""

    window_us: int = 600_000_000
    """Looks so near to one another are evidence of the same seats. Of people who sit a miss is forgotten
    after a minute or two (correlation .46 after 15 s, .14 after 75 s, none after 150 s), so minutes tell what
    a moment cannot."""
    live_window_us: int = 60_000_000
    """The same of a lesson that runs: who warns late warns nobody."""
    weight: float = 3.0
    """Looks that the mean log-odds of a place's looks over a window are worth."""
    movement: float = 3.3
    """Log-odds that movement over minutes adds: heads move, chairs and coats do not. Who moves and is seen in
    every other look is rather somebody than nobody."""
    miss: float = -3.0
    """Log-odds of a head in a place that shows none in a look: what is below the detector's floor."""
    room_sd: float = 0.5
    """Of the detector's log-odds from room to room, normal: the count's bias changes sign between rooms."""
    stillness: float = 0.025
    """A place whose heads' centres vary by less than so many head sizes over minutes is a thing: people
    move. It counts for nothing in the lower bound and as a person in the upper one."""
    moving_us: int = 300_000_000
    """Over so long movement is looked for."""
    false_places: float = 0.02
    """Places a room that move, are seen again and again and are no trainee, mean number (Poisson)."""
    false_share: float = 0.0005
    """The same for each place that is seen: more people, more bags, screens and reflections beside them."""
    unseen: tuple[float, float] = (1.0, 60.0)
    """Beta distribution of the share of visible people whom no place shows over a window."""
    unseen_moving: tuple[float, float] = (2.0, 60.0)
    """The same of people who stand and walk, of one picture: who is behind another for a moment."""
    stirring: float = 1.2
    """Log-odds that not being a thing adds where people stand and walk: believed, three in ten of what looks
    like a head and is none moves."""
    crowd_sd: float = 0.03
    """Share of the people by which their number is uncertain besides: believed, nothing measures it here."""
    confidence: float = 0.99
    """Of the lower bound, and of the upper bound."""


DEFAULT: Final = ErrorModel()
