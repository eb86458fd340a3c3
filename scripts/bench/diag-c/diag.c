#include "DiagC.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int diag_open(void) { return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG); }

void diag_close(int diag) { close(diag); }

int diag_ask(
    int diag, int ipv6, const uint8_t *local, uint16_t local_port, const uint8_t *remote, uint16_t remote_port) {
  struct {
    struct nlmsghdr head;
    struct inet_diag_req_v2 body;
  } request;
  memset(&request, 0, sizeof request);
  request.head.nlmsg_len = sizeof request;
  request.head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.head.nlmsg_flags = NLM_F_REQUEST;
  request.body.sdiag_family = ipv6 ? AF_INET6 : AF_INET;
  request.body.sdiag_protocol = IPPROTO_TCP;
  request.body.idiag_states = ~0u;
  // For one connection the kernel takes the ends as it sees them itself: source is the local one.
  request.body.id.idiag_sport = htons(local_port);
  request.body.id.idiag_dport = htons(remote_port);
  memcpy(request.body.id.idiag_src, local, ipv6 ? 16 : 4);
  memcpy(request.body.id.idiag_dst, remote, ipv6 ? 16 : 4);
  request.body.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
  request.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  if (send(diag, &request, sizeof request, 0) != (ssize_t)sizeof request) return -1;
  char answer[4096];
  ssize_t count = recv(diag, answer, sizeof answer, 0);
  if (count < (ssize_t)sizeof(struct nlmsghdr)) return -1;
  struct nlmsghdr head;
  memcpy(&head, answer, sizeof head);
  if (head.nlmsg_type == SOCK_DIAG_BY_FAMILY) return 1;
  return head.nlmsg_type == NLMSG_ERROR ? 0 : -1;
}
