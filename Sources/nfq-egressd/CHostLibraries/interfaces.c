#include "CHostLibraries.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

uint32_t chost_interface_with_address(int ipv6, const uint8_t *address) {
  struct ifaddrs *first = NULL;
  if (getifaddrs(&first) != 0) return 0;
  uint32_t found = 0;
  for (const struct ifaddrs *entry = first; entry != NULL && found == 0; entry = entry->ifa_next) {
    if (entry->ifa_addr == NULL || entry->ifa_addr->sa_family != (ipv6 ? AF_INET6 : AF_INET)) continue;
    const void *own;
    size_t length;
    if (ipv6) {
      own = &((const struct sockaddr_in6 *)(const void *)entry->ifa_addr)->sin6_addr;
      length = 16;
    } else {
      own = &((const struct sockaddr_in *)(const void *)entry->ifa_addr)->sin_addr;
      length = 4;
    }
    if (memcmp(own, address, length) == 0) found = if_nametoindex(entry->ifa_name);
  }
  freeifaddrs(first);
  return found;
}
