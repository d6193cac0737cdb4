// CONNECT: who it is, what it may do, and the session that it finds; and what CONNACK says of that.
import type { Clock } from '../../lib/clock.ts'
import type { Access, Caller, Connect, Session } from '../access/access.ts'
import { sourceKeyOf } from '../access/source-address.ts'
import { createKeyedBuckets } from '../access/token-bucket.ts'
import { codeOf, GatewayError, textOf } from '../errors.ts'
import type { Observe } from '../observe/observe.ts'
import { connackFor, connackReasonFor } from './answers.ts'
import { type Connack, feature } from './connack.ts'
import type { Delivery } from './delivery.ts'
import { presence } from './lifecycle.ts'
import type { Memory } from './memory.ts'
import { createOutbox } from './outbox.ts'
import { payloadOf } from './packet.ts'
import { expiryOf, type Peer, type PeerClient } from './peer.ts'
import type { Seats } from './seats.ts'
import type { Sessions } from './sessions/sessions.ts'

export interface AdmissionDeps {
  readonly access: Access
  readonly sessions: Sessions
  readonly seats: Seats
  readonly memory: Memory
  readonly announce: Delivery['announce']
  readonly observe: Observe
  readonly clock: Clock
}

export interface Login {
  readonly username?: string
  readonly password?: string
}

/** What a packet identifier can number. */
export const mostInFlight = 65_535

/** connect_failed events of one source address; the log and the metrics count every failure. */
const connectFailedPerSecond = 10

/** What this broker does, said to MQTT 5 [AWS iot mqtt5 properties]. */
const features: Connack['features'] = {
  [feature.maximumQos]: 1,
  [feature.retainAvailable]: 1,
  [feature.wildcardSubscriptionAvailable]: 1,
  [feature.subscriptionIdentifiersAvailable]: 0,
  [feature.sharedSubscriptionAvailable]: 1,
}

/** Lets a peer in. Rejects with what aedes answers, a `returnCode` of MQTT 3.1.1 [MQTT-3.2.2.3]. */
export function createAdmission({ access, sessions, seats, memory, announce, observe, clock }: AdmissionDeps) {
  const { quotas } = access.limits
  const failures = createKeyedBuckets(connectFailedPerSecond, clock.monotonic())

  /** An unauthenticated client chooses the client id in this event, so each source address has a rate of its own. */
  const announceFailure = ({ transport, sourceIp }: Caller, clientId: string) => {
    const now = clock.monotonic()
    const bucket = failures.of(sourceKeyOf(sourceIp), now)
    if (!bucket.has(1, now)) return
    bucket.take(1)
    announce(presence.connectFailed({ clientId, transport, ...(sourceIp === undefined ? {} : { sourceIp }) }, clock.now()))
  }

  const open = async (peer: Peer, session: Session): Promise<void> => {
    const { client } = peer
    if (client.closed) return
    const { id: clientId, _cleanStart: fresh } = client
    const opened = await sessions.open(clientId, { protocol: client.version === 5 ? 5 : 3, fresh, expirySeconds: expiryOf(client) })
    // It may have gone meanwhile, and nobody would close what was opened.
    if (client.closed) return opened.close(expiryOf(client))
    const outbox = createOutbox({
      ...{ client, memory, clock, observe, release: sessions.release, now: sessions.now },
      storedPerSecond: quotas.storedDeliveriesPerSecond,
      maxInFlight: Math.min(client.receiveMaximum ?? mostInFlight, quotas.inFlightOutbound, mostInFlight),
      topicAliases: Math.min(peer.topicAliases ?? 0, quotas.topicAliases),
      maxPacketBytes: client.maximumPacketSize ?? Number.POSITIVE_INFINITY,
      receive: session.receive,
    })
    Object.assign(peer, { session, opened, outbox, receiver: opened.session ?? { clientId, persistent: false, outbox } })
  }

  return async (peer: Peer, login: Login): Promise<void> => {
    const { client, caller } = peer
    const { id: clientId } = client
    try {
      const session = await access.connect({ ...caller, ...login }, toConnect(client))
      await seats.claim(clientId, peer.seat, () => open(peer, session))
    } catch (error) {
      const code = codeOf(error, 'INTERNAL')
      const details = error instanceof GatewayError ? error.details : {}
      peer.refusal = code
      observe.record('client.refused', { code, clientId, transport: caller.transport, detail: textOf(error), ...details })
      if (code === 'NOT_AUTHORIZED' || code === 'NOT_AUTHENTICATED') announceFailure(caller, clientId)
      throw Object.assign(new Error(code), { returnCode: connackFor(code, login.password !== undefined) })
    }
  }
}

/** undefined: as aedes writes it. */
export function connackOf({ session, opened, refusal }: Peer): Connack | undefined {
  const reasonCode = refusal && connackReasonFor(refusal)
  if (refusal) return reasonCode === undefined ? undefined : { sessionPresent: false, reasonCode, features: {} }
  return session && { sessionPresent: opened!.present, features }
}

/** What a CONNECT asks for. The will is in aedes' hands until the client is let in. */
function toConnect({ id: clientId, clean, _will: will }: PeerClient): Connect {
  const persistent = !clean
  if (!will) return { clientId, persistent }
  const { topic, qos, retain = false } = will
  return { clientId, persistent, will: { topic, qos, retain, payloadBytes: payloadOf(will).length } }
}
