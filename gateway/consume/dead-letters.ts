// Dead letters as something to work with: why they died, what they hold, and a careful way back.
import type { Clock } from '../../lib/clock.ts'
import type { Observe } from '../observe/observe.ts'
import { createLimiter } from './limiter.ts'
import type { Item, Queue } from './queue.ts'
import { tenantOf } from './tenants.ts'

export interface DeadLetter {
  readonly id: string
  readonly key: string
  readonly tenant: string
  readonly group: string
  /** A code of the catalogue, or MAX_RECEIVES where SQS moved it by itself. */
  readonly code: string
  readonly reason: string
  /** The queue it died in, where known. */
  readonly source?: string
  /** When it was first sent, in milliseconds since the epoch. */
  readonly sentAt: number
  /** How often it was replayed before. */
  readonly redriven: number
  readonly bytes: number
  readonly item: Item
}

export interface Cause {
  /** Code and reason, with numbers as `#`. */
  readonly cause: string
  readonly code: string
  readonly count: number
  readonly tenants: Readonly<Record<string, number>>
  readonly oldestAt: number
  readonly newestAt: number
  /** Id of one of them. */
  readonly example: string
}

export interface ReplayOptions {
  readonly where: (letter: DeadLetter) => boolean
  /** The queue a letter goes to; undefined: nobody knows, so it stays. */
  readonly target: (letter: DeadLetter) => Queue | undefined
  readonly dryRun: boolean
  /** Letters a second. Infinity: as fast as it goes. */
  readonly perSecond: number
  /** Also those that came back from an earlier replay. */
  readonly force: boolean
}

export interface ReplayReport {
  readonly dryRun: boolean
  readonly seen: number
  readonly matched: number
  readonly replayed: number
  /** Matched, but already replayed once: a second loop needs `force`. */
  readonly refused: number
  /** Matched, but it is not known where they came from. */
  readonly homeless: number
  /** The signal ended it before the queue was read through. */
  readonly stopped: boolean
  readonly ids: readonly string[]
}

export interface DeadLetters {
  /** Reads the queue through and puts everything back. Of a FIFO group only the head can be seen. */
  list(signal: AbortSignal): Promise<readonly DeadLetter[]>
  /** By id, key, or the beginning of either. */
  show(id: string, signal: AbortSignal): Promise<DeadLetter | undefined>
  replay(options: ReplayOptions, signal: AbortSignal): Promise<ReplayReport>
}

export interface DeadLettersOptions {
  readonly queue: Queue
  readonly clock: Clock
  readonly observe: Observe
  /** How long an empty answer is waited for before the queue counts as read through. */
  readonly waitMs?: number
  /** The visibility timeout the queue receives with. */
  readonly visibilityMs?: number
}

/** The longest that an answer may take after the wait of its receive is over. */
const answerMs = 2_000

export function createDeadLetters({ queue, clock, observe, waitMs = 1_000, visibilityMs = 30_000 }: DeadLettersOptions): DeadLetters {
  /** Every letter once; what `visit` does not remove is kept from others meanwhile and given back at the end. */
  const walk = async (signal: AbortSignal, visit: (letter: DeadLetter) => Promise<'removed' | 'kept'>) => {
    const seen = new Set<string>()
    const inHand = new Set<Item>()
    const holdAll = (ms: number) => Promise.allSettled([...inHand].map((item) => queue.hold(item, ms)))
    // A receive is not aborted with the walk, because what the queue hands to it would stay hidden; it has this long to end.
    const patience = new AbortController()
    const giveUp = () =>
      void clock.sleep(waitMs + answerMs, patience.signal).then(
        () => patience.abort(signal.reason),
        () => undefined,
      )
    signal.addEventListener('abort', giveUp, { once: true })
    const off = clock.every(visibilityMs / 2, () => void holdAll(visibilityMs))
    try {
      for (;;) {
        signal.throwIfAborted()
        const letters = (await queue.receive(10, waitMs, patience.signal)).map(toDeadLetter)
        for (const { item } of letters) inHand.add(item)
        const fresh = letters.filter(({ id }) => !seen.has(id))
        if (fresh.length === 0) return seen.size
        for (const letter of fresh) {
          signal.throwIfAborted()
          seen.add(letter.id)
          if ((await visit(letter)) === 'removed') inHand.delete(letter.item)
        }
      }
    } finally {
      off()
      signal.removeEventListener('abort', giveUp)
      patience.abort()
      await holdAll(0)
    }
  }

  const list = async (signal: AbortSignal) => {
    const all: DeadLetter[] = []
    await walk(signal, async (letter) => {
      all.push(letter)
      return 'kept'
    })
    return all.sort((a, b) => a.sentAt - b.sentAt)
  }

  return {
    list,
    async show(id, signal) {
      return (await list(signal)).find((letter) => letter.id.startsWith(id) || letter.key.startsWith(id))
    },
    async replay({ where, target, dryRun, perSecond, force }, signal) {
      const limiter = createLimiter({ perSecond, burst: 1, clock })
      const ids: string[] = []
      let [matched, refused, homeless] = [0, 0, 0]

      let seen = 0
      let stopped = false
      const stopping = (error: unknown) => {
        if (!signal.aborted) throw error
        stopped = true
      }
      await walk(signal, async (letter) => {
        seen++
        if (!where(letter)) return 'kept'
        matched++
        const to = target(letter)
        if (letter.redriven > 0 && !force) refused++
        else if (!to) homeless++
        else {
          if (!dryRun) {
            while (!limiter.tryTake()) await clock.sleep(limiter.waitMs(), signal)
            // Sent first, removed then: a crash in between makes a duplicate with the same key, never a loss.
            await to.send([toReplay(letter)])
            ids.push(letter.id)
            await queue.remove([letter.item])
            return 'removed'
          }
          ids.push(letter.id)
        }
        return 'kept'
      }).catch(stopping)
      if (!dryRun && ids.length > 0) observe.record('deadletter.replayed', { queue: queue.name, count: ids.length })
      return { dryRun, seen, matched, replayed: dryRun ? 0 : ids.length, refused, homeless, stopped, ids }
    },
  }
}

/** What letters that died alike have in common: code and reason, with numbers as `#`. */
export function causeOf({ code, reason }: DeadLetter): string {
  return `${code}: ${reason.replace(/\d+/g, '#')}`
}

/** The most frequent cause first. */
export function toCauses(letters: readonly DeadLetter[]): readonly Cause[] {
  const causes = Map.groupBy(letters, causeOf)
  return [...causes]
    .map(([cause, members]) => ({
      cause,
      code: members[0]!.code,
      count: members.length,
      tenants: Object.fromEntries([...Map.groupBy(members, ({ tenant }) => tenant)].map(([tenant, own]) => [tenant, own.length])),
      oldestAt: Math.min(...members.map(({ sentAt }) => sentAt)),
      newestAt: Math.max(...members.map(({ sentAt }) => sentAt)),
      example: members[0]!.id,
    }))
    .sort((a, b) => b.count - a.count || a.cause.localeCompare(b.cause))
}

/** A consumer writes a reason and the source beside a letter; without a reason, SQS moved it, and `source` is the sender's own. */
function sourceOf({ attributes, movedFrom }: Item): string | undefined {
  return attributes.reason === undefined ? movedFrom : (attributes.source ?? movedFrom)
}

function toDeadLetter(item: Item): DeadLetter {
  const { reason = 'MAX_RECEIVES: received too often without an answer', redriven = '0' } = item.attributes
  const source = sourceOf(item)
  const [, code = 'UNKNOWN', text = reason] = /^([A-Z_]+): (.*)$/s.exec(reason) ?? []
  return {
    id: item.id,
    key: item.key,
    tenant: tenantOf(item),
    group: item.group,
    code,
    reason: text,
    ...(source === undefined ? {} : { source }),
    sentAt: item.sentAt,
    redriven: Number(redriven) || 0,
    bytes: item.body.byteLength,
    item,
  }
}

/** As it was sent the first time: same group, same key; a new start for its tries, and one more mark of a replay. */
function toReplay({ item, redriven }: DeadLetter) {
  const { reason, source, tries: _, sentAt: __, ...others } = item.attributes
  const attributes = reason === undefined && source !== undefined ? { ...others, source } : others
  return { ...item, attributes: { ...attributes, redriven: String(redriven + 1) } }
}
