/* The limit of the comparison of sockets: a bare epoll loop on one thread.
 *
 * Usage: echo_epoll echo|http. Prints the port on which it listens, then serves forever.
 *
 * Edge-triggered: each socket is registered once, and read until a read does not fill the buffer,
 * which means that the socket is empty. All connections share one buffer, because no data is kept
 * between two events; no thread, fiber or task can do that.
 *
 * `http` answers each "\r\n\r\n" with a fixed response. It implements nothing else of HTTP, and
 * assumes that a request is never split.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { BUFFER = 4096, EVENTS = 1024 };

static const char response[] =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: text/plain\r\n"
    "Content-Length: 13\r\n"
    "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
    "\r\n"
    "Hello, World!";

static char buffer[BUFFER];

static int check(int result, const char *what) {
    if (result < 0) {
        perror(what);
        exit(1);
    }
    return result;
}

/* Writes everything. Returns 0 when the other side has closed. Waits in place for a full socket,
 * which a load with one request at a time never causes. */
static int write_all(int fd, const char *from, size_t length) {
    while (0 < length) {
        ssize_t n = write(fd, from, length);
        if (0 <= n) {
            from += n;
            length -= (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd full = {.fd = fd, .events = POLLOUT};
            poll(&full, 1, -1);
        } else if (errno != EINTR) {
            return 0;
        }
    }
    return 1;
}

static int answer_echo(int fd, size_t length) { return write_all(fd, buffer, length); }

static int answer_http(int fd, size_t length) {
    const char *from = buffer, *end = buffer + length, *found;
    while ((found = memmem(from, (size_t)(end - from), "\r\n\r\n", 4))) {
        if (!write_all(fd, response, sizeof response - 1)) return 0;
        from = found + 4;
    }
    return 1;
}

/* Reads the available bytes and answers them. Returns 0 when the connection has ended. */
static int serve(int fd, int (*answer)(int, size_t)) {
    for (;;) {
        ssize_t n = read(fd, buffer, BUFFER);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return 1;
        if (n <= 0 || !answer(fd, (size_t)n)) return 0;
        if (n < BUFFER) return 1;
    }
}

static void accept_all(int listener, int queue) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && errno == EAGAIN) return;
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
        check(fd, "accept4");
        int yes = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = fd};
        check(epoll_ctl(queue, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
    }
}

int main(int count, char **words) {
    int is_http = count == 2 && strcmp(words[1], "http") == 0;
    if (count != 2 || (!is_http && strcmp(words[1], "echo") != 0)) {
        fprintf(stderr, "usage: echo_epoll echo|http\n");
        return 2;
    }
    int (*answer)(int, size_t) = is_http ? answer_http : answer_echo;

    int listener = check(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    check(bind(listener, (struct sockaddr *)&address, size), "bind");
    check(listen(listener, 1024), "listen");
    check(getsockname(listener, (struct sockaddr *)&address, &size), "getsockname");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);

    int queue = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    struct epoll_event first = {.events = EPOLLIN | EPOLLET, .data.fd = listener};
    check(epoll_ctl(queue, EPOLL_CTL_ADD, listener, &first), "epoll_ctl");

    static struct epoll_event events[EVENTS];
    for (;;) {
        int ready = epoll_wait(queue, events, EVENTS, -1);
        if (ready < 0 && errno == EINTR) continue;
        check(ready, "epoll_wait");
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                accept_all(listener, queue);
            else if (!serve(fd, answer))
                close(fd);
        }
    }
}
