// The fleet of a measured run: a scenario file, or devices with readings of a size that was asked for.
import { readScenario, type ScenarioInput } from '../../device-sim/scenario.ts'
import { CostError } from '../errors.ts'

export interface RunFleet {
  /** A scenario file; what follows is laid over it. */
  readonly file?: string | undefined
  readonly devices?: number | undefined
  readonly durationMs?: number | undefined
  readonly intervalMs?: number | undefined
  readonly payloadBytes?: number | undefined
  readonly qos?: 0 | 1 | undefined
  readonly seed?: number | undefined
}

const usual = { devices: 20, durationMs: 1_500, intervalMs: 300, payloadBytes: 200, seed: 7 } as const
/** What a reading of the plainest device has besides its padding: who, which number, when, two figures. */
const ownBytes = 96
const maxPaddingBytes = 120_000

/** The topic of such a device has 43 bytes: `dt/coldchain/acme/site-1/fr-00001/telemetry`. */
export async function scenarioOf(asked: RunFleet): Promise<ScenarioInput & { readonly seed: number | string }> {
  if (asked.file === undefined) return plain({ ...usual, ...defined(asked) })
  if (asked.payloadBytes !== undefined)
    throw new CostError('--payload and --scenario exclude each other: the scenario says what devices send')
  const { protocol: _, target: __, certs: ___, verify: ____, thresholds: _____, replay, ...file } = await readScenario(asked.file)
  if (replay !== undefined) throw new CostError(`${asked.file}: a recording cannot be measured; give models`)
  const { populations, duration, count, seed } = file as ScenarioInput
  const interval = asked.intervalMs === undefined ? {} : { interval: `${asked.intervalMs}ms` as const }
  const lasts = asked.durationMs ?? (duration === undefined && count === undefined ? usual.durationMs : undefined)
  return {
    ...file,
    ...(populations && { populations: populations.map((population) => ({ ...population, ...interval })) }),
    ...(asked.devices !== undefined && { devices: asked.devices }),
    ...(asked.qos !== undefined && { qos: asked.qos }),
    ...(lasts !== undefined && { duration: `${lasts}ms` as const }),
    seed: asked.seed ?? seed ?? usual.seed,
  } as ScenarioInput & { readonly seed: number | string }
}

function plain({ devices, durationMs, intervalMs, payloadBytes, qos = 1, seed }: Required<Pick<RunFleet, keyof typeof usual>> & RunFleet) {
  const paddingBytes = payloadBytes! - ownBytes
  if (paddingBytes < 0 || paddingBytes > maxPaddingBytes)
    throw new CostError(`--payload cannot be ${payloadBytes}: a simulated reading has ${ownBytes} to ${ownBytes + maxPaddingBytes} bytes`)
  return {
    devices: devices!,
    seed: seed!,
    qos,
    tenants: ['acme'],
    duration: `${durationMs}ms`,
    populations: [{ name: 'fr', model: 'noisy' as const, interval: `${intervalMs}ms`, params: { readingsEach: 1, paddingBytes } }],
  }
}

const defined = <T extends object>(values: T) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T
