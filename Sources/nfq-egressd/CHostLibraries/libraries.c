#include "CHostLibraries.h"

#include <libpsl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// RFC 1035 section 2.3.4: the longest name as text.
enum { NAME_MAX_LENGTH = 253 };

// libpsl walks a name from its left, one lookup a label; a name can have 127. The longest rules of the list have
// five labels, so no label further left than this can change the answer.
enum { LABELS_MAX = 16 };

struct chost_suffixes {
  const psl_ctx_t *list;
  const char *source;
  int64_t time;
};

chost_suffixes *chost_suffixes_open(void) {
  chost_suffixes *suffixes = calloc(1, sizeof *suffixes);
  if (suffixes == NULL) return NULL;
  suffixes->list = psl_latest(NULL);
  if (suffixes->list == NULL) suffixes->list = psl_builtin();
  if (suffixes->list == NULL) {
    free(suffixes);
    return NULL;
  }
  if (suffixes->list == psl_builtin()) {
    suffixes->source = "builtin";
    suffixes->time = (int64_t)psl_builtin_file_time();
  } else {
    struct stat status;
    suffixes->source = psl_dist_filename();
    suffixes->time = stat(suffixes->source, &status) == 0 ? (int64_t)status.st_mtime : 0;
  }
  return suffixes;
}

void chost_suffixes_close(chost_suffixes *suffixes) {
  if (suffixes == NULL) return;
  // psl_free knows the built-in list and leaves it alone.
  psl_free((psl_ctx_t *)(uintptr_t)suffixes->list);
  free(suffixes);
}

const char *chost_suffixes_source(const chost_suffixes *suffixes) { return suffixes->source; }

int64_t chost_suffixes_time(const chost_suffixes *suffixes) { return suffixes->time; }

const char *chost_suffixes_library_version(void) { return psl_get_version(); }

// Copies the name's last labels into `text` as a C string and returns their length; 0 when the name does not fit.
// A byte that no registered name has becomes '_': a NUL would cut the string short, and bytes above 127 would send
// libpsl into a conversion that allocates. Neither can stand in a rule that such a name should match.
static size_t copy_name(char *text, const uint8_t *name, size_t length) {
  if (length == 0 || length > NAME_MAX_LENGTH) return 0;
  size_t start = length;
  for (int labels = 0; start > 0; start--) {
    if (name[start - 1] == '.' && ++labels == LABELS_MAX) break;
  }
  for (size_t index = start; index < length; index++) {
    uint8_t byte = name[index];
    text[index - start] = byte > 0x20 && byte < 0x7f ? (char)byte : '_';
  }
  text[length - start] = '\0';
  return length - start;
}

size_t chost_registrable_length(const chost_suffixes *suffixes, const uint8_t *name, size_t length) {
  char text[NAME_MAX_LENGTH + 1];
  size_t used = copy_name(text, name, length);
  if (used == 0) return 0;
  // A leading dot is an empty label, which libpsl takes for no name at all.
  const char *first = text;
  while (*first == '.') first++;
  const char *domain = psl_registrable_domain(suffixes->list, first);
  return domain == NULL ? 0 : (size_t)(text + used - domain);
}

int chost_is_registry_suffix(const chost_suffixes *suffixes, const uint8_t *name, size_t length) {
  char text[NAME_MAX_LENGTH + 1];
  if (copy_name(text, name, length) == 0) return 0;
  if (strchr(text, '.') == NULL) return 1;
  return psl_is_public_suffix2(suffixes->list, text, PSL_TYPE_ICANN) != 0;
}

static int digest_with(const EVP_MD *kind, const uint8_t *bytes, size_t length, uint8_t *digest, unsigned int expected) {
  unsigned int written = 0;
  static const uint8_t nothing = 0;
  // An empty Swift array may have no address at all.
  if (bytes == NULL) bytes = &nothing, length = 0;
  return EVP_Digest(bytes, length, digest, &written, kind, NULL) == 1 && written == expected;
}

int chost_sha256(const uint8_t *bytes, size_t length, uint8_t *digest) {
  return digest_with(EVP_sha256(), bytes, length, digest, CHOST_SHA256_LENGTH);
}

int chost_sha1(const uint8_t *bytes, size_t length, uint8_t *digest) {
  return digest_with(EVP_sha1(), bytes, length, digest, CHOST_SHA1_LENGTH);
}
