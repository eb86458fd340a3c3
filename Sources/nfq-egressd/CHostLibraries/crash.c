#include "CHostLibraries.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>

int chost_keep_memory_private(int no_backtrace) {
  static const int crashes[] = {SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS};
  if (no_backtrace) {
    struct sigaction ends = {.sa_handler = SIG_DFL};
    sigemptyset(&ends.sa_mask);
    for (size_t index = 0; index < sizeof crashes / sizeof *crashes; index++)
      if (sigaction(crashes[index], &ends, NULL) != 0) return errno;
  }
  // A limit on core files does not hold where core_pattern is a program (core(5)); this does.
  return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : errno;
}
