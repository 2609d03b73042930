"""What a traveller's message says: a city, a budget, dates, a hotel. Plain patterns; nothing is guessed."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

from threadline.agents.travel.hotels import known_city
from threadline.agents.travel.trip import Trip

_AMOUNT = re.compile(
    r"(?:under|below|up to|at most|max(?:imum)?|within|less than|no more than|budget(?: of| is|:)?)\s*"
    r"(?:us)?[$€£]?\s*(\d+(?:[.,]\d+)?)|[$€£]\s*(\d+(?:[.,]\d+)?)",
    re.I,
)
_NIGHTS = re.compile(r"\b(\d+|a|one|two|three|four|five|six|seven)[\s-]+nights?\b", re.I)
_NUMBERS = {"a": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7}
_ISO = re.compile(r"\b(\d{4}-\d{2}-\d{2})\b")
_WEEKDAY = re.compile(
    r"\b(?:next |this |on |coming )?(monday|tuesday|wednesday|thursday|friday|saturday|sunday)\b", re.I
)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DAY_MONTH = re.compile(
    rf"\b(?:({_MONTHS})[a-z]*\.?\s+(\d{{1,2}})|(\d{{1,2}})\.?\s+({_MONTHS})[a-z]*)\b", re.I
)
_PLACE = re.compile(
    r"\b(?:in|to|visit|visiting|around)\s+((?:[A-ZÀ-ÖØ-Þ][\w’'.-]+)(?:\s+(?:[A-ZÀ-ÖØ-Þ][\w’'.-]+))*)"
)
_ORDINALS = {"first": 0, "second": 1, "third": 2, "fourth": 3, "last": -1, "cheapest": None, "best": 0}
_ORDINAL = re.compile(rf"\b({'|'.join(_ORDINALS)})\b", re.I)
_BOOK = re.compile(r"\b(book|reserve|take)\b", re.I)
_HOTELS = re.compile(r"\b(hotels?|stay|rooms?|accommodation|somewhere to sleep)\b", re.I)


@dataclass(frozen=True, slots=True)
class Reading:
    """What was understood; None and False for what was not said."""

    city: str | None = None
    budget: float | None = None
    check_in: str | None = None
    nights: int | None = None
    wants_hotels: bool = False
    wants_booking: bool = False
    hotel: str | None = None


def read(words: str, trip: Trip, today: datetime.date) -> Reading:
    """A message, given the trip so far and the day on which it was written."""
    wants_booking = _BOOK.search(words) is not None
    return Reading(
        city=_city(words),
        budget=_budget(words),
        check_in=_check_in(words, today),
        nights=_nights(words),
        wants_hotels=_HOTELS.search(words) is not None,
        wants_booking=wants_booking,
        hotel=_hotel(words, trip) if wants_booking else None,
    )


def _city(words: str) -> str | None:
    known = known_city(words)
    if known is not None:
        return known
    match = _PLACE.search(words)
    place = match.group(1).rstrip(".'’") if match else ""
    is_date = _DAY_MONTH.search(f"{place} 1") is not None or place.casefold() in _WEEKDAYS
    return place if place and not is_date else None


def _budget(words: str) -> float | None:
    match = _AMOUNT.search(words)
    if match is None:
        return None
    return float((match.group(1) or match.group(2)).replace(",", "."))


def _nights(words: str) -> int | None:
    match = _NIGHTS.search(words)
    if match is None:
        return None
    number = match.group(1).casefold()
    if number == "a":  # "$150 a night" is a price
        return None
    return _NUMBERS.get(number) or int(number)


def _check_in(words: str, today: datetime.date) -> str | None:
    """An ISO date, a weekday, "tomorrow", or a day and a month; the next one that there is."""
    if match := _ISO.search(words):
        return _valid(match.group(1))
    if re.search(r"\btomorrow\b", words, re.I):
        return (today + datetime.timedelta(days=1)).isoformat()
    if match := _WEEKDAY.search(words):
        ahead = (_WEEKDAYS.index(match.group(1).casefold()) - today.weekday() - 1) % 7 + 1
        return (today + datetime.timedelta(days=ahead)).isoformat()
    if match := _DAY_MONTH.search(words):
        month = _MONTHS.split("|").index((match.group(1) or match.group(4)).casefold()) + 1
        day = int(match.group(2) or match.group(3))
        this_year = _valid(f"{today.year:04d}-{month:02d}-{day:02d}")
        if this_year is not None and this_year >= today.isoformat():
            return this_year
        return _valid(f"{today.year + 1:04d}-{month:02d}-{day:02d}")
    return None


def _valid(date: str) -> str | None:
    try:
        return datetime.date.fromisoformat(date).isoformat()
    except ValueError:
        return None


def _hotel(words: str, trip: Trip) -> str | None:
    """The offer that is meant: by its name or a word of it, by its place in the list, or the only one."""
    if not trip.offers:
        return None
    folded = words.casefold()
    for offer in trip.offers:
        if offer.name.casefold() in folded:
            return offer.name
    for offer in trip.offers:
        own = [part for part in offer.name.casefold().split() if len(part) > 3 and part != "hotel"]
        if any(re.search(rf"\b{re.escape(part)}\b", folded) for part in own):
            return offer.name
    match = _ORDINAL.search(words)
    if match is not None:
        place = _ORDINALS[match.group(1).casefold()]
        if place is None:
            return min(trip.offers, key=lambda offer: offer.price).name
        return trip.offers[place].name if place < len(trip.offers) else None
    return trip.offers[0].name if len(trip.offers) == 1 else None
