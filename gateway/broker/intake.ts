// What comes from somebody else's broker: checked, named, handed to Ingest until it is ours, and only then acknowledged.
import { type Backoff, backoffMs } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Limits } from '../access/limits.ts'
import { codeOf, codes } from '../errors.ts'
import type { Message, MqttProperties, Source } from '../message/message.ts'
import type { Observe } from '../observe/observe.ts'
import type { Ingest } from './broker.ts'

/*
   PUBLISH ─▶ check ─▶ Ingest ──────────────── resolves ─▶ PUBACK
                │         └─ "not now" ─▶ line ─▶ again, one by one, in order
                └─ never ─▶ counted, PUBACK
*/

/** A PUBLISH of the broker. */
export interface Incoming {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: 0 | 1
  readonly retain: boolean
  /** The DUP flag: the broker has sent it before. */
  readonly again: boolean
  readonly properties?: MqttProperties
}

export interface IntakeOptions {
  readonly ingest: Ingest
  readonly limits: Limits
  readonly observe: Observe
  readonly clock: Clock
  readonly random: () => number
  readonly ids: () => string
  readonly sourceOf: (topic: string) => Source
  readonly signal: AbortSignal
}

export interface Intake {
  /** Resolves when the broker may forget the message. Rejects only when the signal aborts: then the broker still owns it. */
  take(incoming: Incoming): Promise<void>
}

/** User property that carries how often a rule republished a message through the broker. */
export const hopsProperty = 'weir-hops'

const backoff: Backoff = { baseMs: 50, capMs: 2_000 }

export function createIntake({ ingest, limits, observe, clock, random, ids, sourceOf, signal }: IntakeOptions): Intake {
  /** Settles when everything that has to wait is ours; undefined while nothing waits. */
  let line: Promise<void> | undefined

  /** Until it is ours, or never will be. Refusals are in the log already. */
  const insist = async (message: Message, attempts: number) => {
    for (let attempt = attempts; ; attempt++) {
      if (attempt > 0) await clock.sleep(backoff.baseMs + backoffMs(backoff, attempt, random), signal)
      signal.throwIfAborted()
      try {
        return await ingest(message)
      } catch (error) {
        if (!mayRetry(message, error)) return
      }
    }
  }

  const queue = (message: Message, attempts: number): Promise<void> => {
    const turn = (line ?? Promise.resolve()).then(() => insist(message, attempts))
    line = turn
    const leave = () => {
      if (line === turn) line = undefined
    }
    turn.then(leave, leave)
    return turn
  }

  const keep = (message: Message): Promise<void> => {
    if (line && message.qos > 0) return queue(message, 0)
    return ingest(message).catch((error) => (mayRetry(message, error) ? queue(message, 1) : undefined))
  }

  return {
    take(incoming) {
      const message = toMessage(incoming, { id: ids(), receivedAt: clock.now(), source: sourceOf(incoming.topic) })
      observe.record('broker.received', { delivery: incoming.again ? 'again' : 'first' })
      return isRefused(message, limits, observe) ? Promise.resolve() : keep(message)
    },
  }
}

function mayRetry({ qos }: Message, error: unknown): boolean {
  return qos > 0 && codes[codeOf(error, 'INTERNAL')].retryable
}

/** What would be refused at any time must not come again and again. */
function isRefused({ topic, payload, qos, retain, properties, source }: Message, limits: Limits, observe: Observe): boolean {
  // Topics with `$` come only where the configuration asks for them by name.
  const asked = { topic: topic.replace(/^\$/, ''), payloadBytes: payload.length, qos, retain, ...(properties ? { properties } : {}) }
  const refused = limits.check(asked)
  if (!refused) return false
  const { clientId, transport, tenant } = source
  const known = { clientId, transport, topic, detail: refused.message, ...(tenant === undefined ? {} : { tenant }) }
  observe.record('message.refused', { code: refused.code, ...known, ...refused.details })
  return true
}

function toMessage(incoming: Incoming, given: Pick<Message, 'id' | 'receivedAt' | 'source'>): Message {
  const { topic, payload, qos, retain, properties } = incoming
  const message = { ...given, topic, payload, qos, retain, hops: hopsOf(properties) }
  return properties ? { ...message, properties } : message
}

/** Anybody may set it, and can only bring the end of a circle nearer. */
function hopsOf(properties: MqttProperties | undefined): number {
  const written = properties?.userProperties?.find(([name]) => name === hopsProperty)?.[1] ?? '0'
  return /^\d{1,3}$/.test(written) ? Number(written) : 0
}
