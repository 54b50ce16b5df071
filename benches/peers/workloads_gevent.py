"""The workloads of the comparison as gevent greenlets, on one thread.

Usage: workloads_gevent.py <workload> <n>, with the workloads yield, spawn_join, rendezvous, skynet.
Prints: gevent <workload> <n> <nanoseconds per operation> <answer>
"""

import sys
from time import perf_counter_ns

import gevent
from gevent.queue import Channel

SWITCHES = 200_000


def yield_round(tasks):
    """Region: from the start of the last greenlet to the end of the last."""
    rounds = max(SWITCHES // tasks, 5)
    started, finished, answers, times = 0, 0, 0, []

    def body(id):
        nonlocal started, finished, answers
        started += 1
        if started == tasks:
            times.append(perf_counter_ns())
        total = 0
        for turn in range(rounds):
            gevent.sleep(0)
            total += id + turn
        answers += total
        finished += 1
        if finished == tasks:
            times.append(perf_counter_ns())

    gevent.joinall([gevent.spawn(body, id) for id in range(tasks)], raise_error=True)
    check(answers, rounds * (tasks * (tasks - 1) // 2) + tasks * (rounds * (rounds - 1) // 2))
    return (times[1] - times[0]) / (tasks * rounds), answers


def spawn_join(tasks):
    """Region: the whole loop."""
    begin = perf_counter_ns()
    answer = 0
    for id in range(tasks):
        answer += gevent.spawn(lambda: id).get()
    elapsed = perf_counter_ns() - begin
    check(answer, tasks * (tasks - 1) // 2)
    return elapsed / tasks, answer


def rendezvous(messages):
    """Region: from the first message to the last, over two channels."""
    ping, pong = Channel(), Channel()

    def partner():
        for _ in range(messages // 2):
            pong.put(ping.get() + 1)

    other = gevent.spawn(partner)
    gevent.sleep(0)
    begin = perf_counter_ns()
    ball = 0
    for _ in range(messages // 2):
        ping.put(ball + 1)
        ball = pong.get()
    elapsed = perf_counter_ns() - begin
    other.join()
    check(ball, messages)
    return elapsed / messages, ball


def skynet(leaves):
    """Region: the whole tree. Every inner node spawns all its children, then joins them."""

    def node(first, leaves):
        if leaves == 1:
            return first
        share = leaves // 10
        children = [gevent.spawn(node, first + child * share, share) for child in range(10)]
        return sum(child.get() for child in children)

    begin = perf_counter_ns()
    answer = node(0, leaves)
    elapsed = perf_counter_ns() - begin
    check(answer, leaves * (leaves - 1) // 2)
    tasks = sum(leaves // 10**level for level in range(len(str(leaves))))
    return elapsed / tasks, answer


def check(answer, want):
    if answer != want:
        sys.exit(f"the answer is {answer} and should be {want}")


def main():
    workloads = {
        "yield": yield_round,
        "spawn_join": spawn_join,
        "rendezvous": rendezvous,
        "skynet": skynet,
    }
    if len(sys.argv) != 3 or sys.argv[1] not in workloads:
        sys.exit("usage: workloads_gevent.py yield|spawn_join|rendezvous|skynet <n>")
    workload, n = sys.argv[1], int(sys.argv[2])
    workloads[workload](min(n, 100))
    cost, answer = workloads[workload](n)
    print(f"gevent {workload} {n} {cost:.1f} {answer}")


main()
