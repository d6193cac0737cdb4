// Keeps every device connected: a bounded number of attempts at a time, and patience that grows after each failure.
import { backoffMs } from '../lib/backoff.ts'
import type { Clock } from '../lib/clock.ts'
import type { Random } from '../lib/random.ts'
import { aborted } from '../lib/stop-signal.ts'
import type { Driver, Session } from './drivers/driver.ts'
import { FleetError } from './errors.ts'
import { createLatencies, recordMs } from './stats.ts'
import { within } from './within.ts'

export interface Connections {
  /**
   * Connects every device; resolves when each has tried once, or when the signal aborts. Rejects with a FleetError when the first
   * device cannot be connected.
   */
  open(signal: AbortSignal): Promise<void>
  close(): Promise<void>
  /** Ends a device's connection; it comes back after `awayMs` exactly, or after a backoff. */
  end(number: number, how: { readonly clean: boolean; readonly awayMs?: number | undefined }): void
  session(number: number): Session | undefined
  readonly connected: number
  readonly everConnected: number
  readonly reconnects: number
  readonly takenOver: number
  readonly shortLived: number
  readonly connectMs: ReturnType<typeof createLatencies>
}

interface Options {
  readonly driver: Driver
  readonly target: URL
  readonly clock: Clock
  readonly random: Random
  readonly connectTimeoutMs: number
  readonly onConnected?: (number: number, session: Session) => void
}

/** [AWS guidance on backoff]: full jitter, so that a fleet that lost its gateway does not return as a herd. */
const patience = { baseMs: 500, capMs: 30_000 }
const attemptsAtOnce = 100
const goodbyeMs = 2_000
/** Two fleets with the same client ids end each other's connections sooner than this, as each comes back at once. */
const shortMs = 5_000

export function createConnections(
  clientIds: readonly string[],
  { driver, target, clock, random, connectTimeoutMs, onConnected }: Options,
): Connections {
  const sessions: (Session | undefined)[] = clientIds.map(() => undefined)
  const seen = new Uint8Array(clientIds.length)
  const connectMs = createLatencies()
  const away = new Map<number, number>()
  const ended = new AbortController()
  const counts = { connected: 0, ever: 0, reconnects: 0, takenOver: 0, shortLived: 0 }
  /** Connections in a row that the other side ended soon. */
  const shortInRow = new Uint32Array(clientIds.length)
  /** Devices whose connection the fleet itself ends. */
  const ending = new Set<number>()

  /** One short connection can be anything; from the second in a row on they count. */
  const judge = (number: number, { takenOver }: Session, livedMs: number) => {
    if (takenOver) counts.takenOver++
    else if (livedMs >= shortMs) shortInRow[number] = 0
    else if (++shortInRow[number]! >= 2) counts.shortLived += shortInRow[number] === 2 ? 2 : 1
  }

  const attempt = async (number: number, stop = ended.signal) => {
    const began = clock.monotonic()
    const session = await driver.connect(clientIds[number]!, clock.deadline(connectTimeoutMs, stop))
    if (ended.signal.aborted) return session.close()
    recordMs(connectMs, clock.monotonic() - began)
    sessions[number] = session
    counts.connected++
    if (seen[number]) counts.reconnects++
    else counts.ever++
    seen[number] = 1
    onConnected?.(number, session)
    const since = clock.monotonic()
    void session.closed.then(() => {
      counts.connected--
      sessions[number] = undefined
      if (!ending.delete(number) && !ended.signal.aborted) judge(number, session, clock.monotonic() - since)
      if (!ended.signal.aborted) void again(number)
    })
  }

  const again = async (number: number) => {
    const awayMs = away.get(number)
    away.delete(number)
    for (let failures = 0; !ended.signal.aborted; failures++) {
      try {
        await clock.sleep(failures === 0 && awayMs !== undefined ? awayMs : backoffMs(patience, failures, random), ended.signal)
        return await attempt(number)
      } catch {
        // Waits longer next time; the device counts as not connected meanwhile.
      }
    }
  }

  return {
    async open(signal) {
      const stop = AbortSignal.any([ended.signal, signal])
      await Promise.race([attempt(0, stop), aborted(signal)]).catch((error: Error) => {
        if (signal.aborted) return
        throw new FleetError(explain(error, target, clientIds[0]!), 1, { cause: error })
      })
      let next = 1
      const worker = async () => {
        for (let number = next++; number < clientIds.length && !signal.aborted; number = next++) {
          await attempt(number, stop).catch(() => void again(number))
        }
      }
      await Promise.race([Promise.all(Array.from({ length: attemptsAtOnce }, worker)), aborted(signal)])
    },
    async close() {
      ended.abort()
      await within(goodbyeMs, clock, Promise.all(sessions.map((session) => session?.close())))
      // A server that does not answer a goodbye does not keep us.
      for (const session of sessions) session?.cut()
    },
    end(number, { clean, awayMs }) {
      const session = sessions[number]
      if (!session) return
      ending.add(number)
      if (awayMs !== undefined) away.set(number, awayMs)
      if (clean) void session.close()
      else session.cut()
    },
    session: (number) => sessions[number],
    get connected() {
      return counts.connected
    },
    get everConnected() {
      return counts.ever
    },
    get reconnects() {
      return counts.reconnects
    },
    get takenOver() {
      return counts.takenOver
    },
    get shortLived() {
      return counts.shortLived
    },
    connectMs,
  }
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'the host name does not exist',
  EAI_AGAIN: 'the name could not be looked up',
  EHOSTUNREACH: 'no route leads there',
  ENETUNREACH: 'no route leads there',
  EPROTO: 'TLS failed; it may listen for connections without TLS there',
  ECONNRESET: 'it closed the connection at once',
}

function explain(error: Error, target: URL, clientId: string): string {
  const { code, message: said, name } = error as NodeJS.ErrnoException
  const message = name === 'TimeoutError' ? 'no answer in time' : said
  return `cannot connect ${clientId} to ${target.protocol}//${target.host}: ${reasons[code ?? ''] ?? message}`
}
