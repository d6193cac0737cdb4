// Lifecycle events: what AWS IoT Core publishes when clients come, go, and change their subscriptions.
import { createHash } from 'node:crypto'
import type { Source } from '../message/message.ts'

/** Why a connection ended, in AWS's words [AWS iot life-cycle-events]. */
export type DisconnectReason =
  | 'AUTH_ERROR'
  | 'CLIENT_INITIATED_DISCONNECT'
  | 'CLIENT_ERROR'
  | 'CONNECTION_LOST'
  | 'DUPLICATE_CLIENTID'
  | 'MQTT_KEEP_ALIVE_TIMEOUT'
  | 'SERVER_INITIATED_DISCONNECT'

/** A connection in lifecycle events. */
export interface ConnectionIdentity {
  readonly source: Source
  readonly sessionIdentifier: string
  /** Goes up with every connection of a client id; both events of one connection carry the same. */
  readonly versionNumber: number
}

export interface LifecycleEvent {
  readonly topic: string
  readonly body: Readonly<Record<string, unknown>>
}

const maxClients = 100_000

export interface ConnectionNumbers {
  next(source: Source, messageId: string): ConnectionIdentity
  /** Whether such a client was ever here. */
  has(clientId: string): boolean
}

/** Numbers the connections of each client id; the longest unseen are forgotten first. */
export function createConnectionNumbers(): ConnectionNumbers {
  const versions = new Map<string, number>()
  return {
    has: (clientId) => versions.has(clientId),
    next(source, messageId) {
      const { clientId } = source
      const versionNumber = (versions.get(clientId) ?? -1) + 1
      versions.delete(clientId)
      versions.set(clientId, versionNumber)
      if (versions.size > maxClients) versions.delete(versions.keys().next().value!)
      const sessionIdentifier = createHash('md5').update(messageId).digest('hex')
      return { source, sessionIdentifier, versionNumber }
    },
  }
}

export const presence = {
  connected: ({ source, sessionIdentifier, versionNumber }: ConnectionIdentity, timestamp: number) =>
    event('presence/connected', source, {
      ...common(source, timestamp, 'connected'),
      sessionIdentifier,
      principalIdentifier: principalOf(source),
      ipAddress: source.sourceIp,
      versionNumber,
    }),
  disconnected: ({ source, sessionIdentifier, versionNumber }: ConnectionIdentity, timestamp: number, disconnectReason: DisconnectReason) =>
    event('presence/disconnected', source, {
      ...common(source, timestamp, 'disconnected'),
      sessionIdentifier,
      principalIdentifier: principalOf(source),
      clientInitiatedDisconnect: disconnectReason === 'CLIENT_INITIATED_DISCONNECT',
      disconnectReason,
      versionNumber,
    }),
  connectFailed: (source: Source, timestamp: number) =>
    event('presence/connect_failed', source, {
      ...common(source, timestamp, 'connect_failed'),
      principalIdentifier: principalOf(source),
      ipAddress: source.sourceIp,
      connectFailureReason: 'AUTHORIZATION_FAILED',
    }),
} as const

export function subscriptionsChanged(
  eventType: 'subscribed' | 'unsubscribed',
  { source, sessionIdentifier }: ConnectionIdentity,
  timestamp: number,
  topics: readonly string[],
): LifecycleEvent | undefined {
  return event(`subscriptions/${eventType}`, source, {
    ...common(source, timestamp, eventType),
    sessionIdentifier,
    principalIdentifier: principalOf(source),
    topics,
  })
}

const common = ({ clientId }: Source, timestamp: number, eventType: string) => ({ clientId, timestamp, eventType })

const principalOf = ({ principal, clientId }: Source) => principal ?? clientId

/** None for client ids that could not be a level of a topic [AWS iot life-cycle-events]. */
function event(kind: string, { clientId }: Source, body: Readonly<Record<string, unknown>>): LifecycleEvent | undefined {
  return /[#+]/.test(clientId) ? undefined : { topic: `$aws/events/${kind}/${clientId}`, body }
}
