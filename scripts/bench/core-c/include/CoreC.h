// The C side of the core benchmark: the same parsers with the same bounds checks, and a count of heap allocations.
#ifndef COREC_H
#define COREC_H

#include <stddef.h>
#include <stdint.h>

// One packet in a buffer: where it starts and how long it is, in bytes.
typedef struct corec_packet {
  uint32_t offset;
  uint32_t length;
} corec_packet;

// Reads `rounds` times through `count` IPv4/TCP packets that each carry a whole ClientHello. Returns a sum over the
// names' hashes and the number of cipher suites and extensions, so that nothing can be left out.
uint64_t corec_read_hellos(const uint8_t *bytes, const corec_packet *packets, size_t count, size_t rounds);

// The same for IPv4/UDP packets that each carry a DNS question: hashes, types and ids.
uint64_t corec_read_questions(const uint8_t *bytes, const corec_packet *packets, size_t count, size_t rounds);

// A hash table over names. The end of each in `text` is in `ends`; both stay the caller's and must outlive it.
typedef struct corec_names corec_names;
corec_names *corec_names_make(const uint8_t *text, const uint32_t *ends, size_t count);
void corec_names_free(corec_names *names);

// Looks up names with all their parents; the sum of the numbers, from 1, of the most specific ones found.
uint64_t corec_names_look(const corec_names *names, const uint8_t *asked, const uint32_t *ends, size_t count);

// Looks up addresses by binary search in ranges that begin at `firsts`; the sum of the ranges' values.
uint64_t corec_ranges_look(const uint32_t *firsts, const uint32_t *values, size_t count, const uint32_t *asked,
                           size_t asked_count);

// Calls of malloc, calloc, realloc and their like by this program so far. One thread at a time.
uint64_t corec_allocations(void);

// CPU time of the calling thread in nanoseconds.
uint64_t corec_thread_nanoseconds(void);

#endif
