// The open-loop runner: starts every reading when the plan says, whatever became of the one before, and counts what could not start.
import { type Clock, systemClock } from '../lib/clock.ts'
import { randomSeed, systemRandom } from '../lib/random.ts'
import { createConnections } from './connections.ts'
import { createDevices, type Device } from './device.ts'
import type { Driver } from './drivers/driver.ts'
import { drivers } from './drivers/index.ts'
import type { Scenario } from './scenario.ts'
import { createPlan } from './schedule.ts'
import { createLatencies, type Latencies, recordMs, summarize } from './stats.ts'
import { checkThresholds, type ThresholdResult } from './thresholds.ts'

export interface FleetReport {
  readonly seed: string | number
  readonly protocol: string
  readonly target: string
  readonly devices: number
  /** Devices that were connected at least once. */
  readonly connected: number
  readonly reconnects: number
  /** Readings handed to a session; each ends as acked (QoS 1), failed, or simply sent (QoS 0). */
  readonly sent: number
  readonly acked: number
  readonly failed: number
  /** Readings the plan had and the fleet could not start in time: device offline, its window full, or the fleet too late. */
  readonly dropped: number
  /** Readings that started more than 100 ms after their time. */
  readonly late: number
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly elapsedMs: number
  /** From handing a QoS 1 reading to the session to its acknowledgement. */
  readonly ackMs?: Latencies
  readonly connectMs?: Latencies
  /** How long after its time each reading started. */
  readonly lateMs?: Latencies
  readonly thresholds: readonly ThresholdResult[]
}

/** The same words as the report, while it happens. `connected` are those connected now. */
export interface FleetProgress {
  readonly devices: number
  readonly connected: number
  readonly sent: number
  readonly acked: number
  readonly failed: number
  readonly dropped: number
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly elapsedMs: number
  /** Where the run will end, when the scenario says. */
  readonly durationMs?: number
  readonly ackMs?: Latencies
}

export interface FleetOptions {
  /** Abort to stop: readings already sent are waited for, then the report comes as usual. */
  readonly signal?: AbortSignal
  readonly clock?: Clock
  readonly onProgress?: (progress: FleetProgress) => void
  readonly progressEveryMs?: number
  /** Instead of the one the scenario's protocol names. */
  readonly driver?: Driver
}

/** With a seed and no `startAt`, devices live at this time, so that their bytes are the same every day. */
export const epoch = Date.UTC(2026, 0, 1)
const lateAfterMs = 100
const launchesPerTurn = 500

/** Runs a scenario to its end. Rejects with a FleetError when nothing can be reached; whatever happens later is in the report. */
export async function runFleet(scenario: Scenario, options: FleetOptions = {}): Promise<FleetReport> {
  const { signal = new AbortController().signal, clock = systemClock, onProgress, progressEveryMs = 1_000 } = options
  const seed = scenario.seed ?? randomSeed()
  const startAt = startOf(scenario, clock)
  const kind = drivers[scenario.protocol]
  const target = new URL(scenario.target ?? kind.target)
  const driver = options.driver ?? kind.create({ target, keepAliveMs: scenario.keepAlive, clock })

  const devices = createDevices(scenario, seed, startAt)
  const counts = { sent: 0, acked: 0, failed: 0, dropped: 0, late: 0 }
  const [ackMs, lateMs] = [createLatencies(), createLatencies()]
  const connections = createConnections(
    devices.map(({ id }) => id),
    { driver, target, clock, random: systemRandom(), connectTimeoutMs: scenario.connectTimeout },
  )

  const startedAt = clock.monotonic()
  const elapsedMs = () => clock.monotonic() - startedAt
  const progress = (): FleetProgress => ({
    devices: devices.length,
    connected: connections.connected,
    sent: counts.sent,
    acked: counts.acked,
    failed: counts.failed,
    dropped: counts.dropped,
    bytesSent: driver.wire.sent,
    bytesReceived: driver.wire.received,
    elapsedMs: elapsedMs(),
    ...(scenario.duration === undefined ? {} : { durationMs: scenario.duration }),
    ...optional('ackMs', summarize(ackMs)),
  })
  const stopProgress = onProgress ? clock.every(progressEveryMs, () => onProgress(progress())) : () => undefined

  const inFlight = new Uint16Array(devices.length)
  const { settled, idle, begun } = createOutstanding()
  const settle = (number: number) => {
    inFlight[number]!--
    settled()
  }
  const start = (number: number, at: number, behindMs: number) => {
    for (const reading of devices[number]!.take(startAt + at)) {
      const session = connections.session(number)
      if (!session || inFlight[number]! >= scenario.maxInFlight || behindMs > scenario.maxLate) {
        counts.dropped++
        continue
      }
      counts.sent++
      if (behindMs > lateAfterMs) counts.late++
      recordMs(lateMs, behindMs)
      inFlight[number]!++
      begun()
      const sentAt = clock.monotonic()
      session.publish(reading).then(
        () => {
          if (reading.qos === 1) {
            counts.acked++
            recordMs(ackMs, clock.monotonic() - sentAt)
          }
          settle(number)
        },
        () => {
          counts.failed++
          settle(number)
        },
      )
    }
  }
  try {
    await connections.open(signal)
    const runAt = clock.monotonic()
    await followPlan(devices, scenario, { clock, signal, since: runAt, start })
    await within(scenario.ackTimeout, clock, idle())
  } finally {
    // Whatever is still outstanding fails as its session closes, and is counted before the report is made.
    await connections.close()
    await idle()
    driver.stop()
    stopProgress()
  }

  const report = {
    seed,
    protocol: scenario.protocol,
    target: target.href,
    devices: devices.length,
    connected: connections.everConnected,
    reconnects: connections.reconnects,
    ...counts,
    bytesSent: driver.wire.sent,
    bytesReceived: driver.wire.received,
    elapsedMs: Math.round(elapsedMs()),
    ...optional('ackMs', summarize(ackMs)),
    ...optional('connectMs', summarize(connections.connectMs)),
    ...optional('lateMs', summarize(lateMs)),
  }
  return { ...report, thresholds: checkThresholds(scenario.thresholds, report) }
}

interface Following {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly since: number
  start(device: number, at: number, behindMs: number): void
}

/** Resolves when the plan has no more readings, its time is over, or the signal says stop. */
async function followPlan(
  devices: readonly Device[],
  { duration, count }: Scenario,
  { clock, signal, since, start }: Following,
): Promise<void> {
  const planned = devices.map(({ interval, planRandom: random }) => ({ interval, random }))
  const plan = createPlan(planned, { ...(duration === undefined ? {} : { endMs: duration }), ...(count === undefined ? {} : { count }) })
  while (!signal.aborted && plan.nextAt < Number.POSITIVE_INFINITY) {
    let now = clock.monotonic() - since
    for (let n = 0; plan.nextAt <= now && n < launchesPerTurn; n++) {
      const { at, device } = plan.next()
      start(device, at, now - at)
      if (n % 50 === 49) now = clock.monotonic() - since
    }
    const restMs = Math.min(plan.nextAt, duration ?? plan.nextAt) - (clock.monotonic() - since)
    if (restMs < Number.POSITIVE_INFINITY) await clock.sleep(Math.max(0, Math.ceil(restMs)), signal).catch(() => undefined)
  }
  if (duration !== undefined && !signal.aborted)
    await clock.sleep(Math.max(0, duration - (clock.monotonic() - since)), signal).catch(() => undefined)
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

/** How many readings have begun and not ended, and a way to wait until none has. */
function createOutstanding() {
  let outstanding = 0
  const waiting: (() => void)[] = []
  return {
    begun: () => {
      outstanding++
    },
    settled: () => {
      if (--outstanding === 0) for (const wake of waiting.splice(0)) wake()
    },
    idle: () => new Promise<void>((resolve) => (outstanding === 0 ? resolve() : waiting.push(resolve))),
  }
}
