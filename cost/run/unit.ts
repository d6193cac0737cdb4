// What goes over a connection, one unit at a time: its kind, its bytes, what they are spent on and what AWS would bill for it.
import type { Usage } from '../price.ts'

export type Direction = 'up' | 'down'

/** Which part of the bytes of a message a unit belongs to. A delivery is a message to the device. */
export type Role = 'session' | 'message' | 'ack' | 'keepAlive' | 'delivery'

export interface Unit {
  /** As the protocol calls it: `PUBLISH`, `POST`, `101`. */
  readonly kind: string
  readonly direction: Direction
  readonly role: Role
  /** Inside TLS, headers and frames included. */
  readonly bytes: number
  readonly payloadBytes: number
  readonly topicBytes: number
  /** Priced items, those of every service that could stand here. */
  readonly billed: Usage
}

/** Reads both directions of one connection; chunks may be torn anywhere. */
export interface Decoder {
  up(chunk: Buffer): void
  down(chunk: Buffer): void
}

/** Throws on what is not its protocol. */
export type Decode = (told: (unit: Unit) => void) => Decoder

export const noUnit = { payloadBytes: 0, topicBytes: 0, billed: {} } as const
