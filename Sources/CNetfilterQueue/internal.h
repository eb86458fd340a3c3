/// What the files of the shim share.
#ifndef CNFQ_INTERNAL_H
#define CNFQ_INTERNAL_H

#include "CNetfilterQueue.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/uio.h>

/// Room for one message: a whole payload, and beside it far more than all other attributes take (about 200 bytes).
#define CNFQ_SLOT_SIZE (0x10000 + 2048)

/// The longest verdict message: netlink and netfilter headers (20), verdict (12), mark (8).
#define CNFQ_VERDICT_SIZE 40

/// Verdicts buffered for one send: those of a full receive, and as many again for released packets.
#define CNFQ_OUT_VERDICTS (2 * CNFQ_BATCH)

/// Sequence numbers: verdicts carry none, a wake-up always the same, commands count up from the next.
#define CNFQ_SEQUENCE_NONE 0
#define CNFQ_SEQUENCE_WAKE 1

/// A received packet that has no verdict yet.
struct cnfq_pending {
  uint32_t id;
  uint32_t mark;
  bool answered;
};

/// A packet held beyond its receive.
struct cnfq_held {
  uint32_t id;
  uint32_t mark;
};

struct cnfq_queue {
  cnfq_options options;
  struct mnl_socket *socket;
  int descriptor;
  uint32_t sequence;
  bool bound;

  /// The receive in progress: messages, how many, which one is next, and the walk inside it.
  uint8_t *slots;
  struct mmsghdr messages[CNFQ_BATCH];
  struct iovec vectors[CNFQ_BATCH];
  int received;
  int cursor;
  const struct nlmsghdr *next;
  int left;
  /// Messages read while waiting for the kernel's answer to a command, for the first receive.
  int stashed;

  struct cnfq_pending pending[CNFQ_BATCH];
  uint32_t pending_count;

  /// Held packets, ascending by id (serial arithmetic).
  struct cnfq_held *held;
  uint32_t held_count;

  /// The next id if nothing is lost. The kernel numbers the packets of a queue from 1.
  uint32_t expected_id;

  _Alignas(struct nlmsghdr) uint8_t out[CNFQ_OUT_VERDICTS * CNFQ_VERDICT_SIZE];
  size_t out_length;
  /// Packets answered by what is in `out`.
  uint32_t out_packets;

  cnfq_counters counters;
};

/// True when `left` comes after `right` in the kernel's wrapping packet numbers.
static inline bool cnfq_after(uint32_t left, uint32_t right) { return (int32_t)(left - right) > 0; }

/// The first packet of the next slots is yet to be walked.
void cnfq_start_walk(cnfq_queue *queue, int received);

/// Keeps what the last receive left unanswered.
void cnfq_settle_pending(cnfq_queue *queue);

/// Remembers a packet that was handed out.
void cnfq_note_pending(cnfq_queue *queue, uint32_t id, uint32_t mark);

#endif
