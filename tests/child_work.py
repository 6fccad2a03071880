"""What the children of test_child.py do: in a module of its own, for a new interpreter to import."""

import os
import resource
import subprocess
import sys
import time


def returns(say, value):
    say("working")
    return value


def raises(say, error):
    raise error


def crashes(say):
    os.write(1, b"from below Python\n")
    os.write(2, b"and from its errors\n")
    return 1 // 0


def ends(say, code):
    os._exit(code)


def kills_itself(say, number):
    os.kill(os.getpid(), number)
    time.sleep(30)


def holds(say, size):
    data = bytearray(size)
    data[::4096] = b"x" * len(data[::4096])
    return len(data)


def asks_for_too_much(say):
    resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))
    return len(bytearray(2**33))


def writes_too_much(say, path):
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
    path.write_bytes(bytes(2 * 2**20))


def spins(say, seconds):
    deadline = time.process_time() + seconds
    while time.process_time() < deadline:
        pass


def lets_another_spin(say, seconds):
    code = f"import time\nwhile time.process_time() < {seconds}: pass"
    subprocess.run([sys.executable, "-c", code], check=True)


def tells_its_pid_and_sleeps(say):
    say(str(os.getpid()))
    time.sleep(60)


def ends_when_asked(say):
    say("ready")
    time.sleep(60)
