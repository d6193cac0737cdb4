// The broker inside the gateway: devices connect to it. `connection.ts` serves each of them.
import type { Clock } from '../../lib/clock.ts'
import { abortable } from '../../lib/stop-signal.ts'
import type { Access } from '../access/access.ts'
import type { Observe } from '../observe/observe.ts'
import { createAdmission, mostInFlight } from './admit.ts'
import { type AedesLimits, createAedes } from './aedes.ts'
import type { Broker, Ingest } from './broker.ts'
import { type ConnectionDeps, type ServedConnection, serve } from './connection.ts'
import { createFanOut } from './fan-out.ts'
import { catchLost } from './guard.ts'
import { createConnectionNumbers } from './lifecycle.ts'
import { createMemory, defaultMaxBytes, type Memory } from './memory.ts'
import { createRoutes, type Routes } from './routes.ts'
import { createSeats } from './seats.ts'
import { createMemoryJournal } from './sessions/journal.ts'
import { createSessions, type Sessions, sessionsSchema } from './sessions/sessions.ts'
import { createWaitingRoom, type WaitingRoom } from './waiting-room.ts'

export interface EmbeddedBrokerOptions {
  readonly ingest: Ingest
  readonly access: Access
  readonly observe: Observe
  readonly clock: Clock
  readonly ids: () => string
  /** Whether a rule selects from a topic. Lifecycle events that no rule and no subscriber wants are not made. */
  readonly isRouted?: (topic: string) => boolean
  /** Sessions and retained messages. By default they end with the broker. */
  readonly sessions?: (routes: Routes, memory: Memory) => Sessions
  /** Memory for what the broker holds for its clients, in bytes. */
  readonly maxBytes?: number
  /** Connections that have not sent CONNECT; each takes about 25 KB. */
  readonly mostSilent?: number
  /** false: decode every PUBLISH. Default: true. */
  readonly fastPaths?: boolean
}

const connectTimeoutMs = 10_000
const drainTimeoutMs = 2_000

/** Each keeps its client in memory. Further wills are published without their delay. */
const mostDelayedWills = 1_000

/** Payloads of all connections that are not acknowledged yet. */
const mostOpenBytes = 64 * 1024 ** 2

/** The largest packet where the quotas have no limit. */
const anyPacketBytes = 16 * 1024 * 1024

export function createEmbeddedBroker(options: EmbeddedBrokerOptions): Broker {
  const { access, clock } = options
  const deps = createDeps(options)
  const { aedes, fanOut, sessions, present } = deps
  const ends: (() => void)[] = []
  let draining = false
  let stopping: Promise<void> | undefined

  const drain = async () => {
    draining = true
    const left = Promise.all([...present].map((connection) => connection.leave()))
    const inTime = () => abortable(left, clock.deadline(drainTimeoutMs)).catch(() => undefined)
    await inTime()
    if (present.size === 0) return
    for (const connection of present) connection.destroy()
    await inTime()
  }

  const stop = async () => {
    for (const end of ends) end()
    await aedes.stop()
    for (const connection of [...present]) connection.end()
    await sessions.stop()
  }

  return {
    async start() {
      await sessions.start()
      await aedes.start()
      ends.push(
        catchLost(),
        access.onChange(() => {
          for (const connection of present) connection.endIfRevoked()
        }),
        clock.every(1_000, () => {
          for (const connection of present) connection.keepAlive()
        }),
      )
    },
    accept(stream, caller) {
      if (draining) stream.destroy()
      else serve(stream, caller, deps)
    },
    hasSeen: (clientId) => deps.numbers.has(clientId),
    filtersOf: (clientId) => aedes.find(clientId)?.filters(),
    async publish(message) {
      fanOut.send(message, await fanOut.keep(message))
    },
    drain,
    stop() {
      stopping ??= stop()
      return stopping
    },
  }
}

function createDeps(options: EmbeddedBrokerOptions): ConnectionDeps {
  const { ingest, access, observe, clock, ids, isRouted = () => false, maxBytes = defaultMaxBytes, fastPaths = true } = options
  const memory = createMemory(maxBytes)
  const routes = createRoutes(memory)
  const sessions = options.sessions?.(routes, memory) ?? createMemorySessions(routes, memory, options)
  const fanOut = createFanOut({ ingest, routes, sessions, observe, clock, ids, isRouted })
  const seats = createSeats()
  const limits = limitsOf(access)
  return {
    ...{ access, ingest, fanOut, routes, sessions, seats, memory, observe, clock, ids },
    aedes: createAedes(limits, (error) => observe.record('client.failed', { code: 'INTERNAL', detail: error.stack ?? error.message })),
    admit: createAdmission({ access, sessions, seats, memory, announce: fanOut.announce, observe, clock }),
    numbers: createConnectionNumbers(),
    silent: createSilentRoom(options),
    fastPaths,
    present: new Set(),
    open: { bytes: 0, max: mostOpenBytes },
    maxPacketBytes: limits.maximumPacketSize,
    maxTopicAlias: limits.topicAliasMaximum,
  }
}

function limitsOf({ limits: { quotas } }: Access) {
  return {
    connectTimeout: connectTimeoutMs,
    drainTimeout: drainTimeoutMs,
    maximumPacketSize: Math.min(quotas.packetBytes, anyPacketBytes),
    pendingSessionsLimit: mostDelayedWills,
    receiveMaximum: Math.min(quotas.inFlightInbound, mostInFlight),
    sessionExpiryIntervalLimit: Number.isFinite(quotas.sessionExpirySeconds) ? quotas.sessionExpirySeconds : 0,
    topicAliasMaximum: Math.min(quotas.topicAliases, 65_535),
  } satisfies AedesLimits
}

function createSilentRoom({ mostSilent = 2_048, observe }: EmbeddedBrokerOptions): WaitingRoom<ServedConnection> {
  return createWaitingRoom(mostSilent, (connection) => {
    observe.record('client.refused', {
      code: 'CONNECT_RATE_EXCEEDED',
      transport: connection.caller.transport,
      detail: `${mostSilent} connections have not sent CONNECT`,
    })
    connection.destroy()
  })
}

function createMemorySessions(routes: Routes, memory: Memory, { access, clock, observe }: EmbeddedBrokerOptions): Sessions {
  return createSessions({
    ...sessionsSchema.parse({}),
    ...{ routes, memory, clock, observe, journal: createMemoryJournal },
    maxRetained: access.limits.quotas.retainedMessages,
    messageExpirySeconds: access.limits.messageExpirySeconds,
  })
}
