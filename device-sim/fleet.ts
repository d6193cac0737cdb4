// The open-loop runner: starts every reading when the plan says, whatever became of the one before, and counts what could not start.
import { type Clock, systemClock } from '../lib/clock.ts'
import { randomSeed, systemRandom } from '../lib/random.ts'
import { agendaOf, agendaOfEach, agendaOfOnce, followAgendas } from './agenda.ts'
import { type Certificates, loadCertificates } from './certs.ts'
import { type Connections, createConnections } from './connections.ts'
import type { Slice } from './device.ts'
import type { Driver, Session } from './drivers/driver.ts'
import { drivers } from './drivers/index.ts'
import { FleetError } from './errors.ts'
import type { FaultKind, LinkFault, Outgoing } from './faults.ts'
import { createPublisher } from './publisher.ts'
import type { FleetProgress, FleetReport } from './report.ts'
import type { Scenario } from './scenario.ts'
import { createModelSource, type Source } from './source.ts'
import { createLatencies, summarize } from './stats.ts'
import { createSubscriber, filtersOf } from './subscriber.ts'
import { checkThresholds } from './thresholds.ts'
import { createVerifier, type Follower, settled } from './verify.ts'

export type { FleetProgress, FleetReport } from './report.ts'

export interface FleetOptions {
  /** Abort to stop: readings already sent are waited for, then the report comes as usual. */
  readonly signal?: AbortSignal
  readonly clock?: Clock
  readonly onProgress?: (progress: FleetProgress) => void
  readonly progressEveryMs?: number
  /** Told at the moment it happens; `at` is milliseconds after the start of the run. */
  readonly onFault?: (fault: { readonly kind: FaultKind; readonly device: string; readonly at: number }) => void
  /** Instead of the one the scenario's protocol names. */
  readonly driver?: Driver
  /** Brings what arrives at the far end, for `verify: 'queue'`. */
  readonly follower?: Follower
  /** Run only a part of the devices: another process has the rest. */
  readonly slice?: Slice
}

/** With a seed and no `startAt`, devices live at this time, so that their bytes are the same every day. */
export const epoch = Date.UTC(2026, 0, 1)

/** Runs a scenario to its end. Rejects with a FleetError when nothing can be reached; whatever happens later is in the report. */
export async function runFleet(scenario: Scenario, options: FleetOptions = {}): Promise<FleetReport> {
  const { signal = new AbortController().signal, clock = systemClock, onProgress, progressEveryMs = 1_000 } = options
  const seed = scenario.seed ?? randomSeed()
  const kind = drivers[scenario.protocol]
  const target = new URL(scenario.target ?? kind.target)
  const certificates: Certificates = scenario.certs === undefined ? {} : await loadCertificates(scenario.certs)
  const driver = options.driver ?? kind.create({ target, keepAliveMs: scenario.keepAlive, clock, ...certificates })
  const source = createModelSource(scenario, seed, startOf(scenario, clock), options.slice)

  const follower = options.follower ?? followerFor(scenario, target, certificates)
  const verifier = follower && createVerifier()

  const counts = { sent: 0, acked: 0, failed: 0, dropped: 0, late: 0 }
  const faults: Partial<Record<FaultKind, number>> = {}
  const [ackMs, lateMs] = [createLatencies(), createLatencies()]
  const connections = createConnections(source.clientIds, {
    driver,
    target,
    clock,
    random: systemRandom(),
    connectTimeoutMs: scenario.connectTimeout,
    onConnected: (number) => publisher.flush(number),
  })
  const publisher = createPublisher({
    connections,
    devices: source.clientIds.length,
    clock,
    counts,
    ackMs,
    lateMs,
    maxInFlight: scenario.maxInFlight,
    maxLateMs: scenario.maxLate,
    backlog: scenario.backlog,
    witness: verifier,
  })

  const startedAt = clock.monotonic()
  const figures = () => ({
    devices: source.clientIds.length,
    ...counts,
    bytesSent: driver.wire.sent,
    bytesReceived: driver.wire.received,
    elapsedMs: Math.round(clock.monotonic() - startedAt),
    ...optional('ackMs', summarize(ackMs)),
  })
  const showProgress = () => onProgress?.({ ...figures(), connected: connections.connected, ...optional('durationMs', source.durationMs) })
  const stopProgress = clock.every(progressEveryMs, showProgress)

  try {
    await follower?.start((body) => verifier!.arrived(body, clock.monotonic()))
    await connections.open(signal)
    const since = clock.monotonic()
    const told = (device: number, at: number) => (kind: FaultKind) => {
      faults[kind] = (faults[kind] ?? 0) + 1
      options.onFault?.({ kind, device: source.clientIds[device]!, at })
    }
    const send = (device: number, at: number, { reading, delayMs }: Outgoing) => {
      if (delayMs === 0) return publisher.publish(device, reading, since + at)
      void clock.sleep(delayMs, signal).then(
        () => publisher.publish(device, reading, since + at + delayMs),
        () => undefined,
      )
    }
    const readings = agendaOf(source.plan, (device, at) => {
      for (const outgoing of source.take(device, at, told(device, at))) send(device, at, outgoing)
    })
    const links = agendaOfEach(source.links, source.durationMs, ({ device, fault }, at) => {
      told(device, at)(fault.kind)
      strike(fault, device, { connections, source, clock, signal })
    })
    const herds = agendaOfOnce(source.herds, ({ forMs: awayMs }) => {
      for (const device of source.clientIds.keys()) connections.end(device, { clean: false, awayMs })
    })
    await followAgendas([readings, links, herds], { clock, signal, since, endMs: source.durationMs })
    for (const device of source.clientIds.keys())
      for (const outgoing of source.rest(device)) send(device, clock.monotonic() - since, outgoing)
    await within(scenario.ackTimeout, clock, publisher.idle())
    if (verifier) await settled(verifier, { clock, patienceMs: scenario.verifyPatience })
  } finally {
    // Whatever is still outstanding fails as its session closes, and is counted before the report is made.
    await connections.close()
    publisher.abandon()
    await publisher.idle()
    await follower?.stop()
    driver.stop()
    stopProgress()
  }

  const report = {
    seed,
    protocol: scenario.protocol,
    target: target.href,
    ...figures(),
    connected: connections.everConnected,
    reconnects: connections.reconnects,
    faults,
    ...optional('connectMs', summarize(connections.connectMs)),
    ...optional('lateMs', summarize(lateMs)),
    ...optional('delivered', verifier?.report()),
  }
  return { ...report, thresholds: checkThresholds(scenario.thresholds, report) }
}

function followerFor({ verify, verifyAt, populations }: Scenario, target: URL, certificates: Certificates): Follower | undefined {
  if (verify === undefined) return undefined
  if (verify === 'queue') throw new FleetError('verify is "queue", and nobody said how to read one', 2)
  const where = new URL(verifyAt ?? (/^(mqtts?|wss?):$/.test(target.protocol) ? target : drivers.mqtt.target))
  return createSubscriber({ target: where, filters: filtersOf(populations), ...certificates })
}

interface Struck {
  readonly connections: Connections
  readonly source: Source
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Does to a connection what the fault says. */
function strike(fault: LinkFault, device: number, { connections, source, clock, signal }: Struck): void {
  switch (fault.kind) {
    case 'cut':
    case 'disconnect':
      connections.end(device, { clean: fault.kind === 'disconnect', awayMs: fault.away })
      break
    case 'reboot':
      source.reboot(device)
      connections.end(device, { clean: false, awayMs: fault.away })
      break
    case 'flap':
      void flap(fault.times, () => connections.end(device, { clean: false, awayMs: flapMs }), clock, signal)
      break
    case 'slow':
      void readSlowly(connections.session(device), clock.sleep(fault.for, signal))
      break
  }
}

async function readSlowly(session: Session | undefined, wait: Promise<void>): Promise<void> {
  session?.pause?.(true)
  await wait.catch(() => undefined)
  session?.pause?.(false)
}

const flapMs = 100

async function flap(times: number, end: () => void, clock: Clock, signal: AbortSignal): Promise<void> {
  for (let i = 0; i < times && !signal.aborted; i++) {
    end()
    await clock.sleep(3 * flapMs, signal).catch(() => undefined)
  }
}

/** Resolves with the work, or after `ms` without it. */
async function within(ms: number, clock: Clock, work: Promise<void>): Promise<void> {
  const done = new AbortController()
  const patience = clock.sleep(ms, done.signal).catch(() => undefined)
  await Promise.race([work, patience])
  done.abort()
}

function startOf({ startAt, seed }: Scenario, clock: Clock): number {
  if (startAt === 'now' || (startAt === undefined && seed === undefined)) return clock.now()
  return startAt === undefined ? epoch : Date.parse(startAt)
}

function optional<K extends string, V>(key: K, value: V | undefined): { readonly [key in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [key in K]: V })
}
