// `weir consume`: consumers alone, as many processes as one likes against the same queues.
import { dirname, resolve } from 'node:path'
import { Command } from 'commander'
import { z } from 'zod'
import { systemClock as clock } from '../../lib/clock.ts'
import { printableText } from '../../lib/printable.ts'
import { parseAs } from '../../lib/problems.ts'
import { systemRandom } from '../../lib/random.ts'
import { abortable, aborted, withStopSignal } from '../../lib/stop-signal.ts'
import { answerText } from '../aws/answer.ts'
import { type Aws, awsSchema, createAws } from '../aws/clients.ts'
import { readConfig } from '../config.ts'
import { buildConsumer } from '../consume/build.ts'
import type { Consumer } from '../consume/consumer.ts'
import { consumerSchema } from '../consume/consumer-config.ts'
import { createSqsQueue } from '../consume/sqs-queue.ts'
import { GatewayError, invalidConfig, textOf } from '../errors.ts'
import { createLog } from '../observe/log.ts'
import { createObserve } from '../observe/observe.ts'
import { toMs, toUrl } from './arguments.ts'

const examples = `
Examples:
  $ weir consume --config consumers.json
  $ weir consume --config consumers.json --aws-endpoint http://127.0.0.1:4566 --duration 1m --json

A config file:
  { "consumers": [ { "queue": "telemetry", "handler": { "kind": "module", "path": "./handle.ts" }, "rate": "50/s" } ] }

Handlers: log, ndjson, http, module. The log of warnings goes to stderr. SIGTERM or Ctrl-C finishes what is being handled, gives back the rest, and ends.
Exit code 1: a queue was never reached.`

/** A file with more in it, a whole gateway's, serves as well: only these keys are read. */
const fileSchema = z.object({
  aws: awsSchema.prefault({}),
  consumers: z.array(consumerSchema).min(1),
})

/** How long a queue that was never reached has to answer at the end. */
const answerMs = 2_000

interface Flags {
  readonly config: string
  readonly awsEndpoint?: string
  readonly duration?: number
  readonly json?: true
}

export function consumeCommand(): Command {
  return new Command('consume')
    .description('consumers alone, as many processes as one likes against the same queues')
    .requiredOption('--config <file>', 'JSON file with `consumers`, and `aws` where it is not the embedded one')
    .option('--aws-endpoint <where>', 'URL of SQS, or `aws`; overrides the file', (text) => (text === 'aws' ? text : toUrl(text)))
    .option('--duration <duration>', 'stop by itself after this time', toMs)
    .option('--json', 'print what was done as one JSON document at the end; handlers print to stderr then')
    .addHelpText('after', examples)
    .action((flags: Flags) => withStopSignal((signal) => run(flags, signal)))
}

async function run({ config, awsEndpoint, duration, json }: Flags, signal: AbortSignal): Promise<void> {
  const { aws: awsConfig, consumers: configs } = parseAs(fileSchema, readConfig(config), config, invalidConfig)
  const observe = createObserve(createLog({ level: 'warn', destination: process.stderr, clock }))
  const aws = createAws({ region: awsConfig.region, accountId: awsConfig.accountId, ...endpointOf(awsEndpoint ?? awsConfig.endpoint) })
  const out = json ? process.stderr : process.stdout
  const consumers: Consumer[] = []
  const stopAll = () => Promise.all(consumers.map((consumer) => consumer.stop()))
  let unreached: readonly string[] = []
  try {
    for (const each of configs) {
      const print = (line: string) => void out.write(`${printableText(line)}\n`)
      const deps = { aws, clock, random: systemRandom(), observe, fetch, print, directory: dirname(resolve(config)) }
      consumers.push(await abortable(buildConsumer(each, deps), signal))
    }
    for (const consumer of consumers) consumer.start()
    process.stderr.write(`consuming ${consumers.map(({ queue }) => queue).join(', ')}${duration === undefined ? ' until Ctrl-C' : ''}\n`)
    await (duration === undefined ? aborted(signal) : clock.sleep(duration, signal).catch(() => undefined))
    await stopAll()
    unreached = await unreachedBy(consumers, aws, observe)
  } finally {
    await stopAll()
    aws.stop()
  }
  const done = consumers.map((consumer) => ({ queue: consumer.queue, ...consumer.stats() }))
  if (json) process.stdout.write(`${JSON.stringify({ consumers: done })}\n`)
  else
    for (const { queue, handled, failed, buried } of done)
      process.stderr.write(`${queue}: ${handled} handled, ${failed} failed, ${buried} buried\n`)
  if (unreached.length > 0) throw new GatewayError('QUEUE_UNREACHABLE', `never reached: ${unreached.join('; ')}`)
}

/** A sentence for each queue that gave nothing, failed to answer, and still does. */
async function unreachedBy(
  consumers: readonly Consumer[],
  aws: Aws,
  { metrics }: ReturnType<typeof createObserve>,
): Promise<readonly string[]> {
  const silent = consumers
    .filter((consumer) => consumer.stats().received === 0 && metrics.total('consumer.unreachable', { queue: consumer.queue }) > 0)
    .map(({ queue }) => createSqsQueue({ aws, name: queue, visibilityTimeoutSeconds: 30, clock }))
  const asked = silent.map((queue) =>
    abortable(queue.depth(), clock.deadline(answerMs)).then(
      () => [],
      (error) => [error instanceof GatewayError ? textOf(error) : `queue ${queue.name} ${answerText(error)}`],
    ),
  )
  return (await Promise.all(asked)).flat()
}

/** `embedded` is the one of a running gateway, on its usual port. */
function endpointOf(endpoint: string): { readonly endpoint?: string } {
  if (endpoint === 'aws') return {}
  return { endpoint: endpoint === 'embedded' ? 'http://127.0.0.1:4566' : endpoint }
}
