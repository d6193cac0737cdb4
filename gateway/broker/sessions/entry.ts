// The entries of the session journal. Applied in order, they make the state of sessions and retained messages.
import type { MqttProperties } from '../../message/message.ts'
import { NewerFormatError } from '../../spool/codec.ts'
import type { Filter } from '../routes.ts'

/** Of entries, in a file of the journal. */
export const entryFormat = 1

export type Entry =
  /** The first of a file. The file repeats everything that earlier files hold. */
  | { readonly kind: 'begun'; readonly format: typeof entryFormat }
  /** The file now holds everything that its predecessor does. */
  | { readonly kind: 'whole' }
  /** A session begins, or goes on if it is not `fresh`. */
  | {
      readonly kind: 'opened'
      readonly client: string
      readonly protocol: Protocol
      readonly fresh: boolean
      /** Seconds that the session lives after the client left; null: for ever. */
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

/** An entry as the body of a record (spool/codec.ts): JSON. For a kept message, a line feed and its payload follow. */
export function encodeEntry(entry: Entry): Buffer {
  return entry.kind === 'kept' ? encodeKept(entry) : Buffer.from(JSON.stringify(entry))
}

/** The payload of a kept message shares the memory of `body`. Throws NewerFormatError. */
export function decodeEntry(body: Buffer): Entry {
  const end = body.indexOf('\n')
  if (end !== -1) return decodeKept(body, end)
  const entry: Entry = JSON.parse(body.toString())
  if (entry.kind === 'begun' && entry.format > entryFormat) throw new NewerFormatError('sessions', entry.format, entryFormat)
  return entry
}

function encodeKept({ payload, properties, ...rest }: KeptEntry): Buffer {
  const { correlationData, ...plain } = properties ?? {}
  const written = correlationData ? { ...plain, correlationData: Buffer.from(correlationData).toString('base64') } : plain
  const head = JSON.stringify(properties ? { ...rest, properties: written } : rest)
  return Buffer.concat([Buffer.from(`${head}\n`), payload])
}

function decodeKept(body: Buffer, end: number): KeptEntry {
  const { properties, ...rest } = JSON.parse(body.toString('utf8', 0, end))
  return { ...rest, payload: body.subarray(end + 1), ...(properties ? { properties: revive(properties) } : {}) }
}

function revive({ correlationData, ...plain }: Omit<MqttProperties, 'correlationData'> & { correlationData?: string }): MqttProperties {
  return correlationData === undefined ? plain : { ...plain, correlationData: Buffer.from(correlationData, 'base64') }
}
