// The doors without a broker session: one connection asks once who it is, and each publish goes the way that all publishes go.
import type { Clock } from '../../lib/clock.ts'
import type { Session } from '../access/access.ts'
import type { Broker } from '../broker/broker.ts'
import type { Message, MqttProperties } from '../message/message.ts'
import type { Observe } from '../observe/observe.ts'

export interface Publication {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: 0 | 1
  readonly retain: boolean
  readonly properties?: MqttProperties
}

export interface PublisherDeps {
  readonly broker: Pick<Broker, 'publish'>
  readonly clock: Pick<Clock, 'now'>
  readonly ids: () => string
  readonly observe: Observe
}

/** Resolves once the message is durable. Rejects with the refusal, or with why it could not be kept. */
export type Publisher = (session: Session, publication: Publication) => Promise<void>

export function createPublisher({ broker, clock, ids, observe }: PublisherDeps): Publisher {
  return async (session, { topic, payload, qos, retain, properties }) => {
    const { source } = session
    const tenant = session.tenantOf(topic)
    const known = { ...(tenant === undefined ? {} : { tenant }), ...(properties ? { properties } : {}) }
    const refused = session.publish({ topic, payloadBytes: payload.length, qos, retain, ...known })
    if (refused) {
      const { clientId, transport } = source
      observe.record('message.refused', {
        ...{ code: refused.code, clientId, transport, topic, detail: refused.message },
        ...refused.details,
      })
      throw refused
    }
    const message: Message = {
      ...{ id: ids(), topic, payload, qos, retain, receivedAt: clock.now(), hops: 0 },
      source: tenant === undefined || tenant === source.tenant ? source : { ...source, tenant },
      ...(properties ? { properties } : {}),
    }
    try {
      await broker.publish(message)
    } finally {
      if (qos === 1) session.acknowledged()
    }
  }
}
