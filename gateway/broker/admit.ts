// Admission: authenticates the client of a CONNECT, opens its session, and decides what CONNACK says.
import type { Clock } from '../../lib/clock.ts'
import type { Access, Caller, Connect, Session } from '../access/access.ts'
import { sourceKeyOf } from '../access/source-address.ts'
import { createKeyedBuckets } from '../access/token-bucket.ts'
import { codeOf, GatewayError, textOf } from '../errors.ts'
import type { Observe } from '../observe/observe.ts'
import type { AedesConnection, ConnectLogin } from './aedes.ts'
import { connackFor, connackReasonFor } from './answers.ts'
import { type Connack, feature } from './connack.ts'
import type { Admitted, Connecting, Connection } from './connection.ts'
import type { FanOut } from './fan-out.ts'
import { presence } from './lifecycle.ts'
import { expiryOf } from './link.ts'
import type { Memory } from './memory.ts'
import { createOutbox } from './outbox.ts'
import { payloadOf } from './packet.ts'
import type { Occupant, Seats } from './seats.ts'
import type { Sessions } from './sessions/sessions.ts'

export interface AdmissionDeps {
  readonly access: Access
  readonly sessions: Sessions
  readonly seats: Seats
  readonly memory: Memory
  readonly announce: FanOut['announce']
  readonly observe: Observe
  readonly clock: Clock
}

/**
 * Rejects with the `returnCode` of MQTT 3.1.1 that aedes answers [MQTT-3.2.2.3]. Resolves without
 * `onAdmitted` when the client has left.
 */
export type Admit = (connecting: Connecting, login: ConnectLogin, seat: Occupant, onAdmitted: (admitted: Admitted) => void) => Promise<void>

/** The number of packet identifiers. */
export const mostInFlight = 65_535

/** connect_failed events of one source address; the log and the metrics count every failure. */
const connectFailedPerSecond = 10

/** Features that CONNACK of MQTT 5 announces [AWS iot mqtt5 properties]. */
const features: Connack['features'] = {
  [feature.maximumQos]: 1,
  [feature.retainAvailable]: 1,
  [feature.wildcardSubscriptionAvailable]: 1,
  [feature.subscriptionIdentifiersAvailable]: 0,
  [feature.sharedSubscriptionAvailable]: 1,
}

export function createAdmission({ access, sessions, seats, memory, announce, observe, clock }: AdmissionDeps): Admit {
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

  const open = async ({ link, topicAliases }: Connecting, session: Session): Promise<Admitted | undefined> => {
    const { client } = link
    if (client.closed) return undefined
    const { id: clientId, cleanStart: fresh } = client
    const opened = await sessions.open(clientId, { protocol: client.version === 5 ? 5 : 3, fresh, expirySeconds: expiryOf(client) })
    // The client may have left meanwhile. Nothing else would close its session then.
    if (client.closed) {
      opened.close(expiryOf(client))
      return undefined
    }
    const outbox = createOutbox({
      ...{ client, memory, clock, observe, release: sessions.release, now: sessions.now },
      storedPerSecond: quotas.storedDeliveriesPerSecond,
      maxInFlight: Math.min(client.receiveMaximum ?? mostInFlight, quotas.inFlightOutbound, mostInFlight),
      topicAliases: Math.min(topicAliases, quotas.topicAliases),
      maxPacketBytes: client.maxPacketBytes,
      receive: session.receive,
    })
    const receiver = opened.session ?? { clientId, persistent: false, outbox }
    return { state: 'admitted', link, session, opened, receiver, outbox }
  }

  return async (connecting, login, seat, onAdmitted) => {
    const { client, caller } = connecting.link
    const { id: clientId } = client
    try {
      const session = await access.connect({ ...caller, ...login }, toConnect(client))
      await seats.claim(clientId, seat, async () => {
        const admitted = await open(connecting, session)
        if (admitted) onAdmitted(admitted)
      })
    } catch (error) {
      const code = codeOf(error, 'INTERNAL')
      const details = error instanceof GatewayError ? error.details : {}
      connecting.refusal = code
      observe.record('client.refused', { code, clientId, transport: caller.transport, detail: textOf(error), ...details })
      if (code === 'NOT_AUTHORIZED' || code === 'NOT_AUTHENTICATED') announceFailure(caller, clientId)
      throw Object.assign(new Error(code), { returnCode: connackFor(code, login.password !== undefined) })
    }
  }
}

/** What aedes does not write into CONNACK; undefined: nothing. */
export function connackOf(connection: Connection): Connack | undefined {
  if (connection.state === 'admitted') return { sessionPresent: connection.opened.present, features }
  const reasonCode = connection.refusal && connackReasonFor(connection.refusal)
  return reasonCode === undefined ? undefined : { sessionPresent: false, reasonCode, features: {} }
}

/** What a CONNECT asks for. */
function toConnect({ id: clientId, clean, will }: AedesConnection): Connect {
  const persistent = !clean
  if (!will) return { clientId, persistent }
  const { topic, qos, retain = false } = will
  return { clientId, persistent, will: { topic, qos, retain, payloadBytes: payloadOf(will).length } }
}
