// Many readings in one SQS message: a batcher of readings per queue and tenant, in front of the batcher of the queue.
import { type PackedReading, pack, packAttribute, packedSize } from '../../lib/pack.ts'
import type { BytesEntry } from '../aws-body.ts'
import { type ActionDeps, type Done, told } from './action.ts'
import { type Batcher, createBatcher } from './batch.ts'
import { type Batchers, createBatchers } from './batchers.ts'
import { checkedSize, toEntry } from './sqs-entry.ts'

export interface PackOptions {
  readonly maxBytes: number
  readonly lingerMs: number
}

export interface Packs {
  /** Calls back when the pack with this reading was accepted. */
  add(to: PackTarget, key: string, body: Uint8Array, signal: AbortSignal, done: Done): void
  drained(): Promise<void>
}

export interface PackTarget {
  readonly url: string
  /** A sink has one for every delivery or for none. */
  readonly group: string | undefined
}

// Readings leave a pack one by one when their callers go; the pack itself is sent for those that stay.
const unhurried = new AbortController().signal

/**
 * A pack carries no `messageId`: after a retry the same reading travels in different company, and a consumer that knew the pack by
 * its first reading would drop the others. Each reading has its own key in the index.
 */
export function createPacks(
  options: PackOptions,
  queueOf: (url: string) => Batcher<BytesEntry>,
  { clock }: Pick<ActionDeps, 'clock'>,
): Packs {
  const queues = createBatchers<Batchers<Batcher<PackedReading>>>()

  const createPacker = (url: string, group: string | undefined) =>
    createBatcher<PackedReading>({
      maxEntries: 10_000,
      maxBytes: options.maxBytes - headBytes(group),
      maxCalls: 64,
      lingerMs: options.lingerMs,
      eager: false,
      clock,
      async send(readings) {
        const entry = toEntry(pack(readings), { [packAttribute]: String(readings.length) }, group)
        const bytes = checkedSize(entry, url)
        await told((done) => queueOf(url).add(entry, bytes, unhurried, done))
        return []
      },
    })

  return {
    add({ url, group }, key, body, signal, done) {
      const packer = queues.of(url, createBatchers).of(group ?? '', () => createPacker(url, group))
      packer.add({ key, body }, packedSize(key, body.length), signal, done)
    },
    drained: queues.drained,
  }
}

// What a pack has besides its readings: the ends of the index, and the attributes with their names and types.
function headBytes(group: string | undefined): number {
  return 64 + (group === undefined ? 0 : Buffer.byteLength(group))
}
