/// Asking the kernel for a socket by its addresses and ports.

#define _GNU_SOURCE
#include "socket_diag.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/// Answers to other questions that are passed over in one wait, so that it ends whatever arrives.
#define MAXIMUM_STALE 64

static bool open_netlink(csd_socket *diagnosis) {
  diagnosis->socket = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
  if (diagnosis->socket == NULL) return false;
  if (mnl_socket_bind(diagnosis->socket, 0, MNL_SOCKET_AUTOPID) < 0) return false;
  diagnosis->descriptor = mnl_socket_get_fd(diagnosis->socket);
  diagnosis->port = mnl_socket_get_portid(diagnosis->socket);
  // Connected to the kernel, the socket takes messages from nobody else.
  const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  return connect(diagnosis->descriptor, (const struct sockaddr *)&kernel, sizeof kernel) == 0;
}

static void close_netlink(csd_socket *diagnosis) {
  if (diagnosis->socket != NULL) mnl_socket_close(diagnosis->socket);
  diagnosis->socket = NULL;
  diagnosis->descriptor = -1;
}

csd_status csd_open(uint32_t wait_milliseconds, csd_socket **diagnosis, int *error_number) {
  *diagnosis = NULL;
  *error_number = 0;
  csd_socket *fresh = calloc(1, sizeof *fresh);
  if (fresh == NULL) {
    *error_number = ENOMEM;
    return CSD_SYSTEM_ERROR;
  }
  fresh->descriptor = -1;
  fresh->wait_milliseconds = wait_milliseconds != 0 ? wait_milliseconds : 1;
  if (!open_netlink(fresh)) {
    *error_number = errno;
    csd_close(fresh);
    return *error_number == EPROTONOSUPPORT ? CSD_UNSUPPORTED : CSD_SYSTEM_ERROR;
  }
  *diagnosis = fresh;
  return CSD_FOUND;
}

void csd_close(csd_socket *diagnosis) {
  if (diagnosis == NULL) return;
  close_netlink(diagnosis);
  free(diagnosis);
}

void csd_read_counters(const csd_socket *diagnosis, csd_counters *counters) { *counters = diagnosis->counters; }

int64_t diag_milliseconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

csd_status diag_count(csd_socket *diagnosis, csd_status status) {
  switch (status) {
    case CSD_FOUND: diagnosis->counters.found++; break;
    case CSD_NOT_FOUND: diagnosis->counters.not_found++; break;
    case CSD_AMBIGUOUS: diagnosis->counters.ambiguous++; break;
    case CSD_NO_ANSWER: diagnosis->counters.unanswered++; break;
    default: diagnosis->counters.errors++; break;
  }
  return status;
}

void diag_put_address(uint32_t target[4], bool is_ipv4, uint64_t high, uint64_t low) {
  memset(target, 0, 4 * sizeof target[0]);
  if (is_ipv4) {
    target[0] = htonl((uint32_t)low);
    return;
  }
  const uint64_t halves[2] = {htobe64(high), htobe64(low)};
  memcpy(target, halves, sizeof halves);
}

/// A question without its addresses.
struct inet_diag_req_v2 *diag_put_request(
  csd_socket *diagnosis, uint8_t *buffer, uint8_t family, uint8_t protocol, uint16_t flags)
{
  struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
  message->nlmsg_type = SOCK_DIAG_BY_FAMILY;
  message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
  // Never 0, which no question carries.
  if (++diagnosis->sequence == 0) diagnosis->sequence = 1;
  message->nlmsg_seq = diagnosis->sequence;
  struct inet_diag_req_v2 *request = mnl_nlmsg_put_extra_header(message, sizeof *request);
  request->sdiag_family = family;
  request->sdiag_protocol = protocol;
  request->idiag_states = UINT32_MAX;
  request->id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
  request->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  return request;
}

csd_status diag_send_request(csd_socket *diagnosis, const uint8_t *buffer, int *error_number) {
  const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;
  while (send(diagnosis->descriptor, message, message->nlmsg_len, MSG_DONTWAIT) < 0) {
    if (errno == EINTR) continue;
    *error_number = errno;
    return CSD_SYSTEM_ERROR;
  }
  return CSD_FOUND;
}

/// One datagram into the buffer: its length, or 0 with a status. The kernel answers inside the system call that asks,
/// so that the first try finds the answer and the wait is for the exception.
int diag_receive(csd_socket *diagnosis, int64_t deadline, csd_status *status, int *error_number) {
  while (true) {
    const ssize_t length = recv(diagnosis->descriptor, diagnosis->buffer, sizeof diagnosis->buffer, MSG_DONTWAIT);
    if (length > 0) return (int)length;
    if (length < 0 && errno == EINTR) continue;
    if (length < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
      *error_number = errno;
      *status = CSD_SYSTEM_ERROR;
      return 0;
    }
    const int64_t left = deadline - diag_milliseconds_now();
    struct pollfd waiting = {.fd = diagnosis->descriptor, .events = POLLIN};
    if (left <= 0 || poll(&waiting, 1, (int)left) == 0) {
      *status = CSD_NO_ANSWER;
      return 0;
    }
  }
}

bool diag_is_ours(csd_socket *diagnosis, const struct nlmsghdr *message) {
  if (message->nlmsg_seq == diagnosis->sequence && message->nlmsg_pid == diagnosis->port) return true;
  diagnosis->counters.stale++;
  return false;
}

csd_status diag_refusal(const struct nlmsghdr *message, int *error_number) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(struct nlmsgerr)) {
    *error_number = EBADMSG;
    return CSD_SYSTEM_ERROR;
  }
  const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);
  switch (-error->error) {
    case 0: // an acknowledgement that nobody asked for
    case ENOENT: return CSD_NOT_FOUND;
    case EINVAL:
    case EOPNOTSUPP:
      *error_number = -error->error;
      return CSD_UNSUPPORTED;
    default:
      *error_number = -error->error;
      return CSD_SYSTEM_ERROR;
  }
}

/// Reads a socket out of a message; NULL when it is none.
const struct inet_diag_msg *diag_read_socket(const struct nlmsghdr *message, csd_answer *answer) {
  if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY) return NULL;
  if (mnl_nlmsg_get_payload_len(message) < sizeof(struct inet_diag_msg)) return NULL;
  const struct inet_diag_msg *socket = mnl_nlmsg_get_payload(message);
  *answer = (csd_answer){
    .inode = socket->idiag_inode,
    .uid = socket->idiag_uid,
    .state = socket->idiag_state,
    .connected = socket->id.idiag_dport != 0,
  };
  const struct nlattr *attribute;
  mnl_attr_for_each(attribute, message, sizeof *socket) {
    if (mnl_attr_get_type(attribute) != INET_DIAG_CGROUP_ID) continue;
    if (mnl_attr_get_payload_len(attribute) < sizeof answer->cgroup) continue;
    memcpy(&answer->cgroup, mnl_attr_get_payload(attribute), sizeof answer->cgroup);
    answer->has_cgroup = 1;
  }
  return socket;
}

/// Waits for the one answer to the last question.
static csd_status read_answer(
  csd_socket *diagnosis, uint16_t local_port, csd_answer *answer, int *error_number)
{
  const int64_t deadline = diag_milliseconds_now() + diagnosis->wait_milliseconds;
  for (int datagrams = 0; datagrams < MAXIMUM_STALE; datagrams++) {
    csd_status status = CSD_NO_ANSWER;
    int length = diag_receive(diagnosis, deadline, &status, error_number);
    if (length == 0) return status;
    const struct nlmsghdr *message = (const struct nlmsghdr *)diagnosis->buffer;
    for (; mnl_nlmsg_ok(message, length); message = mnl_nlmsg_next(message, &length)) {
      if (!diag_is_ours(diagnosis, message)) continue;
      if (message->nlmsg_type == NLMSG_ERROR) return diag_refusal(message, error_number);
      const struct inet_diag_msg *socket = diag_read_socket(message, answer);
      // An answer about another port would be the kernel's error or ours; neither may charge anybody.
      if (socket != NULL && ntohs(socket->id.idiag_sport) == local_port) return CSD_FOUND;
      *error_number = EBADMSG;
      return CSD_SYSTEM_ERROR;
    }
  }
  return CSD_NO_ANSWER;
}

bool diag_prepare(csd_socket *diagnosis, int *error_number) {
  *error_number = 0;
  if (diagnosis->socket != NULL && !diagnosis->dump_left) return true;
  close_netlink(diagnosis);
  diagnosis->dump_left = false;
  if (open_netlink(diagnosis)) return true;
  *error_number = errno;
  close_netlink(diagnosis);
  return false;
}

csd_status csd_lookup(
  csd_socket *diagnosis, const csd_endpoints *endpoints, csd_answer *answer, int *error_number)
{
  diagnosis->counters.lookups++;
  *answer = (csd_answer){0};
  if (!diag_prepare(diagnosis, error_number)) return diag_count(diagnosis, CSD_SYSTEM_ERROR);
  const bool tcp = endpoints->protocol == IPPROTO_TCP;
  if (!tcp && endpoints->protocol != IPPROTO_UDP) return diag_count(diagnosis, CSD_UNSUPPORTED);

  _Alignas(struct nlmsghdr) uint8_t buffer[256];
  struct inet_diag_req_v2 *request = diag_put_request(
    diagnosis, buffer, endpoints->is_ipv4 ? AF_INET : AF_INET6, endpoints->protocol, 0);
  struct inet_diag_sockid *id = &request->id;
  id->idiag_if = endpoints->interface;
  // In a question for one UDP socket the two ends are exchanged (net/ipv4/udp_diag.c, "for historical reasons");
  // in the answer, and for TCP, the source is the local end.
  diag_put_address(tcp ? id->idiag_src : id->idiag_dst, endpoints->is_ipv4, endpoints->local_high, endpoints->local_low);
  diag_put_address(tcp ? id->idiag_dst : id->idiag_src, endpoints->is_ipv4, endpoints->remote_high, endpoints->remote_low);
  id->idiag_sport = htons(tcp ? endpoints->local_port : endpoints->remote_port);
  id->idiag_dport = htons(tcp ? endpoints->remote_port : endpoints->local_port);

  csd_status status = diag_send_request(diagnosis, buffer, error_number);
  if (status == CSD_FOUND) status = read_answer(diagnosis, endpoints->local_port, answer, error_number);
  return diag_count(diagnosis, status);
}

csd_status csd_self_test(csd_socket *diagnosis, uint8_t protocol, csd_answer *answer, int *error_number) {
  *answer = (csd_answer){0};
  *error_number = 0;
  const bool tcp = protocol == IPPROTO_TCP;
  const int probe = socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
  if (probe < 0) {
    *error_number = errno;
    return CSD_SYSTEM_ERROR;
  }
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  csd_status status = CSD_SYSTEM_ERROR;
  if (bind(probe, (struct sockaddr *)&address, sizeof address) == 0 && (!tcp || listen(probe, 1) == 0)
      && getsockname(probe, (struct sockaddr *)&address, &length) == 0) {
    const csd_endpoints endpoints = {
      .local_low = INADDR_LOOPBACK, .remote_low = INADDR_LOOPBACK, .local_port = ntohs(address.sin_port),
      .remote_port = 9, .is_ipv4 = 1, .protocol = protocol,
    };
    status = csd_lookup(diagnosis, &endpoints, answer, error_number);
  } else {
    *error_number = errno;
  }
  close(probe);
  return status;
}
