// The fan-out: gives a message to the pipeline, to retained messages and sessions on disk, and to connected subscribers.
import type { Clock } from '../../lib/clock.ts'
import { codeOf, textOf } from '../errors.ts'
import type { Message } from '../message/message.ts'
import type { Observe } from '../observe/observe.ts'
import type { Ingest } from './broker.ts'
import type { LifecycleEvent } from './lifecycle.ts'
import { toPacket } from './packet.ts'
import type { Recipient, Routes } from './routes.ts'
import type { Reservation } from './sessions/reservations.ts'
import type { Sessions } from './sessions/sessions.ts'

export interface FanOutDeps {
  readonly ingest: Ingest
  readonly routes: Routes
  readonly sessions: Sessions
  readonly observe: Observe
  readonly clock: Clock
  readonly ids: () => string
  /** Whether a rule selects from a topic. Lifecycle events that no rule and no subscriber wants are not made. */
  readonly isRouted: (topic: string) => boolean
}

export interface FanOut {
  /**
   * Resolves when the message is safe: in the pipeline, and in every session that it is queued for. Rejects
   * when one of them refuses it; the pipeline does not have the message then. `entered` is called once,
   * when later messages can no longer overtake this one.
   */
  keep(message: Message, entered?: () => void): Promise<readonly Recipient[]>
  /** Sends to connected subscribers. `keep` has queued the copies of persistent sessions. */
  send(message: Message, recipients?: readonly Recipient[]): void
  announce(event: LifecycleEvent | undefined): void
}

interface Entered {
  /** The pipeline has the message. */
  readonly safe: Promise<void>
  readonly reservation?: Reservation | undefined
}

export function createFanOut({ ingest, routes, sessions, observe, clock, ids, isRouted }: FanOutDeps): FanOut {
  /** Resolves when the newest message that waits for a reservation has entered the pipeline; later messages enter after it. */
  let last: Promise<void> | undefined

  const recipientsOf = ({ topic, source }: Message) => routes.match(topic, source.clientId)

  const send: FanOut['send'] = (message, recipients = recipientsOf(message)) => {
    for (const { receiver, qos, asPublished } of recipients) {
      const granted = message.qos === 1 ? qos : 0
      if (granted === 1 && receiver.persistent) continue
      receiver.outbox?.send(toPacket(message, granted, asPublished && message.retain))
    }
  }

  /**
   * Offers the message to the pipeline after its reservation is on disk, in the order of the calls. Rejects
   * when sessions refuse the reservation.
   */
  const enter = async (message: Message, recipients: readonly Recipient[], entered: () => void): Promise<Entered> => {
    const turn = Promise.withResolvers<void>()
    const before = last
    try {
      const problem = sessions.refusal(message)
      if (problem) throw problem
      const reserving = sessions.reserve(message, recipients)
      if (!reserving && !before) return { safe: ingest(message) }
      last = turn.promise
      const reservation = await reserving?.finally(() => before)
      await before
      return { safe: ingest(message), reservation }
    } finally {
      if (last === turn.promise) last = undefined
      turn.resolve()
      entered()
    }
  }

  /** The pipeline records its own refusals. */
  const refused = ({ topic, source: { clientId, transport } }: Message, error: unknown) => {
    const fields = { code: codeOf(error, 'SESSIONS_FAILED'), clientId, transport, topic, detail: textOf(error) }
    observe.record('message.refused', fields)
    return error
  }

  return {
    send,
    async keep(message, entered = () => {}) {
      const recipients = recipientsOf(message)
      const { safe, reservation } = await enter(message, recipients, entered).catch((error) => {
        throw refused(message, error)
      })
      try {
        await safe
      } catch (error) {
        reservation?.withdraw()
        throw error
      }
      reservation?.deliver()
      return recipients
    },
    announce(event) {
      if (!event || !(routes.cover(event.topic) || isRouted(event.topic))) return
      const message: Message = {
        ...({ id: ids(), topic: event.topic, payload: Buffer.from(JSON.stringify(event.body)), qos: 1, retain: false } as const),
        ...{ receivedAt: clock.now(), source: { clientId: 'weir', transport: 'inside' } as const, hops: 0 },
      }
      // The log has a refusal already, and no client waits for an event.
      if (isRouted(event.topic)) ingest(message).catch(() => undefined)
      const recipients = recipientsOf(message)
      sessions.keep(message, recipients)?.catch(() => undefined)
      send(message, recipients)
    },
  }
}
