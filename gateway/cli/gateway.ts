// `weir gateway`: the gateway alone, until it is told to stop.
import { dirname, resolve } from 'node:path'
import { Command, Option } from 'commander'
import { z } from 'zod'
import { parseAs } from '../../lib/problems.ts'
import { aborted, Interrupted, withStopSignal } from '../../lib/stop-signal.ts'
import { type GatewayConfigInput, parseConfig, readConfig } from '../config.ts'
import { invalidConfig } from '../errors.ts'
import { type Gateway, type GatewayOptions, startGateway } from '../gateway.ts'
import { toMsOrNone } from './arguments.ts'
import { makeDataDir } from './data-dir.ts'
import { addBrokerFlags, addGatewayFlags, type GatewayFlags, withFlags } from './flags.ts'
import { createStdoutLog } from './log.ts'

const examples = `
Examples:
  $ weir gateway                                        the cold chain demo's rules, on the default ports
  $ weir gateway --config gateway.json --mqtt-port 1884
  $ weir gateway --rules ./rules --aws-endpoint aws     deliver to the queues of your account
  $ weir gateway --broker mqtts://broker.example:8883 --broker-group weir
                                                        consume from a broker you have, shared with other gateways
  $ weir gateway | weir logs - --level warn             read the log

The log is one JSON line per event on stdout, coloured text on a terminal. The first line is gateway.ready with the
ports, at every --log-level.
SIGTERM or Ctrl-C delivers what was accepted, then ends; a second one ends at once.`

interface Flags extends GatewayFlags {
  readonly config?: string
  readonly drainTimeout: number
}

export interface GatewayCommandDeps {
  readonly createMonthlyDollars?: () => NonNullable<GatewayOptions['monthlyDollars']>
  readonly onReady?: (gateway: Gateway) => void
}

export function gatewayCommand(deps: GatewayCommandDeps = {}): Command {
  const command = new Command('gateway')
    .description('run the gateway: devices in, queues out')
    .option('--config <file>', 'JSON config file; flags override it')
    .addOption(
      new Option('--drain-timeout <duration>', 'how long a stop may take to deliver what was accepted')
        .argParser(toMsOrNone)
        .default(10_000, '10s'),
    )
  return addBrokerFlags(addGatewayFlags(command))
    .addHelpText('after', examples)
    .action((flags: Flags) => withStopSignal((signal) => run(flags, deps, signal)))
}

async function run(flags: Flags, { createMonthlyDollars, onReady }: GatewayCommandDeps, signal: AbortSignal): Promise<void> {
  const file = flags.config === undefined ? {} : readConfigObject(flags.config)
  const config = parseConfig(withFlags(file, flags), flags.config ?? 'flags')
  if (config.spool.kind !== 'direct' || config.sessions.persist) makeDataDir(config.dataDir)
  const log = createStdoutLog(config.log.level)
  const directory = flags.config === undefined ? process.cwd() : dirname(resolve(flags.config))
  const monthlyDollars = createMonthlyDollars?.()
  const gateway = await startGateway({ config, directory, log, signal, ...(monthlyDollars && { monthlyDollars }) }).catch(unlessStopped)
  if (!gateway) return
  onReady?.(gateway)
  await aborted(signal)
  await gateway.stop(flags.drainTimeout)
  process.exitCode = gateway.ledger().balanced ? 0 : 1
  // A client of AWS's SDK keeps the event loop alive after it was closed.
  if (config.broker.kind === 'iot-core') process.stdout.write('', () => process.exit())
}

function readConfigObject(path: string): GatewayConfigInput {
  return parseAs(z.record(z.string(), z.unknown()), readConfig(path), path, invalidConfig)
}

/** Stopped before it was ready: it has accepted nothing, so the stop is in good order. */
function unlessStopped(error: unknown): undefined {
  if (!(error instanceof Interrupted)) throw error
}
