#include "CHostLibraries.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

enum { SECRET_LENGTH = 32, LABEL_MAX = 18 };

// Fetched once: libcrypto would otherwise look each algorithm up by name at every packet.
struct chost_quic {
  EVP_KDF *hkdf;
  EVP_CIPHER *block;
  EVP_CIPHER *gcm;
};

chost_quic *chost_quic_open(void) {
  chost_quic *quic = calloc(1, sizeof *quic);
  if (quic == NULL) return NULL;
  quic->hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
  quic->block = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
  quic->gcm = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
  if (quic->hkdf == NULL || quic->block == NULL || quic->gcm == NULL) {
    chost_quic_close(quic);
    return NULL;
  }
  return quic;
}

void chost_quic_close(chost_quic *quic) {
  if (quic == NULL) return;
  EVP_KDF_free(quic->hkdf);
  EVP_CIPHER_free(quic->block);
  EVP_CIPHER_free(quic->gcm);
  free(quic);
}

// HKDF (RFC 5869) in one of its halves: `mode` is EVP_KDF_HKDF_MODE_EXTRACT_ONLY, where `extra` is the salt, or
// EVP_KDF_HKDF_MODE_EXPAND_ONLY, where it is the info.
static int hkdf(EVP_KDF_CTX *context, int mode, const uint8_t *key, size_t key_length, const uint8_t *extra,
                size_t extra_length, uint8_t *result, size_t result_length) {
  static char digest[] = "SHA256";
  const char *name = mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY ? OSSL_KDF_PARAM_SALT : OSSL_KDF_PARAM_INFO;
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)key, key_length),
      OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)extra, extra_length),
      OSSL_PARAM_construct_end(),
  };
  // Info accumulates in a context until it is reset.
  EVP_KDF_CTX_reset(context);
  return EVP_KDF_derive(context, result, result_length, parameters) == 1;
}

// HKDF-Expand-Label (RFC 8446 section 7.1) with an empty context.
static int expand_label(EVP_KDF_CTX *context, const uint8_t *secret, const char *prefix, const char *label,
                        uint8_t *result, size_t length) {
  uint8_t info[3 + 6 + LABEL_MAX + 1];
  size_t prefix_length = strlen(prefix), label_length = strlen(label);
  if (prefix_length + label_length > LABEL_MAX) return 0;
  size_t used = 0;
  info[used++] = 0;
  info[used++] = (uint8_t)length;
  info[used++] = (uint8_t)(6 + prefix_length + label_length);
  memcpy(info + used, "tls13 ", 6), used += 6;
  memcpy(info + used, prefix, prefix_length), used += prefix_length;
  memcpy(info + used, label, label_length), used += label_length;
  info[used++] = 0;
  return hkdf(context, EVP_KDF_HKDF_MODE_EXPAND_ONLY, secret, SECRET_LENGTH, info, used, result, length);
}

int chost_quic_client_keys(const chost_quic *quic, const uint8_t *salt, size_t salt_length, const uint8_t *id,
                           size_t id_length, const char *prefix, uint8_t *key, uint8_t *iv, uint8_t *header_key) {
  static const uint8_t nothing = 0;
  // An empty Swift array may have no address at all.
  if (id == NULL) id = &nothing, id_length = 0;
  EVP_KDF_CTX *context = EVP_KDF_CTX_new(quic->hkdf);
  if (context == NULL) return 0;
  uint8_t initial[SECRET_LENGTH], client[SECRET_LENGTH];
  int done = hkdf(context, EVP_KDF_HKDF_MODE_EXTRACT_ONLY, id, id_length, salt, salt_length, initial, SECRET_LENGTH) &&
             expand_label(context, initial, "", "client in", client, SECRET_LENGTH) &&
             expand_label(context, client, prefix, "key", key, CHOST_QUIC_KEY_LENGTH) &&
             expand_label(context, client, prefix, "iv", iv, CHOST_QUIC_IV_LENGTH) &&
             expand_label(context, client, prefix, "hp", header_key, CHOST_QUIC_KEY_LENGTH);
  EVP_KDF_CTX_free(context);
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
