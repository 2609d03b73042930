"""A device: joins a session, asks for something, follows the answer, and knows when all of it is durable."""

import asyncio

import threadline


async def main() -> None:
    async with threadline.connect("http://127.0.0.1:8000", token="ada") as client:
        session = await client.open("trip")  # joins, creates if allowed
        session["budget"] = 150  # dict-like state
        run = await session.send("Find hotels in Berlin")  # message + intent to run; works offline too
        async for event in run.events():  # typed; output events carry the text delta
            print(event.type, event)
        await session.saved()  # everything of mine is durable
        print(session.messages[-1].text, run.status, session.presence)


asyncio.run(main())
