// The fleet as a library: a scenario in, a report out.
import { type Clock, systemClock } from '../lib/clock.ts'
import { randomSeed } from '../lib/random.ts'
import { type Certificates, loadCertificates } from './certs.ts'
import type { Slice } from './device.ts'
import type { Driver } from './drivers/driver.ts'
import { drivers } from './drivers/index.ts'
import { FleetError } from './errors.ts'
import { mergeOutcomes, type Outcome, toReport } from './outcome.ts'
import { createReplaySource, loadRecording } from './replay.ts'
import type { FleetReport } from './report.ts'
import { type Run, run } from './run.ts'
import type { Scenario } from './scenario.ts'
import { createModelSource } from './source.ts'
import { createSubscriber, filtersOf } from './subscriber.ts'
import type { Follower } from './verify.ts'
import { runInWorkers } from './workers.ts'

export type { FleetProgress, FleetReport } from './report.ts'

/**
 * `signal`: abort to stop; readings already sent are waited for, then the report comes as usual.
 * `onFault`, `onReading`: told at the moment it happens, with milliseconds after the start of the run; not with several workers.
 */
export interface FleetOptions extends Partial<Pick<Run, 'signal' | 'clock' | 'onProgress' | 'progressEveryMs' | 'onFault' | 'onReading'>> {
  /** Instead of the one the scenario's protocol names. */
  readonly driver?: Driver
  /** Brings what arrives at the far end, for `verify: 'queue'`. */
  readonly follower?: Follower | undefined
}

/** With a seed and no `startAt`, devices live at this time, so that their bytes are the same every day. */
export const epoch = Date.UTC(2026, 0, 1)

/** Runs a scenario to its end. Rejects with a FleetError when nothing can be reached; whatever happens later is in the report. */
export async function runFleet(scenario: Scenario, options: FleetOptions = {}): Promise<FleetReport> {
  const seed = scenario.seed ?? randomSeed()
  const startAt = startOf(scenario, options.clock ?? systemClock)
  const target = scenario.target ?? drivers[scenario.protocol].target
  // From here on nothing is left open: every worker must come to the same devices.
  const settled = { ...scenario, seed, startAt: new Date(startAt).toISOString(), target }
  const outcome = scenario.workers > 1 ? mergeOutcomes(await runInWorkers(settled, options)) : await runSlice(settled, options)
  return toReport(outcome, { seed, protocol: scenario.protocol, target }, scenario.thresholds)
}

/** The part of a scenario that one process runs; its seed, start and target are decided. */
export async function runSlice(scenario: Scenario, options: FleetOptions, slice?: Slice): Promise<Outcome> {
  const { signal = new AbortController().signal, clock = systemClock, driver, follower, ...told } = options
  const kind = drivers[scenario.protocol]
  const target = new URL(scenario.target ?? kind.target)
  const certificates: Certificates = scenario.certs === undefined ? {} : await loadCertificates(scenario.certs)
  const source = scenario.replay
    ? createReplaySource(await loadRecording(scenario.replay.file), scenario, slice)
    : createModelSource(scenario, scenario.seed ?? 0, startOf(scenario, clock), slice)
  return run({
    ...told,
    source,
    target,
    clock,
    signal,
    limits: scenario,
    driver: driver ?? kind.create({ target, keepAliveMs: scenario.keepAlive, mqttVersion: scenario.mqttVersion, clock, ...certificates }),
    follower: follower ?? followerFor(scenario, target, source.clientIds[0]!, certificates),
  })
}

function followerFor(
  { verify, verifyAt, populations }: Scenario,
  target: URL,
  as: string,
  certificates: Certificates,
): Follower | undefined {
  if (verify === undefined) return undefined
  if (verify === 'queue') throw new FleetError('verify: "queue" needs a reader of the queue; run `weir fleet`, or write "subscriber"', 2)
  const where = new URL(verifyAt ?? (/^(mqtts?|wss?):$/.test(target.protocol) ? target : drivers.mqtt.target))
  return createSubscriber({ target: where, filters: filtersOf(populations), as, ...certificates })
}

function startOf({ startAt, seed }: Scenario, clock: Clock): number {
  if (startAt === 'now' || (startAt === undefined && seed === undefined)) return clock.now()
  return startAt === undefined ? epoch : Date.parse(startAt)
}
