// Somebody else's broker as ours: connections that come back, messages acknowledged when they are ours, and publishes on their way out.
import { type Backoff, backoffMs } from '../../lib/backoff.ts'
import { createInOrder } from '../../lib/in-order.ts'
import { aborted } from '../../lib/stop-signal.ts'
import { levelOf } from '../access/topics.ts'
import { codeOf, GatewayError, textOf } from '../errors.ts'
import type { Message, Source } from '../message/message.ts'
import { createCondition } from '../observe/condition.ts'
import type { Broker } from './broker.ts'
import type { RemoteConfig } from './config.ts'
import { createIntake, hopsProperty, type Incoming, type IntakeOptions } from './intake.ts'
import { createSubscriptions } from './subscriptions.ts'

/** One connection, from its CONNACK until it closes. */
export interface RemoteLink {
  /** true: the broker still knew the session, its subscriptions and what it has kept for it. */
  readonly resumed: boolean
  /** MQTT 5: user properties travel with a message. */
  readonly hasProperties: boolean
  /** Resolves with the reason when the connection has ended, however it did. */
  readonly closed: Promise<string>
  /** Rejects with BROKER_REFUSED or BROKER_UNREACHABLE. */
  subscribe(filters: readonly string[]): Promise<void>
  /** Resolves when the broker has acknowledged it; at QoS 0, when it is sent. */
  publish(message: Message): Promise<void>
  /** Sends the acknowledgements that are due and says goodbye; the session stays. */
  close(): Promise<void>
}

export interface DialOptions {
  readonly clientId: string
  /** A PUBLISH. `acknowledge` does nothing once its connection is gone: the broker sends the message again then. */
  readonly receive: (incoming: Incoming, acknowledge: () => void) => void
  readonly signal: AbortSignal
}

/** Makes one attempt. Rejects with BROKER_REFUSED, BROKER_UNREACHABLE, or the reason of the signal. */
export type Dial = (options: DialOptions) => Promise<RemoteLink>

export interface RemoteBrokerOptions extends Omit<IntakeOptions, 'sourceOf' | 'signal'> {
  /** What `clientId` is where the config gives none. */
  readonly clientId: () => string
  /** The topic level, counted from 1, that names the tenant; null: none does. */
  readonly tenantTopicLevel: number | null
}

const backoff: Backoff = { baseMs: 1_000, capMs: 30_000 }
const minWaitMs = 200
const dialTimeoutMs = 15_000
const publishTimeoutMs = 15_000
/** A connection that is lost sooner was no success: two gateways with one client id would throw each other out without a pause. */
const stableMs = 10_000
const drainTimeoutMs = 5_000

export function createRemoteBroker(config: RemoteConfig, target: string, dial: Dial, options: RemoteBrokerOptions): Broker {
  const { ingest, observe, clock, random } = options
  const clientId = config.clientId ?? options.clientId()
  const stopping = new AbortController()
  const { signal } = stopping
  const intake = createIntake({ ...options, signal, sourceOf: sourceFrom(config, clientId, options.tenantTopicLevel) })
  const own = createSubscriptions<true>()
  for (const filter of config.filters) own.add(filter, true)
  const filters = config.filters.map((filter) => (config.group === undefined ? filter : `$share/${config.group}/${filter}`))
  const links = new Map<number, RemoteLink>()
  /** Messages on their way to an acknowledgement. */
  const open = new Set<Promise<void>>()
  const unavailable = createCondition({ observe, clock }, { target })
  let running: readonly Promise<void>[] = []

  const tellHealth = (error?: unknown) => {
    if (signal.aborted) return
    if (links.size === config.connections) unavailable.clear()
    else unavailable.raise({ code: codeOf(error, 'BROKER_UNREACHABLE'), detail: textOf(error) })
  }

  const connect = async (index: number): Promise<RemoteLink> => {
    const inOrder = createInOrder()
    const id = index === 0 ? clientId : `${clientId}-${index + 1}`
    const link = await dial({
      clientId: id,
      signal: clock.deadline(dialTimeoutMs, signal),
      receive(incoming, acknowledge) {
        // Only a stop rejects; the broker keeps the message then.
        const answered = inOrder(intake.take(incoming)).then(acknowledge, () => undefined)
        open.add(answered)
        answered.then(() => open.delete(answered))
      },
    })
    try {
      await withDeadline(link.subscribe(filters), clock.deadline(dialTimeoutMs, signal))
    } catch (error) {
      await link.close()
      throw error
    }
    observe.record('broker.connected', { target, clientId: id, resumed: link.resumed })
    return link
  }

  /** Connects again and again until the stop; calls back when the first attempt has an outcome. */
  const keep = async (index: number, tried: () => void) => {
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        const link = await connect(index)
        links.set(index, link)
        tellHealth()
        tried()
        const since = clock.monotonic()
        const reason = await link.closed
        links.delete(index)
        if (clock.monotonic() - since >= stableMs) attempt = 0
        throw new GatewayError('BROKER_UNREACHABLE', reason)
      } catch (error) {
        if (signal.aborted) break
        observe.record('broker.disconnected', { target, code: codeOf(error, 'BROKER_UNREACHABLE'), detail: textOf(error) })
        tellHealth(error)
        tried()
      }
      await clock.sleep(minWaitMs + backoffMs(backoff, attempt, random), signal).catch(() => undefined)
    }
    tried()
  }

  const send = async (message: Message): Promise<void> => {
    const link = links.values().next().value
    if (!link) throw new GatewayError('BROKER_UNREACHABLE', `${target} is not connected`)
    await withDeadline(link.publish(message), clock.deadline(publishTimeoutMs, signal))
  }

  return {
    async start(signal) {
      const tried = Array.from({ length: config.connections }, () => Promise.withResolvers<void>())
      running = tried.map(({ resolve }, index) => keep(index, resolve))
      const all = Promise.all(tried.map(({ promise }) => promise))
      await (signal ? Promise.race([all, aborted(signal)]) : all)
    },
    async publish(message) {
      const { topic, hops } = message
      // What begins with `$` has a meaning here only: Basic Ingest.
      if (topic.startsWith('$')) return ingest(message)
      // What the gateway subscribes to comes back to it, or to another of its group, and is ingested then.
      if (!own.cover(topic)) await ingest(message)
      else if (hops > 0 && links.size > 0 && !links.values().next().value!.hasProperties) throw circle(topic)
      await send(message)
    },
    async stop() {
      stopping.abort(new GatewayError('STOPPING', 'the gateway is shutting down'))
      // What is being written to the spool is acknowledged on the connection it came by.
      await withDeadline(Promise.all(open), clock.deadline(drainTimeoutMs)).catch(() => undefined)
      await Promise.all([...links.values()].map((link) => link.close()))
      await Promise.all(running)
    },
  }
}

function circle(topic: string): GatewayError {
  return new GatewayError('REPUBLISH_LOOP', 'MQTT 3.1.1 does not carry how often a message was republished: use MQTT 5', {
    details: { action: 'republish', target: topic },
  })
}

/** Who published is not in a PUBLISH: the topic says it, where the broker lets a device publish to its own topics only. */
function sourceFrom({ clientIdTopicLevel, tenant: fixed }: RemoteConfig, gateway: string, tenantTopicLevel: number | null) {
  return (topic: string): Source => {
    const tenant = fixed ?? levelOf(topic, tenantTopicLevel)
    const clientId = levelOf(topic, clientIdTopicLevel) ?? gateway
    return { clientId, transport: 'upstream', ...(tenant === undefined ? {} : { tenant }) }
  }
}

/** The message with its hops among its user properties, where it has any. */
export function withHops({ properties, hops }: Message): Message['properties'] {
  if (hops === 0) return properties
  const others = (properties?.userProperties ?? []).filter(([name]) => name !== hopsProperty)
  return { ...properties, userProperties: [...others, [hopsProperty, String(hops)]] }
}

/** Rejects with BROKER_UNREACHABLE when the time is over first. */
async function withDeadline<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const over = Promise.withResolvers<never>()
  const onAbort = () =>
    over.reject(signal.reason instanceof GatewayError ? signal.reason : new GatewayError('BROKER_UNREACHABLE', 'no answer in time'))
  if (signal.aborted) onAbort()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([work, over.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
    over.promise.catch(() => undefined)
    work.catch(() => undefined)
  }
}
