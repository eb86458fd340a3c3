// The parsers that the Swift core is measured against: plain C, every read checked against what is left, the same
// fields kept. Written for this benchmark; no part of the daemon.

#include "CoreC.h"

#include <stdbool.h>
#include <string.h>

#define MAXIMUM_NAME 253
#define MAXIMUM_LIST 256

struct span {
  const uint8_t *at;
  size_t left;
};

struct name {
  uint8_t bytes[MAXIMUM_NAME];
  size_t length;
  uint64_t hash;
  bool odd;
};

struct packet {
  uint32_t source, destination;
  uint16_t source_port, destination_port;
  uint8_t proto, flags;
  uint32_t sequence, acknowledgement;
  struct span payload;
};

struct hello {
  struct name name;
  bool has_name, encrypted, post_quantum, odd;
  uint16_t version, highest;
  uint16_t ciphers[MAXIMUM_LIST], extensions[MAXIMUM_LIST], signatures[MAXIMUM_LIST];
  size_t cipher_count, extension_count, signature_count;
  struct span protocols[16];
  size_t protocol_count;
};

static inline uint16_t load16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

static inline uint32_t load32(const uint8_t *at) {
  uint32_t value;
  memcpy(&value, at, sizeof value);
  return __builtin_bswap32(value);
}

static inline bool take8(struct span *span, uint8_t *value) {
  if (span->left < 1) return false;
  *value = span->at[0];
  span->at += 1;
  span->left -= 1;
  return true;
}

static inline bool take16(struct span *span, uint16_t *value) {
  if (span->left < 2) return false;
  *value = load16(span->at);
  span->at += 2;
  span->left -= 2;
  return true;
}

static inline bool take(struct span *span, size_t length, struct span *part) {
  if (span->left < length) return false;
  *part = (struct span){span->at, length};
  span->at += length;
  span->left -= length;
  return true;
}

static inline void name_start(struct name *name) {
  memset(name->bytes, 0, sizeof name->bytes);
  name->length = 0;
  name->hash = 0xcbf29ce484222325u;
  name->odd = false;
}

static inline bool name_append(struct name *name, uint8_t byte) {
  if (name->length == MAXIMUM_NAME) return false;
  const uint8_t lower = byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
  name->bytes[name->length++] = lower;
  name->hash = (name->hash ^ lower) * 0x100000001b3u;
  if (!((lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9') || lower == '-' || lower == '.'
        || lower == '_')) {
    name->odd = true;
  }
  return true;
}

static bool read_packet(struct span bytes, struct packet *packet) {
  if (bytes.left < 20 || bytes.at[0] >> 4 != 4) return false;
  const size_t header = (size_t)(bytes.at[0] & 15) * 4;
  if (header < 20) return false;
  size_t end = load16(bytes.at + 2);
  if (end < header) return false;
  if (end > bytes.left) end = bytes.left;
  if (header > end || (load16(bytes.at + 6) & 0x3fff) != 0) return false;
  packet->proto = bytes.at[9];
  packet->source = load32(bytes.at + 12);
  packet->destination = load32(bytes.at + 16);
  const struct span segment = {bytes.at + header, end - header};
  if (packet->proto == 6) {
    if (segment.left < 20) return false;
    const size_t tcp = (size_t)(segment.at[12] >> 4) * 4;
    if (tcp < 20 || tcp > segment.left) return false;
    if (tcp > 20 && !(tcp == 32 && load32(segment.at + 20) == 0x0101080a)) {
      for (size_t offset = 20; offset < tcp;) {
        const uint8_t kind = segment.at[offset];
        if (kind == 0) break;
        if (kind == 1) {
          offset++;
          continue;
        }
        if (offset + 1 >= tcp || segment.at[offset + 1] < 2 || offset + segment.at[offset + 1] > tcp) return false;
        offset += segment.at[offset + 1];
      }
    }
    packet->sequence = load32(segment.at + 4);
    packet->acknowledgement = load32(segment.at + 8);
    packet->flags = segment.at[13];
    packet->payload = (struct span){segment.at + tcp, segment.left - tcp};
  } else if (packet->proto == 17) {
    if (segment.left < 8) return false;
    size_t length = load16(segment.at + 4);
    if (length < 8) return false;
    if (length > segment.left) length = segment.left;
    packet->payload = (struct span){segment.at + 8, length - 8};
  } else {
    return false;
  }
  packet->source_port = load16(segment.at);
  packet->destination_port = load16(segment.at + 2);
  return true;
}

static bool read_server_name(struct span body, struct hello *hello) {
  uint16_t length;
  struct span list;
  if (!take16(&body, &length) || !take(&body, length, &list)) return false;
  while (list.left > 0) {
    uint8_t type;
    struct span text;
    if (!take8(&list, &type) || !take16(&list, &length) || !take(&list, length, &text)) return false;
    if (type != 0 || hello->has_name) continue;
    name_start(&hello->name);
    size_t count = text.left;
    if (count > 0 && text.at[count - 1] == '.') count--;
    if (count == 0 || count > MAXIMUM_NAME) return false;
    for (size_t index = 0; index < count; index++) name_append(&hello->name, text.at[index]);
    hello->has_name = true;
  }
  return true;
}

static size_t read_numbers(struct span list, uint16_t *numbers) {
  size_t count = 0;
  while (list.left >= 2 && count < MAXIMUM_LIST) {
    numbers[count++] = load16(list.at);
    list.at += 2;
    list.left -= 2;
  }
  return count;
}

static bool is_grease(uint16_t value) { return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff); }

static bool read_extension(uint16_t type, struct span body, struct hello *hello) {
  uint16_t length;
  uint8_t small;
  struct span list;
  switch (type) {
    case 0: return read_server_name(body, hello);
    case 10:
      if (!take16(&body, &length) || !take(&body, length, &list)) return false;
      while (list.left >= 2) {
        take16(&list, &length);
        if (length == 0x11eb || length == 0x11ec || length == 0x11ed || length == 0x6399 || length == 0xfe30) {
          hello->post_quantum = true;
        }
      }
      return true;
    case 13:
      if (!take16(&body, &length) || !take(&body, length, &list)) return false;
      hello->signature_count = read_numbers(list, hello->signatures);
      return true;
    case 16:
      if (!take16(&body, &length) || !take(&body, length, &list)) return false;
      while (list.left > 0 && hello->protocol_count < 16) {
        struct span protocol;
        if (!take8(&list, &small) || !take(&list, small, &protocol)) return false;
        hello->protocols[hello->protocol_count++] = protocol;
      }
      return true;
    case 43:
      if (!take8(&body, &small) || !take(&body, small, &list)) return false;
      while (list.left >= 2) {
        take16(&list, &length);
        if (!is_grease(length) && length > hello->highest) hello->highest = length;
      }
      return true;
    case 0xfe0d:
    case 0xffce: hello->encrypted = true; return true;
    default: return true;
  }
}

static bool read_hello(struct span stream, struct hello *hello) {
  hello->has_name = hello->encrypted = hello->post_quantum = hello->odd = false;
  hello->highest = 0;
  hello->cipher_count = hello->extension_count = hello->signature_count = hello->protocol_count = 0;
  if (stream.left < 9 || stream.at[0] != 22 || stream.at[1] != 3) return false;
  const size_t record = load16(stream.at + 3);
  if (record > 16640 || record > stream.left - 5) return false;
  if (stream.at[5] != 1) return false;
  const size_t message = load32(stream.at + 5) & 0xffffff;
  if (message < 38 || message + 4 > record) return false;

  struct span body = {stream.at + 9, message}, list, part;
  uint16_t length;
  uint8_t small;
  if (!take16(&body, &hello->version) || !take(&body, 32, &part)) return false;
  if (!take8(&body, &small) || !take(&body, small, &part)) return false;
  if (!take16(&body, &length) || !take(&body, length, &list)) return false;
  hello->cipher_count = read_numbers(list, hello->ciphers);
  if (!take8(&body, &small) || !take(&body, small, &part)) return false;
  if (body.left == 0) return true;
  if (!take16(&body, &length) || !take(&body, length, &list)) return false;
  uint64_t seen = 0;
  while (list.left > 0) {
    uint16_t type;
    if (!take16(&list, &type) || !take16(&list, &length) || !take(&list, length, &part)) return false;
    if (hello->extension_count < MAXIMUM_LIST) {
      const uint64_t bit = (uint64_t)1 << (type & 63);
      if (seen & bit) {
        for (size_t index = 0; index < hello->extension_count; index++) hello->odd |= hello->extensions[index] == type;
      }
      seen |= bit;
      hello->extensions[hello->extension_count++] = type;
    }
    if (!read_extension(type, part, hello)) return false;
  }
  return true;
}

static bool read_question(struct span message, struct name *name, uint16_t *type) {
  if (message.left < 12) return false;
  size_t offset = 12;
  const uint16_t questions = load16(message.at + 4);
  for (uint16_t number = 0; number < questions && number < 16; number++) {
    name_start(name);
    size_t wire = 1;
    for (;;) {
      if (offset >= message.left) return false;
      const size_t length = message.at[offset];
      if (length == 0) break;
      if (length > 63 || message.left - offset <= length) return false;
      wire += length + 1;
      if (wire > 255) return false;
      if (name->length > 0 && !name_append(name, '.')) return false;
      for (size_t index = 1; index <= length; index++) {
        if (message.at[offset + index] == '.') name->odd = true;
        if (!name_append(name, message.at[offset + index])) return false;
      }
      offset += 1 + length;
    }
    offset++;
    if (message.left - offset < 4) return false;
    *type = load16(message.at + offset);
    offset += 4;
  }
  return true;
}

__attribute__((noinline)) static uint64_t hello_sum(struct span bytes, struct hello *hello) {
  struct packet packet;
  if (!read_packet(bytes, &packet) || !read_hello(packet.payload, hello) || !hello->has_name) return 0;
  return hello->name.hash + hello->cipher_count + hello->extension_count + packet.destination_port;
}

__attribute__((noinline)) static uint64_t question_sum(struct span bytes, struct name *name) {
  struct packet packet;
  uint16_t type = 0;
  if (!read_packet(bytes, &packet) || !read_question(packet.payload, name, &type)) return 0;
  return name->hash + type + load16(packet.payload.at);
}

uint64_t corec_read_hellos(const uint8_t *bytes, const corec_packet *packets, size_t count, size_t rounds) {
  static struct hello hello;
  uint64_t sum = 0;
  for (size_t round = 0; round < rounds; round++) {
    for (size_t index = 0; index < count; index++) {
      sum += hello_sum((struct span){bytes + packets[index].offset, packets[index].length}, &hello);
    }
  }
  return sum;
}

uint64_t corec_read_questions(const uint8_t *bytes, const corec_packet *packets, size_t count, size_t rounds) {
  static struct name name;
  uint64_t sum = 0;
  for (size_t round = 0; round < rounds; round++) {
    for (size_t index = 0; index < count; index++) {
      sum += question_sum((struct span){bytes + packets[index].offset, packets[index].length}, &name);
    }
  }
  return sum;
}
