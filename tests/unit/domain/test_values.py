"""Dataclasses of this project: as the standard library's, and nothing of them written for each class alone."""

from __future__ import annotations

import dataclasses
import gc
import pickle
from dataclasses import field, replace
from decimal import Decimal
from weakref import ref

import pytest

from agent.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class Price:
    """Frozen, as most are."""

    gross: Decimal
    note: str = field(default="", compare=False)
    secret: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class OtherPrice:
    """The same fields, another class."""

    gross: Decimal
    note: str = field(default="", compare=False)
    secret: bytes = field(default=b"", repr=False)


@dataclass
class Basket:
    """Not frozen, no slots."""

    prices: list[object] = field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Standard:
    """The standard library's, to compare with."""

    gross: Decimal
    note: str = field(default="", compare=False)
    secret: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Named:
    """Shows, compares and hashes itself."""

    name: str

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Named) and other.name.lower() == self.name.lower()

    def __hash__(self) -> int:
        return hash(self.name.lower())


@dataclass(frozen=True, slots=True)
class Alike:  # noqa: PLW1641 - the hash comes with the decorator
    """Compares itself only."""

    name: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alike)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """Without fields."""


ONE = Price(Decimal("1.00"), "first", b"k")


def test_a_value_shows_its_fields_as_the_standard_librarys_does() -> None:
    assert repr(ONE) == "Price(gross=Decimal('1.00'), note='first')"
    assert repr(ONE).partition("(")[2] == repr(Standard(Decimal("1.00"), "first", b"k")).partition("(")[2]
    assert repr(Nothing()) == "Nothing()"


def test_a_value_that_holds_itself_can_be_shown() -> None:
    basket = Basket()
    basket.prices.append(basket)
    assert repr(basket) == "Basket(prices=[...])"


def test_values_are_equal_by_the_fields_that_count_and_within_their_class() -> None:
    assert Price(Decimal("1.00"), "second", b"k") == ONE
    assert Price(Decimal("1.00"), "first", b"l") != ONE
    other: object = OtherPrice(Decimal("1.00"), "first", b"k")
    assert other != ONE
    assert Nothing() == Nothing()
    assert Basket([1]) == Basket([1])
    assert Basket([1]) != Basket([2])


def test_equal_values_hash_alike_and_what_may_change_has_no_hash() -> None:
    assert hash(Price(Decimal("1.0"), "second", b"k")) == hash(ONE)
    assert {ONE: 1}[Price(Decimal(1), "", b"k")] == 1
    with pytest.raises(TypeError, match="unhashable"):
        hash(Basket())


def test_a_frozen_value_does_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'gross'"):
        ONE.gross = Decimal(2)  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'gross'"):
        del ONE.gross
    assert replace(ONE, gross=Decimal(2)).gross == 2
    basket = Basket()
    basket.prices = [1]
    assert basket == Basket([1])


def test_what_a_class_says_of_itself_stays() -> None:
    assert repr(Named("a")) == "<a>"
    assert Named("a") == Named("A")
    assert hash(Named("a")) == hash(Named("A"))
    assert Alike("a") == Alike("b")
    assert isinstance(hash(Alike("a")), int)


def test_a_value_can_be_pickled_and_matched() -> None:
    assert pickle.loads(pickle.dumps(ONE)) == ONE
    match ONE:
        case Price(gross, note):
            assert (gross, note) == (Decimal("1.00"), "first")


def test_only_the_standard_librarys_options_of_this_project_are_taken() -> None:
    with pytest.raises(TypeError, match="order"):
        dataclass(order=True)(type("Sorted", (), {}))


@pytest.mark.parametrize("name", ["__repr__", "__eq__", "__hash__", "__setattr__", "__delattr__"])
def test_classes_share_their_methods(name: str) -> None:
    assert vars(Price)[name] is vars(OtherPrice)[name]


def test_the_class_without_slots_is_gone() -> None:
    class Plain:
        gross: int

    plain = ref(Plain)
    made = dataclass(frozen=True, slots=True)(Plain)
    del Plain
    gc.collect()
    assert plain() is None
    assert made(1).gross == 1  # type: ignore[call-arg]
