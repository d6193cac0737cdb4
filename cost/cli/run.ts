// `weir cost run`: flags to a fleet, a run with its progress, and everything that can be made of it.

import { systemClock } from '../../lib/clock.ts'
import { withStopSignal } from '../../lib/stop-signal.ts'
import { parseDuration } from '../../lib/units.ts'
import { CostError, suggest } from '../errors.ts'
import type { Run } from '../measurement.ts'
import type { RunFleet } from '../run/scenario.ts'
import type { TransportName } from '../run/transports.ts'
import { createProgress } from './progress.ts'

export interface RunFlags {
  readonly scenario?: string
  readonly devices?: string
  readonly duration?: string
  readonly interval?: string
  readonly payload?: string
  readonly qos?: string
  readonly seed?: string
  readonly transports?: string
}

/** So that the relay, which sees every byte twice, is not what is measured. */
const maxDevices = 2_000

/** Loads the gateway and the fleet, which the rest of the report does without. */
export async function runMeasured(flags: RunFlags): Promise<Run> {
  const asked = readFleet(flags)
  const [{ measure, phasesOf }, { scenarioOf }, { transportNames }] = await Promise.all([
    import('../run/run.ts'),
    import('../run/scenario.ts'),
    import('../run/transports.ts'),
  ])
  const transports = readTransports(flags.transports, transportNames)
  const scenario = await scenarioOf(asked).catch((error) => {
    throw toCostError(error)
  })
  const progress = createProgress(process.stderr, systemClock)
  return withStopSignal(async (signal) => {
    try {
      const run = await measure({ scenario, transports, clock: systemClock, signal, onProgress: progress.show })
      progress.end(transports.flatMap(phasesOf).length)
      return run
    } catch (error) {
      progress.clear()
      throw signal.aborted ? signal.reason : toCostError(error)
    }
  })
}

/** Errors of the fleet say in one sentence what is wrong, and with which exit code. */
function toCostError(error: unknown): unknown {
  const { exitCode, message } = error as { readonly exitCode?: number; readonly message?: string }
  return exitCode === 1 || exitCode === 2 ? new CostError(message ?? '', exitCode, { cause: error }) : error
}

export function readFleet({ scenario, devices, duration, interval, payload, qos, seed }: RunFlags): RunFleet {
  return {
    file: scenario,
    devices: whole('--devices', devices, 1, maxDevices),
    durationMs: milliseconds('--duration', duration, 100, 3_600_000),
    intervalMs: milliseconds('--interval', interval, 50, 3_600_000),
    payloadBytes: whole('--payload', payload, 1, 131_072),
    qos: whole('--qos', qos, 0, 1) as 0 | 1 | undefined,
    seed: whole('--seed', seed, 0, Number.MAX_SAFE_INTEGER),
  }
}

export function readTransports(text: string | undefined, known: readonly TransportName[]): readonly TransportName[] {
  if (text === undefined || text === 'all') return known
  const names = [...new Set(text.split(',').map((name) => name.trim()))]
  for (const name of names)
    if (!(known as readonly string[]).includes(name))
      throw new CostError(`"${name}" is not a transport; ${suggest(name, ['all', ...known])}`)
  return known.filter((name) => names.includes(name))
}

function whole(flag: string, text: string | undefined, least: number, most: number): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (text.trim() !== '' && Number.isInteger(value) && value >= least && value <= most) return value
  throw new CostError(`${flag} cannot be ${text}: expected a whole number from ${least} to ${most.toLocaleString('en-US')}`)
}

function milliseconds(flag: string, text: string | undefined, least: number, most: number): number | undefined {
  if (text === undefined) return undefined
  const ms = parseDuration(text)
  if (ms === undefined) throw new CostError(`${flag} is "${text}"; expected a duration such as 500ms, 10s or 5m`)
  if (ms >= least && ms <= most) return ms
  throw new CostError(`${flag} cannot be ${text}: expected ${least}ms to ${most / 60_000}m`)
}
