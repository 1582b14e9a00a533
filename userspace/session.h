/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ESMTPCTL_SESSION_H
#define ESMTPCTL_SESSION_H

#include <stdint.h>

#include "event.h"

/**
 * struct session - one inspected connection, decoded
 * @family: AF_INET, AF_INET6
 * @client: address before NAT
 * @server: address before NAT
 * @client_port: in host order
 * @server_port: in host order
 * @phase: enum esmtp_session_phase
 * @policy: name
 * @generation: of the configuration that the policy came with
 * @rcpts: recipients accepted in this transaction
 * @message: bytes read of the message that is under way
 * @kept_client: memory for the client's bytes that are not acknowledged
 * @kept_server: the same of the server's
 * @age: in seconds
 */
struct session {
	uint8_t family;
	uint8_t client[16];
	uint8_t server[16];
	uint16_t client_port;
	uint16_t server_port;
	uint8_t phase;
	char policy[EVENT_POLICY_MAX];
	uint64_t generation;
	uint32_t rcpts;
	uint64_t message;
	uint32_t kept_client;
	uint32_t kept_server;
	uint32_t age;
};

#endif
