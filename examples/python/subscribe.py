"""Reads a channel, one message a line; comes back after a lost connection and goes on from its position.

    pip install -r requirements.txt    # or: apt-get install python3-websockets
    python3 subscribe.py demo:hello

FANFARE_WS_URL (default ws://localhost:8080/ws) is the gateway, FANFARE_TOKEN a token, if one is needed.
"""

import asyncio
import json
import os
import random
import sys

import websockets

URL = os.environ.get("FANFARE_WS_URL", "ws://localhost:8080/ws")
FIRST_DELAY = 0.5


class Reader:
    """Holds the position, which outlives connections. A frame covers the offsets after `prev`, up to `offset`."""

    def __init__(self, channel, on_message, on_reset):
        self.channel = channel
        self.on_message = on_message
        self.on_reset = on_reset
        self.position = None
        self.asked = False  # a subscribe is unanswered: what comes until then is not for it
        self.delay = FIRST_DELAY

    async def run(self):
        while True:
            try:
                async with websockets.connect(URL, subprotocols=["fanfare.json.v1"], max_size=None) as socket:
                    connect = {"type": "connect", "id": 1}
                    if "FANFARE_TOKEN" in os.environ:
                        connect["token"] = os.environ["FANFARE_TOKEN"]
                    await socket.send(json.dumps(connect))
                    await self.subscribe(socket)
                    async for text in socket:
                        frames = json.loads(text)
                        for frame in frames if isinstance(frames, list) else [frames]:
                            await self.handle(frame, socket)
            except (OSError, asyncio.TimeoutError, websockets.WebSocketException) as error:
                code = getattr(getattr(error, "rcvd", None), "code", 1006)
                # A refusal is for good, except 4429: there were too many connections.
                if 4400 <= code < 4500 and code != 4429:
                    raise SystemExit(f"ended for good: {error}")
                print(f"connection lost ({error}), coming back", file=sys.stderr)
            # Full jitter: thousands of readers do not come back in the same moment.
            await asyncio.sleep(random.uniform(0, self.delay))
            self.delay = min(self.delay * 2, 5)

    async def subscribe(self, socket):
        self.asked = True
        since = {"since": self.position} if self.position else {}
        await socket.send(json.dumps({"type": "subscribe", "id": 2, "channel": self.channel, **since}))

    async def handle(self, frame, socket):
        kind = frame["type"]
        if kind == "ping":
            await socket.send('{"type":"pong"}')
        elif kind in ("subscribed", "reset") and frame["channel"] == self.channel:
            if kind == "subscribed":
                self.asked = False
                self.delay = FIRST_DELAY
            if kind == "reset" or frame.get("recovered") is False:
                self.on_reset(frame["reason"])
            if "offset" in frame:
                self.position = {"epoch": frame["epoch"], "offset": frame["offset"]}
        elif kind in ("message", "position", "epoch"):
            if frame["channel"] == self.channel and not self.asked:
                await self.follow(frame, socket)
        elif kind == "unsubscribed":
            # By the gateway's own decision, as we never ask for it: the token has expired, or allows it no more.
            raise SystemExit(f"{frame.get('code', 'forbidden')}: {frame.get('message', 'taken off')}")
        elif kind == "lagged":
            await self.subscribe(socket)
        elif kind == "error":
            if not frame["retryable"]:
                raise SystemExit(f"{frame['code']}: {frame['message']}")
            await asyncio.sleep(frame.get("retryAfter", 1000) / 1000)
            await self.subscribe(socket)

    async def follow(self, frame, socket):
        offset = frame.get("offset")
        if offset is None or self.position is None:
            if frame["type"] == "message":
                self.on_message(frame)  # a live channel has no positions
            return
        at = self.position["offset"]
        if frame["type"] == "epoch":
            self.position = {"epoch": frame["epoch"], "offset": max(at, offset)}
            return
        if offset <= at:
            return  # seen
        if frame.get("prev", offset - 1) > at:
            await self.subscribe(socket)  # a hole: from where we stand
            return
        self.position = {"epoch": self.position["epoch"], "offset": offset}
        if frame["type"] == "message":
            self.on_message(frame)


if __name__ == "__main__":
    reader = Reader(
        sys.argv[1],
        on_message=lambda frame: print(json.dumps(frame["data"]), flush=True),
        on_reset=lambda reason: print(f"reset: {reason}: reload what you built from messages", file=sys.stderr),
    )
    asyncio.run(reader.run())
