// What goes wrong with devices, by share and seed: with their readings, and with their connections.
import { z } from 'zod'
import { createRandom, type Random } from '../lib/random.ts'
import { chance, duration } from './fields.ts'
import type { Numbered } from './reading.ts'
import type { Interval } from './schedule.ts'

const share = { share: chance.default(1).describe('part of the devices that have this fault') }
const often = { ...share, chance: chance.default(0.01).describe('chance at each reading') }
const mean = { ...share, every: duration.describe('mean time between two of them on one device') }
const away = duration.optional().describe('how long the device stays away; the usual backoff with jitter when left out')

export const fault = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('duplicate').describe('a reading is sent twice'), ...often }),
  z.strictObject({ kind: z.literal('reorder').describe('a reading is sent after the one that follows it'), ...often }),
  z.strictObject({
    kind: z.literal('delay').describe('a reading is sent late'),
    by: duration.prefault('2s').describe('how late'),
    ...often,
  }),
  z.strictObject({
    kind: z.literal('oversized').describe('a reading is too large'),
    bytes: z.number().int().min(1).default(131_073).describe('size it is padded to; AWS IoT Core takes 131072'),
    ...often,
  }),
  z.strictObject({ kind: z.literal('malformed').describe('a reading ends in the middle'), ...often }),
  z.strictObject({
    kind: z.literal('skew').describe('the clock of the device is wrong'),
    byMs: z.number().int().default(90_000).describe('milliseconds ahead; negative: behind'),
    ...share,
  }),
  z.strictObject({ kind: z.literal('cut').describe('the connection is lost without a word'), away, ...mean }),
  z.strictObject({ kind: z.literal('disconnect').describe('the device says goodbye and comes back'), away, ...mean }),
  z.strictObject({
    kind: z.literal('reboot').describe('power is lost: the boot number goes up, the sequence starts again'),
    away,
    ...mean,
  }),
  z.strictObject({
    kind: z.literal('flap').describe('the connection is lost several times in a row'),
    times: z.number().int().min(2).default(5).describe('how often'),
    ...mean,
  }),
  z.strictObject({
    kind: z.literal('slow').describe('the device stops reading from its connection'),
    for: duration.prefault('5s').describe('how long'),
    ...mean,
  }),
])

export type Fault = z.output<typeof fault>
export type FaultKind = Fault['kind']
export type LinkFault = Extract<Fault, { every: number }>
type ReadingFault = Extract<Fault, { chance: number }>

/** A reading on its way out. */
export interface Outgoing {
  readonly reading: Numbered
  readonly delayMs: number
}

export interface DeviceFaults {
  readonly skewMs: number
  /** The times of these are planned like readings are. */
  readonly links: readonly { readonly fault: LinkFault; readonly interval: Interval; readonly random: Random }[]
  /** What is really sent when the device says this: nothing, it, or more. */
  alter(reading: Numbered, told: (kind: FaultKind) => void): readonly Outgoing[]
  /** What was held back for a reading that never came. */
  rest(): readonly Outgoing[]
}

/** Each fault of each device has random numbers of its own: adding one changes no other, nor any reading. Undefined: a healthy device. */
export function createFaults(faults: readonly Fault[], number: number, seed: string | number): DeviceFaults | undefined {
  const struck = faults
    .map((fault, i) => ({ fault, random: createRandom(seed, `fault ${i} of device ${number}`) }))
    .filter(({ fault, random }) => random() < fault.share)
  if (struck.length === 0) return undefined

  const onReadings = struck.filter((entry): entry is { fault: ReadingFault; random: Random } => 'chance' in entry.fault)
  let held: Numbered | undefined
  return {
    skewMs: struck.reduce((sum, { fault }) => sum + (fault.kind === 'skew' ? fault.byMs : 0), 0),
    links: struck.flatMap(({ fault, random }) =>
      'every' in fault ? [{ fault, random, interval: { kind: 'poisson' as const, every: fault.every } }] : [],
    ),
    alter(reading, told) {
      let out: Outgoing[] = [{ reading, delayMs: 0 }]
      let hold = false
      for (const { fault, random } of onReadings) {
        if (random() >= fault.chance) continue
        if (fault.kind === 'reorder') hold = held === undefined
        else out = damage(fault, out)
        if (fault.kind !== 'reorder' || hold) told(fault.kind)
      }
      if (hold) {
        held = out[0]!.reading
        return out.slice(1)
      }
      if (held) out = [...out, { reading: held, delayMs: 0 }]
      held = undefined
      return out
    },
    rest() {
      const out = held ? [{ reading: held, delayMs: 0 }] : []
      held = undefined
      return out
    },
  }
}

function damage(fault: Exclude<ReadingFault, { kind: 'reorder' }>, out: Outgoing[]): Outgoing[] {
  const payload = (change: (bytes: Uint8Array) => Uint8Array) =>
    out.map(({ reading, delayMs }) => ({ reading: { ...reading, payload: change(reading.payload) }, delayMs }))
  switch (fault.kind) {
    case 'duplicate':
      return [...out, ...out]
    case 'delay':
      return out.map(({ reading, delayMs }) => ({ reading, delayMs: delayMs + fault.by }))
    case 'oversized':
      return payload((bytes) => Buffer.concat([bytes, Buffer.alloc(Math.max(0, fault.bytes - bytes.length), ' ')]))
    case 'malformed':
      return payload((bytes) => bytes.subarray(0, bytes.length >> 1))
  }
}
