// `weir up`: embedded queues, gateway, a demo fleet and its consumers in one terminal, and an account of every message at the end.
import { join } from 'node:path'
import { Command } from 'commander'
import { type FleetProgress, type FleetReport, runFleet } from '../device-sim/fleet.ts'
import { parseScenario } from '../device-sim/scenario.ts'
import { toCount } from '../gateway/cli/arguments.ts'
import { addGatewayFlags, type GatewayFlags, toDuration, withFlags } from '../gateway/cli/flags.ts'
import { createFileLog } from '../gateway/cli/log.ts'
import { signalled } from '../gateway/cli/signals.ts'
import { type GatewayConfigInput, parseConfig } from '../gateway/config.ts'
import { type Gateway, startGateway } from '../gateway/gateway.ts'
import { systemClock as clock } from '../lib/clock.ts'
import { randomSeed } from '../lib/random.ts'
import { type Account, account, accountText } from './account.ts'
import { createMonthlyDollars } from './monthly.ts'
import { alertLine, createLiveLines, welcome } from './screen.ts'

const examples = `
Examples:
  $ weir up                              until Ctrl-C
  $ weir up --duration 20s --seed 7      the same readings every time
  $ weir up --devices 500 --mqtt-port 0  more of everything, on any free port

Ctrl-C stops the fleet, delivers what is on its way, and prints the ledger. Exit code 1 means that it does not balance.`

interface Flags extends GatewayFlags {
  readonly devices: number
  readonly duration?: number
  readonly seed: number
  readonly json?: true
}

/** Queues the demo takes from. Errors of rules stay where an operator finds them. */
const consumed = ['telemetry', 'door-events.fifo', 'alerts']
const readingEverySeconds = 2
const settleTimeoutMs = 15_000

export function upCommand(): Command {
  const command = new Command('up')
    .description('run everything: embedded SQS and SNS, gateway, a demo fleet of freezers, consumers')
    .option('--devices <n>', 'freezers in the demo fleet', toCount, 60)
    .option('--duration <duration>', 'stop by itself after this time', toDuration)
    .option('--seed <n>', 'same seed, same readings (default: drawn)', toCount, randomSeed())
    .option('--json', 'print the account as one JSON document on stdout; everything else goes to stderr')
  return addGatewayFlags(command).addHelpText('after', examples).action(run)
}

async function run(flags: Flags): Promise<void> {
  const out = flags.json ? process.stderr : process.stdout
  const stop = new AbortController()
  const stopped = signalled().then(() => stop.abort())

  const config = parseConfig(withFlags(demoConfig(), flags), 'flags')
  const logFile = join(config.dataDir, 'weir.log')
  const log = createFileLog(logFile, config.log.level)
  const colour = out.isTTY ?? false
  const alerts = { count: 0 }
  const gateway = await startGateway({
    config,
    log,
    monthlyDollars: createMonthlyDollars(),
    handlers: {
      telemetry: async () => {},
      'door-events.fifo': async () => {},
      alerts: async ({ body }) => {
        alerts.count++
        out.write(`${alertLine(body, colour)}\n`)
      },
    },
  })

  out.write(
    welcome({
      ports: gateway.ports,
      host: config.host,
      logFile,
      devices: flags.devices,
      everySeconds: readingEverySeconds,
      seed: flags.seed,
    }),
  )
  const { fleet, fleetReport } = startFleet(flags, gateway, stop.signal)
  const lines = createLiveLines(out)
  const stopLines = clock.every(1_000, () => lines.write({ gateway, fleet: fleet(), alerts: alerts.count }))
  const report = await Promise.race([fleetReport, stopped.then(() => fleetReport)])
  stopLines()

  out.write('\nstopping: waiting for what is on its way …\n')
  const result = await settle(gateway, report)
  await gateway.stop()
  out.write(accountText(result, colour))
  if (flags.json) process.stdout.write(`${JSON.stringify(result)}\n`)
  process.exitCode = result.ledger.balanced && result.lost === 0 ? 0 : 1
}

function demoConfig(): GatewayConfigInput {
  // Short polls: with the embedded SQS, an abandoned long one would hide a message for its visibility timeout.
  const consumer = (queue: string) => ({ queue, handler: { kind: 'log' as const }, wait: '1s' })
  const [telemetry, ...others] = consumed.map(consumer)
  // One tenant's excess waits aside, so that the quiet ones are found behind it.
  return { consumers: [{ ...telemetry!, sideline: { queue: 'telemetry-overflow' } }, ...others] }
}

function startFleet({ devices, duration, seed }: Flags, gateway: Gateway, signal: AbortSignal) {
  let latest: FleetProgress | undefined
  const scenario = parseScenario({
    devices,
    seed,
    startAt: 'now',
    target: `mqtt://127.0.0.1:${gateway.ports.mqtt}`,
    ...(duration === undefined ? {} : { duration: `${duration}ms` }),
    // A minute of freezer life in a second, so that a door left open becomes an alert while one watches.
    populations: [
      {
        model: 'freezer',
        interval: `${readingEverySeconds}s`,
        params: { timeLapse: 60, leftOpenChance: 0.05 },
        commands: 'cmd/coldchain/{tenant}/{site}/{device}/+/req/+',
      },
    ],
  })
  const fleetReport = runFleet(scenario, { signal, onProgress: (progress) => (latest = progress) })
  return { fleet: () => latest, fleetReport }
}

/** Waits until every delivered message was consumed, for as long as that can reasonably take. */
async function settle(gateway: Gateway, report: FleetReport): Promise<Account> {
  const until = clock.monotonic() + settleTimeoutMs
  for (;;) {
    const result = await account(gateway, report)
    const settled = result.ledger.queued === 0 && result.consumed >= result.delivered
    if (settled || clock.monotonic() > until) return result
    await clock.sleep(100)
  }
}
