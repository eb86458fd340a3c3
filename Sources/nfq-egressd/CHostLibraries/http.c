#define _GNU_SOURCE
#include "CHostHTTP.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The socket is this host's: whoever does not accept within this time does not work.
enum { CONNECT_SECONDS = 5 };

// When this much waits to be taken, libcurl is told to read no further. Larger than any single write of libcurl.
enum { BUFFER_BYTES = 64 * 1024 };

// The longest target: a path with an id and a query.
enum { TARGET_BYTES = 1024 };

struct chost_http {
  CURLM *multi;
  CURL *easy;
  char *path;
  atomic_bool stopped;
  int running;
  int paused;
  // Two buffers: what is handed out stays as it is while the other one fills.
  uint8_t *buffers[2];
  int filling;
  size_t length;
  char error[CURL_ERROR_SIZE];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode global_result;

static void initialise(void) { global_result = curl_global_init(CURL_GLOBAL_NOTHING); }

chost_http *chost_http_open(const char *path) {
  pthread_once(&once, initialise);
  if (global_result != CURLE_OK) return NULL;
  const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);
  if (version == NULL || !(version->features & CURL_VERSION_UNIX_SOCKETS)) return NULL;
  chost_http *http = calloc(1, sizeof *http);
  if (http == NULL) return NULL;
  http->path = strdup(path);
  http->multi = curl_multi_init();
  http->buffers[0] = malloc(BUFFER_BYTES);
  http->buffers[1] = malloc(BUFFER_BYTES);
  if (http->path == NULL || http->multi == NULL || http->buffers[0] == NULL || http->buffers[1] == NULL) {
    chost_http_close(http);
    return NULL;
  }
  return http;
}

static void end_request(chost_http *http) {
  if (http->easy == NULL) return;
  curl_multi_remove_handle(http->multi, http->easy);
  curl_easy_cleanup(http->easy);
  http->easy = NULL;
  http->running = 0;
}

void chost_http_close(chost_http *http) {
  if (http == NULL) return;
  end_request(http);
  if (http->multi != NULL) curl_multi_cleanup(http->multi);
  free(http->buffers[0]);
  free(http->buffers[1]);
  free(http->path);
  free(http);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context) {
  chost_http *http = context;
  const size_t length = size * count;
  if (http->length + length > BUFFER_BYTES) {
    http->paused = 1;
    return CURL_WRITEFUNC_PAUSE;
  }
  memcpy(http->buffers[http->filling] + http->length, bytes, length);
  http->length += length;
  return length;
}

// Sets one option and notes the first refusal.
#define SET(option, value) \
  do { \
    const CURLcode code = curl_easy_setopt(http->easy, option, value); \
    if (code != CURLE_OK && result == CURLE_OK) result = code; \
  } while (0)

static CURLcode configure(chost_http *http, const char *url, long seconds) {
  CURLcode result = CURLE_OK;
  SET(CURLOPT_ERRORBUFFER, http->error);
  SET(CURLOPT_UNIX_SOCKET_PATH, http->path);
  SET(CURLOPT_URL, url);
  SET(CURLOPT_PROTOCOLS_STR, "http");
  SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  // Variables of the environment (http_proxy) do not count here.
  SET(CURLOPT_PROXY, "");
  SET(CURLOPT_NOSIGNAL, 1L);
  SET(CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
  SET(CURLOPT_TIMEOUT, seconds);
  SET(CURLOPT_USERAGENT, "nfq-egressd");
  SET(CURLOPT_WRITEFUNCTION, on_body);
  SET(CURLOPT_WRITEDATA, http);
  return result;
}

int chost_http_begin(chost_http *http, const char *target, long seconds) {
  end_request(http);
  http->length = 0;
  http->paused = 0;
  http->error[0] = '\0';
  char url[TARGET_BYTES + 32];
  const int length = snprintf(url, sizeof url, "http://localhost%s", target);
  if (target[0] != '/' || length < 0 || (size_t)length >= sizeof url) {
    snprintf(http->error, sizeof http->error, "no usable request target");
    return 0;
  }
  http->easy = curl_easy_init();
  if (http->easy == NULL) {
    snprintf(http->error, sizeof http->error, "out of memory");
    return 0;
  }
  const CURLcode code = configure(http, url, seconds);
  if (code != CURLE_OK || curl_multi_add_handle(http->multi, http->easy) != CURLM_OK) {
    if (http->error[0] == '\0') {
      snprintf(http->error, sizeof http->error, "%s", code != CURLE_OK ? curl_easy_strerror(code) : "out of memory");
    }
    end_request(http);
    return 0;
  }
  http->running = 1;
  return 1;
}

// Hands out what has been buffered; the other buffer fills from now on.
static chost_http_outcome take(chost_http *http, const uint8_t **bytes, size_t *length) {
  *bytes = http->buffers[http->filling];
  *length = http->length;
  http->filling = 1 - http->filling;
  http->length = 0;
  return CHOST_HTTP_DATA;
}

static chost_http_outcome conclude(chost_http *http) {
  int left = 0;
  const CURLMsg *message = curl_multi_info_read(http->multi, &left);
  if (message == NULL || message->msg != CURLMSG_DONE) {
    snprintf(http->error, sizeof http->error, "the request ended without a result");
    return CHOST_HTTP_FAILED;
  }
  if (message->data.result == CURLE_OK) return CHOST_HTTP_END;
  long number = 0;
  (void)curl_easy_getinfo(http->easy, CURLINFO_OS_ERRNO, &number);
  if (message->data.result == CURLE_COULDNT_CONNECT && number != 0) {
    // libcurl's own words name a host and a port, which mean nothing here.
    const char *text = strerrordesc_np((int)number);
    snprintf(http->error, sizeof http->error, "%s", text == NULL ? "cannot connect" : text);
  } else if (http->error[0] == '\0') {
    snprintf(http->error, sizeof http->error, "%s", curl_easy_strerror(message->data.result));
  }
  return CHOST_HTTP_FAILED;
}

chost_http_outcome chost_http_next(chost_http *http, int milliseconds, const uint8_t **bytes, size_t *length) {
  *length = 0;
  if (http->easy == NULL) {
    snprintf(http->error, sizeof http->error, "no request");
    return CHOST_HTTP_FAILED;
  }
  for (int waited = 0;; waited = 1) {
    if (atomic_load(&http->stopped)) return CHOST_HTTP_STOPPED;
    if (http->paused) {
      http->paused = 0;
      (void)curl_easy_pause(http->easy, CURLPAUSE_CONT);
    }
    if (http->running && curl_multi_perform(http->multi, &http->running) != CURLM_OK) {
      snprintf(http->error, sizeof http->error, "libcurl failed");
      return CHOST_HTTP_FAILED;
    }
    if (http->length > 0) return take(http, bytes, length);
    if (!http->running) return conclude(http);
    if (waited) return CHOST_HTTP_IDLE;
    // Ended early by traffic or by chost_http_stop.
    (void)curl_multi_poll(http->multi, NULL, 0, milliseconds, NULL);
  }
}

chost_http_outcome chost_http_rest(chost_http *http, int milliseconds) {
  end_request(http);
  if (!atomic_load(&http->stopped)) (void)curl_multi_poll(http->multi, NULL, 0, milliseconds, NULL);
  return atomic_load(&http->stopped) ? CHOST_HTTP_STOPPED : CHOST_HTTP_IDLE;
}

long chost_http_status(const chost_http *http) {
  long status = 0;
  if (http->easy != NULL) (void)curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

const char *chost_http_error(const chost_http *http) { return http->error; }

void chost_http_stop(chost_http *http) {
  atomic_store(&http->stopped, true);
  (void)curl_multi_wakeup(http->multi);
}
