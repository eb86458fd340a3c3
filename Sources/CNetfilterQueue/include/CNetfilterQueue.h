/// The door to NFQUEUE: plain types and an opaque handle over libnetfilter_queue and libmnl.
///
/// Only <stddef.h> and <stdint.h> are included here. Kernel headers in a module's public header collide with the C
/// library's own module as Swift imports it ('in_addr' has different definitions in different modules).
///
/// A handle belongs to one thread at a time. Only `cnfq_wake` may be called from any thread.
/// Numbers are in host byte order unless said otherwise.
#ifndef CNETFILTERQUEUE_H
#define CNETFILTERQUEUE_H

#include <stddef.h>
#include <stdint.h>

/// Messages read by one system call. More gains nothing: a flood yields about eight at a time.
#define CNFQ_BATCH 64

/// The largest copy range; the kernel's own limit is 4 bytes less (an attribute header).
#define CNFQ_MAX_COPY_RANGE 0xffff

/// An open netlink socket with its buffers, and the queue bound to it.
typedef struct cnfq_queue cnfq_queue;

/// How a call ended.
typedef enum cnfq_status {
  CNFQ_OK = 0,
  /// Nothing arrived within the idle time, or a signal interrupted the wait.
  CNFQ_IDLE = 1,
  /// ENOBUFS: the receive buffer overran and packets were lost. Counted; the socket goes on working.
  CNFQ_OVERRUN = 2,
  /// No more room for held packets.
  CNFQ_HOLD_FULL = 3,
  /// The queue number belongs to another socket.
  CNFQ_QUEUE_TAKEN = 4,
  /// CAP_NET_ADMIN is missing in the user namespace that owns this network namespace.
  CNFQ_NO_PRIVILEGE = 5,
  /// The kernel has no nfnetlink_queue, or lacks a flag that was asked for.
  CNFQ_NO_KERNEL_SUPPORT = 6,
  /// The kernel did not answer a configuration command in time.
  CNFQ_NO_ANSWER = 7,
  /// Another failure; the error number says which.
  CNFQ_SYSTEM_ERROR = 8,
} cnfq_status;

/// What the kernel does with a packet (linux/netfilter.h, NF_DROP and NF_ACCEPT).
typedef enum cnfq_verdict {
  CNFQ_DROP = 0,
  CNFQ_ACCEPT = 1,
} cnfq_verdict;

/// How to open and bind.
typedef struct cnfq_options {
  /// The queue number of the rules.
  uint16_t queue;
  /// Packets the kernel keeps before it drops (NFQA_CFG_QUEUE_MAXLEN); 0 leaves the kernel's 1024.
  uint32_t length;
  /// Bytes copied of each packet, at most CNFQ_MAX_COPY_RANGE; 0 means that maximum.
  uint32_t copy_range;
  /// Receive buffer in bytes; 0 derives it from `length`.
  uint32_t receive_buffer;
  /// Packets that may be held at one time.
  uint32_t held_capacity;
  /// How long a blocking receive waits, in milliseconds; at least 1.
  uint32_t idle_milliseconds;
  /// Accept instead of drop when the queue or the socket is full (NFQA_CFG_F_FAIL_OPEN).
  uint8_t fail_open;
  /// Take segmentation-offloaded packets whole (NFQA_CFG_F_GSO).
  uint8_t gso;
  /// Report the owner of local sockets (NFQA_CFG_F_UID_GID).
  uint8_t uid_gid;
} cnfq_options;

/// Which optional fields of a packet the kernel sent.
enum {
  CNFQ_HAS_UID = 1 << 0,
  CNFQ_HAS_GID = 1 << 1,
  CNFQ_HAS_MARK = 1 << 2,
  CNFQ_HAS_HARDWARE_ADDRESS = 1 << 3,
};

/// One queued packet. The payload lives in the handle's buffer until the next receive.
typedef struct cnfq_packet {
  /// NFQA_PAYLOAD.
  const uint8_t *payload;
  /// Bytes at `payload`.
  uint32_t captured_length;
  /// The packet's own length: NFQA_CAP_LEN when the copy range cut it, else `captured_length`.
  uint32_t original_length;
  /// The number that names the packet in a verdict.
  uint32_t id;
  /// NFQA_MARK; 0 when absent.
  uint32_t mark;
  /// Interface indexes; 0 when absent. The physical ones are bridge ports.
  uint32_t indev, outdev, physindev, physoutdev;
  /// NFQA_UID and NFQA_GID, where CNFQ_HAS_UID and CNFQ_HAS_GID are set.
  uint32_t uid, gid;
  /// CNFQ_HAS_... bits.
  uint32_t present;
  /// EtherType.
  uint16_t hw_protocol;
  /// enum nf_inet_hooks.
  uint8_t hook;
  /// NFQA_SKB_CSUMNOTREADY: checksums are still to be computed.
  uint8_t checksum_not_ready;
  /// NFQA_SKB_GSO: larger than the device's MTU, to be segmented later.
  uint8_t gso;
  /// Bytes valid in `hardware_address`.
  uint8_t hardware_address_length;
  /// The sender's link-layer address (NFQA_HWADDR).
  uint8_t hardware_address[8];
} cnfq_packet;

/// Counts since the handle was opened.
typedef struct cnfq_counters {
  /// Packets handed out.
  uint64_t received;
  /// Verdicts that reached the kernel.
  uint64_t verdicts;
  /// System calls.
  uint64_t receive_calls, send_calls;
  /// ENOBUFS seen. One overrun may lose many packets: `missing_ids` says how many.
  uint64_t overruns;
  /// Packet ids that never arrived: the kernel consumed the id, then dropped the packet or let it pass unseen.
  uint64_t missing_ids;
  /// Packets of which only a part was copied.
  uint64_t cut;
  /// Sends that failed for good; their verdicts stay buffered and go with the next flush.
  uint64_t send_errors;
  /// Verdicts the kernel refused, with the last error number.
  uint64_t verdict_errors;
  int32_t last_verdict_error;
  /// Messages that were no readable queue message.
  uint64_t malformed;
  /// Packets that found no room to be held.
  uint64_t hold_overflows;
  /// Packets that arrived while the queue was being unbound: the kernel had dropped them already.
  uint64_t abandoned;
} cnfq_counters;

/// Opens a netlink socket and its buffers. On failure `*queue` is NULL and `*error_number` is the errno.
cnfq_status cnfq_open(const cnfq_options *options, cnfq_queue **queue, int *error_number);

/// Binds the queue and configures it; packets may arrive from here on. Each command is acknowledged by the kernel.
cnfq_status cnfq_bind(cnfq_queue *queue, int *error_number);

/// Gives the queue back. The kernel drops what had no verdict: drain first.
cnfq_status cnfq_unbind(cnfq_queue *queue, int *error_number);

/// Closes the socket and frees everything. The kernel unbinds a queue that is still bound.
void cnfq_close(cnfq_queue *queue);

/// A duplicate of the socket, only for `cnfq_wake`; -1 on failure. The caller closes it.
int cnfq_wake_descriptor(const cnfq_queue *queue);

/// Ends the wait of a receive in progress, or of the next one. From any thread.
void cnfq_wake(int wake_descriptor);

/// Closes a wake descriptor.
void cnfq_wake_close(int wake_descriptor);

/// Reads up to CNFQ_BATCH messages. With `wait` at most the idle time for the first one, else not at all.
/// Packets of the receive before that are neither answered nor held become held, or are dropped without room.
cnfq_status cnfq_receive(cnfq_queue *queue, int wait, int *error_number);

/// The next packet of the last receive: 1, or 0 when there is none left.
int cnfq_next(cnfq_queue *queue, cnfq_packet *packet);

/// Queues one verdict. `mark`, when not NULL, replaces the packet's whole mark; NULL leaves it as it is.
/// The verdict of a held packet releases it.
cnfq_status cnfq_give_verdict(
  cnfq_queue *queue, uint32_t id, cnfq_verdict verdict, const uint32_t *mark, int *error_number);

/// Leaves a packet of the last receive without verdict until `cnfq_give_verdict` names it. CNFQ_HOLD_FULL leaves
/// it unanswered.
cnfq_status cnfq_hold(cnfq_queue *queue, uint32_t id);

/// The number of held packets.
uint32_t cnfq_held_count(const cnfq_queue *queue);

/// The mark with which a held packet arrived: 1, or 0 when the id is not held.
int cnfq_held_mark(const cnfq_queue *queue, uint32_t id, uint32_t *mark);

/// Sends all queued verdicts in one system call.
cnfq_status cnfq_flush(cnfq_queue *queue, int *error_number);

/// The counts so far.
void cnfq_read_counters(const cnfq_queue *queue, cnfq_counters *counters);

/// Names the calling thread, for tools that list threads; cut to 15 bytes.
void cnfq_name_thread(const char *name);

#endif
