// Sessions that outlive their connection, and retained messages: opened, queued for, released and ended, each step on disk before it counts.
import { z } from 'zod'
import type { Clock } from '../../../lib/clock.ts'
import { createSteadyClock, type SteadyClock } from '../../../lib/steady.ts'
import { GatewayError } from '../../errors.ts'
import type { Message } from '../../message/message.ts'
import type { Observe } from '../../observe/observe.ts'
import { defaultMaxBytes, type Memory, memoryFull, messageBytes, newFilterBytes, queuedBytes, sessionBytes } from '../memory.ts'
import type { Filter, Recipient, Routes } from '../routes.ts'
import type { Entry, KeptEntry, Protocol } from './entry.ts'
import type { Journal, Journaled } from './journal.ts'
import type { Kept } from './kept.ts'
import type { Counts } from './recover.ts'
import { createReservations, type Reservation } from './reservations.ts'
import { createState, type State, type StoredSession } from './state.ts'

export const sessionsSchema = z.strictObject({
  persist: z
    .boolean()
    .default(true)
    .describe(
      'keep retained messages, persistent sessions and what is queued for them in dataDir/sessions, with either kind of spool; false: in memory',
    ),
  maxBytes: z
    .int()
    .min(65_536)
    .default(defaultMaxBytes)
    .describe(
      'memory that the broker holds for its clients: sessions, filters of all connections, retained and queued messages, and packets that clients do not read; beyond it each of them is refused',
    ),
  maxQueued: z.int().min(1).default(10_000).describe('QoS 1 messages queued for one session; further ones are not queued for it'),
})

export type SessionsConfig = z.infer<typeof sessionsSchema>

export interface SessionsOptions extends Pick<SessionsConfig, 'maxQueued'> {
  readonly routes: Routes
  /** Sessions, queues and messages are added to it. */
  readonly memory: Memory
  readonly journal: (journaled: Journaled) => Journal
  readonly clock: Clock
  /** Time for what expires. Default: one that does not outlive the sessions. */
  readonly steady?: SteadyClock
  readonly observe: Observe
  /** Retained messages at most. */
  readonly maxRetained: number
  /** The longest a message may wait for its clients, in seconds. */
  readonly messageExpirySeconds: (asked: number) => number
}

export interface Opening {
  readonly protocol: Protocol
  /** Nothing of an earlier session is wanted [MQTT-3.1.2-6]. */
  readonly fresh: boolean
  /** 0: the session ends with the connection. */
  readonly expirySeconds: number
}

export interface Opened {
  /** An earlier session goes on [MQTT-3.2.2-2]. */
  readonly present: boolean
  /** undefined: nothing of this session outlives its connection. */
  readonly session: StoredSession | undefined
  /** The client left; another connection that has opened the session meanwhile keeps it. */
  close(expirySeconds: number): void
}

export interface Sessions {
  start(): Promise<void>
  /** Rejects with SESSIONS_FULL where a new session does not fit into the memory, and with SESSIONS_FAILED. */
  open(clientId: string, opening: Opening): Promise<Opened>
  subscribe(session: StoredSession, filters: readonly Filter[]): Promise<void>
  unsubscribe(session: StoredSession, filters: readonly string[]): Promise<void>
  /** Why this message cannot be retained. */
  refusal(message: Pick<Message, 'retain' | 'topic' | 'payload' | 'properties'>): GatewayError | undefined
  /** Retains and queues as far as the message wants it; undefined when there is nothing to keep. Rejects with SESSIONS_FAILED. */
  keep(message: Message, recipients: readonly Recipient[]): Promise<void> | undefined
  /** Like `keep`, but connected clients get the message only when its reservation is delivered. */
  reserve(message: Message, recipients: readonly Recipient[]): Promise<Reservation> | undefined
  /** What is retained under a topic. */
  retained(topic: string): Kept | undefined
  /** What waits in a session, oldest first. */
  queued(session: StoredSession): Iterable<readonly [Kept, flagged: boolean]>
  /** By this clock, sessions and their messages expire. */
  now(): number
  /** The client has it, or no longer wants it. */
  release(session: StoredSession, number: number): void
  readonly counts: { readonly sessions: number; readonly retained: number; readonly queued: number; readonly bytes: number }
  stop(): Promise<void>
}

const sweepEveryMs = 1_000

export function createSessions(options: SessionsOptions): Sessions {
  const { routes, memory, clock, observe, maxQueued, maxRetained, messageExpirySeconds } = options
  const steady = options.steady ?? createSteadyClock(clock)
  const state = createState({
    routes,
    memory,
    onQueued(session, kept, flagged) {
      if (!reservations.has(kept.number)) session.outbox?.offer(session, kept, flagged)
    },
  })
  const counts = () => count(state)
  const journal = options.journal({ apply: state.apply, entries: state.entries, counts })
  const reservations = createReservations(state, journal)
  /** The connection that a client id belongs to: the last one that opened it. */
  const owners = new Map<string, object>()
  /** Sessions that have ended, while the journal does not know it yet. */
  const ended = new Set<string>()
  const releases = new Map<StoredSession, number[]>()
  let number = 0
  let stopSweep = () => {}

  /** For what nobody waits for; a disk that fails is told by the journal, once. */
  const note = (entry: Entry) => void journal.append(entry).catch(() => undefined)

  const finish = (client: string) => {
    ended.add(client)
    journal.append({ kind: 'ended', client }).then(
      () => ended.delete(client),
      () => ended.delete(client),
    )
  }

  /** Counts bytes that a change will take from before it is on disk, so that changes on their way do not exceed the limit together. */
  const reserving = async <T>(bytes: number, change: Promise<T>): Promise<T> => {
    memory.add(bytes)
    try {
      return await change
    } finally {
      memory.add(-bytes)
    }
  }

  const isOver = ({ leftAt, expirySeconds }: StoredSession) =>
    leftAt !== undefined && expirySeconds !== null && leftAt + expirySeconds * 1_000 <= steady.now()

  const sweep = () => {
    steady.check()
    reservations.sweep()
    for (const session of state.sessions.values()) {
      if (isOver(session) && !owners.has(session.clientId)) note({ kind: 'ended', client: session.clientId })
    }
  }

  /**
   * A connection whose gateway died has left when the next one starts: the life of a session may be longer, never shorter. A client that
   * left in the future, because the wall clock was set back while the gateway was down, has left now.
   */
  const leaveAll = () => {
    for (const { clientId: client, leftAt, expirySeconds } of [...state.sessions.values()]) {
      if (leftAt === undefined || leftAt > steady.now()) note({ kind: 'left', client, at: steady.now(), expirySeconds })
    }
  }

  const flushReleases = () => {
    for (const [{ clientId: client }, numbers] of releases) note({ kind: 'released', client, numbers })
    releases.clear()
  }

  const drop = (clientId: string, topic: string, detail: string) =>
    observe.record('delivery.dropped', { code: 'SESSION_QUEUE_FULL', clientId, topic, detail })

  const hasRoom = ({ clientId, queue, queueBytes }: StoredSession, message: Message): boolean => {
    const bytes = messageBytes(message)
    if (queue.size >= maxQueued) drop(clientId, message.topic, `${maxQueued} messages wait for it already`)
    else if (!memory.allows(queueBytes + bytes)) drop(clientId, message.topic, `messages of ${queueBytes} bytes wait for it already`)
    else return true
    return false
  }

  /** What the message itself and its places in the queues will take. */
  const entryBytes = (entry: KeptEntry) => messageBytes(entry) + entry.to.length * queuedBytes

  const toEntry = (message: Message, queued: readonly Recipient[]): KeptEntry => {
    const { topic, qos, payload, properties, retain, receivedAt } = message
    const seconds = properties?.messageExpiryIntervalSeconds
    const flagged = retain ? queued.filter(({ asPublished }) => asPublished).map(({ receiver }) => receiver.clientId) : []
    number++
    return {
      ...({ kind: 'kept', number, retained: retain, to: queued.map(({ receiver }) => receiver.clientId) } as const),
      ...(flagged.length > 0 ? { flagged } : {}),
      ...{ topic, qos, payload },
      ...(properties ? { properties } : {}),
      ...(seconds === undefined ? {} : { expiresAt: steady.of(receivedAt) + messageExpirySeconds(seconds) * 1_000 }),
    }
  }

  /** undefined: the message changes nothing. */
  const entryOf = (message: Message, recipients: readonly Recipient[]): KeptEntry | undefined => {
    const { qos, retain, topic, payload } = message
    const queued = recipients.filter(
      ({ receiver, qos: granted }) => qos === 1 && granted === 1 && receiver.persistent && hasRoom(receiver as StoredSession, message),
    )
    const changes = retain && (payload.length > 0 || state.retained.has(topic))
    return changes || queued.length > 0 ? toEntry(message, queued) : undefined
  }

  return {
    async start() {
      await journal.start()
      number = state.lastNumber
      leaveAll()
      const { sessions, retained, queued } = counts()
      if (sessions + retained > 0) observe.record('sessions.recovered', { sessions, retained, queued })
      stopSweep = clock.every(sweepEveryMs, sweep)
    },
    async open(client, { protocol, fresh: asked, expirySeconds }) {
      const owner = {}
      owners.set(client, owner)
      const known = state.sessions.get(client)
      const present = known !== undefined && !asked && !ended.has(client) && known.protocol === protocol && !isOver(known)
      const life = { expirySeconds: Number.isFinite(expirySeconds) ? expirySeconds : null }
      const bytes = known ? 0 : sessionBytes(client)
      try {
        if (expirySeconds > 0 && !memory.hasRoom(bytes)) throw memoryFull(memory)
        if (expirySeconds > 0 || present)
          await reserving(bytes, journal.append({ kind: 'opened', client, protocol, fresh: !present, ...life }))
        else if (known) await journal.append({ kind: 'ended', client })
      } catch (error) {
        if (owners.get(client) === owner) owners.delete(client)
        throw error
      }
      return {
        present,
        session: state.sessions.get(client),
        close(seconds) {
          if (owners.get(client) !== owner) return
          owners.delete(client)
          if (!state.sessions.has(client)) return
          if (seconds === 0) return finish(client)
          note({ kind: 'left', client, at: steady.now(), expirySeconds: Number.isFinite(seconds) ? seconds : null })
        },
      }
    },
    subscribe({ clientId: client }, filters) {
      const bytes = filters.reduce((sum, { topic }) => sum + newFilterBytes(topic), 0)
      return reserving(bytes, journal.append({ kind: 'subscribed', client, filters }))
    },
    unsubscribe: ({ clientId: client }, filters) => journal.append({ kind: 'unsubscribed', client, filters }),
    refusal(message) {
      const { retain, topic, payload } = message
      if (!retain || payload.length === 0) return undefined
      const before = state.retained.get(topic)
      if (!before && state.retained.size >= maxRetained) {
        return new GatewayError('RETAINED_FULL', `${maxRetained} messages are retained already`, { details: { limit: 'retainedMessages' } })
      }
      const more = messageBytes(message) - (before?.bytes ?? 0)
      if (more <= 0 || memory.allows(state.retainedBytes + more)) return undefined
      return new GatewayError('RETAINED_FULL', `retained messages take ${state.retainedBytes} bytes already`, {
        details: { limit: 'sessions.maxBytes', value: memory.max },
      })
    },
    keep(message, recipients) {
      const entry = entryOf(message, recipients)
      return entry && reserving(entryBytes(entry), journal.append(entry))
    },
    reserve(message, recipients) {
      const entry = entryOf(message, recipients)
      return entry && reserving(entryBytes(entry), reservations.make(entry))
    },
    retained(topic) {
      const kept = state.retained.get(topic)
      if (kept?.expiresAt === undefined || kept.expiresAt > steady.now()) return kept
      note({ kind: 'kept', number: ++number, retained: true, to: [], topic, qos: 0, payload: new Uint8Array() })
      return undefined
    },
    *queued({ queue }) {
      for (const [number, flagged] of queue) if (!reservations.has(number)) yield [state.kept.get(number)!, flagged]
    },
    now: steady.now,
    release(session, number) {
      if (releases.size === 0) queueMicrotask(flushReleases)
      const numbers = releases.get(session)
      if (numbers) numbers.push(number)
      else releases.set(session, [number])
    },
    get counts() {
      return { ...count(state), bytes: memory.used }
    },
    async stop() {
      stopSweep()
      flushReleases()
      await journal.stop()
    },
  }
}

export function count({ sessions, retained }: Pick<State, 'sessions' | 'retained'>): Counts {
  let queued = 0
  for (const { queue } of sessions.values()) queued += queue.size
  return { sessions: sessions.size, retained: retained.size, queued }
}
