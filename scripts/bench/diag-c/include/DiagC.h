// The least that asking the kernel for a socket costs: one request for one connection, one answer, nothing kept.
#ifndef DIAGC_H
#define DIAGC_H

#include <stdint.h>

// A sock_diag socket; -1 when the kernel has none.
int diag_open(void);

// Asks for the TCP connection with these ends (16 bytes each, IPv4 in the first four; ports in host order).
// 1 when it was found, 0 when not, -1 on any failure.
int diag_ask(
    int diag, int ipv6, const uint8_t *local, uint16_t local_port, const uint8_t *remote, uint16_t remote_port);

void diag_close(int diag);

#endif
