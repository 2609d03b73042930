"""A shopping cart as a typed model in the session."""

from pydantic import BaseModel, Field, computed_field

from threadline.agents import Agent, Session, tool


class Item(BaseModel):
    name: str
    price: float
    quantity: int = 1


class Cart(BaseModel):
    items: list[Item] = Field(default_factory=list)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def total(self) -> float:
        return round(sum(item.price * item.quantity for item in self.items), 2)


@tool(description="Add an item to the cart")
def add_to_cart(name: str, price: float, session: Session, quantity: int = 1) -> str:
    cart = session.get("cart", Cart(), as_type=Cart)
    cart.items.append(Item(name=name, price=price, quantity=quantity))
    session.set("cart", cart.model_dump(exclude={"total"}))
    return f"Added {quantity} x {name}. Total: ${cart.total:.2f}"


@tool(description="Show the cart")
def view_cart(session: Session) -> str:
    cart = session.get("cart", Cart(), as_type=Cart)
    if not cart.items:
        return "Your cart is empty."
    lines = [f"- {item.quantity} x {item.name}: ${item.price * item.quantity:.2f}" for item in cart.items]
    return "\n".join([*lines, f"Total: ${cart.total:.2f}"])


@tool(description="Empty the cart")
def clear_cart(session: Session) -> str:
    session.delete("cart")
    return "Cart cleared."


@tool(description="Pay for what is in the cart")
def checkout(session: Session) -> str:
    cart = session.get("cart", Cart(), as_type=Cart)
    if not cart.items:
        return "Nothing to check out: your cart is empty."
    session.delete("cart")
    return f"Order placed. You paid ${cart.total:.2f}."


agent = Agent(name="shop", tools=[add_to_cart, view_cart, clear_cart, checkout])
