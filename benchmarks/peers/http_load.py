"""Asks a server as fast as it answers, over a few kept connections: one thread, raw sockets, epoll, no HTTP library.

Usage: http_load.py PORT PATH CONNECTIONS SECONDS BODIES.jsonl  ->  one JSON line: requests, seconds, processor seconds
of its own, latencies. An answer that is not a 200 ends it.
"""

import json
import select
import socket
import sys
import time
from itertools import cycle
from pathlib import Path

port, path, connections, seconds = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: "
bodies = [line for line in Path(sys.argv[5]).read_bytes().splitlines() if line]
requests = cycle([f"{head}{len(body)}\r\n\r\n".encode() + body for body in bodies])


def whole(answer: bytes) -> bool:
    top, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    if not top.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"answered: {answer[:500]!r}")
    length = top.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return len(body) >= int(length)


poll, sockets = select.epoll(), {}
for _ in range(connections):
    one = socket.create_connection(("127.0.0.1", port))
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    one.setblocking(False)
    poll.register(one, select.EPOLLIN)
    sockets[one.fileno()] = one
asked, partial, latencies = {}, {}, []
clock = time.perf_counter
began, cpu = clock(), time.process_time()
for number, one in sockets.items():
    asked[number] = clock()
    one.send(next(requests))
end = began + seconds
while asked:
    for number, _ in poll.poll(5):
        one = sockets[number]
        answer = partial.pop(number, b"") + one.recv(65536)
        if not answer:
            raise SystemExit("the server closed a connection")
        if not whole(answer):
            partial[number] = answer
            continue
        now = clock()
        latencies.append(now - asked[number])
        if now < end:
            asked[number] = now
            one.send(next(requests))
        else:
            del asked[number]
took = clock() - began
latencies.sort()
print(json.dumps({
    "requests": len(latencies), "seconds": took, "cpu": time.process_time() - cpu,
    "p50": latencies[len(latencies) // 2], "p99": latencies[len(latencies) * 99 // 100],
}))  # fmt: skip
