// What happens to sessions and retained messages, as entries of a journal: the state is what they add up to.
import type { Message, MqttProperties } from '../../message/message.ts'
import type { Filter } from '../routes.ts'

export type Entry =
  /** The first of a file; whatever an earlier file said is said again behind it. */
  | { readonly kind: 'begun'; readonly format: 1 }
  /** The file now holds all that its predecessor did. */
  | { readonly kind: 'whole' }
  /** A session begins, or goes on where it is not `fresh`. */
  | {
      readonly kind: 'opened'
      readonly client: string
      readonly protocol: Protocol
      readonly fresh: boolean
      /** Life after the client left; null: for ever. */
      readonly expirySeconds: number | null
    }
  /** `at`: steady time, which does not move with the wall clock. */
  | { readonly kind: 'left'; readonly client: string; readonly at: number; readonly expirySeconds: number | null }
  | { readonly kind: 'ended'; readonly client: string }
  | { readonly kind: 'subscribed'; readonly client: string; readonly filters: readonly Filter[] }
  | { readonly kind: 'unsubscribed'; readonly client: string; readonly filters: readonly string[] }
  | KeptEntry
  /** The client acknowledged these, or they expired. */
  | { readonly kind: 'released'; readonly client: string; readonly numbers: readonly number[] }

/** Sessions of MQTT 3 and of MQTT 5 are not interchangeable [AWS iot mqtt persistent sessions]. */
export type Protocol = 3 | 5

/** A message that is retained, or waits for clients, or both. */
export interface KeptEntry {
  readonly kind: 'kept'
  readonly number: number
  readonly retained: boolean
  /** Clients it is queued for. */
  readonly to: readonly string[]
  /** Those of them whose copy carries the RETAIN flag. */
  readonly flagged?: readonly string[]
  readonly topic: string
  readonly qos: 0 | 1
  readonly payload: Uint8Array
  readonly properties?: MqttProperties
  /** Steady time. */
  readonly expiresAt?: number
}

/** With the entry itself, so that it need not be parsed again to be applied. */
export interface EntryRecord extends Message {
  readonly entry: Entry
}

/**
 * An entry travels in a record of the spool, so that framing, checksums, groups and recovery are the same code: JSON, a line feed, and the
 * payload of a kept message.
 */
export function toRecord(entry: Entry): EntryRecord {
  return { ...carrier, entry, payload: entry.kind === 'kept' ? encodeKept(entry) : Buffer.from(JSON.stringify(entry)) }
}

export function fromRecord({ payload }: Pick<Message, 'payload'>): Entry {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
  const end = bytes.indexOf('\n')
  if (end === -1) return JSON.parse(bytes.toString())
  const { properties, ...rest } = JSON.parse(bytes.toString('utf8', 0, end))
  return { ...rest, payload: bytes.subarray(end + 1), ...(properties ? { properties: revive(properties) } : {}) }
}

const carrier: Message = {
  ...({ id: '', topic: '', payload: Buffer.alloc(0), qos: 0, retain: false, receivedAt: 0, hops: 0 } as const),
  source: { clientId: '', transport: 'inside' },
}

function encodeKept({ payload, properties, ...rest }: KeptEntry): Buffer {
  const { correlationData, ...plain } = properties ?? {}
  const written = correlationData ? { ...plain, correlationData: Buffer.from(correlationData).toString('base64') } : plain
  const head = JSON.stringify(properties ? { ...rest, properties: written } : rest)
  return Buffer.concat([Buffer.from(`${head}\n`), payload])
}

function revive({ correlationData, ...plain }: Omit<MqttProperties, 'correlationData'> & { correlationData?: string }): MqttProperties {
  return correlationData === undefined ? plain : { ...plain, correlationData: Buffer.from(correlationData, 'base64') }
}
