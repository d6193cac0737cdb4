// Sessions and retained messages in memory: what the entries of the journal add up to. Nothing changes but by an entry that is on disk.
import { type Memory, queuedBytes, sessionBytes } from '../memory.ts'
import type { Outbox } from '../outbox.ts'
import type { Receiver, Routes } from '../routes.ts'
import type { Entry, KeptEntry, Protocol } from './entry.ts'
import { Kept } from './kept.ts'

export interface StoredSession extends Receiver {
  readonly persistent: true
  readonly protocol: Protocol
  expirySeconds: number | null
  /** Steady time; undefined while the client is connected. */
  leftAt: number | undefined
  /** Numbers of messages, oldest first, and whether their copy carries the RETAIN flag. */
  readonly queue: Map<number, boolean>
  /** Of the messages in the queue, as if it were their only one. */
  queueBytes: number
  outbox: Outbox | undefined
}

export interface State {
  readonly sessions: ReadonlyMap<string, StoredSession>
  /** By topic. */
  readonly retained: ReadonlyMap<string, Kept>
  readonly kept: ReadonlyMap<number, Kept>
  /** Of the retained messages. */
  readonly retainedBytes: number
  /** The highest number so far. */
  readonly lastNumber: number
  apply(entry: Entry): void
  /** Entries that add up to the same state. */
  entries(): Iterable<Entry>
}

export interface StateOptions {
  readonly routes: Routes
  /** Sessions, queues and messages are added to it. */
  readonly memory: Memory
  /** A message was put into the queue of a session. */
  readonly onQueued?: (session: StoredSession, kept: Kept, flagged: boolean) => void
}

export function createState({ routes, memory, onQueued = () => {} }: StateOptions): State {
  const sessions = new Map<string, StoredSession>()
  const retained = new Map<string, Kept>()
  const kept = new Map<number, Kept>()
  let retainedBytes = 0
  let lastNumber = 0

  const forget = (message: Kept) => {
    if (message.retained || message.holders > 0 || !kept.delete(message.number)) return
    memory.add(-message.bytes)
  }

  const release = (session: StoredSession, number: number) => {
    const message = kept.get(number)
    if (!session.queue.delete(number) || !message) return
    session.queueBytes -= message.bytes
    memory.add(-queuedBytes)
    message.holders--
    forget(message)
  }

  const end = (client: string) => {
    const session = sessions.get(client)
    if (!session) return
    sessions.delete(client)
    memory.add(-sessionBytes(client))
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
    sessions.set(client, { clientId: client, persistent: true, protocol, ...life, queue: new Map(), queueBytes: 0 })
    memory.add(sessionBytes(client))
  }

  const retain = (message: Kept) => {
    const before = retained.get(message.topic)
    if (before === message) return
    if (before) {
      retained.delete(message.topic)
      retainedBytes -= before.bytes
      before.retained = false
      forget(before)
    }
    // An empty one only clears the topic [MQTT-3.3.1-10].
    if (message.payloadBytes === 0) {
      message.retained = false
      return
    }
    retained.set(message.topic, message)
    retainedBytes += message.bytes
  }

  /** Applied a second time, an entry changes nothing: a snapshot of the journal may hold its effect already. */
  const keep = (entry: KeptEntry) => {
    const { to, flagged = [], retained: isRetained } = entry
    const known = kept.get(entry.number)
    const found = known ?? new Kept(entry)
    if (!known) {
      lastNumber = Math.max(lastNumber, found.number)
      kept.set(found.number, found)
      memory.add(found.bytes)
    }
    if (isRetained) {
      found.retained = true
      retain(found)
    }
    for (const client of to) {
      const session = sessions.get(client)
      if (!session || session.queue.has(found.number)) continue
      const carriesFlag = flagged.includes(client)
      session.queue.set(found.number, carriesFlag)
      session.queueBytes += found.bytes
      memory.add(queuedBytes)
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
      for (const filter of entry.filters) routes.add(session, filter)
    } else if (entry.kind === 'unsubscribed') {
      for (const topic of entry.filters) routes.remove(session, topic)
    } else for (const number of entry.numbers) release(session, number)
  }

  function* entries(): Generator<Entry> {
    const queued = new Map<number, { readonly to: string[]; readonly flagged: string[] }>()
    for (const session of sessions.values()) {
      const { clientId: client, protocol, expirySeconds, leftAt, queue } = session
      const filters = routes.subscriptionsOf(session)
      yield { kind: 'opened', client, protocol, fresh: true, expirySeconds }
      if (filters.length > 0) yield { kind: 'subscribed', client, filters }
      if (leftAt !== undefined) yield { kind: 'left', client, at: leftAt, expirySeconds }
      for (const [number, flagged] of queue) {
        const who = queued.get(number) ?? { to: [], flagged: [] }
        queued.set(number, who)
        who.to.push(client)
        if (flagged) who.flagged.push(client)
      }
    }
    for (const message of kept.values()) {
      const { to, flagged } = queued.get(message.number) ?? { to: [], flagged: [] }
      yield message.toEntry(to, flagged)
    }
  }

  return {
    sessions,
    retained,
    kept,
    get retainedBytes() {
      return retainedBytes
    },
    get lastNumber() {
      return lastNumber
    },
    apply,
    entries,
  }
}
