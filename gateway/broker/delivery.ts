// Who gets a message: the pipeline, what is retained and the sessions on disk, and those connected.
import type { Clock } from '../../lib/clock.ts'
import type { Message } from '../message.ts'
import type { Observe } from '../observe/observe.ts'
import type { Ingest } from './broker.ts'
import type { LifecycleEvent } from './lifecycle.ts'
import { toPacket } from './packet.ts'
import type { Routes, Target } from './routes.ts'
import type { Sessions } from './sessions/sessions.ts'

export interface DeliveryDeps {
  readonly ingest: Ingest
  readonly routes: Routes
  readonly sessions: Sessions
  readonly observe: Observe
  readonly clock: Clock
  readonly ids: () => string
  /** Whether a rule selects from a topic: lifecycle events that nobody wants are not made. */
  readonly isRouted: (topic: string) => boolean
}

export interface Delivery {
  /** Resolves when the message is safe: in the pipeline, and wherever it is retained or waits for a client. */
  keep(message: Message): Promise<readonly Target[]>
  /** To those connected; what waits in sessions is on its way already. */
  send(message: Message, targets?: readonly Target[]): void
  announce(event: LifecycleEvent | undefined): void
}

export function createDelivery({ ingest, routes, sessions, observe, clock, ids, isRouted }: DeliveryDeps): Delivery {
  const targetsOf = ({ topic, source }: Message) => routes.match(topic, source.clientId)

  const send: Delivery['send'] = (message, targets = targetsOf(message)) => {
    for (const { receiver, qos, asPublished } of targets) {
      const granted = message.qos === 1 ? qos : 0
      if (granted === 1 && receiver.persistent) continue
      receiver.outbox?.send(toPacket(message, granted, asPublished && message.retain))
    }
  }

  return {
    send,
    async keep(message) {
      const problem = sessions.refusal(message)
      if (problem) {
        observe.record('message.refused', { code: problem.code, topic: message.topic, detail: problem.message })
        throw problem
      }
      await ingest(message)
      const targets = targetsOf(message)
      await sessions.keep(message, targets)
      return targets
    },
    announce(event) {
      if (!event || !(routes.cover(event.topic) || isRouted(event.topic))) return
      const message: Message = {
        ...({ id: ids(), topic: event.topic, payload: Buffer.from(JSON.stringify(event.body)), qos: 1, retain: false } as const),
        ...{ receivedAt: clock.now(), source: { clientId: 'weir', transport: 'inside' } as const, hops: 0 },
      }
      // A refusal is in the log already, and nobody waits for these.
      if (isRouted(event.topic)) ingest(message).catch(() => undefined)
      const targets = targetsOf(message)
      sessions.keep(message, targets)?.catch(() => undefined)
      send(message, targets)
    },
  }
}
