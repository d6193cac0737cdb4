// The catalogue of everything worth telling: from one row come the log line, the counter and the live view.

export interface EventKind {
  /** `none`: counted, never logged. */
  readonly level: 'none' | 'debug' | 'info' | 'warn' | 'error'
  /** The Prometheus counter that goes up, without the `weir_` prefix. */
  readonly metric?: string
  /** Fields that become labels of the counter: bounded sets only, never ids, topics or client ids. */
  readonly labels?: readonly string[]
  /** Written at every level of the log: programs wait for it. */
  readonly always?: true
  readonly means: string
}

export const events = {
  'gateway.ready': { level: 'info', always: true, means: 'every door is open; carries the ports' },
  'gateway.exposed': {
    level: 'warn',
    means: 'the admin port listens where other machines may reach it: whoever does sees the ledger and sends commands to devices',
  },
  'data.exposed': {
    level: 'warn',
    means: 'a directory of the gateway was there before and other users may open it; its files are private; carries the directories',
  },
  'caller.untrusted': {
    level: 'warn',
    means:
      'the first request with this Host, Origin or proxy header was refused on a listener that trusts callers without credentials; carries the flag that allows it',
  },
  'gateway.draining': { level: 'info', means: 'listeners refuse new connections; accepted messages are being delivered' },
  'gateway.stopped': { level: 'info', means: 'the gateway has stopped; carries the ledger' },
  'gateway.degraded': { level: 'warn', metric: 'degraded_total', labels: ['code'], means: 'something the gateway depends on is away' },
  'gateway.recovered': { level: 'info', means: 'what was away is back' },
  'local.ended': {
    level: 'error',
    metric: 'local_ends_total',
    labels: ['outcome'],
    means:
      'the process of the embedded SQS and SNS ended by itself and is started again; `outcome`: the messages in its queues are `lost` or `kept`',
  },
  'clock.stepped': {
    level: 'warn',
    metric: 'clock_steps_total',
    means: 'the wall clock was set, by so many milliseconds; what expires goes on by elapsed time',
  },
  'client.connected': { level: 'debug', metric: 'connects_total', labels: ['transport'], means: 'an MQTT client connected' },
  'client.disconnected': { level: 'debug', metric: 'disconnects_total', labels: ['transport'], means: 'an MQTT client left' },
  'client.failed': { level: 'warn', metric: 'client_errors_total', labels: ['code'], means: 'a connection broke the protocol' },
  'client.refused': { level: 'warn', metric: 'connects_refused_total', labels: ['code'], means: 'a client was not let in' },
  'delivery.dropped': {
    level: 'warn',
    metric: 'deliveries_dropped_total',
    labels: ['code'],
    means: 'a subscriber may not receive a message, or receives too many',
  },
  'client.revoked': {
    level: 'warn',
    metric: 'clients_revoked_total',
    labels: ['transport'],
    means: 'a connection was cut: its certificate, user or token no longer stands',
  },
  'registry.loaded': { level: 'info', means: 'things and policies are in use' },
  'registry.rejected': {
    level: 'error',
    metric: 'registries_rejected_total',
    means: 'the new things.json or a policy is broken; the old ones stay',
  },
  'sessions.recovered': { level: 'info', means: 'sessions and retained messages of an earlier run were found' },
  'sessions.corrupted': {
    level: 'error',
    metric: 'sessions_corruptions_total',
    means: 'part of what was known of sessions and retained messages is unreadable',
  },
  'client.dropped': { level: 'warn', metric: 'slow_clients_total', means: 'a subscriber that does not read was closed' },
  'broker.connected': { level: 'info', metric: 'broker_connects_total', means: 'a connection to the broker of somebody else is up' },
  'broker.disconnected': {
    level: 'warn',
    metric: 'broker_disconnects_total',
    labels: ['code'],
    means: 'a connection to the broker of somebody else was lost or not made; it is tried again',
  },
  'broker.received': {
    level: 'none',
    metric: 'broker_messages_total',
    labels: ['delivery'],
    means: 'a message of the broker of somebody else, for the first time or again',
  },
  'limit.exceeded': {
    level: 'none',
    metric: 'limits_exceeded_total',
    labels: ['limit'],
    means: 'a limit refused something; who and what is in the refusal',
  },
  'message.accepted': { level: 'none', metric: 'accepted_total', labels: ['transport'], means: 'a message became ours' },
  'message.recovered': { level: 'info', metric: 'recovered_total', means: 'messages of an earlier run were found in the spool' },
  'message.refused': { level: 'warn', metric: 'refused_total', labels: ['code'], means: 'a message was not accepted and not acknowledged' },
  'message.shed': { level: 'warn', metric: 'shed_total', labels: ['code'], means: 'a QoS 0 message was dropped to save the others' },
  'message.parked': { level: 'none', metric: 'parked_total', labels: ['rule'], means: 'a message makes way until its target is back' },
  'message.settled': { level: 'none', metric: 'settled_total', labels: ['outcome'], means: 'a message left the spool' },
  'message.dead': {
    level: 'error',
    metric: 'dead_total',
    labels: ['rule', 'code'],
    means: 'a message could not be delivered and never will be',
  },
  'message.lost': {
    level: 'error',
    metric: 'lost_total',
    labels: ['place'],
    means: 'acknowledged messages are missing from the disk; carries their number and where they were',
  },
  'spool.truncated': { level: 'info', means: 'a write that a crash had cut short was removed; it was never acknowledged' },
  'spool.corrupted': {
    level: 'error',
    metric: 'spool_corruptions_total',
    means: 'part of the spool is unreadable; the file is kept as *.corrupt',
  },
  'spool.failed': { level: 'warn', metric: 'spool_failures_total', labels: ['code'], means: 'the disk of the spool failed a call' },
  'request.refused': {
    level: 'warn',
    metric: 'requests_refused_total',
    labels: ['code'],
    means: 'an HTTP request was answered with a problem',
  },
  'rule.loaded': { level: 'info', means: 'a set of rules is in use' },
  'rule.warned': { level: 'warn', means: 'a rule is legal and hardly what its author meant' },
  'rule.rejected': { level: 'error', metric: 'rules_rejected_total', means: 'new rule files are broken; the old set stays' },
  'rule.matched': { level: 'none', metric: 'rule_matches_total', labels: ['rule'], means: 'FROM and WHERE held for a message' },
  'rule.failed': { level: 'warn', metric: 'rule_failures_total', labels: ['rule', 'code'], means: 'a rule could not be evaluated' },
  'action.delivered': { level: 'none', metric: 'action_deliveries_total', labels: ['rule', 'action'], means: 'a target accepted a body' },
  'action.retried': {
    level: 'warn',
    metric: 'action_retries_total',
    labels: ['rule', 'action', 'code'],
    means: 'a delivery is tried again',
  },
  'action.failed': { level: 'warn', metric: 'action_failures_total', labels: ['rule', 'action', 'code'], means: 'a delivery was given up' },
  'action.logged': { level: 'info', metric: 'action_logs_total', labels: ['rule'], means: 'a rule with a log action fired' },
  'consumer.received': { level: 'none', metric: 'received_total', labels: ['queue'], means: 'items were taken from a queue' },
  'consumer.handled': { level: 'none', metric: 'handled_total', labels: ['queue'], means: 'a handler finished an item' },
  'consumer.failed': {
    level: 'warn',
    metric: 'handler_failures_total',
    labels: ['queue', 'code'],
    means: 'a handler failed; the item comes back',
  },
  'consumer.buried': { level: 'error', metric: 'buried_total', labels: ['queue', 'code'], means: 'an item went to its dead-letter queue' },
  'consumer.unreachable': { level: 'warn', metric: 'consumer_errors_total', labels: ['queue', 'code'], means: 'a queue could not be read' },
  'consumer.sidelined': {
    level: 'none',
    metric: 'sidelined_total',
    labels: ['queue', 'outcome'],
    means: 'items of a tenant beyond its share, or too old, went to the overflow queue',
  },
  'consumer.expired': { level: 'warn', metric: 'leases_lost_total', labels: ['queue'], means: 'the queue gave an item in hand to another' },
  'consumer.slowed': {
    level: 'warn',
    metric: 'slowdowns_total',
    labels: ['queue'],
    means: 'errors or latency downstream: the consumer slows',
  },
  'consumer.recovered': { level: 'info', means: 'a slowed consumer is back at its full pace' },
  'consumer.stopped': { level: 'info', means: 'a consumer has finished or released what it had in hand' },
  'tenant.noisy': {
    level: 'warn',
    metric: 'noisy_tenants_total',
    labels: ['queue'],
    means: 'a tenant asks for far more than its share',
  },
  'tenant.quiet': { level: 'info', means: 'a noisy tenant is back within its share' },
  'deadletter.replayed': { level: 'info', metric: 'replayed_total', labels: ['queue'], means: 'dead letters went back to their queue' },
} as const satisfies Record<string, EventKind>

export type EventName = keyof typeof events

/** The fixed names of what an event may say. Payloads and secrets have no name here on purpose. */
export interface Fields {
  readonly messageId?: string
  readonly topic?: string
  readonly clientId?: string
  readonly transport?: string
  readonly tenant?: string
  readonly rule?: string
  readonly action?: string
  readonly queue?: string
  /** Name of the queue, topic or host a rule action delivers to. */
  readonly target?: string
  readonly group?: string
  readonly outcome?: string
  readonly code?: string
  readonly count?: number
  readonly ms?: number
  readonly bytes?: number
  readonly detail?: string
  /** The Host, Origin or proxy header by which a caller was refused; the sender bounds how many there are. */
  readonly caller?: string
  readonly ports?: Readonly<Record<string, number>>
  readonly [more: string]: unknown
}
