// The daemon's door to libcurl: HTTP GET over a Unix socket, for the API of a container runtime. One answer read
// whole, or an endless one read piece by piece. Nothing but HTTP, no redirect, no proxy, no host name is looked up.
#ifndef CHOSTHTTP_H
#define CHOSTHTTP_H

#include <stddef.h>
#include <stdint.h>

// One request at a time on one socket path. A handle belongs to one thread; only chost_http_stop may come from any.
typedef struct chost_http chost_http;

// How a call ended.
typedef enum chost_http_outcome {
  // Bytes are there.
  CHOST_HTTP_DATA = 0,
  // None within the time waited.
  CHOST_HTTP_IDLE = 1,
  // The answer is complete.
  CHOST_HTTP_END = 2,
  // chost_http_stop was called.
  CHOST_HTTP_STOPPED = 3,
  // Cannot connect, cut off, or no HTTP; chost_http_error says why.
  CHOST_HTTP_FAILED = 4,
} chost_http_outcome;

// A handle for the socket at `path`. NULL when libcurl is without Unix sockets or memory. Connects nowhere yet.
chost_http *chost_http_open(const char *path);

void chost_http_close(chost_http *http);

// Begins GET `target` (a path with its query), ending an earlier request. 1, or 0 with chost_http_error.
// `seconds` bounds the whole request; 0 leaves it unbounded. Connecting is bounded in any case.
int chost_http_begin(chost_http *http, const char *target, long seconds);

// The next bytes of the answer's body, valid until the next call; waits at most `milliseconds` for them. Whatever is
// not taken waits in the runtime, not here: about 64 KiB are buffered.
chost_http_outcome chost_http_next(chost_http *http, int milliseconds, const uint8_t **bytes, size_t *length);

// Ends the request and waits: at most `milliseconds`, less when chost_http_stop is called. IDLE or STOPPED.
chost_http_outcome chost_http_rest(chost_http *http, int milliseconds);

// The answer's status code; 0 as long as its head has not come.
long chost_http_status(const chost_http *http);

// Why the last call failed. Valid until the next call.
const char *chost_http_error(const chost_http *http);

// Ends the wait of the thread that owns the handle, now and for good.
void chost_http_stop(chost_http *http);

#endif
