// The daemon's door to libpsl (registrable domains) and libcrypto (digests, and the Initial packets of QUIC); to libcurl
// in CHostHTTP.h. Plain integer types and opaque handles only: system headers stay in the C files, so that they can
// never meet another C module's copy of the same structures.
#ifndef CHOSTLIBRARIES_H
#define CHOSTLIBRARIES_H

#include <stddef.h>
#include <stdint.h>

#include "CHostChild.h"
#include "CHostHTTP.h"

// The Public Suffix List in use. Read-only after opening, so every thread may ask it.
typedef struct chost_suffixes chost_suffixes;

// Opens the newer of the system's list file and the one compiled into libpsl. NULL when neither can be used.
chost_suffixes *chost_suffixes_open(void);

void chost_suffixes_close(chost_suffixes *suffixes);

// Path of the list file in use, or "builtin". Valid as long as the handle.
const char *chost_suffixes_source(const chost_suffixes *suffixes);

// When that list was made: seconds since the Unix epoch, 0 when unknown.
int64_t chost_suffixes_time(const chost_suffixes *suffixes);

// Version of libpsl, as text.
const char *chost_suffixes_library_version(void);

// Number of trailing bytes of `name` that are its registrable domain, by the whole list (private section
// included). 0 when the name is itself a public suffix, is empty or longer than 253 bytes.
// `name` is lower-case without a final dot, may hold any byte and needs no terminator. Never allocates.
size_t chost_registrable_length(const chost_suffixes *suffixes, const uint8_t *name, size_t length);

// 1 when `name` is a single label or a public suffix by the list's ICANN section: a whole registry's zone.
int chost_is_registry_suffix(const chost_suffixes *suffixes, const uint8_t *name, size_t length);

#define CHOST_SHA256_LENGTH 32

// SHA-256 of `length` bytes into `digest` (32 bytes). Returns 1, or 0 when libcrypto refuses.
int chost_sha256(const uint8_t *bytes, size_t length, uint8_t *digest);

#define CHOST_SHA1_LENGTH 20

// SHA-1 of `length` bytes into `digest` (20 bytes): an identifier's hash, nothing secret. Returns 1 or 0 as above.
int chost_sha1(const uint8_t *bytes, size_t length, uint8_t *digest);

// Index of this network namespace's interface that has the address (4 bytes, or 16 with `ipv6` 1, in network byte
// order); 0 when none has it.
uint32_t chost_interface_with_address(int ipv6, const uint8_t *address);

// The algorithms that protect QUIC's Initial packets (RFC 9001 section 5). Read-only after opening, so every thread may
// use it.
typedef struct chost_quic chost_quic;

#define CHOST_QUIC_KEY_LENGTH 16
#define CHOST_QUIC_IV_LENGTH 12
#define CHOST_QUIC_TAG_LENGTH 16

// Fetches the algorithms. NULL when libcrypto does not offer one of them.
chost_quic *chost_quic_open(void);

void chost_quic_close(chost_quic *quic);

// The client's Initial keys for a connection ID: key (16 bytes), iv (12) and header protection key (16). `prefix` begins
// their labels ("quic " or "quicv2 "), as a C string. Returns 1, or 0 when libcrypto refuses.
int chost_quic_client_keys(const chost_quic *quic, const uint8_t *salt, size_t salt_length, const uint8_t *id,
                           size_t id_length, const char *prefix, uint8_t *key, uint8_t *iv, uint8_t *header_key);

// One block of 16 bytes encrypted by AES-128. Returns 1 or 0.
int chost_quic_block(const chost_quic *quic, const uint8_t *key, const uint8_t *block, uint8_t *result);

// Opens AES-128-GCM: `sealed` ends in its tag, `plain` has room for all but the tag. Returns 1, or 0 when the tag is
// wrong; `plain` then holds nothing that may be used.
int chost_quic_unseal(const chost_quic *quic, const uint8_t *key, const uint8_t *nonce, const uint8_t *header,
                      size_t header_length, const uint8_t *sealed, size_t sealed_length, uint8_t *plain);

// Lets nothing of this process's memory be written anywhere when it crashes: no core file, neither by the kernel nor by
// what `core_pattern` names, and with `no_backtrace` no handler that prints registers and what they point to. 0, or an
// errno.
int chost_keep_memory_private(int no_backtrace);

#endif
