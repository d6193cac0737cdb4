// Many readings in one SQS message: an open pack per queue and tenant, in front of the batcher of the queue.
import type { Clock } from '../../lib/clock.ts'
import { packedSize, packIndex, packLineEnd } from '../../lib/pack.ts'
import { escapeInto, maxEscapedBytes } from '../aws/body.ts'
import { type Chunks, lengthOf } from '../message/body.ts'
import { blamesEntry, type Done, toGatewayError, toPromise } from './action.ts'
import type { Batcher } from './batch.ts'
import { createBatchers } from './batchers.ts'
import { type Caller, letGo, staying, tell } from './callers.ts'
import { checkedSize, type SqsEntry, toPackEntry } from './sqs-entry.ts'

export interface PackOptions {
  readonly maxBytes: number
  readonly lingerMs: number
}

export interface Packs {
  of(url: string, group?: string): Packer
  drained(): Promise<void>
}

export interface Packer {
  /** Calls back when the pack with this reading was accepted. */
  add(key: string, body: Chunks, signal: AbortSignal, done: Done): void
  isIdle(): boolean
  drained(): Promise<void>
}

export interface PacksDeps {
  readonly clock: Clock
  readonly queueOf: (url: string) => Batcher<SqsEntry>
  /** A sink has a group for every delivery or for none. */
  readonly grouped: boolean
}

export function createPacks(options: PackOptions, deps: PacksDeps): Packs {
  const queues = createBatchers((url) => createBatchers((group) => createPacker(url, deps.grouped ? group : undefined, options, deps)))
  return {
    of: (url, group = '') => queues.of(url).of(group),
    drained: queues.drained,
  }
}

interface Reading extends Caller {
  readonly key: string
  readonly bytes: number
  /** Where it lies in the text of its pack, with the end of its line. */
  readonly from: number
  readonly to: number
}

/** The readings' lines, escaped when they come: then a body is at hand, and nothing of it is needed any more. */
interface Pack {
  text: Buffer
  readonly readings: Reading[]
  bytes: number
}

const maxReadings = 10_000
/** As it is inside a JSON string. */
const lineEnd = Buffer.from(JSON.stringify(packLineEnd.toString()).slice(1, -1))
const spareBytes = 2_048

// Readings leave a pack one by one when their callers go; the pack itself is sent for those that stay.
const unhurried = new AbortController().signal

/**
 * A pack carries no `messageId`: after a retry the same reading travels in different company, and a consumer that knew the pack by
 * its first reading would drop the others. Each reading has its own key in the index.
 */
function createPacker(url: string, group: string | undefined, { maxBytes, lingerMs }: PackOptions, { clock, queueOf }: PacksDeps): Packer {
  const room = maxBytes - headBytes(group)
  let open: Pack | undefined
  /** Enough for a pack such as the last one. */
  let usualBytes = spareBytes
  let sending = 0
  let onIdle: (() => void)[] = []

  const isIdle = () => !open && sending === 0

  const begin = (): Pack => {
    const pack: Pack = { text: Buffer.allocUnsafeSlow(usualBytes), readings: [], bytes: 0 }
    open = pack
    void clock.sleep(lingerMs).then(() => {
      if (open === pack) void close(pack)
    })
    return pack
  }

  const close = async (pack: Pack) => {
    open = undefined
    usualBytes = pack.readings.at(-1)!.to + spareBytes
    sending++
    const release = letGo(pack.readings)
    await send(pack, staying(pack.readings))
    release()
    sending--
    if (!isIdle()) return
    for (const resolve of onIdle) resolve()
    onIdle = []
  }

  const send = async (pack: Pack, readings: readonly Reading[]): Promise<void> => {
    if (readings.length === 0) return
    try {
      await toPromise((done) => {
        const index = Buffer.from(packIndex(readings, '\\"', lineEnd.toString()))
        const entry = toPackEntry([index, ...linesOf(pack, readings)], readings.length, group)
        const bytes = readings.reduce((sum, reading) => sum + packedSize(reading.key, reading.bytes), 0)
        queueOf(url).add(entry, checkedSize(bytes, entry, url), unhurried, done)
      })
      for (const reading of readings) tell(reading, 'accepted')
    } catch (thrown) {
      const error = toGatewayError(thrown)
      const oneIsToBlame = readings.length > 1 && blamesEntry(error)
      if (!oneIsToBlame) for (const reading of readings) tell(reading, error)
      else await Promise.all(staying(readings).map((reading) => send(pack, [reading])))
    }
  }

  return {
    add(key, body, signal, done) {
      const bytes = lengthOf(body)
      const size = packedSize(key, bytes)
      if (open && open.bytes + size > room) void close(open)
      const pack = open ?? begin()
      const from = pack.readings.at(-1)?.to ?? 0
      reserve(pack, from, bytes * maxEscapedBytes + lineEnd.length)
      const { text } = pack
      let to = escapeInto(text, body.head, body.headBytes, from)
      const { tail } = body
      for (let i = 0; i < tail.length; i++) to = escapeInto(text, tail[i]!, tail[i]!.length, to)
      for (let i = 0; i < lineEnd.length; i++) text[to++] = lineEnd[i]!
      pack.readings.push({ key, bytes, from, to, signal, done })
      pack.bytes += size
      if (pack.bytes >= room || pack.readings.length >= maxReadings) void close(pack)
    },
    isIdle,
    drained: () =>
      new Promise((resolve) => {
        if (open) void close(open)
        if (isIdle()) return resolve()
        onIdle.push(resolve)
      }),
  }
}

function reserve(pack: Pack, from: number, bytes: number): void {
  if (from + bytes <= pack.text.length) return
  const larger = Buffer.allocUnsafeSlow(Math.max(pack.text.length * 2, from + bytes))
  pack.text.copy(larger, 0, 0, from)
  pack.text = larger
}

/** Of those that stay, in as few pieces as they lie in. */
function linesOf({ text }: Pack, readings: readonly Reading[]): readonly Uint8Array[] {
  const pieces: Uint8Array[] = []
  let from = readings[0]!.from
  let to = from
  for (const reading of readings) {
    if (reading.from !== to) {
      pieces.push(text.subarray(from, to))
      from = reading.from
    }
    to = reading.to
  }
  pieces.push(text.subarray(from, to))
  return pieces
}

// What a pack has besides its readings: the ends of the index, and the attributes with their names and types.
function headBytes(group: string | undefined): number {
  return 64 + (group === undefined ? 0 : Buffer.byteLength(group))
}
