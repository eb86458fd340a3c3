/// Verdicts: gathered, then sent together; and the packets that wait for theirs.

#define _GNU_SOURCE
#include "internal.h"

#include <arpa/inet.h>
#include <string.h>
#include <time.h>

/// A send of verdicts fails only for want of kernel memory: tried again each millisecond, a tenth of a second long.
#define SEND_ATTEMPTS 100

void cnfq_note_pending(cnfq_queue *queue, uint32_t id, uint32_t mark) {
  // The kernel puts one packet into a datagram, so that a receive never exceeds the table. Should it ever, the
  // excess still gets its verdicts; it only cannot be held.
  if (queue->pending_count == CNFQ_BATCH) return;
  queue->pending[queue->pending_count++] = (struct cnfq_pending){.id = id, .mark = mark};
}

/// The unanswered packet of the last receive with this id, or NULL. Usually it is the newest.
static struct cnfq_pending *find_pending(cnfq_queue *queue, uint32_t id) {
  for (uint32_t index = queue->pending_count; index > 0; index--) {
    struct cnfq_pending *packet = &queue->pending[index - 1];
    if (packet->id == id) return packet->answered ? NULL : packet;
  }
  return NULL;
}

/// Where `id` is in the held packets, or where it belongs.
static uint32_t held_place(const cnfq_queue *queue, uint32_t id) {
  uint32_t low = 0;
  uint32_t high = queue->held_count;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (cnfq_after(id, queue->held[middle].id)) low = middle + 1;
    else high = middle;
  }
  return low;
}

static bool is_held(const cnfq_queue *queue, uint32_t id, uint32_t place) {
  return place < queue->held_count && queue->held[place].id == id;
}

static cnfq_status insert_held(cnfq_queue *queue, uint32_t id, uint32_t mark) {
  if (queue->held_count >= queue->options.held_capacity) return CNFQ_HOLD_FULL;
  const uint32_t place = held_place(queue, id);
  if (is_held(queue, id, place)) return CNFQ_OK;
  memmove(&queue->held[place + 1], &queue->held[place], (queue->held_count - place) * sizeof *queue->held);
  queue->held[place] = (struct cnfq_held){.id = id, .mark = mark};
  queue->held_count++;
  return CNFQ_OK;
}

static void remove_held(cnfq_queue *queue, uint32_t id) {
  if (queue->held_count == 0) return;
  const uint32_t place = held_place(queue, id);
  if (!is_held(queue, id, place)) return;
  queue->held_count--;
  memmove(&queue->held[place], &queue->held[place + 1], (queue->held_count - place) * sizeof *queue->held);
}

/// Appends one message to the buffer, making room first.
static cnfq_status append(
  cnfq_queue *queue, int type, uint32_t id, cnfq_verdict verdict, const uint32_t *mark, int *error_number) {
  if (queue->out_length + CNFQ_VERDICT_SIZE > sizeof queue->out) {
    const cnfq_status status = cnfq_flush(queue, error_number);
    if (status != CNFQ_OK) return status;
  }
  struct nlmsghdr *message = nfq_nlmsg_put((char *)queue->out + queue->out_length, type, queue->options.queue);
  nfq_nlmsg_verdict_put(message, (int)id, (int)verdict);
  // The attribute replaces the whole mark, so that it is there only when asked for.
  if (mark != NULL) nfq_nlmsg_verdict_put_mark(message, *mark);
  queue->out_length += NLMSG_ALIGN(message->nlmsg_len);
  queue->out_packets++;
  return CNFQ_OK;
}

cnfq_status cnfq_give_verdict(
  cnfq_queue *queue, uint32_t id, cnfq_verdict verdict, const uint32_t *mark, int *error_number) {
  *error_number = 0;
  const cnfq_status status = append(queue, NFQNL_MSG_VERDICT, id, verdict, mark, error_number);
  if (status != CNFQ_OK) return status;
  struct cnfq_pending *packet = find_pending(queue, id);
  if (packet != NULL) packet->answered = true;
  else remove_held(queue, id);
  return CNFQ_OK;
}

cnfq_status cnfq_hold(cnfq_queue *queue, uint32_t id) {
  struct cnfq_pending *packet = find_pending(queue, id);
  if (packet == NULL) return CNFQ_OK;
  const cnfq_status status = insert_held(queue, id, packet->mark);
  if (status == CNFQ_OK) packet->answered = true;
  else queue->counters.hold_overflows++;
  return status;
}

void cnfq_settle_pending(cnfq_queue *queue) {
  for (uint32_t index = 0; index < queue->pending_count; index++) {
    const struct cnfq_pending packet = queue->pending[index];
    if (packet.answered || insert_held(queue, packet.id, packet.mark) == CNFQ_OK) continue;
    // A packet nobody remembers would sit in the kernel's queue for ever.
    queue->counters.hold_overflows++;
    int ignored = 0;
    (void)append(queue, NFQNL_MSG_VERDICT, packet.id, CNFQ_DROP, NULL, &ignored);
  }
  queue->pending_count = 0;
}

uint32_t cnfq_held_count(const cnfq_queue *queue) { return queue->held_count; }

int cnfq_held_mark(const cnfq_queue *queue, uint32_t id, uint32_t *mark) {
  const uint32_t place = held_place(queue, id);
  if (!is_held(queue, id, place)) return 0;
  *mark = queue->held[place].mark;
  return 1;
}

cnfq_status cnfq_flush(cnfq_queue *queue, int *error_number) {
  *error_number = 0;
  if (queue->out_length == 0) return CNFQ_OK;
  int reason = 0;
  for (int attempt = 0; attempt < SEND_ATTEMPTS;) {
    queue->counters.send_calls++;
    if (send(queue->descriptor, queue->out, queue->out_length, 0) >= 0) {
      queue->counters.verdicts += queue->out_packets;
      queue->out_length = 0;
      queue->out_packets = 0;
      return CNFQ_OK;
    }
    reason = errno;
    if (reason == EINTR) continue;
    if (reason != ENOBUFS && reason != EAGAIN && reason != ENOMEM) break;
    attempt++;
    const struct timespec millisecond = {.tv_nsec = 1000000};
    (void)nanosleep(&millisecond, NULL);
  }
  *error_number = reason;
  queue->counters.send_errors++;
  return CNFQ_SYSTEM_ERROR;
}
