"""A shop: the cart is one typed value of the session; paying for it needs a person's word."""

from __future__ import annotations

from pydantic import BaseModel, Field

from threadline.agents import Agent, Session, tool


class Item(BaseModel):
    name: str
    price: float
    quantity: int = 1


class Cart(BaseModel):
    items: list[Item] = Field(default_factory=list)

    @property
    def total(self) -> float:
        return round(sum(item.price * item.quantity for item in self.items), 2)


def cart_of(session: Session) -> Cart:
    return session.get("cart", Cart(), as_type=Cart)


@tool(description="Add an item to the cart")
def add_to_cart(name: str, price: float, session: Session, quantity: int = 1) -> str:
    cart = cart_of(session)
    cart.items.append(Item(name=name, price=price, quantity=quantity))
    session.set("cart", cart)
    return f"Added {quantity} x {name}. Total: ${cart.total:.2f}"


@tool(description="View the cart")
def view_cart(session: Session) -> str:
    cart = cart_of(session)
    if not cart.items:
        return "Your cart is empty"
    return f"{len(cart.items)} items. Total: ${cart.total:.2f}"


@tool(description="Checkout and pay", requires_approval=True)
def checkout(session: Session) -> str:
    cart = cart_of(session)
    if not cart.items:
        return "Your cart is empty"
    session.clear()
    return f"Order placed! Total: ${cart.total:.2f}"


agent = Agent(name="shop", tools=[add_to_cart, view_cart, checkout])
