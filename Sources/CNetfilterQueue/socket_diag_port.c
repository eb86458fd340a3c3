/// Asking the kernel for the UDP sockets of a port, where no socket has both of a packet's ends.

#define _GNU_SOURCE
#include "socket_diag.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/// Sockets on one port that are looked at. One process can put thousands there (SO_REUSEPORT); past this nobody can
/// say which of them sent the datagram.
#define MAXIMUM_SOCKETS 1024

/// What a walk over the sockets of a port has found so far.
struct port_search {
  csd_answer first;
  int sockets;
  bool several;
};

/// True for an IPv6 socket that takes no IPv4 (IPV6_V6ONLY); the kernel says it of unconnected ones.
static bool is_ipv6_only(const struct nlmsghdr *message) {
  const struct nlattr *attribute;
  mnl_attr_for_each(attribute, message, sizeof(struct inet_diag_msg)) {
    if (mnl_attr_get_type(attribute) == INET_DIAG_SKV6ONLY && mnl_attr_get_payload_len(attribute) >= 1) {
      return mnl_attr_get_u8(attribute) != 0;
    }
  }
  return false;
}

/// True for a socket that is bound to no address or to the packet's. One on the same port of another address is
/// somebody else's, who must not be charged.
static bool has_local_address(const struct inet_diag_msg *socket, const csd_endpoints *endpoints) {
  static const uint32_t any[4] = {0};
  if (memcmp(socket->id.idiag_src, any, sizeof any) == 0) return true;
  uint32_t wanted[4];
  diag_put_address(wanted, endpoints->is_ipv4, endpoints->local_high, endpoints->local_low);
  if (endpoints->is_ipv4 && socket->idiag_family == AF_INET6) {
    wanted[3] = wanted[0]; // v4-mapped
    wanted[2] = htonl(0xffff);
    wanted[0] = 0;
  }
  return memcmp(socket->id.idiag_src, wanted, sizeof wanted) == 0;
}

static void note_socket(
  struct port_search *search, const struct nlmsghdr *message, const struct inet_diag_msg *socket,
  const csd_answer *answer, const csd_endpoints *endpoints)
{
  if (endpoints->is_ipv4 && is_ipv6_only(message)) return;
  if (!has_local_address(socket, endpoints)) return;
  if (socket->id.idiag_if != 0 && endpoints->interface != 0 && socket->id.idiag_if != endpoints->interface) return;
  if (search->sockets == 0) search->first = *answer;
  else if (answer->has_cgroup != search->first.has_cgroup || answer->cgroup != search->first.cgroup) {
    search->several = true;
  }
  search->sockets++;
}

/// Walks over the UDP sockets of a family on the local port.
static csd_status search_family(
  csd_socket *diagnosis, uint8_t family, const csd_endpoints *endpoints, int64_t deadline,
  struct port_search *search, int *error_number)
{
  // One comparison, source port equals, whose operand is the `no` field of the op after it: past the end is yes,
  // 4 beyond the end is no.
  const struct inet_diag_bc_op program[2] = {
    {.code = INET_DIAG_BC_S_EQ, .yes = sizeof program, .no = sizeof program + 4},
    {.no = endpoints->local_port},
  };
  _Alignas(struct nlmsghdr) uint8_t buffer[256];
  (void)diag_put_request(diagnosis, buffer, family, IPPROTO_UDP, NLM_F_DUMP);
  mnl_attr_put((struct nlmsghdr *)buffer, INET_DIAG_REQ_BYTECODE, sizeof program, program);
  csd_status status = diag_send_request(diagnosis, buffer, error_number);
  if (status != CSD_FOUND) return status;

  diagnosis->dump_left = true; // until its end was read
  while (true) {
    int length = diag_receive(diagnosis, deadline, &status, error_number);
    if (length == 0) return status;
    const struct nlmsghdr *message = (const struct nlmsghdr *)diagnosis->buffer;
    for (; mnl_nlmsg_ok(message, length); message = mnl_nlmsg_next(message, &length)) {
      if (!diag_is_ours(diagnosis, message)) continue;
      if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR) diagnosis->dump_left = false;
      if (message->nlmsg_type == NLMSG_DONE) return CSD_FOUND;
      if (message->nlmsg_type == NLMSG_ERROR) return diag_refusal(message, error_number);
      csd_answer answer;
      const struct inet_diag_msg *socket = diag_read_socket(message, &answer);
      if (socket == NULL || ntohs(socket->id.idiag_sport) != endpoints->local_port) continue;
      note_socket(search, message, socket, &answer, endpoints);
      if (search->several || search->sockets >= MAXIMUM_SOCKETS) return CSD_AMBIGUOUS;
    }
    if (diag_milliseconds_now() >= deadline) return CSD_NO_ANSWER;
  }
}

csd_status csd_lookup_port(
  csd_socket *diagnosis, const csd_endpoints *endpoints, csd_answer *answer, int *error_number)
{
  diagnosis->counters.port_lookups++;
  *answer = (csd_answer){0};
  if (!diag_prepare(diagnosis, error_number)) return diag_count(diagnosis, CSD_SYSTEM_ERROR);
  if (endpoints->protocol != IPPROTO_UDP) return diag_count(diagnosis, CSD_UNSUPPORTED);

  const int64_t deadline = diag_milliseconds_now() + diagnosis->wait_milliseconds;
  struct port_search search = {0};
  csd_status status = CSD_FOUND;
  // IPv4 leaves by IPv6 sockets too, unless they are IPv6 only; IPv6 never by IPv4 sockets.
  if (endpoints->is_ipv4) status = search_family(diagnosis, AF_INET, endpoints, deadline, &search, error_number);
  if (status == CSD_FOUND || status == CSD_NOT_FOUND) {
    status = search_family(diagnosis, AF_INET6, endpoints, deadline, &search, error_number);
  }
  // A kernel without IPv6 has no such family to ask.
  if (status == CSD_NOT_FOUND) status = CSD_FOUND;
  if (status == CSD_FOUND && search.sockets == 0) status = CSD_NOT_FOUND;
  if (status == CSD_FOUND) *answer = search.first;
  return diag_count(diagnosis, status);
}
