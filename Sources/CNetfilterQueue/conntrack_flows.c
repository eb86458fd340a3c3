/// Flows that the kernel keeps to itself, over ctnetlink: their counters, their ends, and taking them back.

#define _GNU_SOURCE
#include "CConntrackFlows.h"
#include "conntrack_attributes.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

/// Entries collected before their marks are rewritten: bounds the memory (about 3 MiB, touched only as far as entries
/// reach) whatever the table's size.
#define ROUND_ENTRIES 16384u

/// Rounds of one rewriting. Marks that others set meanwhile must not hold us: 4 million entries are more than any
/// table has.
#define REWRITE_ROUNDS 256

/// The kernel answers inside the system call that asks; a listing comes in pieces.
#define ANSWER_SECONDS 5

/// Room for the ends of entries that come while a listing is read, in bytes of kernel memory. An end takes about 1 KiB.
#define EVENT_BUFFER (8 << 20)

/// Messages of one send: the kernel works through them at once, and other users of ctnetlink wait so long.
#define SEND_SIZE 65536u
#define RECEIVE_SIZE 32768u

/// A walk over the messages of one receive.
struct walk {
  _Alignas(struct nlmsghdr) uint8_t buffer[RECEIVE_SIZE];
  const struct nlmsghdr *next;
  int left;
};

struct ccf_door {
  struct mnl_socket *commands;
  struct mnl_socket *events;
  uint32_t sequence;
  bool interrupted;
  struct walk answer;
  struct walk event;
  struct ct_key *keys;
  _Alignas(struct nlmsghdr) uint8_t out[SEND_SIZE];
};

static struct mnl_socket *open_socket(unsigned groups, int *failure) {
  struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
  if (socket == NULL || mnl_socket_bind(socket, groups, MNL_SOCKET_AUTOPID) < 0) *failure = errno;
  return socket;
}

int ccf_open(ccf_door **door) {
  *door = NULL;
  struct ccf_door *fresh = calloc(1, sizeof *fresh);
  if (fresh == NULL) return ENOMEM;
  int failure = 0;
  fresh->keys = calloc(ROUND_ENTRIES, sizeof *fresh->keys);
  if (fresh->keys == NULL) failure = ENOMEM;
  if (failure == 0) fresh->commands = open_socket(0, &failure);
  if (failure == 0) fresh->events = open_socket(NF_NETLINK_CONNTRACK_DESTROY, &failure);
  if (failure == 0) {
    const struct timeval wait = {.tv_sec = ANSWER_SECONDS};
    if (setsockopt(mnl_socket_get_fd(fresh->commands), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) < 0) failure = errno;
    const int size = EVENT_BUFFER;
    const int events = mnl_socket_get_fd(fresh->events);
    // Past the system-wide limit where the privilege allows, up to it elsewhere.
    if (setsockopt(events, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0
        && setsockopt(events, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) < 0) failure = errno;
  }
  if (failure != 0) {
    ccf_close(fresh);
    return failure;
  }
  *door = fresh;
  return 0;
}

void ccf_close(ccf_door *door) {
  if (door == NULL) return;
  if (door->commands != NULL) mnl_socket_close(door->commands);
  if (door->events != NULL) mnl_socket_close(door->events);
  free(door->keys);
  free(door);
}

int ccf_event_descriptor(const ccf_door *door) { return mnl_socket_get_fd(door->events); }

static const struct nlmsghdr *next_message(struct walk *walk) {
  if (walk->next == NULL || !mnl_nlmsg_ok(walk->next, walk->left)) {
    walk->next = NULL;
    return NULL;
  }
  const struct nlmsghdr *message = walk->next;
  walk->next = mnl_nlmsg_next(message, &walk->left);
  return message;
}

/// Receives into a walk. 0 or an errno.
static int receive(struct mnl_socket *socket, struct walk *walk, int flags) {
  for (;;) {
    const ssize_t received = recv(mnl_socket_get_fd(socket), walk->buffer, sizeof walk->buffer, flags);
    if (received < 0 && errno == EINTR) continue;
    if (received < 0) return errno;
    walk->next = (const void *)walk->buffer;
    walk->left = (int)received;
    return 0;
  }
}

static bool copy_address(const struct nlattr *addresses, bool ipv6, uint16_t ipv4_type, uint16_t ipv6_type, uint8_t *to) {
  const struct nlattr *found = ct_inside(addresses, ipv6 ? ipv6_type : ipv4_type);
  const uint16_t length = ipv6 ? 16 : 4;
  if (found == NULL || mnl_attr_get_payload_len(found) != length) return false;
  memcpy(to, mnl_attr_get_payload(found), length);
  return true;
}

static uint16_t port(const struct nlattr *protocol, uint16_t type) {
  const struct nlattr *found = ct_inside(protocol, type);
  return found == NULL || mnl_attr_get_payload_len(found) < sizeof(uint16_t) ? 0 : ntohs(mnl_attr_get_u16(found));
}

static uint64_t number(const struct nlattr *counters, uint16_t type) {
  const struct nlattr *found = ct_inside(counters, type);
  return found == NULL || mnl_attr_get_payload_len(found) < sizeof(uint64_t) ? 0 : be64toh(mnl_attr_get_u64(found));
}

/// Reads an entry; false when it is not one that we could know.
static bool read_flow(const struct nlmsghdr *message, const struct nlattr *const *entry, ccf_flow *flow) {
  const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);
  memset(flow, 0, sizeof *flow);
  flow->ipv6 = header->nfgen_family == AF_INET6;
  const struct nlattr *original = ct_inside(entry[CTA_TUPLE_ORIG], CTA_TUPLE_IP);
  const struct nlattr *reply = ct_inside(entry[CTA_TUPLE_REPLY], CTA_TUPLE_IP);
  if (!copy_address(original, flow->ipv6, CTA_IP_V4_SRC, CTA_IP_V6_SRC, flow->source)
      || !copy_address(original, flow->ipv6, CTA_IP_V4_DST, CTA_IP_V6_DST, flow->destination)
      || !copy_address(reply, flow->ipv6, CTA_IP_V4_SRC, CTA_IP_V6_SRC, flow->reply_source)) return false;
  const struct nlattr *protocol = ct_inside(entry[CTA_TUPLE_ORIG], CTA_TUPLE_PROTO);
  const struct nlattr *which = ct_inside(protocol, CTA_PROTO_NUM);
  if (which == NULL || mnl_attr_get_payload_len(which) < 1) return false;
  flow->protocol = mnl_attr_get_u8(which);
  flow->source_port = port(protocol, CTA_PROTO_SRC_PORT);
  flow->destination_port = port(protocol, CTA_PROTO_DST_PORT);
  flow->reply_source_port = port(ct_inside(entry[CTA_TUPLE_REPLY], CTA_TUPLE_PROTO), CTA_PROTO_SRC_PORT);
  const struct nlattr *state = ct_inside(ct_inside(entry[CTA_PROTOINFO], CTA_PROTOINFO_TCP), CTA_PROTOINFO_TCP_STATE);
  if (state != NULL && mnl_attr_get_payload_len(state) >= 1) {
    flow->closed = mnl_attr_get_u8(state) == TCP_CONNTRACK_TIME_WAIT || mnl_attr_get_u8(state) == TCP_CONNTRACK_CLOSE;
  }
  const struct nlattr *sent = entry[CTA_COUNTERS_ORIG];
  const struct nlattr *received = entry[CTA_COUNTERS_REPLY];
  flow->counted = sent != NULL && received != NULL;
  flow->sent_packets = number(sent, CTA_COUNTERS_PACKETS);
  flow->sent_bytes = number(sent, CTA_COUNTERS_BYTES);
  flow->received_packets = number(received, CTA_COUNTERS_PACKETS);
  flow->received_bytes = number(received, CTA_COUNTERS_BYTES);
  return true;
}

static uint32_t mark_of(const struct nlattr *const *entry) {
  const struct nlattr *mark = entry[CTA_MARK];
  return mark == NULL || mnl_attr_get_payload_len(mark) < sizeof(uint32_t) ? 0 : ntohl(mnl_attr_get_u32(mark));
}

int ccf_next_ended(ccf_door *door, uint32_t mark, uint32_t mask, ccf_flow *flow) {
  for (;;) {
    const struct nlmsghdr *message = next_message(&door->event);
    if (message == NULL) {
      const int failure = receive(door->events, &door->event, MSG_DONTWAIT);
      if (failure == EAGAIN) return 0;
      if (failure != 0) return -failure;
      continue;
    }
    const struct nlattr *entry[CTA_MAX + 1] = {NULL};
    if (message->nlmsg_type != ((NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE) || !ct_attributes(message, entry)
        || (mark_of(entry) & mask) != mark || !read_flow(message, entry, flow)) continue;
    flow->mark = mark_of(entry);
    return 1;
  }
}

int ccf_begin_listing(ccf_door *door, uint32_t mark, uint32_t mask) {
  _Alignas(struct nlmsghdr) uint8_t buffer[256];
  struct nlmsghdr *message = ct_begin(buffer, ++door->sequence, IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC);
  mnl_attr_put_u32(message, CTA_MARK, htonl(mark));
  mnl_attr_put_u32(message, CTA_MARK_MASK, htonl(mask));
  door->answer.next = NULL;
  door->interrupted = false;
  return mnl_socket_sendto(door->commands, message, message->nlmsg_len) < 0 ? errno : 0;
}

/// The next entry's attributes. 1, 0 at the end, or a negative errno.
static int next_entry(ccf_door *door, const struct nlmsghdr **message, const struct nlattr **entry) {
  for (;;) {
    *message = next_message(&door->answer);
    if (*message == NULL) {
      const int failure = receive(door->commands, &door->answer, 0);
      if (failure != 0) return failure == EAGAIN ? -ETIMEDOUT : -failure;
      continue;
    }
    // Another number: a late answer to a request that had timed out.
    if ((*message)->nlmsg_seq != door->sequence) continue;
    if ((*message)->nlmsg_flags & NLM_F_DUMP_INTR) door->interrupted = true;
    if ((*message)->nlmsg_type == NLMSG_DONE) return door->interrupted ? -EINTR : 0;
    if ((*message)->nlmsg_type == NLMSG_ERROR) {
      const struct nlmsgerr *answer = mnl_nlmsg_get_payload(*message);
      if (mnl_nlmsg_get_payload_len(*message) < sizeof answer->error || answer->error == 0) return -EBADMSG;
      return answer->error;
    }
    memset(entry, 0, (CTA_MAX + 1) * sizeof *entry);
    if (ct_attributes(*message, entry)) return 1;
  }
}

int ccf_next_listed(ccf_door *door, ccf_flow *flow) {
  for (;;) {
    const struct nlmsghdr *message;
    const struct nlattr *entry[CTA_MAX + 1];
    const int status = next_entry(door, &message, entry);
    if (status != 1) return status;
    if (!read_flow(message, entry, flow)) continue;
    flow->mark = mark_of(entry);
    return 1;
  }
}

/// Collects the names of entries that have `mark` under `mask`. `*full` when some found no room.
static int collect(ccf_door *door, uint32_t mark, uint32_t mask, uint32_t *count, bool *full) {
  *count = 0;
  *full = false;
  const int failure = ccf_begin_listing(door, mark, mask);
  if (failure != 0) return failure;
  for (;;) {
    const struct nlmsghdr *message;
    const struct nlattr *entry[CTA_MAX + 1];
    // A listing is read to its end all the same: another request would find the socket busy.
    const int status = next_entry(door, &message, entry);
    if (status <= 0) return -status;
    // A kernel that does not know the filter lists everything.
    if ((mark_of(entry) & mask) != mark) continue;
    if (*count == ROUND_ENTRIES) {
      *full = true;
    } else if (ct_remember(&door->keys[*count], entry)) {
      const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);
      door->keys[(*count)++].family = header->nfgen_family;
    }
  }
}

/// Reads the answers to a send, up to the acknowledgement of its last message.
static int read_answers(ccf_door *door, uint32_t sent, ccf_rewriting *result) {
  uint32_t refused = 0;
  int failure = 0;
  door->answer.next = NULL;
  for (;;) {
    const struct nlmsghdr *message = next_message(&door->answer);
    if (message == NULL) {
      const int trouble = receive(door->commands, &door->answer, 0);
      if (trouble != 0) return trouble == EAGAIN ? ETIMEDOUT : trouble;
      continue;
    }
    const uint32_t age = door->sequence - message->nlmsg_seq;
    if (age >= sent || message->nlmsg_type != NLMSG_ERROR) continue;
    const struct nlmsgerr *answer = mnl_nlmsg_get_payload(message);
    if (mnl_nlmsg_get_payload_len(message) < sizeof answer->error) return EBADMSG;
    if (answer->error == -ENOENT) result->vanished++;
    else if (answer->error != 0) failure = -answer->error;
    refused += answer->error != 0;
    if (age > 0) continue;
    result->rewritten += sent - refused;
    return failure;
  }
}

/// Rewrites the marks of the collected entries: many messages a send, one acknowledgement.
static int rewrite(ccf_door *door, uint32_t count, uint32_t to, uint32_t mask, ccf_rewriting *result) {
  uint32_t index = 0;
  while (index < count) {
    size_t length = 0;
    uint32_t sent = 0;
    struct nlmsghdr *message = NULL;
    for (; index < count && length + CT_KEY_SIZE + 64 <= sizeof door->out; index++, sent++) {
      const struct ct_key *key = &door->keys[index];
      message = ct_begin(door->out + length, ++door->sequence, IPCTNL_MSG_CT_NEW, 0, key->family);
      ct_put_key(message, key);
      mnl_attr_put_u32(message, CTA_MARK, htonl(to));
      mnl_attr_put_u32(message, CTA_MARK_MASK, htonl(mask));
      length += MNL_ALIGN(message->nlmsg_len);
    }
    message->nlmsg_flags |= NLM_F_ACK;
    if (mnl_socket_sendto(door->commands, door->out, length) < 0) return errno;
    const int failure = read_answers(door, sent, result);
    if (failure != 0) return failure;
  }
  return 0;
}

int ccf_rewrite_marks(ccf_door *door, uint32_t from, uint32_t to, uint32_t mask, ccf_rewriting *result) {
  memset(result, 0, sizeof *result);
  for (int round = 0; round < REWRITE_ROUNDS; round++) {
    uint32_t count;
    bool full;
    const int failure = collect(door, from, mask, &count, &full);
    if (failure != 0 && failure != EINTR) return failure;
    const int refusal = rewrite(door, count, to, mask, result);
    if (refusal != 0) return refusal;
    // Nothing new after an interrupted listing either: what it missed, the next one finds.
    if (!full && failure == 0) return 0;
  }
  result->more = 1;
  return 0;
}
