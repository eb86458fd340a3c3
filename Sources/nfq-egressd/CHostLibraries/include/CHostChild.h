// Starting a program as a child process: its absolute path, its words, its environment, and nothing else of ours.
#ifndef CHOSTCHILD_H
#define CHOSTCHILD_H

// A started program.
typedef struct chost_child {
  // Its process, which leads a process group of its own.
  int process;
  // What it writes to standard output and standard error is read here; closed at exec.
  int output;
} chost_child;

// Starts `words[0]`, an absolute path, with `words` and `environment`, both ended by NULL. Its standard input is
// empty, no other file descriptor stays open in it, no signal is blocked and none ignored. 0, or an errno.
int chost_child_start(const char *const words[], const char *const environment[], chost_child *child);

#endif
