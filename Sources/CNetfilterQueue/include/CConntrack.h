/// The door to the kernel's connection tracking: ends what an address leaves behind.
///
/// Plain types and an opaque handle only, for the reason given in CNetfilterQueue.h. A handle belongs to one thread.
#ifndef CCONNTRACK_H
#define CCONNTRACK_H

#include <stdint.h>

/// An open netlink socket for conntrack commands.
typedef struct cct_table cct_table;

/// Opens the socket. Returns 0, or the errno and leaves `*table` NULL.
int cct_open(cct_table **table);

void cct_close(cct_table *table);

/// What was deleted.
typedef struct cct_deletion {
  /// Entries deleted.
  uint32_t deleted;
  /// Entries that were found and went by themselves before they could be deleted.
  uint32_t vanished;
  /// 1 when the bound on entries or rounds was reached: more may be left, call again.
  uint8_t more;
  /// 1 when the kernel picked the entries out, 0 when the family's whole table was read (IPv6, and before 5.8).
  uint8_t filtered;
} cct_deletion;

/// Deletes every entry that an address has a part in: as source of the original direction, as source of the reply
/// (a connection to it), or as destination of the reply. `address` is 4 bytes for IPv4 (`ipv6` 0) or 16 for IPv6, in
/// network byte order. At most `limit` entries.
///
/// Returns 0 or an errno: EPERM without CAP_NET_ADMIN, EOPNOTSUPP where the kernel has no ctnetlink. What was
/// deleted before an error is counted all the same.
int cct_delete_address(cct_table *table, int ipv6, const uint8_t *address, uint32_t limit, cct_deletion *result);

#endif
