/// Deleting conntrack entries by address, over ctnetlink: a dump that collects names of entries, then a deletion of each.

#define _GNU_SOURCE
#include "CConntrack.h"
#include "conntrack_attributes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

/// Entries collected before they are deleted: bounds the memory (about 1 MiB) whatever the table's size.
#define ROUND_ENTRIES 4096u

/// Dumps that the kernel interrupted because the table changed under them are begun again, so often.
#define DUMP_ATTEMPTS 5

/// The kernel answers inside the system call that asks; a dump comes in pieces.
#define ANSWER_SECONDS 5

/// A bound on one call: a table that others refill faster than it is emptied must not hold us.
#define CALL_SECONDS 10

/// Bits of CTA_FILTER_ORIG_FLAGS and CTA_FILTER_REPLY_FLAGS. The kernel has them in a private header
/// (net/netfilter/nf_internals.h: CTA_FILTER_F_CTA_IP_SRC and _DST), but they are what user space must send.
enum { FILTER_SOURCE = 1 << 0, FILTER_DESTINATION = 1 << 1 };

/// Where in an entry the address is looked for.
struct place {
  uint16_t tuple;
  uint16_t ipv4, ipv6;
  uint16_t flags_attribute;
  uint32_t flags;
};

static const struct place places[] = {
  {CTA_TUPLE_ORIG, CTA_IP_V4_SRC, CTA_IP_V6_SRC, CTA_FILTER_ORIG_FLAGS, FILTER_SOURCE},
  {CTA_TUPLE_REPLY, CTA_IP_V4_SRC, CTA_IP_V6_SRC, CTA_FILTER_REPLY_FLAGS, FILTER_SOURCE},
  {CTA_TUPLE_REPLY, CTA_IP_V4_DST, CTA_IP_V6_DST, CTA_FILTER_REPLY_FLAGS, FILTER_DESTINATION},
};
enum { PLACES = sizeof places / sizeof places[0] };

struct cct_table {
  struct mnl_socket *socket;
  uint32_t sequence;
  struct ct_key *keys;
};

/// A dump in progress.
struct search {
  struct cct_table *table;
  const uint8_t *address;
  bool ipv6;
  /// The place looked at; NULL for all of them.
  const struct place *place;
  uint32_t limit;
  uint32_t count;
  /// True when an entry found no room.
  bool full;
  bool interrupted;
};

int cct_open(cct_table **table) {
  *table = NULL;
  struct cct_table *fresh = calloc(1, sizeof *fresh);
  if (fresh == NULL) return ENOMEM;
  int failure = 0;
  // Pages are touched only as far as entries reach.
  fresh->keys = calloc(ROUND_ENTRIES, sizeof *fresh->keys);
  fresh->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
  if (fresh->keys == NULL) failure = ENOMEM;
  else if (fresh->socket == NULL || mnl_socket_bind(fresh->socket, 0, MNL_SOCKET_AUTOPID) < 0) failure = errno;
  if (failure == 0) {
    const struct timeval wait = {.tv_sec = ANSWER_SECONDS};
    if (setsockopt(mnl_socket_get_fd(fresh->socket), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) < 0) failure = errno;
  }
  if (failure != 0) {
    cct_close(fresh);
    return failure;
  }
  *table = fresh;
  return 0;
}

void cct_close(cct_table *table) {
  if (table == NULL) return;
  if (table->socket != NULL) mnl_socket_close(table->socket);
  free(table->keys);
  free(table);
}

static struct nlmsghdr *begin(void *buffer, struct cct_table *table, uint16_t type, uint16_t flags, bool ipv6) {
  return ct_begin(buffer, ++table->sequence, type, flags, ipv6 ? AF_INET6 : AF_INET);
}

static bool holds(const struct nlattr *const *entry, const struct place *place, const struct search *search) {
  const struct nlattr *tuple = entry[place->tuple];
  const struct nlattr *addresses = tuple == NULL ? NULL : ct_inside(tuple, CTA_TUPLE_IP);
  if (addresses == NULL) return false;
  const struct nlattr *found = ct_inside(addresses, search->ipv6 ? place->ipv6 : place->ipv4);
  const uint16_t length = search->ipv6 ? 16 : 4;
  return found != NULL && mnl_attr_get_payload_len(found) == length
    && memcmp(mnl_attr_get_payload(found), search->address, length) == 0;
}

static void note_entry(struct search *search, const struct nlmsghdr *message) {
  if (message->nlmsg_flags & NLM_F_DUMP_INTR) search->interrupted = true;
  const struct nlattr *entry[CTA_MAX + 1] = {NULL};
  if (!ct_attributes(message, entry)) return;
  // Looked at again even when the kernel filtered: one that does not know the filter ignores it.
  bool matches = false;
  for (size_t index = 0; index < PLACES && !matches; index++) {
    if (search->place == NULL || search->place == &places[index]) matches = holds(entry, &places[index], search);
  }
  if (!matches || entry[CTA_TUPLE_ORIG] == NULL) return;
  if (search->count == search->limit) search->full = true;
  else if (ct_remember(&search->table->keys[search->count], entry)) search->count++;
}

static void put_filter(struct nlmsghdr *message, const struct search *search) {
  const struct place *place = search->place;
  struct nlattr *tuple = mnl_attr_nest_start(message, place->tuple);
  struct nlattr *addresses = mnl_attr_nest_start(message, CTA_TUPLE_IP);
  mnl_attr_put(message, search->ipv6 ? place->ipv6 : place->ipv4, search->ipv6 ? 16 : 4, search->address);
  mnl_attr_nest_end(message, addresses);
  mnl_attr_nest_end(message, tuple);
  struct nlattr *filter = mnl_attr_nest_start(message, CTA_FILTER);
  mnl_attr_put_u32(message, place->flags_attribute, place->flags);
  mnl_attr_nest_end(message, filter);
}

/// Reads the answer to the latest request, to a dump's end or to an acknowledgement. 0 or an errno.
/// A dump that the kernel interrupted (`search->interrupted`) is read to its end all the same: another request on the
/// socket would find it busy.
static int read_answer(struct cct_table *table, struct search *search) {
  _Alignas(struct nlmsghdr) uint8_t buffer[32768];
  for (;;) {
    const ssize_t received = mnl_socket_recvfrom(table->socket, buffer, sizeof buffer);
    if (received < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN ? ETIMEDOUT : errno;
    }
    int length = (int)received;
    for (const struct nlmsghdr *message = (const void *)buffer; mnl_nlmsg_ok(message, length);
         message = mnl_nlmsg_next(message, &length)) {
      // Another number: a late answer to a request that had timed out.
      if (message->nlmsg_seq != table->sequence) continue;
      if (message->nlmsg_type == NLMSG_DONE) return 0;
      if (message->nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *answer = mnl_nlmsg_get_payload(message);
        return mnl_nlmsg_get_payload_len(message) < sizeof answer->error ? EBADMSG : -answer->error;
      }
      if (search != NULL) note_entry(search, message);
    }
  }
}

/// One dump. EINTR when the table changed under it.
static int dump(struct search *search) {
  _Alignas(struct nlmsghdr) uint8_t buffer[512];
  struct nlmsghdr *message = begin(buffer, search->table, IPCTNL_MSG_CT_GET, NLM_F_DUMP, search->ipv6);
  if (search->place != NULL) put_filter(message, search);
  search->count = 0;
  search->full = false;
  search->interrupted = false;
  if (mnl_socket_sendto(search->table->socket, message, message->nlmsg_len) < 0) return errno;
  const int failure = read_answer(search->table, search);
  return failure == 0 && search->interrupted ? EINTR : failure;
}

static int delete_keys(const struct search *search, cct_deletion *result) {
  for (uint32_t index = 0; index < search->count; index++) {
    const struct ct_key *key = &search->table->keys[index];
    _Alignas(struct nlmsghdr) uint8_t buffer[CT_KEY_SIZE + 64];
    struct nlmsghdr *message = begin(buffer, search->table, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, search->ipv6);
    ct_put_key(message, key);
    if (mnl_socket_sendto(search->table->socket, message, message->nlmsg_len) < 0) return errno;
    const int failure = read_answer(search->table, NULL);
    if (failure == 0) result->deleted++;
    else if (failure == ENOENT) result->vanished++;
    else return failure;
  }
  return 0;
}

static int64_t seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec;
}

/// Dumps and deletes until a dump finds nothing more, `limit` is reached or the time is over.
static int empty(struct search *search, uint32_t limit, int64_t deadline, cct_deletion *result) {
  int attempts = 0;
  for (;;) {
    const uint32_t left = limit - result->deleted;
    search->limit = left < ROUND_ENTRIES ? left : ROUND_ENTRIES;
    const int failure = dump(search);
    const bool again = failure == EINTR && ++attempts < DUMP_ATTEMPTS;
    // What an interrupted dump found is as good as any; it may only have missed some.
    if (failure != 0 && failure != EINTR) return failure;
    const bool incomplete = search->full || again;
    const int refusal = delete_keys(search, result);
    if (refusal != 0) return refusal;
    if (!incomplete && failure == 0) return 0;
    if (!incomplete || result->deleted >= limit || seconds_now() > deadline) {
      result->more = 1;
      return 0;
    }
  }
}

int cct_delete_address(cct_table *table, int ipv6, const uint8_t *address, uint32_t limit, cct_deletion *result) {
  memset(result, 0, sizeof *result);
  const int64_t deadline = seconds_now() + CALL_SECONDS;
  struct search search = {.table = table, .address = address, .ipv6 = ipv6 != 0};
  // For IPv6 the kernel's filter cannot be relied on: its comparison is inverted (seen on 6.18), so that it leaves out
  // just what was asked for. There the whole family is read.
  for (size_t index = 0; index < PLACES && !search.ipv6; index++) {
    search.place = &places[index];
    const int failure = empty(&search, limit, deadline, result);
    // A kernel that has another idea of the filter.
    if (failure == EINVAL || failure == EOPNOTSUPP) break;
    if (failure != 0) return failure;
    if (index == PLACES - 1) {
      result->filtered = 1;
      return 0;
    }
  }
  search.place = NULL;
  const int failure = empty(&search, limit, deadline, result);
  // nfnetlink answers EINVAL when the subsystem is neither there nor loadable.
  return failure == EINVAL ? EOPNOTSUPP : failure;
}
