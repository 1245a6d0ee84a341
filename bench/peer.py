"""What the Python peers of run.sh share: answering measurements, one JSON line each.

A line of standard input is WORKLOAD SECONDS FLAG...; every measurement is made in a process of
its own, forked from this one, so that what they all import is imported once. Environment variables (threads, which kernels) hold for all of them.
"""
import csv
import json
import os
import resource
import sys
import time

THREADS = int(os.environ.get("OMP_NUM_THREADS", "1"))


def digits():
    """The rows of examples/data/digits.csv: pixels in [0, 1], digits."""
    path = os.path.join(os.path.dirname(__file__), "../examples/data/digits.csv")
    with open(path) as file:
        rows = list(csv.reader(file))[1:]
    return [[float(p) / 16 for p in row[:64]] for row in rows], [int(row[64]) for row in rows]


def measure(step, seconds):
    """Warms up, then times steps one by one: three where they take long."""
    clock = time.perf_counter
    start = clock()
    for i in range(1000000):
        passed = clock() - start
        if i >= 3 and passed > seconds / 3 or i and passed > seconds:
            break
        step()
    times, start = [], clock()
    while clock() - start < seconds or len(times) < 3:
        begin = clock()
        step()
        times.append(clock() - begin)
    times.sort()
    return {"step_ms": round(1e3 * times[len(times) // 2], 5), "min_ms": round(1e3 * times[0], 5),
            "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)}


def answer(make_step, workload, seconds, flags):
    try:
        return json.dumps(measure(make_step(workload, flags), float(seconds)))
    except Exception as error:  # this setting does not work here
        print(workload, flags, error, file=sys.stderr)
        return "{}"


def answer_in_child(*question):
    """Its answer, also where the child does not live to give one."""
    out, into = os.pipe()
    child = os.fork()
    if not child:
        os.write(into, answer(*question).encode())
        os._exit(0)
    os.close(into)
    text = os.read(out, 1 << 16).decode()
    os.close(out)
    os.waitpid(child, 0)
    return text or "{}"


def serve(make_step):
    """make_step(workload, flags) gives the function that makes one step. The flag `alone`: in
    this process, whose peak memory is then that of a program of its own."""
    for line in iter(sys.stdin.readline, ""):
        workload, seconds, *flags = line.split()
        how = answer if "alone" in flags else answer_in_child
        print(how(make_step, workload, seconds, flags), flush=True)
