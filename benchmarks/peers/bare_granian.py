"""The same parts as Noria's server and nothing else: granian, msgspec, ONNX Runtime. No guard, no log, no metrics.

Usage: bare_granian.py FOLDER  ->  one JSON line {"port", "versions"}, then it serves until its standard input ends.
FOLDER holds model.onnx.
"""

import asyncio
import json
import os
import socket
import sys
import threading
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server


class Row(msgspec.Struct):
    numbers: list[float | None]
    categories: list[str]


options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(Path(sys.argv[1], "model.onnx"), options)
decode, encode = msgspec.json.Decoder(Row).decode, msgspec.json.Encoder().encode


async def app(scope, protocol):
    row = decode(await protocol())
    given = {"numbers": np.array([row.numbers], np.float32), "categories": np.array([row.categories], object)}
    probability = session.run(["probability"], given)[0].item()
    protocol.response_bytes(200, [("content-type", "application/json")], encode({"probability": probability}))


class Application:
    __rsgi__ = staticmethod(app)


with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
print(json.dumps({"port": port, "versions": {}}), flush=True)
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
server = Server(
    Application(),
    "127.0.0.1",
    port,
    interface=Interfaces.RSGI,
    http=HTTPModes.http1,
    websockets=False,
    log_enabled=False,
)
asyncio.run(server.serve())
