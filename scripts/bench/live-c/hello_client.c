// Opens TLS connections as far as an inspector sees them: connect, a ClientHello of 517 bytes, wait for one byte,
// close; 32 at a time, each with its own time from connect to that byte.
//
//   hello_client ADDRESS PORT SECONDS
//
// Prints rate and times in microseconds as one line of JSON. Written for this benchmark.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONCURRENT 32
#define HELLO 517
#define NAMES 64
#define PATIENCE 3.0
#define MAXIMUM_TIMES (1 << 22)

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static size_t put16(uint8_t *at, size_t offset, unsigned value) {
  at[offset] = (uint8_t)(value >> 8);
  at[offset + 1] = (uint8_t)value;
  return offset + 2;
}

static size_t put_numbers(uint8_t *at, size_t offset, const uint16_t *numbers, size_t count) {
  for (size_t index = 0; index < count; index++) offset = put16(at, offset, numbers[index]);
  return offset;
}

// A ClientHello in one record; a padding extension fills it to its size.
static void make_hello(uint8_t *hello, int number) {
  static const uint16_t ciphers[] = {0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8};
  static const uint16_t groups[] = {0x001d, 0x0017, 0x0018};
  static const uint16_t signatures[] = {0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501};
  char name[64];
  const size_t length = (size_t)snprintf(name, sizeof name, "www.bench%03d.com", number);
  memset(hello, 0, HELLO);
  size_t at = 0;
  hello[at++] = 22;
  at = put16(hello, at, 0x0301);
  at = put16(hello, at, HELLO - 5);
  hello[at++] = 1;
  hello[at++] = 0;
  at = put16(hello, at, HELLO - 9);
  at = put16(hello, at, 0x0303);
  for (int index = 0; index < 32; index++) hello[at++] = (uint8_t)(index * 37 + number);
  hello[at++] = 32;
  for (int index = 0; index < 32; index++) hello[at++] = (uint8_t)(index * 59 + number);
  at = put16(hello, at, sizeof ciphers);
  at = put_numbers(hello, at, ciphers, sizeof ciphers / 2);
  hello[at++] = 1;
  hello[at++] = 0;
  at = put16(hello, at, (unsigned)(HELLO - at - 2));
  // server_name
  at = put16(hello, at, 0);
  at = put16(hello, at, (unsigned)length + 5);
  at = put16(hello, at, (unsigned)length + 3);
  hello[at++] = 0;
  at = put16(hello, at, (unsigned)length);
  memcpy(hello + at, name, length);
  at += length;
  // supported_groups, signature_algorithms, supported_versions
  at = put16(hello, at, 10);
  at = put16(hello, at, sizeof groups + 2);
  at = put16(hello, at, sizeof groups);
  at = put_numbers(hello, at, groups, sizeof groups / 2);
  at = put16(hello, at, 13);
  at = put16(hello, at, sizeof signatures + 2);
  at = put16(hello, at, sizeof signatures);
  at = put_numbers(hello, at, signatures, sizeof signatures / 2);
  at = put16(hello, at, 43);
  at = put16(hello, at, 5);
  hello[at++] = 4;
  at = put16(hello, at, 0x0304);
  at = put16(hello, at, 0x0303);
  // padding
  at = put16(hello, at, 21);
  put16(hello, at, (unsigned)(HELLO - at - 2));
}

struct connection {
  int socket;
  bool greeted;
  double started;
};

static struct sockaddr_in server;
static int poller;
static unsigned long errors;

static void start(struct connection *connection) {
  connection->greeted = false;
  connection->started = now();
  connection->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int one = 1;
  if (connection->socket < 0) {
    errors++;
    return;
  }
  setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(connection->socket, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS) {
    errors++;
    close(connection->socket);
    connection->socket = -1;
    return;
  }
  struct epoll_event event = {.events = EPOLLOUT, .data.ptr = connection};
  epoll_ctl(poller, EPOLL_CTL_ADD, connection->socket, &event);
}

static void again(struct connection *connection, bool failed) {
  errors += failed;
  close(connection->socket);
  start(connection);
}

static int compare(const void *left, const void *right) {
  const float a = *(const float *)left, b = *(const float *)right;
  return (a > b) - (a < b);
}

int main(int count, char **arguments) {
  if (count != 4) {
    fputs("usage: hello_client ADDRESS PORT SECONDS\n", stderr);
    return 64;
  }
  server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[2]))};
  if (inet_pton(AF_INET, arguments[1], &server.sin_addr) != 1) return 64;
  const double seconds = atof(arguments[3]);
  static uint8_t hellos[NAMES][HELLO];
  for (int number = 0; number < NAMES; number++) make_hello(hellos[number], number);
  float *times = malloc(MAXIMUM_TIMES * sizeof *times);
  if (times == NULL) return 1;
  size_t done = 0;
  unsigned next = 0;
  poller = epoll_create1(0);
  static struct connection connections[CONCURRENT];
  const double begin = now();
  for (int index = 0; index < CONCURRENT; index++) start(&connections[index]);
  double time = begin;
  while (time < begin + seconds) {
    struct epoll_event events[CONCURRENT];
    const int ready = epoll_wait(poller, events, CONCURRENT, 100);
    for (int index = 0; index < ready; index++) {
      struct connection *connection = events[index].data.ptr;
      if (!connection->greeted) {
        if (send(connection->socket, hellos[next++ % NAMES], HELLO, MSG_NOSIGNAL) != HELLO) {
          again(connection, true);
          continue;
        }
        connection->greeted = true;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        epoll_ctl(poller, EPOLL_CTL_MOD, connection->socket, &event);
        continue;
      }
      char byte;
      const ssize_t length = recv(connection->socket, &byte, 1, 0);
      if (length < 0 && errno == EAGAIN) continue;
      if (length == 1 && done < MAXIMUM_TIMES) times[done++] = (float)((now() - connection->started) * 1e6);
      again(connection, length != 1);
    }
    time = now();
    for (int index = 0; index < CONCURRENT; index++) {
      if (connections[index].socket < 0) start(&connections[index]);
      else if (time - connections[index].started > PATIENCE) again(&connections[index], true);
    }
  }
  const double taken = now() - begin;
  qsort(times, done, sizeof *times, compare);
  const double p50 = done > 0 ? times[done / 2] : -1, p99 = done > 0 ? times[(size_t)((double)(done - 1) * 0.99)] : -1;
  printf("{\"rate\":%.1f,\"p50\":%.1f,\"p99\":%.1f,\"connections\":%zu,\"errors\":%lu}\n", (double)done / taken, p50, p99,
    done, errors);
  return 0;
}
