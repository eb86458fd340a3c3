// The yardstick: what the kernel's interface can do. Receives packets from one NFQUEUE and accepts every one of them,
// unread. Up to 64 packets a receive, all their verdicts in one send, buffers and copy range as the daemon has them.
//
//   accept_loop QUEUE
//
// SIGTERM ends it; it then prints its counts as one line of JSON. Written for this benchmark.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 64
#define COPY_RANGE 0xffff
#define SLOT (COPY_RANGE + 4096)
#define QUEUE_LENGTH 8192
#define RECEIVE_BUFFER (64 << 20)

static volatile sig_atomic_t stopping;

static void stop(int number) {
  (void)number;
  stopping = 1;
}

static void fail(const char *what, int number) {
  fprintf(stderr, "accept_loop: %s: %s\n", what, strerror(number));
  exit(1);
}

// A message under construction, and where its next attribute goes.
struct request {
  uint8_t bytes[256];
  size_t length;
};

static void begin(struct request *request, uint16_t type, uint16_t queue, uint16_t flags) {
  memset(request, 0, sizeof *request);
  struct nlmsghdr *header = (struct nlmsghdr *)request->bytes;
  header->nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | type;
  header->nlmsg_flags = NLM_F_REQUEST | flags;
  struct nfgenmsg *family = NLMSG_DATA(header);
  family->nfgen_family = AF_UNSPEC;
  family->version = NFNETLINK_V0;
  family->res_id = htons(queue);
  request->length = NLMSG_SPACE(sizeof *family);
}

static void attribute(struct request *request, uint16_t type, const void *value, size_t size) {
  struct nlattr *header = (struct nlattr *)(request->bytes + request->length);
  header->nla_type = type;
  header->nla_len = (uint16_t)(NLA_HDRLEN + size);
  memcpy((uint8_t *)header + NLA_HDRLEN, value, size);
  request->length += NLA_ALIGN(header->nla_len);
}

static void configure(int netlink, struct request *request, const char *what) {
  struct nlmsghdr *header = (struct nlmsghdr *)request->bytes;
  header->nlmsg_len = (uint32_t)request->length;
  if (send(netlink, request->bytes, request->length, 0) < 0) fail(what, errno);
  // No packet can come before the answers: the last setting is the one that starts the flow.
  uint8_t answer[8192];
  const ssize_t length = recv(netlink, answer, sizeof answer, 0);
  if (length < (ssize_t)NLMSG_SPACE(sizeof(struct nlmsgerr))) fail(what, length < 0 ? errno : EPROTO);
  const struct nlmsghdr *reply = (const struct nlmsghdr *)answer;
  if (reply->nlmsg_type != NLMSG_ERROR) fail(what, EPROTO);
  const struct nlmsgerr *error = NLMSG_DATA(reply);
  if (error->error != 0) fail(what, -error->error);
}

static int open_queue(uint16_t queue) {
  const int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  if (netlink < 0) fail("socket", errno);
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  if (bind(netlink, (struct sockaddr *)&kernel, sizeof kernel) < 0) fail("bind", errno);
  if (connect(netlink, (struct sockaddr *)&kernel, sizeof kernel) < 0) fail("connect", errno);
  const int size = RECEIVE_BUFFER, one = 1;
  if (setsockopt(netlink, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0) fail("SO_RCVBUFFORCE", errno);
  if (setsockopt(netlink, SOL_NETLINK, NETLINK_NO_ENOBUFS, &one, sizeof one) < 0) fail("NETLINK_NO_ENOBUFS", errno);

  struct request request;
  const struct nfqnl_msg_config_cmd command = {.command = NFQNL_CFG_CMD_BIND, .pf = htons(AF_UNSPEC)};
  begin(&request, NFQNL_MSG_CONFIG, queue, NLM_F_ACK);
  attribute(&request, NFQA_CFG_CMD, &command, sizeof command);
  configure(netlink, &request, "binding the queue");

  const uint32_t length = htonl(QUEUE_LENGTH), flags = htonl(NFQA_CFG_F_GSO), mask = htonl(NFQA_CFG_F_GSO);
  const struct nfqnl_msg_config_params params = {.copy_range = htonl(COPY_RANGE), .copy_mode = NFQNL_COPY_PACKET};
  begin(&request, NFQNL_MSG_CONFIG, queue, NLM_F_ACK);
  attribute(&request, NFQA_CFG_FLAGS, &flags, sizeof flags);
  attribute(&request, NFQA_CFG_MASK, &mask, sizeof mask);
  attribute(&request, NFQA_CFG_QUEUE_MAXLEN, &length, sizeof length);
  attribute(&request, NFQA_CFG_PARAMS, &params, sizeof params);
  configure(netlink, &request, "configuring the queue");
  return netlink;
}

// What one verdict is on the wire: prepared once, only the id changes.
struct verdict {
  struct nlmsghdr header;
  struct nfgenmsg family;
  struct nlattr attribute;
  struct nfqnl_msg_verdict_hdr body;
};

// The packet's id in the network's byte order, as the verdict wants it back.
static bool packet_id(const struct nlmsghdr *message, uint32_t *id) {
  const uint8_t *cursor = (const uint8_t *)NLMSG_DATA(message) + NLMSG_ALIGN(sizeof(struct nfgenmsg));
  const uint8_t *end = (const uint8_t *)message + message->nlmsg_len;
  while (cursor + NLA_HDRLEN <= end) {
    const struct nlattr *entry = (const struct nlattr *)cursor;
    if (entry->nla_len < NLA_HDRLEN || cursor + entry->nla_len > end) return false;
    if ((entry->nla_type & NLA_TYPE_MASK) == NFQA_PACKET_HDR
        && entry->nla_len >= NLA_HDRLEN + sizeof(struct nfqnl_msg_packet_hdr)) {
      const struct nfqnl_msg_packet_hdr *header = (const struct nfqnl_msg_packet_hdr *)(cursor + NLA_HDRLEN);
      *id = header->packet_id;
      return true;
    }
    cursor += NLA_ALIGN(entry->nla_len);
  }
  return false;
}

int main(int count, char **arguments) {
  if (count != 2) {
    fputs("usage: accept_loop QUEUE\n", stderr);
    return 64;
  }
  const uint16_t queue = (uint16_t)atoi(arguments[1]);
  const struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);

  static struct mmsghdr messages[BATCH];
  static struct iovec vectors[BATCH];
  static struct verdict verdicts[BATCH];
  for (int index = 0; index < BATCH; index++) {
    vectors[index] = (struct iovec){.iov_base = malloc(SLOT), .iov_len = SLOT};
    if (vectors[index].iov_base == NULL) fail("malloc", ENOMEM);
    messages[index].msg_hdr = (struct msghdr){.msg_iov = &vectors[index], .msg_iovlen = 1};
    verdicts[index].header.nlmsg_len = sizeof(struct verdict);
    verdicts[index].header.nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_VERDICT;
    verdicts[index].header.nlmsg_flags = NLM_F_REQUEST;
    verdicts[index].family.res_id = htons(queue);
    verdicts[index].attribute.nla_len = NLA_HDRLEN + sizeof(struct nfqnl_msg_verdict_hdr);
    verdicts[index].attribute.nla_type = NFQA_VERDICT_HDR;
    verdicts[index].body.verdict = htonl(NF_ACCEPT);
  }
  const int netlink = open_queue(queue);
  unsigned long packets = 0, receive_calls = 0, send_calls = 0;
  while (!stopping) {
    receive_calls++;
    const int received = recvmmsg(netlink, messages, BATCH, MSG_WAITFORONE, NULL);
    if (received < 0) {
      if (errno == EINTR || errno == EAGAIN || errno == ENOBUFS) continue;
      fail("receiving", errno);
    }
    int answered = 0;
    for (int index = 0; index < received; index++) {
      // The kernel puts one packet into one datagram.
      const struct nlmsghdr *message = vectors[index].iov_base;
      if (messages[index].msg_len < NLMSG_SPACE(sizeof(struct nfgenmsg)) || message->nlmsg_len > messages[index].msg_len
          || message->nlmsg_type != (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET)) {
        continue;
      }
      if (packet_id(message, &verdicts[answered].body.id)) answered++;
    }
    if (answered == 0) continue;
    packets += (unsigned long)answered;
    send_calls++;
    if (send(netlink, verdicts, (size_t)answered * sizeof *verdicts, 0) < 0) fail("sending verdicts", errno);
  }
  printf("{\"packets\":%lu,\"receive_calls\":%lu,\"send_calls\":%lu}\n", packets, receive_calls, send_calls);
  return 0;
}
