/// What the questions to sock_diag share: the netlink socket, sending, receiving, reading.

#ifndef SOCKET_DIAG_H
#define SOCKET_DIAG_H

#include "CSocketDiag.h"

#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <stdbool.h>
#include <stdint.h>

/// The kernel fills a dump's messages up to 32 KiB.
#define BUFFER_SIZE 32768

struct csd_socket {
  struct mnl_socket *socket;
  int descriptor;
  uint32_t port;
  uint32_t sequence;
  uint32_t wait_milliseconds;
  /// A dump was left before its end: the next question needs a fresh socket.
  bool dump_left;
  csd_counters counters;
  _Alignas(struct nlmsghdr) uint8_t buffer[BUFFER_SIZE];
};

int64_t diag_milliseconds_now(void);

/// Counts how a question ended; gives that back.
csd_status diag_count(csd_socket *diagnosis, csd_status status);

/// An address as questions and answers have it.
void diag_put_address(uint32_t target[4], bool is_ipv4, uint64_t high, uint64_t low);

/// A question without its addresses.
struct inet_diag_req_v2 *diag_put_request(
  csd_socket *diagnosis, uint8_t *buffer, uint8_t family, uint8_t protocol, uint16_t flags);

csd_status diag_send_request(csd_socket *diagnosis, const uint8_t *buffer, int *error_number);

/// One datagram into the buffer: its length, or 0 with a status.
int diag_receive(csd_socket *diagnosis, int64_t deadline, csd_status *status, int *error_number);

/// True for a message that answers the last question; others are counted.
bool diag_is_ours(csd_socket *diagnosis, const struct nlmsghdr *message);

/// How a question ended that the kernel answered with an error.
csd_status diag_refusal(const struct nlmsghdr *message, int *error_number);

/// Reads a socket out of a message; NULL when it is none.
const struct inet_diag_msg *diag_read_socket(const struct nlmsghdr *message, csd_answer *answer);

/// Makes the netlink socket ready for a question.
bool diag_prepare(csd_socket *diagnosis, int *error_number);

#endif
