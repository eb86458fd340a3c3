/// The door to flows that the kernel keeps to itself: what it has counted of them, when they end, and taking them back.
///
/// Plain types and an opaque handle only, for the reason given in CNetfilterQueue.h. A handle belongs to one thread.
#ifndef CCONNTRACKFLOWS_H
#define CCONNTRACKFLOWS_H

#include <stdint.h>

/// Two netlink sockets: one for commands, one that hears of the end of entries.
typedef struct ccf_door ccf_door;

/// Opens both sockets. Returns 0, or the errno and leaves `*door` NULL.
int ccf_open(ccf_door **door);

void ccf_close(ccf_door *door);

/// The descriptor that becomes readable when an entry has ended.
int ccf_event_descriptor(const ccf_door *door);

/// What an entry's counters say. Addresses are 4 or 16 bytes in network byte order, ports in host byte order.
typedef struct ccf_flow {
  uint8_t ipv6;
  uint8_t protocol;
  /// 1 for TCP that both sides have closed, or one has reset: the entry only waits to be forgotten.
  uint8_t closed;
  /// 1 when the entry has counters (net.netfilter.nf_conntrack_acct was 1 when it began).
  uint8_t counted;
  uint16_t source_port;
  uint16_t destination_port;
  /// Where the reply comes from: another port than `destination_port` after translation.
  uint16_t reply_source_port;
  uint8_t source[16];
  uint8_t destination[16];
  uint8_t reply_source[16];
  uint32_t mark;
  /// Of the original direction and of the reply; bytes are those of IP.
  uint64_t sent_packets, sent_bytes;
  uint64_t received_packets, received_bytes;
} ccf_flow;

/// The next entry that has ended and whose mark under `mask` was `mark`. Never waits.
/// Returns 1 with the entry, 0 when there is none, or a negative errno: -ENOBUFS when ends were lost.
int ccf_next_ended(ccf_door *door, uint32_t mark, uint32_t mask, ccf_flow *flow);

/// Begins a listing of the entries, of both families, whose mark under `mask` is `mark`. Returns 0 or an errno.
int ccf_begin_listing(ccf_door *door, uint32_t mark, uint32_t mask);

/// The next entry of the listing. Returns 1 with the entry, 0 at the end, or a negative errno: -EINTR at the end of a
/// listing during which the table changed so much that some may be missing.
int ccf_next_listed(ccf_door *door, ccf_flow *flow);

/// What was rewritten.
typedef struct ccf_rewriting {
  /// Entries whose mark was rewritten.
  uint32_t rewritten;
  /// Entries that went by themselves meanwhile.
  uint32_t vanished;
  /// 1 when the bound on rounds was reached: more may be left.
  uint8_t more;
} ccf_rewriting;

/// Rewrites the bits of `mask` from `from` to `to` in the marks of all entries, of both families; other bits are kept.
/// Returns 0 or an errno. What was rewritten before an error is counted all the same.
int ccf_rewrite_marks(ccf_door *door, uint32_t from, uint32_t to, uint32_t mask, ccf_rewriting *result);

#endif
