// Offers DNS questions as fast as it can, or so many a second, over 64 flows of one agent.
//
//   question_blaster ADDRESS SECONDS [RATE]
//
// Prints how many it sent as one line of JSON. Written for this benchmark.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define FLOWS 64
#define BATCH 32
#define NAMES 256

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

struct question {
  uint8_t bytes[64];
  size_t length;
};

static void put_label(struct question *question, const char *label) {
  const size_t length = strlen(label);
  question->bytes[question->length++] = (uint8_t)length;
  memcpy(question->bytes + question->length, label, length);
  question->length += length;
}

// One question for an address: header, three labels, type A, class IN.
static void make_question(struct question *question, int number) {
  char label[16];
  memset(question, 0, sizeof *question);
  question->bytes[2] = 1;
  question->bytes[5] = 1;
  question->length = 12;
  snprintf(label, sizeof label, "www%d", number % 8);
  put_label(question, label);
  snprintf(label, sizeof label, "bench%03d", number % 1000);
  put_label(question, label);
  put_label(question, "com");
  question->length++;
  question->bytes[question->length + 1] = 1;
  question->bytes[question->length + 3] = 1;
  question->length += 4;
}

int main(int count, char **arguments) {
  if (count < 3 || count > 4) {
    fputs("usage: question_blaster ADDRESS SECONDS [RATE]\n", stderr);
    return 64;
  }
  struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(53)};
  if (inet_pton(AF_INET, arguments[1], &server.sin_addr) != 1) return 64;
  const double seconds = atof(arguments[2]);
  const double rate = count == 4 ? atof(arguments[3]) : 0;

  int sockets[FLOWS];
  for (int flow = 0; flow < FLOWS; flow++) {
    sockets[flow] = socket(AF_INET, SOCK_DGRAM, 0);
    if (sockets[flow] < 0 || connect(sockets[flow], (struct sockaddr *)&server, sizeof server) < 0) {
      perror("question_blaster");
      return 1;
    }
  }
  static struct question questions[NAMES];
  for (int number = 0; number < NAMES; number++) make_question(&questions[number], number);

  struct mmsghdr messages[BATCH];
  struct iovec vectors[BATCH];
  memset(messages, 0, sizeof messages);
  unsigned long sent = 0;
  uint16_t id = 0;
  unsigned next = 0, flow = 0;
  const double start = now();
  double time;
  while ((time = now()) < start + seconds) {
    if (rate > 0 && (double)sent + BATCH > (time - start) * rate) {
      const struct timespec pause = {.tv_nsec = 200000};
      nanosleep(&pause, NULL);
      continue;
    }
    for (int index = 0; index < BATCH; index++) {
      struct question *question = &questions[next++ % NAMES];
      id++;
      question->bytes[0] = (uint8_t)(id >> 8);
      question->bytes[1] = (uint8_t)id;
      vectors[index] = (struct iovec){.iov_base = question->bytes, .iov_len = question->length};
      messages[index].msg_hdr.msg_iov = &vectors[index];
      messages[index].msg_hdr.msg_iovlen = 1;
    }
    const int done = sendmmsg(sockets[flow++ % FLOWS], messages, BATCH, 0);
    if (done > 0) sent += (unsigned long)done;
  }
  printf("{\"sent\":%lu,\"seconds\":%.4f}\n", sent, now() - start);
  return 0;
}
