// The measured run: the same seeded fleet over each transport, one after the other, against a gateway of its own.
import { loadCertificates } from '../../device-sim/certs.ts'
import { drivers } from '../../device-sim/drivers/index.ts'
import { type FleetReport, runFleet } from '../../device-sim/fleet.ts'
import { parseScenario, type ScenarioInput } from '../../device-sim/scenario.ts'
import type { Clock } from '../../lib/clock.ts'
import { CostError } from '../errors.ts'
import type { Measurement, Run } from '../measurement.ts'
import type { Bytes } from '../wire.ts'
import { type Kernel, type Segments, watchKernel } from './kernel.ts'
import { type Fired, type Found, type Snapshot, toMeasurement } from './reckon.ts'
import { reconnecting } from './reconnecting.ts'
import { type Relay, startRelay } from './relay.ts'
import { consumed, type Stage, setStage } from './stage.ts'
import { type TransportName, transports } from './transports.ts'

export interface RunOptions {
  /** Its protocol, target and certificates are the run's. */
  readonly scenario: ScenarioInput & { readonly seed: number | string }
  readonly transports: readonly TransportName[]
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Told before each phase; `done` of `all` are behind. */
  readonly onProgress?: (progress: Progress) => void
  /** Told before a transport's first connection: where a capture would listen. */
  readonly onPort?: (transport: TransportName, port: number) => Promise<void> | void
  /** Told when the last connection of a phase has gone, with everything that crossed the wire in it. */
  readonly onPhase?: (transport: TransportName, phase: Phase, found: Found) => void
}

export interface Progress {
  readonly done: number
  readonly all: number
  readonly transport: TransportName
  readonly phase: Phase
}

/** Connections that say nothing, connections that only stay, connections with readings. */
export const phases = ['open', 'idle', 'talk'] as const
export type Phase = (typeof phases)[number]

/** Long enough for delayed acknowledgements (40 ms) to be out before connections are looked at. */
const settleMs = 250
const quietMs = 600
const idleMs = 2_400
const drainMs = 15_000

/** Rejects with a CostError when a reading was lost or could not be sent: such a run measures nothing. */
export async function measure(options: RunOptions): Promise<Run> {
  const { scenario, clock, signal, onProgress } = options
  const checked = parseScenario(scenario)
  const steps = options.transports.flatMap((name) => phasesOf(name).map((phase) => [name, phase] as const))
  await using stage = await setStage(checked, clock, signal)
  const found: Measurement[] = []
  let tls = 'none'
  for (const name of options.transports) {
    const relay = await startRelay({
      certs: stage.certs,
      door: stage.gateway.ports[transports[name].door]!,
      decode: transports[name].decode,
      clock,
    })
    await options.onPort?.(name, relay.port)
    const kernel = await watchKernel(relay.port, clock)
    try {
      const told = (phase: Phase) =>
        onProgress?.({ done: steps.findIndex(([a, b]) => a === name && b === phase), all: steps.length, transport: name, phase })
      found.push(await measureTransport({ ...options, name, stage, relay, kernel, told }))
      tls = relay.tls ?? tls
    } finally {
      kernel?.stop()
      await relay.stop()
    }
    signal.throwIfAborted()
  }
  return {
    kind: 'weir cost run',
    version: 1,
    at: new Date(clock.now()).toISOString(),
    seed: scenario.seed,
    tls,
    platform: `${process.platform} ${process.arch}, Node ${process.version}`,
    devices: checked.devices,
    intervalMs: intervalOf(checked.populations[0]?.interval),
    transports: found,
  }
}

interface Parts extends RunOptions {
  readonly name: TransportName
  readonly stage: Stage
  readonly relay: Relay
  readonly kernel: Kernel | undefined
  readonly told: (phase: Phase) => void
}

async function measureTransport(parts: Parts): Promise<Measurement> {
  const { name, stage, relay, onPhase, clock, signal } = parts
  const found: Partial<Record<Phase, Found>> = {}
  let report: FleetReport | undefined
  const before = stage.gateway.ledger()
  const firedBefore = fired(stage)
  for (const phase of phasesOf(name)) {
    parts.told(phase)
    stage.aws.reset()
    const start = await snapshot(parts)
    const { standing, ...ran } = await runPhase(parts, phase)
    report = ran.report
    found[phase] = { start, end: await snapshot(parts), ...(standing ? { standing } : {}) }
    onPhase?.(name, phase, found[phase])
    signal.throwIfAborted()
  }
  await drained(stage, clock)
  const after = stage.gateway.ledger()
  const { sent, acked, failed, dropped } = report!
  const since = (of: 'accepted' | 'split' | 'delivered' | 'unmatched' | 'dead' | 'lost') => after[of] - before[of]
  const ledger = {
    ...{ accepted: since('accepted'), delivered: since('delivered'), unmatched: since('unmatched'), dead: since('dead') },
    ...{ split: since('split'), lost: since('lost'), queued: after.queued, balanced: after.balanced },
  }
  if (failed > 0 || sent === 0) throw new CostError(`${name}: ${failed} of ${sent} readings were not accepted, so nothing was measured`, 1)
  return toMeasurement(name, found as Record<'open' | 'talk', Found> & { idle?: Found }, {
    clientIdBytes: clientIdBytes(parseScenario(parts.scenario).populations),
    qos: parts.scenario.qos ?? 1,
    aws: stage.aws.calls(),
    fired: fired(stage, firedBefore),
    fleet: { devices: report!.devices, sent, acked, failed, dropped },
    ledger,
    problems: [...new Set(relay.problems)],
  })
}

async function snapshot({ relay, kernel }: Parts): Promise<Snapshot> {
  await relay.idle()
  const totals = relay.tally.totals()
  await kernel?.told(totals.connections)
  return { totals, kernel: kernel?.segments() }
}

/** With what stood on the wire when every device was connected and none had spoken, where it can be seen. */
async function runPhase(
  { name, scenario, stage, relay, kernel, clock, signal }: Parts,
  phase: Phase,
): Promise<{ readonly report: FleetReport; readonly standing?: { readonly ciphertext: Bytes; readonly kernel: Segments } }> {
  const { driver, url, ...row } = transports[name]
  const isReconnecting = 'isReconnecting' in row && phase === 'talk'
  const laid = parseScenario({ ...scenario, ...quiet[phase](scenario), certs: stage.certs, protocol: driver, target: url(relay.port) })
  const { ca, credentials } = await loadCertificates(stage.certs)
  const own = 'isServerOnly' in row ? { ca } : { ca, credentials }
  const kept = drivers[driver].create({ target: new URL(url(relay.port)), keepAliveMs: laid.keepAlive, clock, ...own })
  let connectedFor = 0
  let standing: Promise<{ readonly ciphertext: Bytes; readonly kernel: Segments }> | undefined
  const report = await runFleet(laid, {
    signal,
    clock,
    driver: isReconnecting ? reconnecting(kept, signal) : kept,
    progressEveryMs: 50,
    onProgress({ connected, devices }) {
      connectedFor = connected === devices ? connectedFor + 50 : 0
      if (phase !== 'open' || !kernel || standing || connectedFor < settleMs) return
      const ciphertext = relay.ciphertext()
      standing = kernel.live().then((segments) => ({ ciphertext, kernel: segments }))
    },
  })
  return { report, ...(standing ? { standing: await standing } : {}) }
}

const never = '24h'

/** What a phase changes about the scenario. */
const quiet: Readonly<Record<Phase, (scenario: ScenarioInput) => Partial<ScenarioInput>>> = {
  open: (scenario) => ({ ...silent(scenario), keepAlive: '20m', duration: `${quietMs}ms` }),
  idle: (scenario) => ({ ...silent(scenario), keepAlive: '1s', duration: `${idleMs}ms` }),
  talk: () => ({ keepAlive: '20m' }),
}

function silent({ populations = [{ model: 'freezer' as const }] }: ScenarioInput): Partial<ScenarioInput> {
  const still = populations.map((population) => ({ ...population, interval: never }))
  return { populations: still as NonNullable<ScenarioInput['populations']>, count: 1, faults: [], phases: [] }
}

export function phasesOf(name: TransportName): readonly Phase[] {
  return phases.filter((phase) => phase !== 'idle' || ('hasKeepAlive' in transports[name] && transports[name].hasKeepAlive))
}

/** Rules and actions since a count before. */
function fired({ gateway }: Stage, before: Fired = { rules: 0, actions: 0, toSqs: 0 }): Fired {
  const { metrics } = gateway.observe
  const actions = (kind?: string) =>
    metrics
      .series('action.delivered')
      .filter(({ labels }) => kind === undefined || labels.action === kind)
      .reduce((sum, { value }) => sum + value, 0)
  return {
    rules: metrics.total('rule.matched') - before.rules,
    actions: actions() - before.actions,
    toSqs: actions('sqs') - before.toSqs,
  }
}

/** Waits until what was accepted has been delivered, and what was delivered been consumed. */
async function drained({ gateway, aws }: Stage, clock: Clock): Promise<void> {
  const { metrics } = gateway.observe
  const delivered = () => metrics.series('action.delivered').filter(({ labels }) => labels.rule === consumed)
  const isDone = () => {
    const { queued, pending } = gateway.ledger()
    const sent = delivered().reduce((sum, { value }) => sum + value, 0)
    const { ReceiveMessage: received, DeleteMessageBatch: deleted } = aws.calls()
    const isRemoved = (deleted?.messages ?? 0) >= (received?.messages ?? 0)
    return queued === 0 && pending === 0 && metrics.total('consumer.handled') >= sent && isRemoved
  }
  for (let waitedMs = 0; !isDone() && waitedMs < drainMs; waitedMs += 50) await clock.sleep(50)
}

const intervalOf = (interval: unknown): number => (interval as { readonly every?: number } | undefined)?.every ?? 0

/** `fr-00001`: a name, and five digits. */
const clientIdBytes = (populations: readonly { readonly name?: string | undefined; readonly model: string }[]) =>
  populations.reduce((sum, { name, model }) => sum + (name ?? model).length + 6, 0) / populations.length
