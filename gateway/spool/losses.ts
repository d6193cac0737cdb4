// The account of losses: acknowledged messages that the disk no longer has, how many, where, since when, and
// whether a person has confirmed it.
//
// The account is kept on disk, in <dataDir>/losses and losses.2 (turns.ts draws the files). A lost message is known by its sequence, so
// damage that is found again after a restart is counted once, and a message whose file comes back is taken off the account.
import * as z from 'zod'
import type { Clock } from '../../lib/clock.ts'
import { GatewayError, textOf } from '../errors.ts'
import type { Observe } from '../observe/observe.ts'
import type { SpoolFs } from './fs.ts'
import { includes, type Range, sizeOf, union, without } from './ranges.ts'
import { openTurns, type Turns } from './turns.ts'

/**
 * `sessions`: messages that were queued for a client or retained. `queues`: messages in the embedded queues, which the ledger counts as
 * delivered. The `lost` of the ledger counts `messages` only.
 */
const kinds = ['messages', 'sessions', 'queues'] as const
const nouns = { messages: 'acknowledged message', sessions: 'queued or retained message', queues: 'delivered message' }
export type LossKind = (typeof kinds)[number]

const count = z.int().min(0)
const itemSchema = z.strictObject({
  kind: z.enum(kinds),
  /** Relative to the data directory: `spool`, `overflow/telemetry.sqs.1f0c27e09b6d4a35`, `sessions`. */
  place: z.string(),
  /** Milliseconds since the epoch. */
  since: z.number(),
  ranges: z.array(z.tuple([count, count])),
  /** Messages without a known sequence. */
  unnumbered: count,
  /** false: the count is a lower bound. */
  exact: z.boolean(),
  reasons: z.array(z.string()),
  confirmedAt: z.number().optional(),
})
const schema = z.strictObject({ items: z.array(itemSchema) })

type Item = z.infer<typeof itemSchema>

export interface Finding {
  readonly ranges?: readonly Range[]
  /** Messages that are lost besides those in `ranges`. */
  readonly unnumbered?: number
  readonly exact: boolean
  readonly reasons: Iterable<string>
}

/** The account of one directory. */
export interface PlaceLosses {
  /** No sequence is on the account. */
  isEmpty(): boolean
  has(sequence: number): boolean
  /** One more than the highest sequence on the account. */
  next(): number
  /** Returns how many messages were not on the account before. */
  add(when: 'start' | 'running', finding: Finding): number
  /** Takes messages off the account: they are back on disk. */
  found(sequences: readonly number[]): void
  /** Resolves when the account is on disk, or could not be written; it is then tried again. */
  saved(): Promise<void>
}

export interface Loss {
  readonly place: string
  readonly since: string
  readonly count: number
  readonly exact: boolean
  readonly detail: string
  readonly confirmedAt?: string
}

export interface Losses {
  /** Reads the account and reports losses that are not confirmed. */
  start(): Promise<void>
  place(name: string, kind?: LossKind): PlaceLosses
  /** A directory gets another name. Resolves when the account is on disk, or could not be written; it is then tried again. */
  rename(from: string, to: string): Promise<void>
  list(): readonly Loss[]
  /** Messages of the ledger that are lost; `before`: those of earlier runs. */
  total(): { readonly lost: number; readonly before: number }
  /** Marks every loss as known to a person. Resolves with the number of losses marked when that is on disk. */
  confirm(): Promise<number>
  stop(): Promise<void>
}

export interface LossesOptions {
  readonly clock: Clock
  readonly observe: Observe
  /** Without a disk the account is kept in memory. */
  readonly disk?: { readonly fs: SpoolFs; readonly dir: string }
}

const retryMs = 1_000
const maxReasons = 10

export function createLosses(options: LossesOptions): Losses {
  return new LossAccount(options)
}

class LossAccount implements Losses {
  readonly #options: LossesOptions
  #items: readonly Item[] = []
  /** Messages of the ledger that were lost in this run. */
  #running = 0
  #files: Turns<z.infer<typeof schema>> | undefined
  #dirty = false
  #saving: Promise<void> | undefined
  #stopTimer = () => {}

  constructor(options: LossesOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { disk, observe, clock } = this.#options
    if (!disk) return
    const names = await disk.fs.list(disk.dir).catch(() => [])
    if (names.some((name) => name.startsWith('losses'))) this.#files = await openTurns(disk.fs, disk.dir, 'losses', schema)
    const found = this.#files?.found
    if (found === 'damaged') observe.record('spool.corrupted', { detail: 'the account of lost messages is unreadable' })
    else this.#items = found?.items ?? []
    if (this.#items.some(isOpen)) this.#announce()
    this.#stopTimer = clock.every(retryMs, () => {
      if (this.#dirty) this.#saveLater()
    })
  }

  place(name: string, kind: LossKind = 'messages'): PlaceLosses {
    const ranges = () => this.#at(name).flatMap((item): readonly Range[] => item.ranges)
    return {
      isEmpty: () => ranges().length === 0,
      has: (sequence) => includes(ranges(), sequence),
      next: () => ranges().reduce((next, [, to]) => Math.max(next, to), 0),
      add: (when, finding) => this.#add(name, kind, when, finding),
      found: (sequences) => this.#found(name, sequences),
      saved: () => (this.#dirty ? this.#save().catch(() => undefined) : Promise.resolve()),
    }
  }

  async rename(from: string, to: string): Promise<void> {
    if (!this.#items.some((item) => item.place === from)) return
    this.#items = this.#items.map((item) => (item.place === from ? { ...item, place: to } : item))
    this.#dirty = true
    await this.#save().catch(() => undefined)
  }

  list(): readonly Loss[] {
    return this.#items.map(toLoss)
  }

  total(): { readonly lost: number; readonly before: number } {
    const lost = this.#items.filter(({ kind }) => kind === 'messages').reduce((sum, item) => sum + countOf(item), 0)
    return { lost, before: lost - this.#running }
  }

  async confirm(): Promise<number> {
    const before = this.#items
    const confirmed = before.filter(isOpen).length
    if (confirmed === 0) return 0
    const confirmedAt = this.#options.clock.now()
    this.#items = merged(before.map((item) => (isOpen(item) ? { ...item, confirmedAt } : item)))
    this.#dirty = true
    try {
      await this.#save()
    } catch (cause) {
      this.#items = before
      throw new GatewayError('SPOOL_FAILED', `the confirmation cannot be written: ${textOf(cause)}`, { cause })
    }
    this.#announce()
    return confirmed
  }

  async stop(): Promise<void> {
    this.#stopTimer()
    await this.#saving?.catch(() => undefined)
    if (this.#dirty) await this.#save().catch(() => undefined)
    await this.#files?.close().catch(() => undefined)
  }

  #at(place: string): readonly Item[] {
    return this.#items.filter((item) => item.place === place)
  }

  #add(place: string, kind: LossKind, when: 'start' | 'running', finding: Finding): number {
    const { ranges = [], unnumbered = 0, exact, reasons } = finding
    const { clock, observe } = this.#options
    const here = this.#at(place)
    const fresh = without(
      ranges,
      here.flatMap((item): readonly Range[] => item.ranges),
    )
    const added = sizeOf(fresh) + unnumbered
    if (added === 0 && exact) return 0
    if (when === 'running' && kind === 'messages') this.#running += added
    const open = here.find(isOpen) ?? emptyItem(kind, place, clock.now())
    const grown = grow(open, { ranges: fresh, unnumbered, exact, reasons })
    this.#items = [...this.#items.filter((item) => item !== open), grown]
    observe.record('message.lost', { place, count: added, detail: [...reasons].join(', ') })
    this.#announce()
    this.#saveLater()
    return added
  }

  #found(place: string, sequences: readonly number[]): void {
    if (sequences.length === 0) return
    const back = sequences.map((sequence): Range => [sequence, sequence + 1])
    this.#items = this.#items
      .map((item) => (item.place === place ? { ...item, ranges: without(item.ranges, back) as Item['ranges'] } : item))
      .filter((item) => countOf(item) > 0 || !item.exact)
    this.#announce()
    this.#saveLater()
  }

  #announce(): void {
    const { observe } = this.#options
    const open = this.#items.filter(isOpen)
    const restore = open.some(({ kind }) => kind !== 'queues') ? 'restore the files and restart, or ' : ''
    const detail = `${open.map(sentenceOf).join('; ')}; ${restore}confirm with: weir losses --confirm`
    if (open.length > 0) observe.record('gateway.degraded', { code: 'MESSAGES_LOST', detail })
    else observe.record('gateway.recovered', { code: 'MESSAGES_LOST' })
  }

  #saveLater(): void {
    this.#dirty = true
    this.#save().catch((error) =>
      this.#options.observe.record('spool.failed', { code: error.code ?? 'unknown', detail: `losses: ${textOf(error)}` }),
    )
  }

  #save(): Promise<void> {
    this.#saving ??= this.#write()
      .catch((error) => {
        this.#dirty = true
        throw error
      })
      .finally(() => {
        this.#saving = undefined
      })
    return this.#saving
  }

  async #write(): Promise<void> {
    const { disk } = this.#options
    if (!disk) return
    await disk.fs.makeDir(disk.dir)
    this.#files ??= await openTurns(disk.fs, disk.dir, 'losses', schema)
    while (this.#dirty) {
      this.#dirty = false
      await this.#files.write({ items: [...this.#items] })
    }
  }
}

const isOpen = ({ confirmedAt }: Item) => confirmedAt === undefined

const countOf = ({ ranges, unnumbered }: Item) => sizeOf(ranges) + unnumbered

const emptyItem = (kind: LossKind, place: string, since: number): Item => ({
  ...{ kind, place, since, ranges: [], unnumbered: 0, exact: true, reasons: [] },
})

function grow(item: Item, { ranges = [], unnumbered = 0, exact, reasons }: Finding): Item {
  return {
    ...item,
    ranges: union([...item.ranges, ...ranges]) as Item['ranges'],
    unnumbered: item.unnumbered + unnumbered,
    exact: item.exact && exact,
    reasons: [...new Set([...item.reasons, ...reasons])].slice(0, maxReasons),
  }
}

/** One confirmed item a place, so that the account does not grow with every loss. */
function merged(items: readonly Item[]): Item[] {
  const byPlace = new Map<string, Item>()
  for (const item of items) {
    const before = byPlace.get(item.place)
    byPlace.set(item.place, before ? { ...grow(before, item), since: Math.min(before.since, item.since) } : item)
  }
  return [...byPlace.values()]
}

function toLoss(item: Item): Loss {
  return {
    ...{ place: item.place, since: new Date(item.since).toISOString(), count: countOf(item), exact: item.exact },
    detail: sentenceOf(item),
    ...(item.confirmedAt === undefined ? {} : { confirmedAt: new Date(item.confirmedAt).toISOString() }),
  }
}

function sentenceOf(item: Item): string {
  const lost = countOf(item)
  const number = lost.toLocaleString('en-US')
  const noun = nouns[item.kind]
  const amount = item.exact ? number : lost === 0 ? 'an unknown number of' : `at least ${number}`
  const what = `${amount} ${noun}${lost === 1 ? ' was' : 's were'} lost`
  return `${what} in ${item.place}, found at ${new Date(item.since).toISOString()}: ${item.reasons.join(', ')}`
}
