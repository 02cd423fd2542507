"""How slow this machine is just now: a limit of time is for the work, and must hold on a loaded machine too."""

import time
import zlib

import numpy as np

USUAL = 0.3
"""Seconds of processor time that the piece of work takes an idle machine of 2022."""


def pace():
    """How many times as long as there a piece of work takes here, at least 1: to unpack, to fill memory, to count."""
    began = time.process_time()
    unpacked = zlib.decompress(zlib.compress(bytes(40_000_000), 1))
    (np.frombuffer(unpacked, np.uint8).reshape(-1, 4)[:, :3].astype(float) / 255.0) ** 2.4
    total = 0
    for number in range(1_000_000):
        total += number * number
    return max((time.process_time() - began) / USUAL, 1.0)
