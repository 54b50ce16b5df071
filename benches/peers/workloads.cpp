// The workloads of the comparison as Boost.Fiber fibers, on one thread.
//
// Usage: workloads <workload> <n>, with the workloads yield, spawn_join, rendezvous, skynet.
// Prints: boost.fiber <workload> <n> <nanoseconds per operation> <answer>
//
// Configuration: the default round-robin scheduler; spawning takes stacks from a pool
// (pooled_fixedsize_stack), the library's fastest allocator, which has no guard pages.

#include <boost/fiber/all.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace fibers = boost::fibers;
using Clock = std::chrono::steady_clock;

struct Result {
    double cost;
    long answer;
};

static const long switches = 2'000'000;

static double per_operation(Clock::duration elapsed, long operations) {
    return std::chrono::duration<double, std::nano>(elapsed).count() / operations;
}

static void check(long answer, long want) {
    if (answer == want) return;
    std::fprintf(stderr, "the answer is %ld and should be %ld\n", answer, want);
    std::exit(1);
}

template <typename F> static fibers::fiber spawn(F body) {
    static fibers::pooled_fixedsize_stack stacks(64 * 1024);
    return fibers::fiber(fibers::launch::post, std::allocator_arg, stacks, std::move(body));
}

// Region: from the start of the last fiber to the end of the last.
static Result yield_round(long tasks) {
    const long rounds = std::max(switches / tasks, 5L);
    long started = 0, finished = 0, answer = 0;
    Clock::time_point begin, end;
    std::vector<fibers::fiber> crowd;
    for (long id = 0; id < tasks; ++id) {
        crowd.push_back(spawn([&, id] {
            if (++started == tasks) begin = Clock::now();
            long sum = 0;
            for (long round = 0; round < rounds; ++round) {
                boost::this_fiber::yield();
                sum += id + round;
            }
            answer += sum;
            if (++finished == tasks) end = Clock::now();
        }));
    }
    for (auto& fiber : crowd) fiber.join();
    check(answer, rounds * (tasks * (tasks - 1) / 2) + tasks * (rounds * (rounds - 1) / 2));
    return {per_operation(end - begin, tasks * rounds), answer};
}

// Region: the whole loop. The result is written through a reference.
static Result spawn_join(long tasks) {
    const auto begin = Clock::now();
    long answer = 0;
    for (long id = 0; id < tasks; ++id) spawn([&answer, id] { answer += id; }).join();
    const auto elapsed = Clock::now() - begin;
    check(answer, tasks * (tasks - 1) / 2);
    return {per_operation(elapsed, tasks), answer};
}

// Region: from the first message to the last, over two unbuffered channels.
static Result rendezvous(long messages) {
    fibers::unbuffered_channel<long> ping, pong;
    auto partner = spawn([&] {
        for (long ball : ping) pong.push(ball + 1);
    });
    boost::this_fiber::yield();
    const auto begin = Clock::now();
    long ball = 0;
    for (long i = 0; i < messages / 2; ++i) {
        ping.push(ball + 1);
        pong.pop(ball);
    }
    const auto elapsed = Clock::now() - begin;
    ping.close();
    partner.join();
    check(ball, messages);
    return {per_operation(elapsed, messages), ball};
}

static long node(long first, long leaves) {
    if (leaves == 1) return first;
    const long share = leaves / 10;
    long sums[10];
    std::vector<fibers::fiber> children;
    for (long child = 0; child < 10; ++child) {
        children.push_back(spawn([&sums, first, share, child] {
            sums[child] = node(first + child * share, share);
        }));
    }
    long sum = 0;
    for (long child = 0; child < 10; ++child) {
        children[child].join();
        sum += sums[child];
    }
    return sum;
}

// Region: the whole tree. Every inner node spawns all its children, then joins them.
static Result skynet(long leaves) {
    const auto begin = Clock::now();
    const long answer = node(0, leaves);
    const auto elapsed = Clock::now() - begin;
    check(answer, leaves * (leaves - 1) / 2);
    long tasks = 0;
    for (long n = leaves; n > 0; n /= 10) tasks += n;
    return {per_operation(elapsed, tasks), answer};
}

int main(int count, char** words) {
    const struct { const char* name; Result (*run)(long); } workloads[] = {
        {"yield", yield_round},
        {"spawn_join", spawn_join},
        {"rendezvous", rendezvous},
        {"skynet", skynet},
    };
    const long n = count == 3 ? std::atol(words[2]) : 0;
    for (const auto& workload : workloads) {
        if (n < 1 || std::strcmp(workload.name, words[1]) != 0) continue;
        // A small run to fill the pool of stacks, then the measured run.
        workload.run(std::min(n, 1000L));
        const Result result = workload.run(n);
        std::printf("boost.fiber %s %ld %.1f %ld\n", words[1], n, result.cost, result.answer);
        return 0;
    }
    std::fprintf(stderr, "usage: workloads yield|spawn_join|rendezvous|skynet <n>\n");
    return 2;
}
