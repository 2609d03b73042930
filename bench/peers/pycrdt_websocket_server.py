"""pycrdt-websocket as its documentation starts it, under uvicorn: python pycrdt_websocket_server.py PORT"""

import asyncio
import sys

import uvicorn
from pycrdt.websocket import ASGIServer, WebsocketServer


async def main(port: int) -> None:
    websocket_server = WebsocketServer()
    config = uvicorn.Config(ASGIServer(websocket_server), host="127.0.0.1", port=port, log_level="warning")
    async with websocket_server:
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
