// `weir fleet`: flags laid over a scenario, a run, a summary and an exit code.
import { Command, Option } from 'commander'
import { printableText } from '../../lib/printable.ts'
import { withStopSignal } from '../../lib/stop-signal.ts'
import { parseDuration, parseRate } from '../../lib/units.ts'
import { type DriverName, driverNames, drivers } from '../drivers/index.ts'
import { FleetError } from '../errors.ts'
import { type FleetProgress, type FleetReport, runFleet } from '../fleet.ts'
import { createProgress } from '../progress.ts'
import { createRecorder } from '../recorder.ts'
import { formatReport, takeoverText } from '../report.ts'
import { parseScenario, readScenario } from '../scenario.ts'
import type { Follower } from '../verify.ts'

interface Flags {
  readonly devices?: string
  readonly firstDevice?: string
  readonly prefix?: string
  readonly interval?: string
  readonly rate?: string
  readonly duration?: string
  readonly count?: string
  readonly seed?: string
  readonly startAt?: string
  readonly protocol?: DriverName
  readonly target?: string
  readonly qos?: string
  readonly certs?: string
  readonly mqttVersion?: string
  readonly threshold?: readonly string[]
  readonly verify?: 'subscriber' | 'queue'
  readonly queueUrl?: string
  readonly workers?: string
  readonly record?: string
  readonly replay?: string
  readonly speed?: string
  readonly loop?: boolean
  readonly json?: boolean
}

/** What the fleet cannot do by itself: somebody else knows how to read a queue. */
export interface FleetCommandOptions {
  readonly followQueue?: (options: { readonly queueUrl?: string }) => Follower
}

const examples = `
Examples:
  weir fleet                                                          ten freezers at mqtt://127.0.0.1:1883, until Ctrl-C
  weir fleet --devices 500 --rate 1/s --duration 20s --seed 7         500 readings a second in all, the same bytes each time
  weir fleet --devices 60 --interval 2s --target mqtt://broker:1883   any MQTT broker
  weir fleet examples/fleet/bad-network.json --verify subscriber --threshold 'lost == 0' --threshold 'ack_ms p95 < 200'
  weir fleet --devices 10 --first-device 10                           a second fleet on the same broker, or: --prefix b-
  weir fleet --devices 20000 --workers 2 --duration 1m --json         one JSON document on stdout, progress on stderr

  weir certs mint --devices 100 --out certs
  weir fleet --devices 100 --protocol mqtts --certs certs             mutual TLS, a certificate for each device
  weir fleet --devices 100 --protocol iot-core --certs certs --target mqtts://<id>-ats.iot.<region>.amazonaws.com

  weir fleet examples/fleet/mixed.json --duration 1m --record day.ndjson
  weir fleet --replay day.ndjson --speed 10x --loop

The scenario file, models, faults, thresholds: docs/fleet.md
Exit codes: 0 done, 1 failed, 2 wrong usage or scenario, 3 a threshold was missed.`

export function fleetCommand({ followQueue }: FleetCommandOptions = {}): Command {
  return new Command('fleet')
    .description('Run a fleet of simulated devices and say what became of every reading.')
    .argument('[scenario]', 'a scenario file; without one, freezers of four tenants')
    .option('--devices <n>', 'how many devices')
    .option('--first-device <n>', 'number of the first device: a second fleet on the same broker starts where the first one ends')
    .option('--prefix <text>', 'put in front of the name of each device, for a second fleet on the same broker')
    .addOption(new Option('--interval <duration>', 'time between two readings of one device, such as 10s').conflicts('rate'))
    .option('--rate <rate>', 'readings of EACH device, such as 1/s: 500 devices at 1/s are 500 readings a second')
    .option('--duration <duration>', 'stop after this time; without it, at Ctrl-C')
    .option('--count <n>', 'stop after this many readings of each device')
    .option('--seed <seed>', 'same seed, same bytes; payload times then start at 2026-01-01 unless --start-at says otherwise')
    .option('--start-at <time>', 'the time devices live at: "now" or an ISO time')
    .addOption(new Option('--protocol <name>', 'how devices speak; taken from --target when left out').choices(driverNames))
    .option('--target <url>', 'gateway or broker; the usual port on this machine when left out')
    .addOption(new Option('--mqtt-version <version>', 'what the iot-core driver speaks').choices(['3.1.1', '5']))
    .option('--certs <dir>', 'CA and device certificates for TLS, as `weir certs mint` writes them')
    .addOption(new Option('--qos <qos>', '0: fire and forget, 1: acknowledged').choices(['0', '1']))
    .option(
      '--threshold <condition>',
      'what must hold at the end, such as "ack_ms p95 < 200"; may be repeated',
      (text, all: string[] = []) => [...all, text],
    )
    .addOption(new Option('--verify <where>', 'follow the readings to the far end').choices(['subscriber', 'queue']))
    .option('--queue-url <url>', 'the queue that --verify queue reads: its URL, or its name at the embedded SQS')
    .option('--workers <n>', 'threads that share the devices')
    .option('--record <file>', 'write what is sent into a file that can be replayed')
    .option('--replay <file>', 'send what a recording says, NDJSON or CSV, instead of living models')
    .option('--speed <times>', 'replay so many times as fast, such as 10x')
    .option('--loop', 'replay for ever, or until --duration')
    .option('--json', 'print the report as one JSON document')
    .addHelpText('after', examples)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
    .action((file: string | undefined, flags: Flags) => runCommand(file, flags, followQueue))
}

async function runCommand(file: string | undefined, flags: Flags, followQueue: FleetCommandOptions['followQueue']): Promise<void> {
  try {
    const scenario = parseScenario(withFlags(file ? await readScenario(file) : {}, flags), file)
    const follower =
      scenario.verify === 'queue' ? followQueue?.(flags.queueUrl === undefined ? {} : { queueUrl: flags.queueUrl }) : undefined
    const recorder = flags.record === undefined ? undefined : createRecorder(flags.record)
    const report = await withStopSignal(async (signal) => {
      const progress = createProgress(process.stderr)
      let isTold = false
      const onProgress = (now: FleetProgress) => {
        const text = isTold ? undefined : takeoverText(now)
        if (text !== undefined) progress.note(text)
        isTold ||= text !== undefined
        progress.show(now)
      }
      const run = runFleet(scenario, { signal, onProgress, onReading: recorder?.record, follower })
      const report = await run.finally(progress.end)
      if (report.connected === 0) signal.throwIfAborted()
      return report
    }).finally(() => recorder?.stop())
    process.exitCode = exitCodeOf(report)
    end(process.stdout, flags.json ? JSON.stringify(report) : formatReport(report))
  } catch (error) {
    if (!(error instanceof FleetError)) throw error
    process.exitCode = error.exitCode
    end(process.stderr, error.message)
  }
}

/** Nothing is left to wait for, but a client of the AWS SDK keeps a process alive until it happens to be collected. */
function end(stream: NodeJS.WriteStream, text: string): void {
  stream.write(`${printableText(text)}\n`, () => process.exit())
}

function exitCodeOf({ thresholds, failed }: FleetReport): number {
  if (thresholds.some(({ ok }) => !ok)) return 3
  return failed > 0 && thresholds.length === 0 ? 1 : 0
}

/** A flag wins over the file; one that is not a number, duration or rate is refused with its own name. */
export function withFlags(file: Record<string, unknown>, flags: Flags): Record<string, unknown> {
  const number = (name: string, text: string | undefined) => {
    if (text === undefined || /^\d+$/.test(text)) return text === undefined ? undefined : Number(text)
    throw new FleetError(`--${name} is "${text}"; expected a whole number`, 2)
  }
  const everyMs = intervalMs(flags)
  const populations = Array.isArray(file.populations) ? file.populations : [{ model: 'freezer' }]
  const laid = {
    devices: number('devices', flags.devices),
    firstDevice: number('first-device', flags.firstDevice),
    prefix: flags.prefix,
    count: number('count', flags.count),
    duration: flags.duration,
    seed: flags.seed !== undefined && /^\d{1,15}$/.test(flags.seed) ? Number(flags.seed) : flags.seed,
    startAt: flags.startAt,
    protocol: flags.protocol ?? (flags.target === undefined ? undefined : protocolOf(flags.target)),
    target: flags.target,
    certs: flags.certs,
    mqttVersion: flags.mqttVersion,
    verify: flags.verify,
    workers: number('workers', flags.workers),
    replay: replayOf(file.replay, flags),
    qos: number('qos', flags.qos),
    populations: everyMs === undefined ? undefined : populations.map((population) => ({ ...population, interval: `${everyMs}ms` })),
    thresholds: flags.threshold && [...(Array.isArray(file.thresholds) ? file.thresholds : []), ...flags.threshold],
  }
  return { ...file, ...Object.fromEntries(Object.entries(laid).filter(([, value]) => value !== undefined)) }
}

function replayOf(inFile: unknown, { replay, speed, loop }: Flags): object | undefined {
  const times = speed === undefined ? undefined : Number(/^(\d+(?:\.\d+)?)x?$/.exec(speed)?.[1])
  if (Number.isNaN(times)) throw new FleetError(`--speed is "${speed}"; expected a factor such as 10x`, 2)
  const laid = {
    ...(replay === undefined ? {} : { file: replay }),
    ...(times === undefined ? {} : { speed: times }),
    ...(loop ? { loop } : {}),
  }
  return Object.keys(laid).length ? { ...(inFile as object | undefined), ...laid } : undefined
}

function intervalMs({ interval, rate }: Flags): number | undefined {
  if (rate !== undefined) {
    const perSecond = parseRate(rate)
    if (!perSecond) throw new FleetError(`--rate is "${rate}"; expected readings of each device such as 1/s or 6/m`, 2)
    return 1_000 / perSecond
  }
  if (interval === undefined) return undefined
  const ms = parseDuration(interval)
  if (!ms) throw new FleetError(`--interval is "${interval}"; expected a duration such as 500ms, 10s or 5m`, 2)
  return ms
}

/** `mqtts://host` means the driver `mqtts`, `ws://` MQTT over WebSocket; a scheme nobody knows is left to the schema, which names the field. */
function protocolOf(target: string): DriverName | undefined {
  const scheme = URL.parse(target)?.protocol
  return driverNames.find((name) => (drivers[name].schemes as readonly string[]).includes(scheme ?? ''))
}
