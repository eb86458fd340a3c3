/// Opening, binding, unbinding, closing.

#define _GNU_SOURCE
#include "internal.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <unistd.h>

/// Receive buffer for each packet of the queue's length. The kernel charges about 1.3 KiB for a small packet and
/// 70 KiB for a full offloaded one; 8 KiB fits a queue in which every tenth packet is a full one, so that under most
/// loads the queue's length is reached before the socket's buffer.
#define BUFFER_PER_PACKET 8192u

/// The buffer is a limit, not an allocation, but kernel memory all the same: never less than five times the usual
/// default (208 KiB), which overruns in bursts; never more than what a queue of 16384 asks for.
#define BUFFER_MINIMUM (1u << 20)
#define BUFFER_MAXIMUM (128u << 20)

/// The kernel's queue length when none is set (NFQNL_QMAX_DEFAULT).
#define DEFAULT_LENGTH 1024u

/// Idle waits before a command counts as unanswered. The kernel answers inside the system call that asks.
#define ANSWER_ATTEMPTS 20

static uint32_t wanted_buffer(const cnfq_options *options) {
  if (options->receive_buffer != 0) return options->receive_buffer;
  const uint64_t length = options->length != 0 ? options->length : DEFAULT_LENGTH;
  const uint64_t bytes = length * BUFFER_PER_PACKET;
  if (bytes < BUFFER_MINIMUM) return BUFFER_MINIMUM;
  return bytes > BUFFER_MAXIMUM ? BUFFER_MAXIMUM : (uint32_t)bytes;
}

/// Past the system-wide limit (net.core.rmem_max) where the privilege allows, up to it elsewhere.
static void set_receive_buffer(int descriptor, uint32_t bytes) {
  const int size = bytes > INT32_MAX ? INT32_MAX : (int)bytes;
  if (setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) == 0) return;
  (void)setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

static cnfq_status allocate(cnfq_queue *queue) {
  // Pages are touched only as far as packets reach, so small packets keep the resident size small.
  queue->slots = calloc(CNFQ_BATCH, CNFQ_SLOT_SIZE);
  const size_t places = queue->options.held_capacity != 0 ? queue->options.held_capacity : 1;
  queue->held = calloc(places, sizeof *queue->held);
  if (queue->slots == NULL || queue->held == NULL) {
    errno = ENOMEM;
    return CNFQ_SYSTEM_ERROR;
  }
  for (int index = 0; index < CNFQ_BATCH; index++) {
    queue->vectors[index].iov_base = queue->slots + (size_t)index * CNFQ_SLOT_SIZE;
    queue->vectors[index].iov_len = CNFQ_SLOT_SIZE;
    queue->messages[index].msg_hdr.msg_iov = &queue->vectors[index];
    queue->messages[index].msg_hdr.msg_iovlen = 1;
  }
  return CNFQ_OK;
}

static cnfq_status open_socket(cnfq_queue *queue) {
  queue->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
  if (queue->socket == NULL) {
    return errno == EPROTONOSUPPORT ? CNFQ_NO_KERNEL_SUPPORT : CNFQ_SYSTEM_ERROR;
  }
  queue->descriptor = mnl_socket_get_fd(queue->socket);
  if (mnl_socket_bind(queue->socket, 0, MNL_SOCKET_AUTOPID) < 0) return CNFQ_SYSTEM_ERROR;
  // Connected to the kernel, the socket takes messages from nobody else.
  const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  if (connect(queue->descriptor, (const struct sockaddr *)&kernel, sizeof kernel) < 0) return CNFQ_SYSTEM_ERROR;

  // NETLINK_NO_ENOBUFS stays off: an overrun must be seen to be counted.
  set_receive_buffer(queue->descriptor, wanted_buffer(&queue->options));
  const uint32_t idle = queue->options.idle_milliseconds != 0 ? queue->options.idle_milliseconds : 1;
  const struct timeval wait = {.tv_sec = idle / 1000, .tv_usec = (idle % 1000) * 1000};
  if (setsockopt(queue->descriptor, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) < 0) return CNFQ_SYSTEM_ERROR;
  return CNFQ_OK;
}

cnfq_status cnfq_open(const cnfq_options *options, cnfq_queue **queue, int *error_number) {
  *queue = NULL;
  cnfq_queue *fresh = calloc(1, sizeof *fresh);
  if (fresh == NULL) {
    *error_number = ENOMEM;
    return CNFQ_SYSTEM_ERROR;
  }
  fresh->options = *options;
  fresh->sequence = CNFQ_SEQUENCE_WAKE;
  fresh->descriptor = -1;
  cnfq_status status = allocate(fresh);
  if (status == CNFQ_OK) status = open_socket(fresh);
  if (status != CNFQ_OK) {
    *error_number = errno;
    cnfq_close(fresh);
    return status;
  }
  *queue = fresh;
  return CNFQ_OK;
}

void cnfq_close(cnfq_queue *queue) {
  if (queue == NULL) return;
  if (queue->socket != NULL) mnl_socket_close(queue->socket);
  free(queue->slots);
  free(queue->held);
  free(queue);
}

/// Looks for the answer with `sequence` in one datagram: true when found, with its error number (0 for success).
static bool find_answer(const void *datagram, int length, uint32_t sequence, int *error_number) {
  const struct nlmsghdr *message = datagram;
  while (mnl_nlmsg_ok(message, length)) {
    if (message->nlmsg_type == NLMSG_ERROR && message->nlmsg_seq == sequence
        && mnl_nlmsg_get_payload_len(message) >= sizeof(int)) {
      const struct nlmsgerr *answer = mnl_nlmsg_get_payload(message);
      *error_number = -answer->error;
      return true;
    }
    message = mnl_nlmsg_next(message, &length);
  }
  return false;
}

static bool holds_packet(const void *datagram, int length) {
  const struct nlmsghdr *message = datagram;
  return mnl_nlmsg_ok(message, length)
    && message->nlmsg_type == ((NFNL_SUBSYS_QUEUE << 8) | NFQNL_MSG_PACKET);
}

/// Reads until the kernel's answer comes. Packets that come before it wait in their slots for the first receive.
static cnfq_status await_answer(cnfq_queue *queue, uint32_t sequence, int *error_number) {
  int attempts = 0;
  while (attempts < ANSWER_ATTEMPTS) {
    const int slot = queue->stashed;
    const ssize_t length = recv(queue->descriptor, queue->vectors[slot].iov_base, CNFQ_SLOT_SIZE, 0);
    if (length < 0) {
      if (errno == EINTR) continue;
      if (errno == ENOBUFS) queue->counters.overruns++;
      else if (errno != EAGAIN && errno != EWOULDBLOCK) {
        *error_number = errno;
        return CNFQ_SYSTEM_ERROR;
      }
      attempts++;
      continue;
    }
    const void *datagram = queue->vectors[slot].iov_base;
    if (find_answer(datagram, (int)length, sequence, error_number)) return CNFQ_OK;
    if (!holds_packet(datagram, (int)length)) continue;
    if (!queue->bound) {
      // Unbinding: the kernel has dropped it.
      queue->counters.abandoned++;
      continue;
    }
    queue->messages[slot].msg_len = (unsigned int)length;
    queue->messages[slot].msg_hdr.msg_flags = 0;
    // The last slot stays free to read the answer into.
    if (queue->stashed < CNFQ_BATCH - 1) queue->stashed++;
    else queue->counters.malformed++;
  }
  *error_number = ETIMEDOUT;
  return CNFQ_NO_ANSWER;
}

/// Sends one command and reads its answer. `*error_number` is 0 when the kernel agreed.
static cnfq_status command(cnfq_queue *queue, struct nlmsghdr *message, int *error_number) {
  message->nlmsg_flags |= NLM_F_ACK;
  message->nlmsg_seq = ++queue->sequence;
  *error_number = 0;
  while (send(queue->descriptor, message, message->nlmsg_len, 0) < 0) {
    if (errno == EINTR) continue;
    *error_number = errno;
    return CNFQ_SYSTEM_ERROR;
  }
  return await_answer(queue, message->nlmsg_seq, error_number);
}

static cnfq_status simple_command(cnfq_queue *queue, uint8_t number, int *error_number) {
  _Alignas(struct nlmsghdr) uint8_t buffer[MNL_NLMSG_HDRLEN + 64];
  struct nlmsghdr *message = nfq_nlmsg_put((char *)buffer, NFQNL_MSG_CONFIG, queue->options.queue);
  nfq_nlmsg_cfg_put_cmd(message, AF_UNSPEC, number);
  return command(queue, message, error_number);
}

/// Asks something that changes nothing (PF_BIND has had no effect since kernel 3.8). Taking a queue answers EPERM
/// both for a missing privilege and for a queue that is another's; this tells them apart.
static cnfq_status probe(cnfq_queue *queue, int *error_number) {
  const cnfq_status status = simple_command(queue, NFQNL_CFG_CMD_PF_BIND, error_number);
  if (status != CNFQ_OK) return status;
  switch (*error_number) {
    case 0: return CNFQ_OK;
    case EPERM: return CNFQ_NO_PRIVILEGE;
    // nfnetlink answers EINVAL when the subsystem is neither there nor loadable.
    case EINVAL:
    case EOPNOTSUPP: return CNFQ_NO_KERNEL_SUPPORT;
    default: return CNFQ_SYSTEM_ERROR;
  }
}

/// Length and flags. All flags in one attribute pair: of two pairs in a message the kernel reads only the last.
static cnfq_status set_length_and_flags(cnfq_queue *queue, int *error_number) {
  uint32_t flags = 0;
  if (queue->options.fail_open) flags |= NFQA_CFG_F_FAIL_OPEN;
  if (queue->options.gso) flags |= NFQA_CFG_F_GSO;
  if (queue->options.uid_gid) flags |= NFQA_CFG_F_UID_GID;
  if (flags == 0 && queue->options.length == 0) return CNFQ_OK;

  _Alignas(struct nlmsghdr) uint8_t buffer[MNL_NLMSG_HDRLEN + 128];
  struct nlmsghdr *message = nfq_nlmsg_put((char *)buffer, NFQNL_MSG_CONFIG, queue->options.queue);
  if (queue->options.length != 0) nfq_nlmsg_cfg_put_qmaxlen(message, queue->options.length);
  if (flags != 0) {
    mnl_attr_put_u32(message, NFQA_CFG_FLAGS, htonl(flags));
    mnl_attr_put_u32(message, NFQA_CFG_MASK, htonl(flags));
  }
  const cnfq_status status = command(queue, message, error_number);
  if (status != CNFQ_OK || *error_number == 0) return status;
  return *error_number == EOPNOTSUPP ? CNFQ_NO_KERNEL_SUPPORT : CNFQ_SYSTEM_ERROR;
}

/// The copy mode comes last: it is what makes packets flow.
static cnfq_status set_copy_range(cnfq_queue *queue, int *error_number) {
  uint32_t range = queue->options.copy_range;
  if (range == 0 || range > CNFQ_MAX_COPY_RANGE) range = CNFQ_MAX_COPY_RANGE;
  _Alignas(struct nlmsghdr) uint8_t buffer[MNL_NLMSG_HDRLEN + 64];
  struct nlmsghdr *message = nfq_nlmsg_put((char *)buffer, NFQNL_MSG_CONFIG, queue->options.queue);
  nfq_nlmsg_cfg_put_params(message, NFQNL_COPY_PACKET, (int)range);
  const cnfq_status status = command(queue, message, error_number);
  return status == CNFQ_OK && *error_number != 0 ? CNFQ_SYSTEM_ERROR : status;
}

cnfq_status cnfq_bind(cnfq_queue *queue, int *error_number) {
  cnfq_status status = probe(queue, error_number);
  if (status != CNFQ_OK) return status;

  status = simple_command(queue, NFQNL_CFG_CMD_BIND, error_number);
  if (status != CNFQ_OK) return status;
  if (*error_number == EPERM || *error_number == EBUSY) return CNFQ_QUEUE_TAKEN;
  if (*error_number != 0) return CNFQ_SYSTEM_ERROR;

  queue->bound = true;
  queue->expected_id = 1;
  status = set_length_and_flags(queue, error_number);
  if (status == CNFQ_OK) status = set_copy_range(queue, error_number);
  if (status != CNFQ_OK) {
    const int reason = *error_number;
    (void)cnfq_unbind(queue, error_number);
    *error_number = reason;
  }
  return status;
}

cnfq_status cnfq_unbind(cnfq_queue *queue, int *error_number) {
  if (!queue->bound) return CNFQ_OK;
  queue->bound = false;
  queue->stashed = 0;
  queue->pending_count = 0;
  queue->held_count = 0;
  cnfq_start_walk(queue, 0);
  const cnfq_status status = simple_command(queue, NFQNL_CFG_CMD_UNBIND, error_number);
  return status == CNFQ_OK && *error_number != 0 ? CNFQ_SYSTEM_ERROR : status;
}

int cnfq_wake_descriptor(const cnfq_queue *queue) { return fcntl(queue->descriptor, F_DUPFD_CLOEXEC, 0); }

void cnfq_wake(int wake_descriptor) {
  // A command without effect whose answer lands in the receive buffer. This way the reader needs no second
  // descriptor to wait for, hence no poll before each receive. It cannot fail to wake: if the answer finds the
  // buffer full there is something to read, and without privilege the refusal is the answer.
  _Alignas(struct nlmsghdr) uint8_t buffer[MNL_NLMSG_HDRLEN + 64];
  struct nlmsghdr *message = nfq_nlmsg_put((char *)buffer, NFQNL_MSG_CONFIG, 0);
  nfq_nlmsg_cfg_put_cmd(message, AF_UNSPEC, NFQNL_CFG_CMD_PF_BIND);
  message->nlmsg_flags |= NLM_F_ACK;
  message->nlmsg_seq = CNFQ_SEQUENCE_WAKE;
  while (send(wake_descriptor, message, message->nlmsg_len, 0) < 0 && errno == EINTR) continue;
}

void cnfq_wake_close(int wake_descriptor) {
  if (wake_descriptor >= 0) close(wake_descriptor);
}

void cnfq_name_thread(const char *name) { (void)prctl(PR_SET_NAME, name); }

void cnfq_read_counters(const cnfq_queue *queue, cnfq_counters *counters) { *counters = queue->counters; }
