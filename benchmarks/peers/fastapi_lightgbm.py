"""FastAPI on uvicorn (uvloop, httptools) with LightGBM's own predict: what most teams write, written well.

Usage: fastapi_lightgbm.py FOLDER thread|loop  ->  one JSON line {"port", "versions"}; it serves until its input ends.
FOLDER holds model.txt (LightGBM) and features.json: names of numbers; of categories, with the number of each value.
``thread``: a plain function, which FastAPI runs in its pool of threads: what its documentation tells to do with code
that cannot be awaited. ``loop``: a coroutine that holds up the loop while the model works; faster for a small model.
"""

import json
import math
import os
import socket
import sys
import threading
from importlib.metadata import version
from pathlib import Path

import lightgbm
import numpy as np
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, create_model

folder = Path(sys.argv[1])
said = json.loads((folder / "features.json").read_text())
codes = {name: {value: math.nan if code is None else code for value, code in values.items()}
         for name, values in said["categories"].items()}  # fmt: skip
booster = lightgbm.Booster(model_file=folder / "model.txt")
app = FastAPI()

# One field a feature, as one would write it out.
Flight = create_model(
    "Flight",
    **dict.fromkeys(said["numbers"], (float | None, None)),
    **dict.fromkeys(said["categories"], (str | None, None)),
)


class Answer(BaseModel):
    probability: float


def predict(flight: Flight) -> Answer:
    given = flight.__dict__
    row = [math.nan if given[name] is None else given[name] for name in said["numbers"]]
    row += [known.get(given[name] or "", known["*"]) for name, known in codes.items()]
    return Answer(probability=booster.predict(np.array([row]), num_threads=1)[0])


async def predict_in_loop(flight: Flight) -> Answer:
    return predict(flight)


app.post("/predict")(predict if sys.argv[2] == "thread" else predict_in_loop)
listening = socket.create_server(("127.0.0.1", 0))
versions = {name: version(name) for name in ("fastapi", "uvicorn", "uvloop", "httptools", "lightgbm")}
print(json.dumps({"port": listening.getsockname()[1], "versions": versions}), flush=True)
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
config = uvicorn.Config(app, loop="uvloop", http="httptools", access_log=False, log_level="warning")
uvicorn.Server(config).run([listening])
