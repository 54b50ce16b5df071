"""The workloads of the comparison as bare greenlets, without a scheduler.

Usage: workloads_greenlet.py <workload> <n>, with the workloads yield, spawn_join, rendezvous, chain
and generator (Python's own).
Prints: greenlet <workload> <n> <nanoseconds per operation> <answer>

greenlet only switches. A yield is a switch to the next greenlet of the circle, so that this is the
floor under gevent, as raw corosensei is under fibra.
"""

import sys
from time import perf_counter_ns

from greenlet import getcurrent, greenlet

SWITCHES = 500_000


def yield_round(tasks):
    """Region: the switches around the circle, all greenlets having been started before."""
    rounds = max(SWITCHES // tasks, 5)
    crowd, answers, main = [], [], getcurrent()

    def body(id):
        follower = crowd[id + 1] if id + 1 < tasks else main
        main.switch()
        total = 0
        for turn in range(rounds):
            follower.switch()
            total += id + turn
        answers.append(total)
        follower.switch()

    crowd.extend(greenlet(body) for _ in range(tasks))
    for id, one in enumerate(crowd):
        one.switch(id)
    begin = perf_counter_ns()
    # main closes the circle: one switch more per round than there are greenlets.
    for _ in range(rounds + 1):
        crowd[0].switch()
    elapsed = perf_counter_ns() - begin
    answer = sum(answers)
    check(answer, rounds * (tasks * (tasks - 1) // 2) + tasks * (rounds * (rounds - 1) // 2))
    return elapsed / ((tasks + 1) * (rounds + 1)), answer


def spawn_join(tasks):
    """Region: the whole loop. A greenlet's result is what its first switch returns."""
    begin = perf_counter_ns()
    answer = 0
    for id in range(tasks):
        answer += greenlet(lambda: id).switch()
    elapsed = perf_counter_ns() - begin
    check(answer, tasks * (tasks - 1) // 2)
    return elapsed / tasks, answer


def rendezvous(messages):
    """Region: from the first message to the last. A switch carries the message."""
    main = getcurrent()

    def partner(ball):
        while True:
            ball = main.switch(ball + 1)

    other = greenlet(partner)
    begin = perf_counter_ns()
    ball = 0
    for _ in range(messages // 2):
        ball = other.switch(ball + 1)
    elapsed = perf_counter_ns() - begin
    check(ball, messages)
    return elapsed / messages, ball


def chain(links):
    """Region: all of it. A number goes through the chain from its youngest link to its oldest."""

    def link(follower):
        number = main.switch()
        follower.switch(number + 1)

    main = getcurrent()
    begin = perf_counter_ns()
    first, all_links = main, []
    for _ in range(links):
        one = greenlet(link)
        one.switch(first)
        all_links.append(one)
        first = one
    answer = first.switch(0)
    elapsed = perf_counter_ns() - begin
    check(answer, links)
    return elapsed / links, answer


def generator(numbers):
    """Region: from the first number to the last, through a generator of Python's own."""

    def count():
        number = 0
        while True:
            yield number
            number += 1

    begin = perf_counter_ns()
    source, answer = count(), 0
    for _ in range(numbers):
        answer += next(source)
    elapsed = perf_counter_ns() - begin
    check(answer, numbers * (numbers - 1) // 2)
    return elapsed / numbers, answer


def check(answer, want):
    if answer != want:
        sys.exit(f"the answer is {answer} and should be {want}")


def main():
    workloads = {
        "yield": yield_round,
        "spawn_join": spawn_join,
        "rendezvous": rendezvous,
        "chain": chain,
        "generator": generator,
    }
    if len(sys.argv) != 3 or sys.argv[1] not in workloads:
        sys.exit(f"usage: workloads_greenlet.py {'|'.join(workloads)} <n>")
    workload, n = sys.argv[1], int(sys.argv[2])
    workloads[workload](min(n, 100))
    cost, answer = workloads[workload](n)
    print(f"greenlet {workload} {n} {cost:.1f} {answer}")


main()
