// What connections came to so far: units by kind, bytes by what they are spent on, records of TLS, ciphertext.
import { addUsage, type Usage } from '../price.ts'
import type { Bytes } from '../wire.ts'
import type { Direction, Role, Unit } from './unit.ts'

export interface KindTotals {
  readonly count: number
  readonly up: number
  readonly down: number
  readonly billed: Usage
}

/** Sums; two of them can be subtracted. */
export interface Totals {
  readonly connections: number
  /** Minutes begun by each connection. */
  readonly minutes: number
  readonly messages: number
  readonly payloadBytes: number
  readonly topicBytes: number
  readonly roles: Readonly<Record<Role, { readonly count: number; readonly bytes: Bytes }>>
  /** Of units with each role; the records are those of application data. */
  readonly records: Readonly<Record<Role, Bytes>>
  readonly ciphertext: Bytes
  readonly kinds: Readonly<Record<string, KindTotals>>
}

export interface Tally {
  unit(unit: Unit): void
  /** Every record of application data carries the units that were told since the one before. */
  record(direction: Direction, role: Role): void
  connection(ciphertext: Bytes, ms: number): void
  totals(): Totals
}

const roleNames: readonly Role[] = ['session', 'message', 'ack', 'keepAlive', 'delivery']
const none = (): Bytes => ({ up: 0, down: 0 })
const plus = (a: Bytes, direction: Direction, n: number): Bytes => ({ ...a, [direction]: a[direction] + n })

export function createTally(): Tally {
  const roles = Object.fromEntries(roleNames.map((role) => [role, { count: 0, bytes: none() }])) as Record<
    Role,
    { count: number; bytes: Bytes }
  >
  const records = Object.fromEntries(roleNames.map((role) => [role, none()])) as Record<Role, Bytes>
  const kinds = new Map<string, KindTotals>()
  const sums = { connections: 0, minutes: 0, messages: 0, payloadBytes: 0, topicBytes: 0 }
  let ciphertext = none()
  return {
    unit({ kind, direction, role, bytes, payloadBytes, topicBytes, billed }) {
      roles[role] = { count: roles[role].count + 1, bytes: plus(roles[role].bytes, direction, bytes) }
      const name = `${kind} ${direction}`
      const before = kinds.get(name) ?? { count: 0, up: 0, down: 0, billed: {} }
      kinds.set(name, { ...plus(before, direction, bytes), count: before.count + 1, billed: addUsage(before.billed, billed) })
      if (role !== 'message') return
      sums.messages++
      sums.payloadBytes += payloadBytes
      sums.topicBytes += topicBytes
    },
    record(direction, role) {
      records[role] = plus(records[role], direction, 1)
    },
    connection({ up, down }, ms) {
      sums.connections++
      sums.minutes += Math.max(1, Math.ceil(ms / 60_000))
      ciphertext = { up: ciphertext.up + up, down: ciphertext.down + down }
    },
    totals: () => structuredClone({ ...sums, roles, records, ciphertext, kinds: Object.fromEntries(kinds) }),
  }
}
