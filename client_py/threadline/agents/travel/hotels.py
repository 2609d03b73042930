"""The demo's hotels: a small fixed catalogue, and the same invented houses for any other city each time it
is asked.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hotel:
    """`price` is in US dollars a night, `rating` out of 10."""

    name: str
    area: str
    price: int
    rating: float


_KNOWN: dict[str, tuple[Hotel, ...]] = {
    "Berlin": (
        Hotel("Hotel Adler", "Mitte", 189, 9.1),
        Hotel("Spree Loft", "Kreuzberg", 134, 8.8),
        Hotel("Kiez Inn", "Neukölln", 79, 8.2),
        Hotel("Tiergarten Park Hotel", "Tiergarten", 149, 8.6),
        Hotel("Grand Gendarmenmarkt", "Mitte", 265, 9.4),
    ),
    "Paris": (
        Hotel("Hôtel des Arts", "Montmartre", 145, 8.7),
        Hotel("Le Petit Marais", "Le Marais", 198, 9.0),
        Hotel("Gare du Nord Rooms", "10e", 88, 7.9),
        Hotel("Palais Rive Gauche", "Saint-Germain", 310, 9.5),
    ),
    "Lisbon": (
        Hotel("Casa do Tejo", "Alfama", 96, 9.0),
        Hotel("Bairro Alto View", "Bairro Alto", 142, 8.9),
        Hotel("Avenida Grande", "Avenida", 205, 9.2),
        Hotel("Surf & Sleep", "Cais do Sodré", 58, 8.1),
    ),
    "Tokyo": (
        Hotel("Shinjuku Tower", "Shinjuku", 172, 8.9),
        Hotel("Asakusa Ryokan", "Asakusa", 128, 9.3),
        Hotel("Capsule Ueno", "Ueno", 42, 8.0),
        Hotel("Ginza Crown", "Ginza", 288, 9.4),
    ),
    "New York": (
        Hotel("The Bowery Rooms", "Lower East Side", 219, 8.7),
        Hotel("Brooklyn Yard", "Williamsburg", 174, 8.8),
        Hotel("Harlem House", "Harlem", 129, 8.5),
        Hotel("Central Park Regent", "Upper West Side", 395, 9.3),
    ),
}
_HOUSES = ("Grand Hotel", "Riverside Inn", "Old Town House", "Station Rooms", "Garden Lodge")
_AREAS = ("the centre", "the old town", "the riverside", "the station quarter", "the hills")


def hotels_in(city: str, max_price: float | None = None) -> list[Hotel]:
    """The best first; only those that cost at most `max_price` a night, if given."""
    found = _KNOWN.get(city) or _invented(city)
    fitting = [hotel for hotel in found if max_price is None or hotel.price <= max_price]
    return sorted(fitting, key=lambda hotel: (-hotel.rating, hotel.name))


def known_city(text: str) -> str | None:
    """A city of the catalogue that a text names, whatever its case."""
    folded = text.casefold()
    return next((city for city in _KNOWN if city.casefold() in folded), None)


def _invented(city: str) -> tuple[Hotel, ...]:
    seed = hashlib.sha256(city.casefold().encode()).digest()
    return tuple(
        Hotel(
            f"{house} {city}",
            _AREAS[seed[i] % len(_AREAS)],
            60 + seed[i + 5] % 200,
            7.5 + seed[i + 10] % 20 / 10,
        )
        for i, house in enumerate(_HOUSES)
    )
