// Sessions and retained messages in memory: what the entries of the journal add up to. Nothing changes but by an entry that is on disk.
import type { Outbox } from '../outbox.ts'
import type { Receiver, Routes } from '../routes.ts'
import type { Entry, KeptEntry, Protocol } from './entry.ts'

export interface StoredSession extends Receiver {
  readonly persistent: true
  readonly protocol: Protocol
  expirySeconds: number | null
  /** Steady time; undefined while the client is connected. */
  leftAt: number | undefined
  readonly filters: Map<string, FilterOf>
  /** Numbers of messages, oldest first, and whether their copy carries the RETAIN flag. */
  readonly queue: Map<number, boolean>
  outbox: Outbox | undefined
}

type FilterOf = Extract<Entry, { kind: 'subscribed' }>['filters'][number]

export interface Kept extends Omit<KeptEntry, 'kind' | 'to' | 'flagged' | 'retained'> {
  retained: boolean
  /** Sessions it is queued for. */
  holders: number
}

export interface State {
  readonly sessions: ReadonlyMap<string, StoredSession>
  /** By topic. */
  readonly retained: ReadonlyMap<string, Kept>
  readonly kept: ReadonlyMap<number, Kept>
  /** What messages and sessions take in memory, about. */
  readonly bytes: number
  /** The highest number so far. */
  readonly lastNumber: number
  apply(entry: Entry): void
  /** Entries that add up to the same state. */
  entries(): Iterable<Entry>
}

export interface StateOptions {
  readonly routes: Routes
  /** A message was put into the queue of a session. */
  readonly onQueued?: (session: StoredSession, kept: Kept, flagged: boolean) => void
}

/** The objects and strings around a payload. */
const overheadBytes = 512

export function createState({ routes, onQueued = () => {} }: StateOptions): State {
  const sessions = new Map<string, StoredSession>()
  const retained = new Map<string, Kept>()
  const kept = new Map<number, Kept>()
  let bytes = 0
  let lastNumber = 0

  const forget = (message: Kept) => {
    if (message.retained || message.holders > 0 || !kept.delete(message.number)) return
    bytes -= sizeOf(message)
  }

  const release = (session: StoredSession, number: number) => {
    const message = kept.get(number)
    if (!session.queue.delete(number) || !message) return
    message.holders--
    forget(message)
  }

  const end = (client: string) => {
    const session = sessions.get(client)
    if (!session) return
    sessions.delete(client)
    bytes -= overheadBytes
    routes.removeAll(session)
    for (const number of [...session.queue.keys()]) release(session, number)
  }

  const open = ({ client, protocol, fresh, expirySeconds }: Extract<Entry, { kind: 'opened' }>) => {
    const known = sessions.get(client)
    if (known && !fresh) {
      known.expirySeconds = expirySeconds
      known.leftAt = undefined
      return
    }
    end(client)
    const life = { expirySeconds, leftAt: undefined, outbox: undefined }
    sessions.set(client, { clientId: client, persistent: true, protocol, ...life, filters: new Map(), queue: new Map() })
    bytes += overheadBytes
  }

  const retain = (message: Kept) => {
    const before = retained.get(message.topic)
    if (before) {
      retained.delete(message.topic)
      before.retained = false
      forget(before)
    }
    // An empty one only clears the topic [MQTT-3.3.1-10].
    if (message.payload.length === 0) message.retained = false
    else retained.set(message.topic, message)
  }

  const keep = ({ kind: _, to, flagged = [], ...message }: KeptEntry) => {
    const found: Kept = { ...message, holders: 0 }
    lastNumber = Math.max(lastNumber, found.number)
    kept.set(found.number, found)
    bytes += sizeOf(found)
    if (found.retained) retain(found)
    for (const client of to) {
      const session = sessions.get(client)
      if (!session || session.queue.has(found.number)) continue
      const carriesFlag = flagged.includes(client)
      session.queue.set(found.number, carriesFlag)
      found.holders++
      onQueued(session, found, carriesFlag)
    }
    forget(found)
  }

  const apply = (entry: Entry) => {
    if (entry.kind === 'begun' || entry.kind === 'whole') return
    if (entry.kind === 'kept') return keep(entry)
    if (entry.kind === 'opened') return open(entry)
    if (entry.kind === 'ended') return end(entry.client)
    const session = sessions.get(entry.client)
    if (!session) return
    if (entry.kind === 'left') {
      session.leftAt = entry.at
      session.expirySeconds = entry.expirySeconds
    } else if (entry.kind === 'subscribed') {
      for (const filter of entry.filters) {
        session.filters.set(filter.topic, filter)
        routes.add(session, filter)
      }
    } else if (entry.kind === 'unsubscribed') {
      for (const topic of entry.filters) {
        session.filters.delete(topic)
        routes.remove(session, topic)
      }
    } else for (const number of entry.numbers) release(session, number)
  }

  function* entries(): Generator<Entry> {
    const queued = new Map<number, { readonly to: string[]; readonly flagged: string[] }>()
    for (const { clientId: client, protocol, expirySeconds, leftAt, filters, queue } of sessions.values()) {
      yield { kind: 'opened', client, protocol, fresh: true, expirySeconds }
      if (filters.size > 0) yield { kind: 'subscribed', client, filters: [...filters.values()] }
      if (leftAt !== undefined) yield { kind: 'left', client, at: leftAt, expirySeconds }
      for (const [number, flagged] of queue) {
        const who = queued.get(number) ?? { to: [], flagged: [] }
        queued.set(number, who)
        who.to.push(client)
        if (flagged) who.flagged.push(client)
      }
    }
    for (const { holders: _, ...message } of kept.values()) {
      yield { kind: 'kept', ...message, ...(queued.get(message.number) ?? { to: [] }) }
    }
  }

  return {
    sessions,
    retained,
    kept,
    get bytes() {
      return bytes
    },
    get lastNumber() {
      return lastNumber
    },
    apply,
    entries,
  }
}

export function sizeOf({ payload, topic }: Pick<KeptEntry, 'payload' | 'topic'>): number {
  return payload.length + topic.length + overheadBytes
}
