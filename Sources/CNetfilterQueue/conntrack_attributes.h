/// What the two doors to connection tracking share: requests, and finding attributes.
#ifndef CONNTRACK_ATTRIBUTES_H
#define CONNTRACK_ATTRIBUTES_H

#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdbool.h>
#include <string.h>

/// What names an entry: its original tuple (for IPv6 at most 100 bytes), zone and id.
#define CT_KEY_SIZE 192u

struct ct_key {
  uint16_t length;
  uint8_t family;
  _Alignas(struct nlattr) uint8_t attributes[CT_KEY_SIZE];
};

/// Begins a request at `buffer`.
static inline struct nlmsghdr *ct_begin(void *buffer, uint32_t sequence, uint16_t type, uint16_t flags, uint8_t family) {
  struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
  message->nlmsg_type = (NFNL_SUBSYS_CTNETLINK << 8) | type;
  message->nlmsg_flags = NLM_F_REQUEST | flags;
  message->nlmsg_seq = sequence;
  struct nfgenmsg *header = mnl_nlmsg_put_extra_header(message, sizeof *header);
  header->nfgen_family = family;
  header->version = NFNETLINK_V0;
  return message;
}

/// The attribute `type` inside a nested one; NULL when absent.
static inline const struct nlattr *ct_inside(const struct nlattr *nest, uint16_t type) {
  const struct nlattr *attribute;
  if (nest == NULL) return NULL;
  mnl_attr_for_each_nested(attribute, nest) {
    if (mnl_attr_get_type(attribute) == type) return attribute;
  }
  return NULL;
}

/// Puts an entry's attributes into a table by type. False for a message that is too short to have any.
static inline bool ct_attributes(const struct nlmsghdr *message, const struct nlattr **entry) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(struct nfgenmsg)) return false;
  const struct nlattr *attribute;
  mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg)) {
    const uint16_t type = mnl_attr_get_type(attribute);
    if (type <= CTA_MAX) entry[type] = attribute;
  }
  return true;
}

/// Copies what names the entry, attributes as the kernel wrote them.
static inline bool ct_remember(struct ct_key *key, const struct nlattr *const *entry) {
  static const uint16_t naming[] = {CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID};
  key->length = 0;
  for (size_t index = 0; index < sizeof naming / sizeof naming[0]; index++) {
    const struct nlattr *attribute = entry[naming[index]];
    if (attribute == NULL) continue;
    const uint16_t size = MNL_ALIGN(attribute->nla_len);
    if (key->length + size > CT_KEY_SIZE) return false;
    memset(key->attributes + key->length, 0, size);
    memcpy(key->attributes + key->length, attribute, attribute->nla_len);
    key->length += size;
  }
  return key->length > 0;
}

/// Appends a remembered name to a message.
static inline void ct_put_key(struct nlmsghdr *message, const struct ct_key *key) {
  memcpy(mnl_nlmsg_get_payload_tail(message), key->attributes, key->length);
  message->nlmsg_len += key->length;
}

#endif
