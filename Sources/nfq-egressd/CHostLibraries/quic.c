#include "CHostLibraries.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { SECRET_LENGTH = 32, HASH_BLOCK = 64, LABEL_MAX = 18 };

// Fetched once: libcrypto would otherwise look each algorithm up by name at every packet.
struct chost_quic {
  EVP_MD *hash;
  EVP_CIPHER *block;
  EVP_CIPHER *gcm;
};

chost_quic *chost_quic_open(void) {
  chost_quic *quic = calloc(1, sizeof *quic);
  if (quic == NULL) return NULL;
  quic->hash = EVP_MD_fetch(NULL, "SHA256", NULL);
  quic->block = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
  quic->gcm = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
  if (quic->hash == NULL || quic->block == NULL || quic->gcm == NULL) {
    chost_quic_close(quic);
    return NULL;
  }
  return quic;
}

void chost_quic_close(chost_quic *quic) {
  if (quic == NULL) return;
  EVP_MD_free(quic->hash);
  EVP_CIPHER_free(quic->block);
  EVP_CIPHER_free(quic->gcm);
  free(quic);
}

static int hash_two(const EVP_MD *kind, EVP_MD_CTX *context, const uint8_t first[HASH_BLOCK], const uint8_t *second,
                    size_t second_length, uint8_t result[SECRET_LENGTH]) {
  unsigned int written = 0;
  return EVP_DigestInit_ex2(context, kind, NULL) == 1 && EVP_DigestUpdate(context, first, HASH_BLOCK) == 1 &&
         EVP_DigestUpdate(context, second, second_length) == 1 && EVP_DigestFinal_ex(context, result, &written) == 1;
}

// HMAC-SHA-256 (RFC 2104) of a key of one block at most. Written out over the hash because libcrypto's own HKDF costs
// five times as much: it sets up an HMAC, and looks its hash up by name, at each of the five steps.
static int hmac(const EVP_MD *kind, EVP_MD_CTX *context, const uint8_t *key, size_t key_length, const uint8_t *text,
                size_t text_length, uint8_t result[SECRET_LENGTH]) {
  uint8_t pad[HASH_BLOCK], inner[SECRET_LENGTH];
  if (key_length > sizeof pad) return 0;
  memset(pad, 0x36, sizeof pad);
  for (size_t index = 0; index < key_length; index++) pad[index] ^= key[index];
  if (!hash_two(kind, context, pad, text, text_length, inner)) return 0;
  for (size_t index = 0; index < sizeof pad; index++) pad[index] ^= 0x36 ^ 0x5c;
  return hash_two(kind, context, pad, inner, sizeof inner, result);
}

// HKDF-Expand-Label (RFC 8446 section 7.1) with an empty context. What is asked for fits one step of HKDF-Expand
// (RFC 5869 section 2.3): one HMAC of the info and the number 1.
static int expand_label(const EVP_MD *kind, EVP_MD_CTX *context, const uint8_t *secret, const char *prefix,
                        const char *label, uint8_t *result, size_t length) {
  uint8_t info[3 + 6 + LABEL_MAX + 2], step[SECRET_LENGTH];
  size_t prefix_length = strlen(prefix), label_length = strlen(label);
  if (prefix_length + label_length > LABEL_MAX || length > sizeof step) return 0;
  size_t used = 0;
  info[used++] = 0;
  info[used++] = (uint8_t)length;
  info[used++] = (uint8_t)(6 + prefix_length + label_length);
  memcpy(info + used, "tls13 ", 6), used += 6;
  memcpy(info + used, prefix, prefix_length), used += prefix_length;
  memcpy(info + used, label, label_length), used += label_length;
  info[used++] = 0;
  info[used++] = 1;
  if (!hmac(kind, context, secret, SECRET_LENGTH, info, used, step)) return 0;
  memcpy(result, step, length);
  return 1;
}

int chost_quic_client_keys(const chost_quic *quic, const uint8_t *salt, size_t salt_length, const uint8_t *id,
                           size_t id_length, const char *prefix, uint8_t *key, uint8_t *iv, uint8_t *header_key) {
  static const uint8_t nothing = 0;
  // An empty Swift array may have no address at all.
  if (id == NULL) id = &nothing, id_length = 0;
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  if (context == NULL) return 0;
  uint8_t initial[SECRET_LENGTH], client[SECRET_LENGTH];
  // HKDF-Extract (RFC 5869 section 2.2) is one HMAC under the salt.
  int done = hmac(quic->hash, context, salt, salt_length, id, id_length, initial) &&
             expand_label(quic->hash, context, initial, "", "client in", client, SECRET_LENGTH) &&
             expand_label(quic->hash, context, client, prefix, "key", key, CHOST_QUIC_KEY_LENGTH) &&
             expand_label(quic->hash, context, client, prefix, "iv", iv, CHOST_QUIC_IV_LENGTH) &&
             expand_label(quic->hash, context, client, prefix, "hp", header_key, CHOST_QUIC_KEY_LENGTH);
  EVP_MD_CTX_free(context);
  return done;
}

int chost_quic_block(const chost_quic *quic, const uint8_t *key, const uint8_t *block, uint8_t *result) {
  EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
  if (context == NULL) return 0;
  uint8_t out[2 * CHOST_QUIC_KEY_LENGTH];
  int written = 0;
  int done = EVP_EncryptInit_ex2(context, quic->block, key, NULL, NULL) == 1 &&
             EVP_CIPHER_CTX_set_padding(context, 0) == 1 &&
             EVP_EncryptUpdate(context, out, &written, block, CHOST_QUIC_KEY_LENGTH) == 1 &&
             written == CHOST_QUIC_KEY_LENGTH;
  if (done) memcpy(result, out, CHOST_QUIC_KEY_LENGTH);
  EVP_CIPHER_CTX_free(context);
  return done;
}

int chost_quic_unseal(const chost_quic *quic, const uint8_t *key, const uint8_t *nonce, const uint8_t *header,
                      size_t header_length, const uint8_t *sealed, size_t sealed_length, uint8_t *plain) {
  if (sealed_length < CHOST_QUIC_TAG_LENGTH || sealed_length > INT_MAX || header_length > INT_MAX) return 0;
  int length = (int)sealed_length - CHOST_QUIC_TAG_LENGTH;
  uint8_t tag[CHOST_QUIC_TAG_LENGTH], rest[CHOST_QUIC_KEY_LENGTH];
  memcpy(tag, sealed + length, sizeof tag);
  EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
  if (context == NULL) return 0;
  int written = 0;
  // A nonce of 12 bytes is GCM's default.
  int done = EVP_DecryptInit_ex2(context, quic->gcm, key, nonce, NULL) == 1 &&
             EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag) == 1 &&
             EVP_DecryptUpdate(context, NULL, &written, header, (int)header_length) == 1 &&
             (length == 0 || EVP_DecryptUpdate(context, plain, &written, sealed, length) == 1) &&
             EVP_DecryptFinal_ex(context, rest, &written) == 1;
  EVP_CIPHER_CTX_free(context);
  return done;
}
