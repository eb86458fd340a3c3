// What lists are measured beside: a plain hash table over names and a binary search over sorted ranges, without key,
// provenance or file.
#include "CoreC.h"

#include <stdlib.h>
#include <string.h>

struct corec_names {
  const uint8_t *text;
  const uint32_t *ends;
  uint64_t mask;
  struct slot {
    uint64_t hash;
    uint32_t number; // from 1; 0 is empty
  } slots[];
};

static uint64_t step(uint64_t hash, uint8_t byte) { return (hash ^ byte) * 0x100000001b3u; }
static uint64_t spread(uint64_t hash) { return (hash ^ hash >> 32) * 0x9e3779b97f4a7c15u >> 20; }

static const struct slot *find(const corec_names *names, uint64_t hash, const uint8_t *text, uint32_t length) {
  for (uint64_t place = spread(hash) & names->mask;; place = (place + 1) & names->mask) {
    const struct slot *slot = &names->slots[place];
    if (slot->number == 0) return slot;
    if (slot->hash != hash) continue;
    uint32_t start = slot->number > 1 ? names->ends[slot->number - 2] : 0;
    if (names->ends[slot->number - 1] - start == length && memcmp(names->text + start, text, length) == 0) return slot;
  }
}

corec_names *corec_names_make(const uint8_t *text, const uint32_t *ends, size_t count) {
  uint64_t size = 2;
  while (size < count * 2) size *= 2;
  corec_names *names = calloc(1, sizeof *names + size * sizeof names->slots[0]);
  if (names == NULL) return NULL;
  names->text = text;
  names->ends = ends;
  names->mask = size - 1;
  uint32_t start = 0;
  for (size_t number = 0; number < count; number++) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (uint32_t index = ends[number]; index > start; index--) hash = step(hash, text[index - 1]);
    struct slot *slot = (struct slot *)find(names, hash, text + start, ends[number] - start);
    if (slot->number == 0) *slot = (struct slot){hash, (uint32_t)number + 1};
    start = ends[number];
  }
  return names;
}

void corec_names_free(corec_names *names) { free(names); }

uint64_t corec_names_look(const corec_names *names, const uint8_t *asked, const uint32_t *ends, size_t count) {
  uint64_t sum = 0;
  uint32_t start = 0;
  for (size_t number = 0; number < count; number++) {
    uint64_t hash = 0xcbf29ce484222325u;
    uint32_t found = 0;
    for (uint32_t index = ends[number]; index > start; index--) {
      hash = step(hash, asked[index - 1]);
      if (index - 1 != start && asked[index - 2] != '.') continue;
      const struct slot *slot = find(names, hash, asked + index - 1, ends[number] - index + 1);
      if (slot->number != 0) found = slot->number;
    }
    sum += found;
    start = ends[number];
  }
  return sum;
}

uint64_t corec_ranges_look(const uint32_t *firsts, const uint32_t *values, size_t count, const uint32_t *asked,
                           size_t asked_count) {
  uint64_t sum = 0;
  for (size_t number = 0; number < asked_count; number++) {
    size_t low = 0, high = count;
    while (low < high) {
      size_t middle = (low + high) / 2;
      if (firsts[middle] <= asked[number]) low = middle + 1;
      else high = middle;
    }
    if (low > 0) sum += values[low - 1];
  }
  return sum;
}
