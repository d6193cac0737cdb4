// `weir up`: embedded queues, gateway, a demo fleet and its consumers in one terminal, and an account of every message at the end.
import { join } from 'node:path'
import { Command, Option } from 'commander'
import { FleetError } from '../device-sim/errors.ts'
import { type FleetProgress, type FleetReport, runFleet } from '../device-sim/fleet.ts'
import { takeoverText } from '../device-sim/report.ts'
import { parseScenario, readScenario, type Scenario } from '../device-sim/scenario.ts'
import { toCount, toMs } from '../gateway/cli/arguments.ts'
import { addGatewayFlags, type GatewayFlags, withFlags } from '../gateway/cli/flags.ts'
import { createFileLog } from '../gateway/cli/log.ts'
import { type GatewayConfigInput, parseConfig, type Resources, resourcesOf } from '../gateway/config.ts'
import { type Gateway, type GatewayOptions, startGateway } from '../gateway/gateway.ts'
import { systemClock as clock } from '../lib/clock.ts'
import { printableText } from '../lib/printable.ts'
import { randomSeed } from '../lib/random.ts'
import { abortable, withStopSignal } from '../lib/stop-signal.ts'
import { type Account, account, accountText, isSettled, isWell, type Layout, unreadQueues } from './account.ts'
import { createMonthlyDollars } from './monthly.ts'
import { alertLine, createLiveLines, createRefusals, welcome } from './screen.ts'
import { idleConsumer, openTemplate } from './template.ts'

const examples = `
Examples:
  $ weir up                              until Ctrl-C
  $ weir up --duration 20s --seed 7      the same readings every time
  $ weir up --devices 500 --mqtt-port 0  more of everything, on any free port
  $ weir up --template cdk.out/Weir.template.json
                                         rules, queues, topics and IoT policies of a CloudFormation template
  $ weir up --template stack.json --strict --scenario fleet.json
                                         somebody else's, with devices that speak to its rules

Ctrl-C stops the fleet, delivers the messages in flight, and prints the ledger. Exit code 1 means that it does not
balance, that messages are still queued, that no reading was acknowledged, or that the embedded queues were lost.`

interface Flags extends GatewayFlags {
  readonly devices: number
  readonly duration?: number
  readonly seed: number
  readonly json?: true
  readonly template?: string
  readonly strict?: true
  readonly scenario?: string
}

type Handler = NonNullable<GatewayOptions['handlers']>[string]

/** Queues the demo takes from. Errors of rules stay where an operator finds them. */
const consumed = ['telemetry', 'door-events.fifo', 'alerts', 'severe-alerts']
const readingEverySeconds = 2
const alertsShownPerSecond = 10
const settleTimeoutMs = 15_000

export function upCommand(): Command {
  const command = new Command('up')
    .description('run everything: embedded SQS and SNS, gateway, a demo fleet of freezers, consumers')
    .option('--devices <n>', 'freezers in the demo fleet', toCount, 60)
    .option('--duration <duration>', 'stop by itself after this time', toMs)
    .addOption(new Option('--seed <n>', 'same seed, same readings').argParser(toCount).default(randomSeed(), 'drawn'))
    .option('--template <file>', "run a CloudFormation template's rules, queues, topics and IoT policies instead of the demo's")
    .option('--strict', 'end with an error where the template holds what cannot be run here')
    .option('--scenario <file>', "the fleet of a scenario file instead of the demo's freezers")
    .option('--json', 'print the account as one JSON document on stdout; everything else goes to stderr')
  return addGatewayFlags(command)
    .addHelpText('after', examples)
    .action((flags: Flags) => withStopSignal((signal) => run(flags, signal)))
}

async function run(flags: Flags, signal: AbortSignal): Promise<void> {
  const out = flags.json ? process.stderr : process.stdout
  const scenario = await fleetScenario(flags)
  const given = parseConfig(withFlags({}, flags), 'flags')
  const template =
    flags.template === undefined
      ? undefined
      : await abortable(openTemplate(flags.template, { given, scenario, strict: flags.strict === true }), signal)
  if (template) out.write(printableText(template.text))
  const config = parseConfig(withFlags(template?.config ?? demoConfig(), flags), 'flags')
  const logFile = join(config.dataDir, 'weir.log')
  const log = createFileLog(logFile, config.log.level)
  const colour = out.isTTY ?? false
  const alerts = { count: 0, shown: 0 }
  const resources = template?.reached ?? resourcesOf(config)
  const alerted = new Set(alertQueues(resources))
  const onAlert: Handler = async ({ body }) => {
    alerts.count++
    if (alerts.shown++ < alertsShownPerSecond) out.write(`${alertLine(body, colour)}\n`)
  }
  const handlers = Object.fromEntries(config.consumers.map(({ queue }) => [queue, alerted.has(queue) ? onAlert : async () => {}]))
  const gateway = await startGateway({ config, log, handlers, monthlyDollars: createMonthlyDollars(), signal })

  out.write(
    welcome({
      ports: gateway.ports,
      host: config.host,
      adminHost: config.listen.adminHost,
      logFile,
      fleet: flags.scenario === undefined ? demoText(flags) : `${scenario.devices} devices of ${flags.scenario}`,
    }),
  )
  gateway.observe.listen((_, { detail }) => out.write(`${detail}\n`), ['local.ended'])
  const layout = { resources, unread: await unreadQueues(gateway, resources, config.consumers) }
  const { fleet, fleetReport } = startFleet(scenario, gateway, template?.certs, signal)
  const lines = createLiveLines(out)
  const refusals = createRefusals(out, colour)
  let isThrownOut = false
  const stopLines = clock.every(1_000, () => {
    alerts.shown = 0
    lines.write({ gateway, fleet: fleet(), alerts: alerts.count })
    refusals.tell(gateway.observe.metrics)
    const thrownOut = isThrownOut ? undefined : takeoverText(fleet() ?? { takenOver: 0, shortLived: 0 })
    if (thrownOut !== undefined) out.write(`${thrownOut}\n`)
    isThrownOut ||= thrownOut !== undefined
  })
  const report = await fleetReport
    .catch(async (error: Error) => {
      await gateway.stop()
      throw new FleetError(`the fleet did not start: ${error.message}; the gateway's side of it is in ${logFile}`, 1, { cause: error })
    })
    .finally(() => {
      stopLines()
      refusals.tell(gateway.observe.metrics)
    })

  out.write('\nstopping: waiting for what is on its way …\n')
  const result = await settle(gateway, report, layout)
  await gateway.stop()
  out.write(accountText(result, colour))
  if (flags.json) process.stdout.write(`${JSON.stringify(result)}\n`)
  process.exitCode = isWell(result) ? 0 : 1
}

/** Where each alert arrives once: not in what filters copy from it. */
function alertQueues({ topics }: Resources): readonly string[] {
  return Object.values(topics).flatMap(({ queues }) => {
    const whole = queues.filter(({ filterPolicy }) => !filterPolicy)
    return (whole.length > 0 ? whole : queues).map(({ queue }) => queue)
  })
}

function demoConfig(): GatewayConfigInput {
  const [telemetry, ...others] = consumed.map(idleConsumer)
  // One tenant's excess waits aside, so that the quiet ones are found behind it.
  return { consumers: [{ ...telemetry!, sideline: { queue: 'telemetry-overflow' } }, ...others] }
}

async function fleetScenario({ devices, duration, seed, scenario: file }: Flags): Promise<Scenario> {
  const length = duration === undefined ? {} : { duration: `${duration}ms` }
  if (file !== undefined) return parseScenario({ seed, startAt: 'now', ...(await readScenario(file)), ...length }, file)
  // A minute of freezer life in a second, so that a door left open becomes an alert while one watches.
  const freezers = {
    model: 'freezer',
    interval: `${readingEverySeconds}s`,
    params: { timeLapse: 60, leftOpenChance: 0.05 },
    commands: 'cmd/coldchain/{tenant}/{site}/{device}/+/req/+',
  }
  return parseScenario({ devices, seed, startAt: 'now', ...length, populations: [freezers] })
}

function demoText({ devices, seed }: Flags): string {
  return `${devices} freezers in 4 tenants, one reading each ${readingEverySeconds} s, a minute of freezer life in a second · seed ${seed}`
}

function startFleet(scenario: Scenario, gateway: Gateway, certs: string | undefined, signal: AbortSignal) {
  let latest: FleetProgress | undefined
  const start = async () => {
    const listener = listenerFor(gateway, certs)
    return runFleet({ ...scenario, ...listener }, { signal, onProgress: (progress) => (latest = progress) })
  }
  return { fleet: () => latest, fleetReport: start() }
}

/** Where the fleet connects: with certificates over TLS, otherwise in plain text. */
function listenerFor({ ports: { mqtt, mqtts } }: Gateway, certs: string | undefined) {
  const off = (flag: string) => new FleetError(`its listener is off; leave out ${flag} off`)
  if (certs === undefined) {
    if (mqtt === undefined) throw off('--mqtt-port')
    return { protocol: 'mqtt', target: `mqtt://127.0.0.1:${mqtt}` } as const
  }
  if (mqtts === undefined) throw off('--mqtts-port')
  return { protocol: 'mqtts', target: `mqtts://127.0.0.1:${mqtts}`, certs } as const
}

/** Waits until every delivered message was consumed or is where nobody takes it from, for as long as that can reasonably take. */
async function settle(gateway: Gateway, report: FleetReport, layout: Layout): Promise<Account> {
  const until = clock.monotonic() + settleTimeoutMs
  for (;;) {
    const result = await account(gateway, report, layout)
    if (isSettled(result) || clock.monotonic() > until) return result
    await clock.sleep(100)
  }
}
