/// The door to sock_diag: which local socket sent a packet, and in which cgroup that socket was made.
///
/// As in the other header, only <stddef.h> and <stdint.h> are included, and numbers are in host byte order.
/// A handle belongs to one thread at a time. It asks in the network namespace in which it was opened.
#ifndef CSOCKETDIAG_H
#define CSOCKETDIAG_H

#include <stddef.h>
#include <stdint.h>

/// An open NETLINK_SOCK_DIAG socket with its buffer.
typedef struct csd_socket csd_socket;

/// How a question ended.
typedef enum csd_status {
  CSD_FOUND = 0,
  /// No such socket (any more). A kernel without the diagnosis module says the same: `csd_self_test` tells them apart.
  CSD_NOT_FOUND = 1,
  /// Several sockets of different cgroups fit.
  CSD_AMBIGUOUS = 2,
  /// The kernel did not answer within the handle's time.
  CSD_NO_ANSWER = 3,
  /// Neither TCP nor UDP, or the kernel refuses the question.
  CSD_UNSUPPORTED = 4,
  /// Another failure; the error number says which.
  CSD_SYSTEM_ERROR = 5,
} csd_status;

/// A packet as its sender sees it.
typedef struct csd_endpoints {
  /// Addresses, each as two 64-bit halves; IPv4 in the lowest 32 bits of the lower one.
  uint64_t local_high, local_low, remote_high, remote_low;
  uint16_t local_port, remote_port;
  /// The interface by which the packet leaves, 0 when unknown. Needed for sockets that are bound to a device and for
  /// link-local addresses.
  uint32_t interface;
  /// 1 for IPv4, 0 for IPv6.
  uint8_t is_ipv4;
  /// IPPROTO_TCP or IPPROTO_UDP.
  uint8_t protocol;
} csd_endpoints;

/// What the kernel says about a socket.
typedef struct csd_answer {
  /// INET_DIAG_CGROUP_ID: the cgroup v2 in which the socket was made, where `has_cgroup` is 1. Kernels before 5.8 do
  /// not say; no kernel says it of sockets in TIME_WAIT or before accept().
  uint64_t cgroup;
  /// The socket's inode; 0 when no process has it open.
  uint32_t inode;
  /// The socket's owner.
  uint32_t uid;
  /// The state in TCP's numbers (net/tcp_states.h).
  uint8_t state;
  uint8_t has_cgroup;
  /// 1 when the socket is connected to the remote end, 0 when it is only bound to (or listens on) the local port.
  uint8_t connected;
} csd_answer;

/// Counts since the handle was opened.
typedef struct csd_counters {
  /// Exact questions, and questions by port.
  uint64_t lookups, port_lookups;
  /// Answers by their end.
  uint64_t found, not_found, ambiguous, unanswered, errors;
  /// Messages that answered an earlier question, and were left aside.
  uint64_t stale;
} csd_counters;

/// Opens the socket. No question takes longer than `wait_milliseconds` (at least 1).
csd_status csd_open(uint32_t wait_milliseconds, csd_socket **diagnosis, int *error_number);

void csd_close(csd_socket *diagnosis);

/// The socket that the kernel itself would give a packet from the remote end to: of UDP sockets the connected one,
/// else one bound to the local address, else one bound to the port. IPv4 packets are found on dual-stack sockets too.
/// Two system calls.
csd_status csd_lookup(
  csd_socket *diagnosis, const csd_endpoints *endpoints, csd_answer *answer, int *error_number);

/// The UDP sockets on the local port, of the local address or of none, whatever they are connected to: for a datagram
/// whose sender the exact question misses because its socket is connected elsewhere (sendto with another address).
/// Found only if all of them are of one cgroup. The kernel walks its table of all UDP sockets: far slower than
/// `csd_lookup`.
csd_status csd_lookup_port(
  csd_socket *diagnosis, const csd_endpoints *endpoints, csd_answer *answer, int *error_number);

/// Opens a socket of the protocol on loopback and asks for it: CSD_FOUND when the kernel can answer at all.
csd_status csd_self_test(csd_socket *diagnosis, uint8_t protocol, csd_answer *answer, int *error_number);

void csd_read_counters(const csd_socket *diagnosis, csd_counters *counters);

/// How a cgroup's path was looked for.
typedef enum csd_path_status {
  CSD_PATH_FOUND = 0,
  /// The cgroup was removed (ESTALE).
  CSD_PATH_GONE = 1,
  /// CAP_DAC_READ_SEARCH is missing, or the file system cannot be asked this way.
  CSD_PATH_NOT_PERMITTED = 2,
  CSD_PATH_ERROR = 3,
} csd_path_status;

/// The path of the cgroup with an id, below the mounted file system that `mount_descriptor` is open on; written with
/// its terminator into `path`. The path is as the process sees it (/proc/self/fd), mount point included.
csd_path_status csd_cgroup_path(int mount_descriptor, uint64_t id, char *path, size_t size, int *error_number);

#endif
