// The catalogue of everything that can go wrong by name. The code decides what happens next; the text is for people.

export interface ErrorKind {
  /** true: the same call may succeed later, so it is tried again with backoff. false: it never will. */
  readonly retryable: boolean
  /** The HTTP status a client sees for it. */
  readonly status: number
  readonly means: string
}

export const codes = {
  CONFIG_INVALID: { retryable: false, status: 500, means: 'the configuration does not fit its schema' },
  TEMPLATE_UNSUPPORTED: { retryable: false, status: 500, means: 'a CloudFormation template holds what cannot be run here' },
  RULE_INVALID: { retryable: false, status: 500, means: 'a rule file cannot be used as it is' },
  SQL_INVALID: { retryable: false, status: 400, means: 'an SQL statement does not parse or names something unknown' },
  WATCH_FAILED: { retryable: true, status: 503, means: 'a directory cannot be watched, so changes of its files are noticed by polling' },
  PORT_IN_USE: { retryable: false, status: 500, means: 'another program listens on the port' },
  LOCAL_FAILED: { retryable: true, status: 503, means: 'the embedded SQS and SNS did not start or stopped' },
  INTERNAL: { retryable: false, status: 500, means: 'something went wrong inside the gateway' },
  REQUEST_INVALID: { retryable: false, status: 400, means: 'the request cannot be understood' },
  NOT_FOUND: { retryable: false, status: 404, means: 'there is nothing at this address' },
  METHOD_NOT_ALLOWED: { retryable: false, status: 405, means: 'this address does not answer to this method' },
  REQUEST_TIMEOUT: { retryable: true, status: 408, means: 'the request did not arrive in time' },
  HEADERS_TOO_LARGE: { retryable: false, status: 431, means: 'the header fields are over the limit' },
  HOST_NOT_ALLOWED: {
    retryable: false,
    status: 421,
    means: 'the Host header is not a loopback name, an IP address or a name given with --allow-host',
  },
  ORIGIN_NOT_ALLOWED: { retryable: false, status: 403, means: 'a web page of another site sent the request' },
  PROXY_NOT_TRUSTED: {
    retryable: false,
    status: 403,
    means: 'a proxy forwarded the request, so its loopback address does not identify the caller',
  },
  READERS_EXCEEDED: { retryable: true, status: 503, means: 'too many readers of live events are connected' },
  NOT_AUTHORIZED: { retryable: false, status: 403, means: 'the connection may not do this' },
  NOT_AUTHENTICATED: { retryable: false, status: 401, means: 'the credentials are missing, wrong, expired or revoked' },
  CLIENT_ID_INVALID: { retryable: false, status: 400, means: 'the client id is too long or has characters that no id may have' },
  CONNECT_RATE_EXCEEDED: { retryable: true, status: 429, means: 'too many connects in a second, of this client id or of all' },
  RATE_EXCEEDED: { retryable: true, status: 429, means: 'more messages or bytes per second than the limit' },
  TENANT_RATE_EXCEEDED: { retryable: true, status: 429, means: 'the devices of a tenant together send more than its limit' },
  IN_FLIGHT_EXCEEDED: { retryable: true, status: 429, means: 'too many QoS 1 messages wait for their acknowledgement' },
  SUBSCRIPTIONS_EXCEEDED: { retryable: false, status: 400, means: 'too many topic filters in one SUBSCRIBE or on one connection' },
  RETAINED_FULL: { retryable: true, status: 429, means: 'no further topic may have a retained message' },
  SESSION_QUEUE_FULL: { retryable: true, status: 503, means: 'too many messages wait for a client' },
  SESSIONS_FULL: {
    retryable: true,
    status: 503,
    means: 'sessions, filters and messages use all the memory that the broker has for clients',
  },
  SESSIONS_FAILED: { retryable: true, status: 503, means: 'sessions and retained messages cannot be written to disk' },
  PROPERTY_TOO_LARGE: { retryable: false, status: 400, means: 'an MQTT 5 property is over its limit' },
  TOPIC_INVALID: { retryable: false, status: 400, means: 'the topic name breaks a rule of MQTT or a limit of AWS IoT Core' },
  PAYLOAD_TOO_LARGE: { retryable: false, status: 413, means: 'the payload is over the limit' },
  QOS_NOT_SUPPORTED: { retryable: false, status: 400, means: 'QoS 2 is not supported, as in AWS IoT Core' },
  DEVICE_UNKNOWN: { retryable: false, status: 404, means: 'there is no such device' },
  DEVICE_OFFLINE: { retryable: true, status: 409, means: 'the device is not connected' },
  DEVICE_DEAF: { retryable: false, status: 409, means: 'the device is connected, and listens to no such command' },
  DEVICE_BUSY: { retryable: true, status: 429, means: 'the device has too many commands to answer' },
  DEVICE_TIMEOUT: { retryable: true, status: 504, means: 'the device did not answer in time' },
  IDEMPOTENCY_KEY_REUSED: { retryable: false, status: 422, means: 'the idempotency key was used for another request' },
  SPOOL_FULL: { retryable: true, status: 503, means: 'the spool reached its byte limit' },
  MESSAGE_EXPIRED: { retryable: false, status: 500, means: 'the message waited longer than the age limit of the spool' },
  SPOOL_FAILED: { retryable: true, status: 503, means: 'the spool cannot write to its disk' },
  MESSAGES_LOST: {
    retryable: false,
    status: 500,
    means:
      'acknowledged messages are missing from the disk or from the embedded queues, and nobody has confirmed it; `weir losses` says which',
  },
  SPOOL_LOCKED: { retryable: false, status: 500, means: 'another gateway uses the same directory for its spool or its sessions' },
  DATA_DIR_UNUSABLE: { retryable: false, status: 500, means: 'the data directory cannot be made, read or written' },
  ACK_TIMEOUT: { retryable: true, status: 503, means: 'the targets did not accept the message in time, so it was not acknowledged' },
  BROKER_UNREACHABLE: { retryable: true, status: 503, means: 'the broker that the gateway consumes from does not answer' },
  BROKER_REFUSED: { retryable: true, status: 502, means: 'the broker refuses the connection, a subscription or a publish of the gateway' },
  STOPPING: { retryable: true, status: 503, means: 'the gateway is shutting down' },
  RULE_FAILED: { retryable: false, status: 500, means: 'a rule could not be evaluated on a message' },
  RULE_NOT_FOUND: { retryable: false, status: 404, means: 'Basic Ingest named a rule that does not exist or is disabled' },
  ACTION_FAILED: { retryable: true, status: 502, means: 'the target of a rule action did not accept the message' },
  ACTION_REFUSED: { retryable: false, status: 502, means: 'the target of a rule action refused the message for good' },
  ACTION_TARGET_MISSING: { retryable: true, status: 502, means: 'the queue or topic of a rule action does not exist' },
  BODY_NOT_TEXT: { retryable: false, status: 400, means: 'SQS and SNS carry only XML characters, and the body has others' },
  BODY_TOO_LARGE: { retryable: false, status: 413, means: 'the body is over what the target accepts' },
  REPUBLISH_NO_ROOM: {
    retryable: false,
    status: 507,
    means: 'the spool holds twice its limit, so what a rule republishes is not taken either',
  },
  REPUBLISH_LOOP: { retryable: false, status: 508, means: 'the message was republished too often' },
  QUEUE_UNREACHABLE: { retryable: true, status: 503, means: 'the queue endpoint does not answer, or answers with an error' },
  QUEUE_MISSING: { retryable: true, status: 503, means: 'the queue does not exist' },
  QUEUE_REFUSED: { retryable: true, status: 502, means: 'the queue did not accept part of a batch' },
  LEASE_LOST: { retryable: false, status: 409, means: 'the queue has given the item to somebody else meanwhile' },
  DEAD_LETTER_QUEUE_MISSING: { retryable: false, status: 500, means: 'the queue names no dead-letter queue' },
  DEAD_LETTER_MISSING: { retryable: false, status: 404, means: 'no dead letter has this id or key' },
  ADMIN_UNREACHABLE: { retryable: true, status: 503, means: 'no gateway answers at the admin address' },
  HANDLER_REFUSED: { retryable: false, status: 422, means: 'a consumer handler refused a message for good' },
  HANDLER_INVALID: { retryable: false, status: 500, means: 'a consumer handler cannot be loaded' },
  HANDLER_FAILED: { retryable: true, status: 500, means: 'a consumer handler failed on a message' },
  HANDLER_TIMEOUT: { retryable: true, status: 504, means: 'a consumer handler did not finish in time' },
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof codes

/** Details are for logs and operators; a client only ever sees the code and its `means`. */
export class GatewayError extends Error {
  readonly code: ErrorCode
  readonly details: Readonly<Record<string, unknown>>

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly details?: Readonly<Record<string, unknown>>; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'GatewayError'
    this.code = code
    this.details = options.details ?? {}
  }

  get retryable(): boolean {
    return codes[this.code].retryable
  }
}

/** For parsers of what people wrote: the sentences become the error they see. */
export function invalidConfig(problems: string): GatewayError {
  return new GatewayError('CONFIG_INVALID', problems)
}

/** The code of any thrown thing: its own when it is ours, else the one given. */
export function codeOf(error: unknown, otherwise: ErrorCode): ErrorCode {
  return error instanceof GatewayError ? error.code : otherwise
}

/** One line of text for any thrown thing, without its stack. */
export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
