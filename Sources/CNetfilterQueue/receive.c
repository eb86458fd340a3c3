/// Receiving: many messages by one system call, then a walk that copies nothing.

#define _GNU_SOURCE
#include "internal.h"

#include <arpa/inet.h>
#include <string.h>

void cnfq_start_walk(cnfq_queue *queue, int received) {
  queue->received = received;
  queue->cursor = 0;
  queue->left = 0;
  queue->next = NULL;
}

cnfq_status cnfq_receive(cnfq_queue *queue, int wait, int *error_number) {
  *error_number = 0;
  cnfq_settle_pending(queue);
  if (queue->stashed > 0) {
    cnfq_start_walk(queue, queue->stashed);
    queue->stashed = 0;
    return CNFQ_OK;
  }
  cnfq_start_walk(queue, 0);
  queue->counters.receive_calls++;
  const int flags = wait ? MSG_WAITFORONE : MSG_DONTWAIT;
  const int count = recvmmsg(queue->descriptor, queue->messages, CNFQ_BATCH, flags, NULL);
  if (count >= 0) {
    cnfq_start_walk(queue, count);
    return CNFQ_OK;
  }
  switch (errno) {
    case EAGAIN:
    case EINTR: return CNFQ_IDLE;
    case ENOBUFS:
      queue->counters.overruns++;
      return CNFQ_OVERRUN;
    default:
      *error_number = errno;
      return CNFQ_SYSTEM_ERROR;
  }
}

static uint32_t number(const struct nlattr *attribute) { return ntohl(mnl_attr_get_u32(attribute)); }

/// Reads one attribute of at least the length its type needs; shorter and unknown ones are skipped.
static void read_attribute(const struct nlattr *attribute, cnfq_packet *packet, bool *has_header) {
  const uint16_t length = mnl_attr_get_payload_len(attribute);
  const void *payload = mnl_attr_get_payload(attribute);
  const uint16_t type = mnl_attr_get_type(attribute);

  if (type == NFQA_PAYLOAD) {
    packet->payload = payload;
    packet->captured_length = length;
    return;
  }
  if (length < sizeof(uint32_t)) return;
  switch (type) {
    case NFQA_PACKET_HDR: {
      struct nfqnl_msg_packet_hdr header;
      if (length < sizeof header) return;
      memcpy(&header, payload, sizeof header);
      packet->id = ntohl(header.packet_id);
      packet->hw_protocol = ntohs(header.hw_protocol);
      packet->hook = header.hook;
      *has_header = true;
      return;
    }
    case NFQA_MARK:
      packet->mark = number(attribute);
      packet->present |= CNFQ_HAS_MARK;
      return;
    case NFQA_IFINDEX_INDEV: packet->indev = number(attribute); return;
    case NFQA_IFINDEX_OUTDEV: packet->outdev = number(attribute); return;
    case NFQA_IFINDEX_PHYSINDEV: packet->physindev = number(attribute); return;
    case NFQA_IFINDEX_PHYSOUTDEV: packet->physoutdev = number(attribute); return;
    case NFQA_CAP_LEN: packet->original_length = number(attribute); return;
    case NFQA_UID:
      packet->uid = number(attribute);
      packet->present |= CNFQ_HAS_UID;
      return;
    case NFQA_GID:
      packet->gid = number(attribute);
      packet->present |= CNFQ_HAS_GID;
      return;
    case NFQA_SKB_INFO: {
      const uint32_t info = number(attribute);
      packet->checksum_not_ready = (info & NFQA_SKB_CSUMNOTREADY) != 0;
      packet->gso = (info & NFQA_SKB_GSO) != 0;
      return;
    }
    case NFQA_HWADDR: {
      struct nfqnl_msg_packet_hw address;
      if (length < sizeof address) return;
      memcpy(&address, payload, sizeof address);
      const uint16_t size = ntohs(address.hw_addrlen);
      packet->hardware_address_length = size > sizeof address.hw_addr ? sizeof address.hw_addr : (uint8_t)size;
      memcpy(packet->hardware_address, address.hw_addr, sizeof packet->hardware_address);
      packet->present |= CNFQ_HAS_HARDWARE_ADDRESS;
      return;
    }
    default: return;
  }
}

/// Reads one queue message: false when it has no packet header, without which no verdict can name it.
static bool read_packet(const struct nlmsghdr *message, cnfq_packet *packet) {
  memset(packet, 0, sizeof *packet);
  bool has_header = false;
  const struct nlattr *attribute;
  mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg)) read_attribute(attribute, packet, &has_header);
  if (packet->original_length < packet->captured_length) packet->original_length = packet->captured_length;
  return has_header;
}

/// Counts the ids between the last packet and this one.
static void note_id(cnfq_queue *queue, uint32_t id) {
  const uint32_t missing = id - queue->expected_id;
  if (missing != 0 && missing < 0x80000000u) queue->counters.missing_ids += missing;
  queue->expected_id = id + 1;
}

static void read_answer(cnfq_queue *queue, const struct nlmsghdr *message) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(int)) {
    queue->counters.malformed++;
    return;
  }
  const struct nlmsgerr *answer = mnl_nlmsg_get_payload(message);
  // A wake-up's answer has done its work by arriving.
  if (answer->error == 0 || message->nlmsg_seq != CNFQ_SEQUENCE_NONE) return;
  queue->counters.verdict_errors++;
  queue->counters.last_verdict_error = -answer->error;
}

/// The next message of the receive, or NULL.
static const struct nlmsghdr *next_message(cnfq_queue *queue) {
  for (;;) {
    // The kernel does not pad the length of queue messages, so the remaining length may go below zero: signed.
    if (queue->next != NULL && mnl_nlmsg_ok(queue->next, queue->left)) {
      const struct nlmsghdr *message = queue->next;
      queue->next = mnl_nlmsg_next(message, &queue->left);
      return message;
    }
    if (queue->cursor >= queue->received) return NULL;
    const struct mmsghdr *slot = &queue->messages[queue->cursor];
    if (slot->msg_hdr.msg_flags & MSG_TRUNC) {
      queue->counters.malformed++;
      queue->next = NULL;
    } else {
      queue->next = queue->vectors[queue->cursor].iov_base;
      queue->left = (int)slot->msg_len;
    }
    queue->cursor++;
  }
}

int cnfq_next(cnfq_queue *queue, cnfq_packet *packet) {
  const struct nlmsghdr *message;
  while ((message = next_message(queue)) != NULL) {
    if (message->nlmsg_type == NLMSG_ERROR) {
      read_answer(queue, message);
      continue;
    }
    if (message->nlmsg_type != ((NFNL_SUBSYS_QUEUE << 8) | NFQNL_MSG_PACKET)
        || mnl_nlmsg_get_payload_len(message) < sizeof(struct nfgenmsg) || !read_packet(message, packet)) {
      queue->counters.malformed++;
      continue;
    }
    note_id(queue, packet->id);
    queue->counters.received++;
    if (packet->captured_length < packet->original_length) queue->counters.cut++;
    cnfq_note_pending(queue, packet->id, packet->mark);
    return 1;
  }
  return 0;
}
