// The open-loop runner: starts every reading when the plan says, whatever became of the one before, and counts what could not start.
import type { Clock } from '../lib/clock.ts'
import { systemRandom } from '../lib/random.ts'
import { aborted } from '../lib/stop-signal.ts'
import { agendaOf, agendaOfEach, agendaOfOnce, followAgendas } from './agenda.ts'
import { answerCommands } from './commands.ts'
import { createConnections } from './connections.ts'
import type { Driver } from './drivers/driver.ts'
import type { FaultKind, Outgoing } from './faults.ts'
import { strike } from './outages.ts'
import { type Outcome, optional } from './outcome.ts'
import { createPublisher } from './publisher.ts'
import type { Numbered } from './reading.ts'
import type { FleetProgress } from './report.ts'
import type { Scenario } from './scenario.ts'
import type { Source } from './source.ts'
import { createLatencies, summarize } from './stats.ts'
import { createVerifier, type Follower, settled } from './verify.ts'
import { within } from './within.ts'
import { createTroubles } from './worst.ts'

export interface Run {
  readonly source: Source
  readonly driver: Driver
  readonly target: URL
  readonly follower: Follower | undefined
  readonly limits: Pick<Scenario, 'maxInFlight' | 'maxLate' | 'backlog' | 'ackTimeout' | 'connectTimeout' | 'verifyPatience'>
  readonly clock: Clock
  /** Aborts the plan, not the waiting for what was sent. */
  readonly signal: AbortSignal
  readonly onProgress?: ((progress: FleetProgress) => void) | undefined
  readonly progressEveryMs?: number | undefined
  readonly onFault?: ((fault: { readonly kind: FaultKind; readonly device: string; readonly at: number }) => void) | undefined
  readonly onReading?: ((reading: Numbered, at: number, clientId: string) => void) | undefined
}

/** How long a device is away when it is told to start anew. */
const rebootMs = 1_000

/** Connects, follows the plan, drains, disconnects. Rejects with a FleetError when nothing can be reached. */
export async function run({ source, driver, target, follower, limits, clock, signal, ...told }: Run): Promise<Outcome> {
  const { clientIds, durationMs } = source
  const counts = { sent: 0, acked: 0, failed: 0, dropped: 0, late: 0 }
  const faults: Partial<Record<FaultKind, number>> = {}
  const verifier = follower && createVerifier()
  const troubles = createTroubles(clientIds)
  const [ackMs, lateMs] = [createLatencies(), createLatencies()]
  const connections = createConnections(clientIds, {
    driver,
    target,
    clock,
    random: systemRandom(),
    connectTimeoutMs: limits.connectTimeout,
    onConnected(device, session) {
      publisher.flush(device)
      const filter = source.commands?.(device)
      if (filter) answerCommands(session, { device: clientIds[device]!, filter, clock, ...reactions(device) }).catch(() => session.cut())
    },
  })
  const reactions = (device: number) => ({
    changeInterval: (ms: number) => source.changeInterval?.(device, ms),
    reboot() {
      source.reboot(device)
      connections.end(device, { clean: true, awayMs: rebootMs })
    },
  })
  const publisher = createPublisher({
    connections,
    devices: clientIds.length,
    clock,
    counts,
    ackMs,
    lateMs,
    troubles,
    maxInFlight: limits.maxInFlight,
    maxLateMs: limits.maxLate,
    backlog: limits.backlog,
    witness: verifier,
  })

  const startedAt = clock.monotonic()
  const figures = () => ({
    ...counts,
    devices: clientIds.length,
    takenOver: connections.takenOver,
    shortLived: connections.shortLived,
    bytesSent: driver.wire.sent,
    bytesReceived: driver.wire.received,
  })
  let connectedAfterMs: number | undefined
  const elapsedMs = () => Math.round(clock.monotonic() - startedAt)
  const stopProgress = clock.every(told.progressEveryMs ?? 1_000, () =>
    told.onProgress?.({
      ...figures(),
      connected: connections.connected,
      elapsedMs: elapsedMs(),
      worst: troubles.worst(),
      ...optional('durationMs', connectedAfterMs === undefined || durationMs === undefined ? undefined : connectedAfterMs + durationMs),
      ...optional('ackMs', summarize(ackMs)),
    }),
  )

  const followPlan = async () => {
    const since = clock.monotonic()
    const over = new AbortController()
    const delays = new Set<Promise<void>>()
    const count = (device: number, at: number) => (kind: FaultKind) => {
      faults[kind] = (faults[kind] ?? 0) + 1
      told.onFault?.({ kind, device: clientIds[device]!, at })
    }
    const send = (device: number, at: number, { reading, delayMs }: Outgoing) => {
      told.onReading?.(reading, at + delayMs, clientIds[device]!)
      if (delayMs === 0) return publisher.publish(device, reading, since + at)
      const later = () => publisher.publish(device, reading, Math.min(since + at + delayMs, clock.monotonic()))
      const delay = clock.sleep(delayMs, over.signal).then(later, later)
      delays.add(delay)
      void delay.then(() => delays.delete(delay))
    }
    const readings = agendaOf(source.plan, (device, at) => {
      for (const outgoing of source.take(device, at, count(device, at))) send(device, at, outgoing)
    })
    const links = agendaOfEach(source.links, durationMs, ({ device, fault }, at) => {
      count(device, at)(fault.kind)
      strike(fault, device, { connections, reboot: source.reboot, clock, signal: over.signal })
    })
    const herds = agendaOfOnce(source.herds, ({ forMs: awayMs }) => {
      for (const device of clientIds.keys()) connections.end(device, { clean: false, awayMs })
    })
    await followAgendas([readings, links, herds], { clock, signal, since, endMs: durationMs })
    const at = clock.monotonic() - since
    for (const device of clientIds.keys()) for (const outgoing of source.rest(device)) send(device, at, outgoing)
    over.abort()
    await Promise.all(delays)
  }

  try {
    const following = follower?.start((body) => verifier!.arrived(body, clock.monotonic()))
    if (following) await Promise.race([following, aborted(signal)])
    await connections.open(signal)
    connectedAfterMs = elapsedMs()
    await followPlan()
    await within(limits.ackTimeout, clock, publisher.idle())
    if (verifier) await settled(verifier, { clock, patienceMs: limits.verifyPatience })
  } finally {
    // Whatever is still outstanding fails as its session closes, and is counted before the outcome is made.
    await connections.close()
    publisher.abandon()
    await publisher.idle()
    await follower?.stop()
    driver.stop()
    stopProgress()
  }
  return {
    totals: { ...figures(), connected: connections.everConnected, reconnects: connections.reconnects },
    elapsedMs: elapsedMs(),
    faults,
    delivered: verifier?.counts,
    latencies: { ackMs, lateMs, connectMs: connections.connectMs, endToEndMs: verifier?.endToEnd ?? createLatencies() },
  }
}
