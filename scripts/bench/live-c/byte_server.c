// The other end: answers the first bytes of each connection with one byte and closes when the client does.
//
//   byte_server PORT
//
// Written for this benchmark.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int count, char **arguments) {
  if (count != 2) {
    fputs("usage: byte_server PORT\n", stderr);
    return 64;
  }
  const struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[1]))};
  const int one = 1;
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (const struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4096) < 0) {
    perror("byte_server");
    return 1;
  }
  const int poller = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    struct epoll_event events[128];
    const int ready = epoll_wait(poller, events, 128, -1);
    if (ready < 0 && errno != EINTR) return 1;
    for (int index = 0; index < ready; index++) {
      const int descriptor = events[index].data.fd;
      if (descriptor == listener) {
        int client;
        while ((client = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
          setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
          event = (struct epoll_event){.events = EPOLLIN, .data.fd = client};
          epoll_ctl(poller, EPOLL_CTL_ADD, client, &event);
        }
        continue;
      }
      char bytes[4096];
      const ssize_t length = recv(descriptor, bytes, sizeof bytes, 0);
      if (length < 0 && errno == EAGAIN) continue;
      if (length <= 0 || send(descriptor, "x", 1, MSG_NOSIGNAL) != 1) close(descriptor);
    }
  }
}
