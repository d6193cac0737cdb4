// Asks a device and awaits its answer, by correlation id.
import { z } from 'zod'
import type { Clock } from '../../lib/clock.ts'
import type { Broker } from '../broker/broker.ts'
import { GatewayError } from '../errors.ts'
import type { Message } from '../message/message.ts'
import { isCommandName, responseId, topicsFor } from './topics.ts'

export const commandsSchema = z.strictObject({
  maxInFlight: z.number().int().min(1).default(20).describe('commands that one device may have to answer at a time'),
  timeoutMs: z.number().int().min(1).max(600_000).default(10_000).describe('how long a device has, where the caller does not say'),
})

export type CommandsConfig = z.infer<typeof commandsSchema>

export interface Command {
  readonly device: string
  readonly name: string
  readonly payload: Uint8Array
  readonly timeoutMs?: number
  /** The answer also goes to the queue of replies: its correlation id begins with `async-`, for a rule to see. */
  readonly async?: boolean
  /** The same key for the same command is the same question, asked once. */
  readonly idempotencyKey?: string
}

export interface Reply {
  readonly payload: Uint8Array
  readonly contentType?: string
  /** From the request to the reply. */
  readonly ms: number
}

/** A question that was sent. */
export interface Asked {
  readonly correlationId: string
  readonly device: string
  readonly name: string
  /** Resolves with the answer; rejects with DEVICE_TIMEOUT or DEVICE_OFFLINE. */
  readonly reply: Promise<Reply>
  readonly settled: () => Reply | GatewayError | undefined
}

export interface Commands {
  /**
   * Resolves when the question is on its way. Rejects at once with DEVICE_UNKNOWN, DEVICE_OFFLINE, DEVICE_BUSY,
   * REQUEST_INVALID or IDEMPOTENCY_KEY_REUSED.
   */
  ask(command: Command): Promise<Asked>
  /** One asked before; answers are kept for ten minutes. */
  find(correlationId: string): Asked | undefined
  /** Whether any device has anything to answer. */
  isWaiting(): boolean
  /** Shown accepted messages while it waits; answers are among them. */
  seen(message: Message): void
  start(): void
  stop(): void
}

export interface CommandsDeps {
  readonly publish: Broker['publish']
  /** Filters of a device that is connected. */
  readonly filtersOf: (clientId: string) => readonly string[] | undefined
  /** Whether there is such a device, connected or not. */
  readonly isKnown: (clientId: string) => boolean
  readonly clock: Pick<Clock, 'now' | 'monotonic' | 'every'>
  readonly ids: () => string
}

interface Waiting extends Asked {
  readonly askedAt: number
  readonly deadline: number
  readonly idempotency: string | undefined
  outcome: Reply | GatewayError | undefined
  settle(outcome: Reply | GatewayError): void
}

const keptMs = 600_000
const maxKept = 10_000
const checkMs = 20

export function createCommands({ maxInFlight, timeoutMs: defaultTimeoutMs }: CommandsConfig, deps: CommandsDeps): Commands {
  const { publish, filtersOf, isKnown, clock, ids } = deps
  /** By correlation id, in the order they were asked. */
  const all = new Map<string, Waiting>()
  const open = new Set<Waiting>()
  const byKey = new Map<string, { readonly fingerprint: string; readonly asked: Promise<Asked> }>()
  const inFlight = new Map<string, number>()
  let stopChecks = () => {}

  const settle = (waiting: Waiting, outcome: Reply | GatewayError) => {
    if (!open.delete(waiting)) return
    const left = (inFlight.get(waiting.device) ?? 1) - 1
    if (left > 0) inFlight.set(waiting.device, left)
    else inFlight.delete(waiting.device)
    waiting.settle(outcome)
  }

  const forget = () => {
    const before = clock.monotonic() - keptMs
    for (const [id, { askedAt, idempotency }] of all) {
      if (askedAt > before && all.size <= maxKept) return
      all.delete(id)
      if (idempotency !== undefined) byKey.delete(idempotency)
    }
  }

  const check = () => {
    const now = clock.monotonic()
    for (const waiting of open) {
      if (now >= waiting.deadline) settle(waiting, new GatewayError('DEVICE_TIMEOUT', `${waiting.device} did not answer in time`))
      else if (!filtersOf(waiting.device)) settle(waiting, new GatewayError('DEVICE_OFFLINE', `${waiting.device} left before it answered`))
    }
    forget()
  }

  const send = async (command: Command, idempotency: string | undefined): Promise<Asked> => {
    const { device, name, async: isAsync = false, timeoutMs = defaultTimeoutMs } = command
    const filters = filtersOf(device)
    if (!filters) {
      if (isKnown(device)) throw new GatewayError('DEVICE_OFFLINE', `${device} is not connected`)
      throw new GatewayError('DEVICE_UNKNOWN', `device ${device} is not known to the gateway`)
    }
    const correlationId = `${isAsync ? 'async-' : ''}${ids()}`
    const topics = topicsFor(device, filters, name, correlationId)
    if (!topics) throw new GatewayError('DEVICE_DEAF', `${device} subscribes to no topic for ${name}`)
    const count = inFlight.get(device) ?? 0
    if (count >= maxInFlight) throw new GatewayError('DEVICE_BUSY', `${device} has ${count} commands to answer`)

    const waiting = createWaiting({ correlationId, device, name, idempotency, askedAt: clock.monotonic(), timeoutMs })
    inFlight.set(device, count + 1)
    open.add(waiting)
    all.set(correlationId, waiting)
    try {
      await publish(toRequest(command, topics, correlationId, { id: ids(), receivedAt: clock.now() }))
    } catch (error) {
      all.delete(correlationId)
      settle(waiting, error instanceof GatewayError ? error : new GatewayError('INTERNAL', 'the command could not be published'))
      throw error
    }
    return waiting
  }

  return {
    ask(command) {
      const { device, name, payload, idempotencyKey } = command
      if (!isCommandName(name)) return Promise.reject(new GatewayError('REQUEST_INVALID', 'a command name is one level of a topic'))
      if (idempotencyKey === undefined) return send(command, undefined)
      const key = `${device}\0${idempotencyKey}`
      const fingerprint = `${name}\0${command.async ?? false}\0${Buffer.from(payload).toString('base64')}`
      const known = byKey.get(key)
      if (known && known.fingerprint !== fingerprint)
        return Promise.reject(new GatewayError('IDEMPOTENCY_KEY_REUSED', 'the key was used for another command'))
      if (known) return known.asked
      const asked = send(command, key)
      byKey.set(key, { fingerprint, asked })
      // What was never sent may be asked again.
      asked.catch(() => byKey.delete(key))
      return asked
    },
    find: (correlationId) => all.get(correlationId),
    isWaiting: () => open.size > 0,
    seen(message) {
      const id = responseId(message.topic)
      const waiting = id === undefined ? undefined : all.get(id)
      // Nobody answers for another.
      if (!waiting || message.source.clientId !== waiting.device) return
      const { contentType } = message.properties ?? {}
      const ms = clock.monotonic() - waiting.askedAt
      settle(waiting, { payload: message.payload, ms, ...(contentType === undefined ? {} : { contentType }) })
    },
    start() {
      stopChecks = clock.every(checkMs, check)
    },
    stop() {
      stopChecks()
      for (const waiting of open) settle(waiting, new GatewayError('STOPPING', 'the gateway is shutting down'))
    },
  }
}

type WaitingParts = Pick<Waiting, 'correlationId' | 'device' | 'name' | 'idempotency' | 'askedAt'> & { readonly timeoutMs: number }

function createWaiting({ timeoutMs, ...parts }: WaitingParts): Waiting {
  const { promise: reply, resolve, reject } = Promise.withResolvers<Reply>()
  // Who asked asynchronously does not wait for it.
  reply.catch(() => undefined)
  const waiting: Waiting = {
    ...parts,
    deadline: parts.askedAt + timeoutMs,
    reply,
    outcome: undefined,
    settled: () => waiting.outcome,
    settle(outcome) {
      waiting.outcome = outcome
      if (outcome instanceof GatewayError) reject(outcome)
      else resolve(outcome)
    },
  }
  return waiting
}

/** MQTT 5 devices are told where to answer; others know the convention [MQTT5-4.10]. */
function toRequest(
  { payload }: Command,
  { request, response }: { readonly request: string; readonly response: string },
  correlationId: string,
  { id, receivedAt }: Pick<Message, 'id' | 'receivedAt'>,
): Message {
  return {
    ...{ id, topic: request, payload, qos: 1, retain: false, receivedAt, hops: 0 },
    source: { clientId: 'weir', transport: 'inside' },
    properties: { responseTopic: response, correlationData: Buffer.from(correlationId) },
  }
}
