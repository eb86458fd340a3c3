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

// Calls of malloc, calloc, realloc and their like by this program so far. One thread at a time.
uint64_t corec_allocations(void);

// CPU time of the calling thread in nanoseconds.
uint64_t corec_thread_nanoseconds(void);

#endif
